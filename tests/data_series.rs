//! Alignment of unequal series, standardisation, splits and batches.

use proptest::prelude::*;
use sgt_host::data::series::{Recording, Recordings, align};
use sgt_host::data::{
    Batch, Dataset, Length, Normalization, embedded, epoch_order, stratified_split,
};
use sgt_host::network::{InputShape, SeriesOrder};
use sgt_host::npy::Array;

/// Two channels: the second is ten times the first.
fn recordings(series: &[&[f32]]) -> Recordings {
    let case = |(index, values): (usize, &&[f32])| Recording {
        label: index % 2,
        steps: values.len(),
        values: values
            .iter()
            .copied()
            .chain(values.iter().map(|v| v * 10.0))
            .map(f64::from)
            .collect(),
    };
    Recordings {
        name: "toy".into(),
        classes: vec!["a".into(), "b".into()],
        channels: 2,
        cases: series.iter().enumerate().map(case).collect(),
    }
}

fn series(steps: usize, channels: usize, order: SeriesOrder) -> InputShape {
    InputShape::Series {
        steps,
        channels,
        order,
    }
}

#[test]
fn padding_is_in_front_and_standardises_to_zero() {
    let train = recordings(&[&[1.0, 2.0, 3.0], &[6.0]]);
    let test = recordings(&[&[9.0], &[4.0, 5.0, 6.0, 7.0]]);
    let data = align(&train, &test, Length::Longest).unwrap();
    // The training part decides: three steps, padding 3 = mean(1, 2, 3, 6) and ten times that.
    assert_eq!(data.train.sample(0), [1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
    assert_eq!(data.train.sample(1), [3.0, 3.0, 6.0, 30.0, 30.0, 60.0]);
    assert_eq!(data.test.sample(0), [3.0, 3.0, 9.0, 30.0, 30.0, 90.0]);
    assert_eq!(data.test.sample(1), [5.0, 6.0, 7.0, 50.0, 60.0, 70.0]);
    assert_eq!(data.train.valid_steps(0), 0..3);
    assert_eq!(data.train.valid_steps(1), 2..3);
    assert_eq!(data.test.valid_steps(0), 2..3);
    assert!(data.train.is_padded() && data.test.is_padded());

    let normalization = Normalization::fit(&data.train);
    let mut x = data.test.sample(0).to_vec();
    normalization.apply(data.test.shape(), &mut x).unwrap();
    assert_eq!([x[0], x[1], x[3], x[4]], [0.0; 4]);
}

#[test]
fn padding_follows_the_normalisation_in_use() {
    let train = recordings(&[&[1.0, 2.0], &[6.0]]);
    let mut data = align(&train, &train, Length::Longest).unwrap().train;
    data.pad_with(&[-1.0, -2.0]).unwrap();
    assert_eq!(data.sample(0), [1.0, 2.0, 10.0, 20.0]);
    assert_eq!(data.sample(1), [-1.0, 6.0, -2.0, 60.0]);
    let error = data.pad_with(&[0.0]).unwrap_err().to_string();
    assert_eq!(
        error,
        "padding: found shape 1 values, expected 2 finite values, one a channel"
    );
    data.pad_with(&[0.0, f32::NAN]).unwrap_err();
}

#[test]
fn cropping_keeps_the_last_steps() {
    let train = recordings(&[&[1.0, 2.0, 3.0], &[6.0, 7.0]]);
    let data = align(&train, &train, Length::Shortest).unwrap();
    assert_eq!(data.train.sample(0), [2.0, 3.0, 20.0, 30.0]);
    assert_eq!(data.train.sample(1), [6.0, 7.0, 60.0, 70.0]);
    assert!(!data.train.is_padded());
    let data = align(&train, &train, Length::Steps(1)).unwrap();
    assert_eq!(data.train.samples(), [3.0, 30.0, 7.0, 70.0]);
    let data = align(&train, &train, Length::Steps(5)).unwrap();
    assert_eq!(data.train.valid_steps(0), 2..5);
    assert_eq!(data.train.valid_steps(1), 3..5);
}

#[test]
fn lengths_without_sense_are_refused() {
    let train = recordings(&[&[1.0, 2.0, 3.0]]);
    for (length, expected) in [
        (
            Length::Steps(0),
            "length: found 0 steps, expected at least 1",
        ),
        (
            Length::Steps(usize::MAX),
            "length: found 18446744073709551615 steps for 2 series of 12 values, \
             expected a length that is not nearly all padding",
        ),
    ] {
        let error = align(&train, &train, length).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    // One long recording among many short ones.
    let long = vec![0.0; 100_000];
    let mut series = vec![&[1.0][..]; 1_000];
    series.push(&long);
    let stray = recordings(&series);
    let error = align(&stray, &train, Length::Longest)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("length: found 100000 steps for 1002 series"),
        "{error}"
    );
    align(&stray, &train, Length::Steps(10)).unwrap();
    let mut other = train.clone();
    other.channels = 3;
    let error = align(&train, &other, Length::Longest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "test series: found shape 3 channels, expected the 2 of the training series"
    );
}

#[test]
fn data_sets_are_checked_once() {
    let shape = series(2, 1, SeriesOrder::ChannelsFirst);
    let classes = || vec!["a".to_string()];
    let refuse = |shape, samples: &[f32], labels: &[usize]| {
        Dataset::new("toy", classes(), shape, samples.into(), labels.into(), None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse(shape, &[1.0], &[0]),
        "data set: found shape 1 values, expected 1 samples of shape [1, 2], at least one"
    );
    assert!(refuse(shape, &[], &[]).contains("0 values"));
    assert_eq!(
        refuse(shape, &[1.0, 2.0], &[1]),
        "label: found 1, expected a class below 1"
    );
    assert_eq!(
        refuse(shape, &[1.0, f32::NAN], &[0]),
        "samples: found NaN in sample 0, expected finite values"
    );
    let steps_first = series(2, 1, SeriesOrder::StepsFirst);
    assert!(refuse(steps_first, &[1.0, 2.0], &[0]).contains("expected channels first"));
    let good = Dataset::new("toy", classes(), shape, vec![1.0, 2.0], vec![0], None).unwrap();
    for real in [vec![], vec![0], vec![3]] {
        good.clone().with_real_steps(real).unwrap_err();
    }
    good.subset(&[]).unwrap_err();
    good.subset(&[1]).unwrap_err();
}

#[test]
fn arrays_become_images_or_series_by_their_axes() {
    let array = |shape: &[usize]| Array {
        shape: shape.to_vec(),
        values: vec![0.5; shape.iter().product()],
    };
    let dataset = |shape: &[usize]| {
        Dataset::from_array("toy", vec!["a".into()], array(shape), vec![0, 0], None)
    };
    let images = dataset(&[2, 3, 4, 5]).unwrap();
    assert_eq!(
        (images.shape().dims(), images.steps()),
        (vec![3, 4, 5], None)
    );
    let recordings = dataset(&[2, 3, 4]).unwrap();
    assert_eq!(
        (recordings.shape().dims(), recordings.steps()),
        (vec![3, 4], Some(4))
    );
    assert_eq!(
        dataset(&[2, 3]).unwrap_err().to_string(),
        "data set: found shape [2, 3], expected [samples, channels, height, width] or \
         [samples, channels, steps]"
    );
    dataset(&[3, 3, 4]).unwrap_err();
}

#[test]
fn standardisation_is_fitted_on_real_values_of_each_channel() {
    let train = recordings(&[&[1.0, 2.0, 3.0], &[6.0]]);
    let data = align(&train, &train, Length::Longest).unwrap();
    let fitted = Normalization::fit(&data.train);
    // mean 3, squared deviations 4 + 1 + 0 + 9 over 4.
    assert_eq!(fitted.mean(), [3.0, 30.0]);
    let deviation = (14.0_f64 / 4.0).sqrt();
    let expected = [deviation as f32, (10.0 * deviation) as f32];
    assert_eq!(fitted.deviation(), expected);

    let constant = Dataset::new(
        "constant",
        vec!["a".into()],
        series(2, 1, SeriesOrder::ChannelsFirst),
        vec![5.0, 5.0],
        vec![0],
        None,
    );
    let fitted = Normalization::fit(&constant.unwrap());
    assert_eq!(
        (fitted.mean(), fitted.deviation()),
        (&[5.0][..], &[1.0][..])
    );
}

#[test]
fn a_standardised_training_part_has_mean_zero_and_deviation_one() {
    let train = embedded::basic_motions(Length::Longest).unwrap().train;
    let fitted = Normalization::fit(&train);
    let mut x = train.samples().to_vec();
    fitted.apply(train.shape(), &mut x).unwrap();
    for channel in 0..6 {
        let values: Vec<f64> = (0..train.len())
            .flat_map(|sample| &x[sample * 600 + channel * 100..][..100])
            .map(|&v| f64::from(v))
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-5);
    }
}

/// What `torch` makes of the same file; its deviation divides by n − 1, ours by n.
#[test]
fn standardised_values_are_those_of_the_golden_vectors() {
    let data = embedded::basic_motions(Length::Longest).unwrap();
    let input = series(100, 6, SeriesOrder::StepsFirst);
    let mut batch = Batch::new();
    batch.fill(&data.test, &[0], input).unwrap();
    let mut x = batch.x().to_vec();
    Normalization::fit(&data.train)
        .apply(input, &mut x)
        .unwrap();
    let golden = [
        -0.465_619_18,
        0.303_232_46,
        0.211_674_75,
        -0.209_511_61,
        0.020_469_597,
        0.019_649_18,
    ];
    let count = data.train.len() as f32 * 100.0;
    let to_population = (count / (count - 1.0)).sqrt();
    for (value, expected) in x.iter().zip(golden) {
        let expected = expected * to_population;
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }
}

#[test]
fn normalisations_out_of_domain_are_refused() {
    for (mean, deviation) in [
        (vec![], vec![]),
        (vec![0.0], vec![1.0, 1.0]),
        (vec![0.0], vec![0.0]),
        (vec![0.0], vec![-1.0]),
        (vec![f32::NAN], vec![1.0]),
        (vec![0.0], vec![f32::INFINITY]),
    ] {
        Normalization::new(mean, deviation).unwrap_err();
    }
    assert!(serde_json::from_str::<Normalization>(r#"{"mean":[0],"deviation":[0]}"#).is_err());
    let two = Normalization::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let shape = series(4, 3, SeriesOrder::StepsFirst);
    assert_eq!(
        two.apply(shape, &mut [0.0; 12]).unwrap_err().to_string(),
        "normalization: found shape 2 channels, expected the 3 of the input"
    );
    let shape = series(4, 2, SeriesOrder::StepsFirst);
    two.apply(shape, &mut [0.0; 12]).unwrap_err();
}

proptest! {
    #[test]
    fn normalisation_inverts_and_scales_gradients_alike_in_both_orders(
        batch in 1_usize..4, channels in 1_usize..4, steps in 1_usize..6, seed in any::<u32>(),
    ) {
        let draw = |index: usize| (seed.wrapping_mul(2_654_435_761).rotate_left(index as u32 % 32)
            as f32 / u32::MAX as f32) - 0.5;
        let normalization = Normalization::new(
            (0..channels).map(draw).collect(),
            (0..channels).map(|c| draw(c + 7).abs() + 0.1).collect(),
        ).unwrap();
        for order in [SeriesOrder::ChannelsFirst, SeriesOrder::StepsFirst] {
            let shape = series(steps, channels, order);
            let x: Vec<f32> = (0..batch * shape.len()).map(draw).collect();
            let channel = |index: usize| match order {
                SeriesOrder::ChannelsFirst => index / steps % channels,
                SeriesOrder::StepsFirst => index % channels,
            };
            let mut z = x.clone();
            normalization.apply(shape, &mut z).unwrap();
            let mut gradient = x.clone();
            normalization.pull_back(shape, &mut gradient).unwrap();
            for (index, &value) in x.iter().enumerate() {
                let mean = normalization.mean()[channel(index)];
                let deviation = normalization.deviation()[channel(index)];
                prop_assert_eq!(z[index], (value - mean) / deviation);
                prop_assert_eq!(gradient[index], value / deviation);
            }
            normalization.invert(shape, &mut z).unwrap();
            for (value, back) in x.iter().zip(z) {
                prop_assert!((value - back).abs() < 1e-6, "{} {}", value, back);
            }
        }
    }

    #[test]
    fn an_epoch_holds_each_sample_once_and_seeds_decide(
        samples in 0_usize..200, seed in any::<u64>(), epoch in 0_u64..1000,
    ) {
        let order = epoch_order(samples, seed, epoch);
        prop_assert_eq!(&order, &epoch_order(samples, seed, epoch));
        if samples > 20 {
            prop_assert_ne!(&order, &epoch_order(samples, seed, epoch + 1));
            prop_assert_ne!(&order, &epoch_order(samples, seed ^ 1, epoch));
        }
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert!(sorted.into_iter().eq(0..samples));
    }

    #[test]
    fn validation_is_stratified(
        labels in prop::collection::vec(0_usize..4, 0..120), fraction in 0.0_f32..0.99, seed in any::<u64>(),
    ) {
        let split = stratified_split(&labels, 4, fraction, seed).unwrap();
        prop_assert_eq!(&split, &stratified_split(&labels, 4, fraction, seed).unwrap());
        let mut all = [split.train.clone(), split.validation.clone()].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..labels.len()));
        prop_assert!(split.train.is_sorted() && split.validation.is_sorted());
        for class in 0..4 {
            let count = |indices: &[usize]| indices.iter().filter(|&&i| labels[i] == class).count();
            let (kept, held_out) = (count(&split.train), count(&split.validation));
            let share = f64::from(fraction) * (kept + held_out) as f64;
            prop_assert!((held_out as f64 - share).abs() <= 1.0, "{} of {}", held_out, share);
            prop_assert_eq!(kept == 0, kept + held_out == 0);
        }
    }
}

#[test]
fn every_order_of_three_is_about_as_frequent() {
    let mut counts = std::collections::HashMap::new();
    for epoch in 0..6000 {
        *counts.entry(epoch_order(3, 1, epoch)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 6);
    // Each count has mean 1000 and deviation 29.
    assert!(
        counts.values().all(|count| (850..1150).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn different_seeds_hold_out_different_samples() {
    let labels = [0; 50];
    let split = |seed| stratified_split(&labels, 1, 0.2, seed).unwrap().validation;
    assert_eq!(split(1).len(), 10);
    assert_ne!(split(1), split(2));
}

#[test]
fn splits_out_of_domain_are_refused() {
    for fraction in [-0.1, 1.0, f32::NAN] {
        let error = stratified_split(&[0], 1, fraction, 0)
            .unwrap_err()
            .to_string();
        let expected =
            format!("validation fraction: found {fraction}, expected at least 0 and below 1");
        assert_eq!(error, expected);
    }
    let error = stratified_split(&[0, 2], 2, 0.5, 0)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "label: found 2, expected a class below 2");
}

#[test]
fn a_batch_has_the_order_that_the_model_reads() {
    let train = recordings(&[&[1.0, 2.0, 3.0], &[6.0]]);
    let data = align(&train, &train, Length::Longest).unwrap().train;
    let mut batch = Batch::new();
    batch.fill(&data, &[1, 0], data.shape()).unwrap();
    assert_eq!(batch.x(), [data.sample(1), data.sample(0)].concat());
    let input = series(3, 2, SeriesOrder::StepsFirst);
    batch.fill(&data, &[0, 1], input).unwrap();
    assert_eq!(
        batch.x(),
        [
            1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 3.0, 30.0, 3.0, 30.0, 6.0, 60.0
        ]
    );
    assert_eq!((batch.labels(), batch.len()), (&[0, 1][..], 2));
    assert_eq!(batch.valid(), [0..3, 2..3]);

    let error = batch.fill(&data, &[2], input).unwrap_err().to_string();
    assert_eq!(error, "batch index: found 2, expected below 2");
    let error = batch.fill(&data, &[0], series(4, 2, SeriesOrder::StepsFirst));
    assert!(
        error
            .unwrap_err()
            .to_string()
            .starts_with("batch: found shape [2, 3] samples of toy")
    );
}

#[test]
fn a_batch_of_the_same_size_reuses_its_memory() {
    let data = embedded::basic_motions(Length::Longest).unwrap().train;
    let mut batch = Batch::new();
    batch.fill(&data, &[0, 1, 2], data.shape()).unwrap();
    let place = batch.x().as_ptr();
    batch.fill(&data, &[7, 4, 3], data.shape()).unwrap();
    assert_eq!(batch.x().as_ptr(), place);
    assert_eq!(batch.x()[..600], *data.sample(7));
}

#[test]
fn a_subset_keeps_labels_padding_and_order() {
    let train = recordings(&[&[1.0, 2.0, 3.0], &[6.0], &[7.0, 8.0]]);
    let data = align(&train, &train, Length::Longest).unwrap().train;
    let subset = data.subset(&[2, 1]).unwrap();
    assert_eq!(subset.sample(0), data.sample(2));
    assert_eq!(subset.labels(), [0, 1]);
    assert_eq!([subset.valid_steps(0), subset.valid_steps(1)], [1..3, 2..3]);
}
