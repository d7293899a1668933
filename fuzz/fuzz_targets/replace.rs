//! Every replacement policy over arbitrary layouts, masks and samples.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::{Donors, Pcg32, mask, replace_features, replace_features_by_bits};
use sgt_fuzz::{Bytes, UNTOUCHED, assert_replaced, assert_untouched, oracle};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let layout = bytes.layout();
    let policy = bytes.policy();
    let sample_len = layout.sample_len();
    let groups = layout.groups();
    let ascending = bytes.byte() % 4 != 0;
    let mut indices: Vec<u16> = if ascending {
        (0..groups as u16).filter(|_| bytes.flag()).collect()
    } else {
        (0..bytes.below(2 * groups))
            .map(|_| {
                let past = usize::from(bytes.byte() == 0);
                bytes.below(groups + past) as u16
            })
            .collect()
    };
    if bytes.byte() == 0 {
        indices.push(bytes.word() as u16);
    }
    let ascending = indices.is_sorted_by(|a, b| a < b);
    let length = bytes.length(sample_len);
    let sample = bytes.floats(length);
    let length = bytes.length(sample_len * bytes.0.len().min(4));
    let batch = bytes.floats(length);
    let own = bytes.below(5);
    let donors = (bytes.byte() % 8 != 0).then_some(Donors { batch: &batch, own });
    let mut out = vec![UNTOUCHED; bytes.length(sample_len)];
    let seed = u64::from(bytes.word());

    let mut rng = Pcg32::new(seed, 0);
    let result = replace_features(
        &layout, policy, &indices, &sample, donors, &mut rng, &mut out,
    );
    let selected: Vec<usize> = indices.iter().map(|&index| usize::from(index)).collect();
    match result {
        Err(_) => assert_untouched(&out),
        // The previous kept position is only defined for an ascending list.
        Ok(()) if ascending || policy != sgt_core::Policy::PreviousSalient => {
            assert_replaced(&layout, policy, &selected, &sample, &batch, own, &out);
        }
        Ok(()) => {}
    }

    let mut words = vec![0; mask::bit_words(groups)];
    if ascending && mask::bits_from_indices(&indices, groups, &mut words).is_ok() {
        let mut again = vec![UNTOUCHED; out.len()];
        let mut rng = Pcg32::new(seed, 0);
        let by_bits = replace_features_by_bits(
            &layout, policy, &words, &sample, donors, &mut rng, &mut again,
        );
        assert_eq!(result, by_bits);
        assert_eq!(oracle::bits(&out), oracle::bits(&again));
    }
    let words: Vec<u32> = words.iter().map(|_| bytes.word()).collect();
    let mut again = vec![UNTOUCHED; out.len()];
    if replace_features_by_bits(
        &layout, policy, &words, &sample, donors, &mut rng, &mut again,
    )
    .is_err()
    {
        assert_untouched(&again);
    } else {
        let selected: Vec<usize> = (0..32 * words.len())
            .filter(|&group| mask::is_selected(&words, group))
            .collect();
        assert_replaced(&layout, policy, &selected, &sample, &batch, own, &again);
    }
});
