//! Both selections against a stable sort, and the mask forms against each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::{Error, mask, select_fast, select_small};
use sgt_fuzz::{Bytes, oracle};

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let end = bytes.end();
    let k = bytes.below(600);
    let groups = bytes.below(600).min(bytes.0.len());
    let repeats = 1 + bytes.below(4);
    let mut importance = bytes.floats(groups);
    for _ in 1..repeats {
        importance.extend_from_within(..groups);
    }
    let groups = importance.len();
    let mut scratch = vec![0; groups];
    let small = select_small(&importance, k, end);
    let fast = select_fast(&importance, k, end, &mut scratch);
    assert_eq!(small, fast);
    let first_bad = importance.iter().position(|value| !value.is_finite());
    let threshold = match small {
        Err(Error::Empty { .. }) => return assert_eq!(groups, 0),
        Err(Error::TooMany { .. }) => return assert!(k > groups),
        Err(Error::NonFinite { index, .. }) => return assert_eq!(Some(index), first_bad),
        Err(other) => panic!("{other}"),
        Ok(threshold) => threshold,
    };
    assert!(first_bad.is_none() && k <= groups && threshold.selected() == k);
    let expected = oracle::selection(&importance, k, end);
    let mut wide = vec![7_u32; groups];
    let listed = threshold.indices(&importance, &mut wide).unwrap();
    assert!(
        listed
            .iter()
            .map(|&index| index as usize)
            .eq(expected.iter().copied())
    );
    assert!(wide[k..].iter().all(|&index| index == 7));
    let mut narrow = vec![0_u16; k];
    let listed = threshold.indices(&importance, &mut narrow).unwrap();
    assert!(
        listed
            .iter()
            .map(|&index| usize::from(index))
            .eq(expected.iter().copied())
    );

    let mut words = vec![u32::MAX; mask::bit_words(groups)];
    mask::set_bits(&threshold, &importance, &mut words).unwrap();
    let marked = (0..groups).filter(|&group| mask::is_selected(&words, group));
    assert!(marked.eq(expected.iter().copied()));
    let mut back = vec![0_u16; k];
    assert_eq!(mask::indices_from_bits(&words, &mut back).unwrap(), narrow);
    let mut again = vec![u32::MAX; words.len()];
    mask::bits_from_indices(&narrow, groups, &mut again).unwrap();
    assert_eq!(again, words);
});
