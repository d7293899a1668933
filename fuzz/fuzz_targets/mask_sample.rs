//! The whole masking call: fast equals small equals a naive sort; refused calls write nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::{
    Donors, Pcg32, mask, mask_sample, mask_sample_len, mask_sample_small, mask_sample_small_len,
};
use sgt_fuzz::{Bytes, UNTOUCHED, assert_replaced, assert_untouched, oracle};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let masking = bytes.masking();
    let sample_len = masking.layout.sample_len();
    let length = bytes.length(sample_len);
    let gradient = bytes.floats(length);
    let length = bytes.length(sample_len);
    let sample = bytes.floats(length);
    let donors = bytes.below(4);
    let length = bytes.length(sample_len * donors);
    let batch = bytes.floats(length);
    let own = bytes.below(4);
    let donors = Some(Donors { batch: &batch, own });
    let out_len = bytes.length(sample_len);
    let seed = u64::from(bytes.word());

    let mut scratch = vec![0; mask_sample_len(&masking)];
    let mut out = vec![UNTOUCHED; out_len];
    let mut rng = Pcg32::new(seed, 3);
    let fast = mask_sample(
        &masking,
        &gradient,
        &sample,
        donors,
        &mut rng,
        &mut scratch,
        &mut out,
    );
    let mut indices = vec![0_u16; mask_sample_small_len(&masking)];
    let mut small_out = vec![UNTOUCHED; out_len];
    let mut small_rng = Pcg32::new(seed, 3);
    let small = mask_sample_small(
        &masking,
        &gradient,
        &sample,
        donors,
        &mut small_rng,
        &mut indices,
        &mut small_out,
    );
    assert_eq!(oracle::bits(&out), oracle::bits(&small_out));
    assert_eq!(rng, small_rng);
    match (fast, small) {
        (Err(fast), Err(small)) => {
            assert_eq!(fast, small);
            assert_untouched(&out);
            assert_eq!(rng, Pcg32::new(seed, 3));
        }
        (Ok(fast), Ok(small)) => {
            let mut expected = oracle::masked_groups(&masking, &gradient);
            assert!(
                small
                    .iter()
                    .map(|&group| usize::from(group))
                    .eq(expected.iter().copied())
            );
            expected.sort_unstable();
            assert!(fast.iter().eq(expected.iter().copied()));
            assert_eq!(fast.count(), expected.len());
            let mut words = vec![u32::MAX; mask::bit_words(masking.layout.groups())];
            fast.bits(&mut words).unwrap();
            let marked = (0..32 * words.len()).filter(|&group| mask::is_selected(&words, group));
            assert!(marked.eq(expected.iter().copied()));
            assert_replaced(
                &masking.layout,
                masking.policy,
                &expected,
                &sample,
                &batch,
                own,
                &out,
            );
        }
        (fast, small) => panic!("{fast:?} but {small:?}"),
    }
});
