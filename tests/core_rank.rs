//! Layouts and group importances against naive enumerations.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use proptest::prelude::*;
use sgt_core::{Group, Importance, Layout, Order, Reduction, rank_features};

fn ranked_case() -> impl Strategy<Value = (Layout, Importance, Vec<f32>)> {
    (samples::layout(), samples::importance_kind()).prop_flat_map(|(layout, kind)| {
        let gradient = prop::collection::vec(samples::gradient_value(), layout.sample_len());
        (Just(layout), Just(kind), gradient)
    })
}

proptest! {
    #[test]
    fn importance_is_the_reduced_gradient((layout, kind, gradient) in ranked_case()) {
        let mut importance = vec![f32::NAN; layout.groups()];
        rank_features(&layout, kind, &gradient, &mut importance)?;
        let expected = oracle::importance(&layout, kind, &gradient);
        prop_assert_eq!(&importance, &expected);
        for (offsets, &found) in oracle::groups(&layout).iter().zip(&importance) {
            let terms: Vec<f64> = offsets.iter().map(|&at| f64::from(gradient[at])).collect();
            let mut exact: f64 = terms.iter().sum();
            if layout.reduction() == Reduction::Mean {
                exact /= terms.len() as f64;
            }
            if kind == Importance::Absolute {
                exact = exact.abs();
            }
            let largest = terms.iter().fold(0.0_f64, |largest, term| largest.max(term.abs()));
            prop_assert!((f64::from(found) - exact).abs() <= tolerance::SUM * (largest + 1e-30));
        }
    }

    #[test]
    fn padding_is_not_read((layout, kind, gradient) in ranked_case()) {
        let mut importance = vec![0.0; layout.groups()];
        rank_features(&layout, kind, &gradient, &mut importance)?;
        let read: Vec<usize> = oracle::groups(&layout).concat();
        let poisoned: Vec<f32> = gradient
            .iter()
            .enumerate()
            .map(|(offset, &value)| if read.contains(&offset) { value } else { f32::NAN })
            .collect();
        let mut again = vec![0.0; layout.groups()];
        rank_features(&layout, kind, &poisoned, &mut again)?;
        prop_assert_eq!(oracle::bits(&importance), oracle::bits(&again));
    }

    #[test]
    fn a_layout_counts_what_it_holds(layout in samples::layout()) {
        prop_assert_eq!(layout.groups(), oracle::groups(&layout).len());
        prop_assert_eq!(layout.sample_len(), layout.positions() * layout.channels());
        let coordinates = oracle::coordinates(&layout);
        for position in 0..layout.valid() {
            for channel in 0..layout.channels() {
                let place = coordinates[layout.offset(position, channel)];
                prop_assert_eq!(place, (layout.first_valid() + position, channel));
            }
        }
    }
}

#[test]
fn named_layouts_are_those_of_the_field() -> Result<(), sgt_core::Error> {
    let (first, last) = (Order::ChannelsFirst, Order::ChannelsLast);
    let image = Layout::image(3, 2, 2)?;
    assert_eq!(
        image,
        Layout::new(4, 3, first, Group::Position, Reduction::Mean)?
    );
    let cells = Layout::series(4, 3, first, Group::Cell)?;
    assert_eq!(
        cells,
        Layout::new(4, 3, first, Group::Cell, Reduction::Mean)?
    );
    let steps = Layout::series(4, 3, last, Group::Position)?;
    assert_eq!(
        steps,
        Layout::new(4, 3, last, Group::Position, Reduction::Mean)?
    );
    let text = Layout::text(4, 3)?;
    assert_eq!(
        text,
        Layout::new(4, 3, last, Group::Position, Reduction::Sum)?
    );
    assert_eq!(Layout::flat(12)?.groups(), 12);
    Ok(())
}
