//! The data sets inside the binary.

use sgt_host::data::embedded::{
    ASSETS, BASIC_MOTIONS_ATTRIBUTION, MNIST_SUBSET_ATTRIBUTION, UCI_HAR_SUBSET_ATTRIBUTION,
    basic_motions, mnist_subset, uci_har_subset,
};
use sgt_host::data::{Axes, Bounds, Length, LoadOptions, load};
use sgt_host::file::sha256;

/// As `sgt-host/assets/make.py` prints them.
const SHA256: [&str; 8] = [
    "09be9a114f182a7c67808161de672778aeef8f9eb9963ff67226093ca1bdb621",
    "741a7610041bcd4c054dd3035410a8fddb5d86f70ae2502f674ddbc2ae42b066",
    "502c52a4dc23e193df01782d3c4ceefcbc0d2566d9ba6c9beed11c3176d4b4f3",
    "bed0ebda958976dadbb3dbd1ed2f285fc0af3515151d242beb74ed0934a182ff",
    "076ba9ac3999e9007326665dfb57b70e55a09e73105b400f0286cf84292a94c1",
    "fd3826397e6e0684a3513aa8cdcfd56cd2713a676525e8e1988e03cd1634d950",
    "fe5ae78dc80704e0e5b9e22ddbe855250d1d751c7d501bf20afe7c360a82d5b5",
    "38d85dd6a3625ad3ce6afed6d3687ac4ccd3bd85d46e0d12688e02d790f7cda4",
];

#[test]
fn the_files_are_those_that_the_script_made() {
    for (asset, expected) in ASSETS.iter().zip(SHA256) {
        assert_eq!(sha256(asset.bytes), expected, "{}", asset.name);
    }
}

#[test]
fn basic_motions_has_forty_and_forty_balanced_cases() {
    let data = basic_motions(Length::Longest).unwrap();
    let classes = ["Standing", "Running", "Walking", "Badminton"];
    for part in [&data.train, &data.test] {
        assert_eq!(part.name(), "BasicMotions");
        assert_eq!(part.classes(), classes);
        assert_eq!(part.class_counts(), [10; 4]);
        assert_eq!(part.shape().dims(), [6, 100]);
        assert!(!part.is_padded());
        assert_eq!(part.bounds(), None);
    }
    // The first and last numbers of the training file.
    assert_eq!(
        data.train.sample(0)[..3],
        [0.079_106, 0.079_106, -0.903_497]
    );
    assert_eq!(data.train.sample(39)[598..], [0.442_12, 0.428_803]);
    assert_eq!(data.train.labels()[0], 0);
    assert_eq!(data.train.labels()[39], 3);
}

#[test]
fn the_mnist_subset_has_five_hundred_and_a_hundred_a_digit() {
    let data = mnist_subset().unwrap();
    assert_eq!(data.train.class_counts(), [500; 10]);
    assert_eq!(data.test.class_counts(), [100; 10]);
    for part in [&data.train, &data.test] {
        assert_eq!(part.shape().dims(), [1, 28, 28]);
        assert_eq!(part.bounds(), Some(Bounds::UNIT));
        assert_eq!(part.range(), Bounds::UNIT);
    }
    // MNIST begins with 5 0 4 1 9; its test part with 7 2 1 0 4.
    assert_eq!(data.train.labels()[..5], [5, 0, 4, 1, 9]);
    assert_eq!(data.test.labels()[..5], [7, 2, 1, 0, 4]);
    let sum: f64 = data.train.samples().iter().map(|&v| f64::from(v)).sum();
    let mean = sum / data.train.samples().len() as f64;
    assert!((mean - 0.13066).abs() < 0.003, "{mean} is not MNIST's mean");
}

#[test]
fn the_har_subset_is_balanced_in_units_and_without_a_common_window() {
    let data = uci_har_subset(Length::Longest).unwrap();
    for (part, each) in [(&data.train, 80), (&data.test, 100)] {
        assert_eq!(part.name(), "UciHarSubset");
        assert_eq!(part.classes()[3..], ["SITTING", "STANDING", "LAYING"]);
        assert_eq!(part.class_counts(), [each; 6]);
        assert_eq!(part.shape().dims(), [6, 128]);
        // At rest the acceleration is that of gravity, 1 g.
        let lying = part.labels().iter().position(|&label| label == 5).unwrap();
        let axis = |channel: usize| {
            let values = &part.sample(lying)[channel * 128..][..128];
            values.iter().sum::<f32>() / 128.0
        };
        let gravity = (axis(0).powi(2) + axis(1).powi(2) + axis(2).powi(2)).sqrt();
        assert!((gravity - 1.0).abs() < 0.05, "{gravity} g");
    }
    for train in 0..data.train.len() {
        for test in 0..data.test.len() {
            assert_ne!(data.train.sample(train), data.test.sample(test));
        }
    }
}

#[test]
fn each_set_says_who_made_it() {
    assert!(BASIC_MOTIONS_ATTRIBUTION.contains("UEA"));
    assert!(MNIST_SUBSET_ATTRIBUTION.contains("LeCun"));
    assert!(MNIST_SUBSET_ATTRIBUTION.contains("Attribution-ShareAlike 3.0"));
    assert!(UCI_HAR_SUBSET_ATTRIBUTION.contains("Anguita"));
    assert!(UCI_HAR_SUBSET_ATTRIBUTION.contains("CC BY 4.0"));
}

#[test]
fn the_sensors_are_known_by_name_unit_and_rate() {
    let options = LoadOptions::default();
    for (name, channel, unit, rate) in [
        ("uci-har-subset", "angular velocity x", Some("rad/s"), 50.0),
        ("basic-motions", "gyroscope x", None, 10.0),
    ] {
        let data = load(name, &options).unwrap();
        for part in [&data.train, &data.test.subset(&[1]).unwrap()] {
            let axes = part.axes();
            assert_eq!(axes.channels[3], channel);
            assert_eq!(axes.units.get(3).map(String::as_str), unit);
            assert_eq!(axes.rate, Some(rate));
        }
    }
    let digits = load("mnist-subset", &options).unwrap();
    assert_eq!(*digits.train.axes(), Axes::default());
    let error = digits.train.with_axes(Axes {
        channels: vec!["one".into(), "two".into()],
        ..Axes::default()
    });
    assert_eq!(
        error.unwrap_err().to_string(),
        "channel names: found shape 2, expected none or 1, one a channel"
    );
}
