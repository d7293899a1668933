//! CSV files of recordings and of whole samples, and UEA `.arff` files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_host::data::arff;
use sgt_host::data::csv::{Csv, Row};
use sgt_host::data::recording::{Cut, Dropped, Pace, Recorder, cut};
use sgt_host::data::{Missing, Reading, WindowLabel};
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("table.csv");
    let _ = arff::parse(path, data, None, true);
    let Some((&choice, text)) = data.split_first() else {
        return;
    };
    let reading = Reading {
        missing: if choice & 1 == 0 {
            Missing::Refuse
        } else {
            Missing::Mean
        },
        header: [None, Some(true), Some(false), None][usize::from(choice >> 1 & 3)],
        group_column: (choice & 8 != 0).then(|| "1".into()),
        ..Reading::default()
    };
    let Ok(mut csv) = Csv::new(path, text, &reading) else {
        return;
    };
    let channels = csv.columns.channels.len();
    let timed = csv.columns.time.is_some();
    let pace = Pace {
        period: timed.then_some(0.5),
        resample: choice & 16 != 0,
        gap: 3,
    };
    let mut recorder = Recorder::new(pace, channels, timed);
    let mut row = Row::default();
    let mut rows = 0;
    while let Ok(true) = csv.read(&mut row) {
        rows += 1;
        assert_eq!(row.values.len(), channels);
        assert!(!row.values.iter().any(|value| value.is_infinite()));
        recorder.push(
            usize::from(row.group.first() == Some(&b'a')),
            row.time,
            &row.values,
            rows % 3,
        );
    }
    let rule = Cut {
        length: 2,
        step: 1,
        label: WindowLabel::Majority,
    };
    for (index, mut segment) in recorder.into_segments().into_iter().enumerate() {
        assert!(!segment.is_empty());
        assert!(
            segment
                .channels
                .iter()
                .all(|channel| channel.len() == segment.len())
        );
        let windows = cut(&segment, index, rule, true, &mut Dropped::default());
        assert!(
            windows
                .iter()
                .all(|window| window.start + 2 <= segment.len())
        );
        segment.interpolate();
        let long = segment.without_long_gaps(1);
        assert!(long.iter().all(|part| !part.is_empty()));
    }
});
