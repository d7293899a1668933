//! The two forms of a mask say the same.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;

use proptest::prelude::*;
use sgt_core::{mask, select_small};

proptest! {
    #[test]
    fn index_list_and_bit_set_agree(
        importance in prop::collection::vec(samples::awkward(), 1..150),
        share in samples::share(),
        end in samples::end(),
    ) {
        let groups = importance.len();
        let k = (share * groups as f64).round() as usize;
        let threshold = select_small(&importance, k, end)?;
        let mut narrow = vec![0_u16; k];
        let mut wide = vec![0_u32; k];
        let narrow = threshold.indices(&importance, &mut narrow)?;
        let wide = threshold.indices(&importance, &mut wide)?;
        prop_assert!(narrow.iter().map(|&index| u32::from(index)).eq(wide.iter().copied()));

        let mut words = vec![u32::MAX; mask::bit_words(groups)];
        mask::set_bits(&threshold, &importance, &mut words)?;
        let expected = oracle::selection(&importance, k, end);
        for group in 0..words.len() * 32 + 5 {
            let marked = mask::is_selected(&words, group);
            prop_assert_eq!(marked, expected.contains(&group), "group {}", group);
        }
        let mut from_list = vec![u32::MAX; words.len()];
        mask::bits_from_indices(narrow, groups, &mut from_list)?;
        prop_assert_eq!(&from_list, &words);
    }

    #[test]
    fn any_bit_set_survives_the_index_list(words in prop::collection::vec(any::<u32>(), 0..9)) {
        let mut indices = vec![u16::MAX; words.len() * 32 + 1];
        let marked: usize = words.iter().map(|word| word.count_ones() as usize).sum();
        let listed = mask::indices_from_bits(&words, &mut indices)?;
        prop_assert_eq!(listed.len(), marked);
        prop_assert!(listed.is_sorted_by(|a, b| a < b));
        let mut back = vec![0; words.len()];
        mask::bits_from_indices(listed, words.len() * 32, &mut back)?;
        prop_assert_eq!(back, words);
        prop_assert!(indices[marked..].iter().all(|&index| index == u16::MAX));
    }
}

#[test]
fn a_bit_set_needs_a_bit_a_group() {
    for (groups, words) in [(0, 0), (1, 1), (32, 1), (33, 2), (784, 25)] {
        assert_eq!(mask::bit_words(groups), words);
    }
}
