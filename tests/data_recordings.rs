//! CSV recordings: windows against a naive oracle, dialects, times, gaps, missing values, refusals.

use proptest::prelude::*;
use sgt_host::data::{
    Dataset, LoadOptions, Missing, Reading, Span, SplitBy, TrainTest, WindowLabel, load,
};
use sgt_host::file::gzip;
use sgt_host::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path, reading: Reading) -> Result<TrainTest> {
    let options = LoadOptions {
        reading,
        ..LoadOptions::default()
    };
    load(path.to_str().unwrap(), &options)
}

/// The error's text, after checking what holds for every one.
#[track_caller]
fn refusal(path: &Path, reading: Reading) -> String {
    let text = read(path, reading)
        .expect_err("must be refused")
        .to_string();
    assert!(!text.contains('\n') && text.len() < 400, "{text:?}");
    text
}

fn windows(steps: usize) -> Reading {
    Reading {
        window: Some(Span::Steps(steps)),
        ..Reading::default()
    }
}

/// Every window of both parts with its class, by recording and start.
fn all_windows(data: &TrainTest) -> BTreeMap<(usize, usize), (String, Vec<f32>)> {
    let mut found = BTreeMap::new();
    for part in [&data.train, &data.test] {
        for index in 0..part.len() {
            let source = part.provenance().sources[index];
            let class = part.classes()[part.labels()[index]].clone();
            let window = (class, part.sample(index).to_vec());
            let taken = found.insert((source.recording, source.start), window);
            assert!(taken.is_none(), "a window in both parts");
        }
    }
    found
}

/// A table of rows as a program would write it, and what it means.
#[derive(Clone, Debug)]
struct Table {
    rows: Vec<(Vec<f32>, String, String)>,
    channels: usize,
}

impl Table {
    fn text(&self, separator: char, mark: char, header: bool, end: &str) -> String {
        let mut text = String::new();
        let sep = String::from(separator);
        if header {
            let names: Vec<String> = (0..self.channels).map(|c| format!("ch{c}")).collect();
            let _ = write!(text, "{}{sep}label{sep}who{end}", names.join(&sep));
        }
        for (values, label, group) in &self.rows {
            let values: Vec<String> = values
                .iter()
                .map(|value| value.to_string().replace('.', &String::from(mark)))
                .collect();
            let _ = write!(text, "{}{sep}{label}{sep}{group}{end}", values.join(&sep));
        }
        text
    }

    /// Windows by hand: recordings are rows that follow each other and are of one group.
    fn oracle(
        &self,
        length: usize,
        step: usize,
        rule: WindowLabel,
    ) -> BTreeMap<(usize, usize), (String, Vec<f32>)> {
        let mut recordings: Vec<Vec<usize>> = Vec::new();
        for row in 0..self.rows.len() {
            if row == 0 || self.rows[row].2 != self.rows[row - 1].2 {
                recordings.push(Vec::new());
            }
            recordings.last_mut().unwrap().push(row);
        }
        let mut found = BTreeMap::new();
        for (recording, rows) in recordings.iter().enumerate() {
            let mut start = 0;
            while start + length <= rows.len() {
                let window = &rows[start..start + length];
                let labels: Vec<&str> = window.iter().map(|&r| &*self.rows[r].1).collect();
                let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
                for label in &labels {
                    *counts.entry(label).or_default() += 1;
                }
                let most = *counts.values().max().unwrap();
                let label = match rule {
                    WindowLabel::Last => Some(labels[length - 1]),
                    WindowLabel::Majority => counts
                        .iter()
                        .find(|(_, count)| **count == most)
                        .map(|(l, _)| *l),
                    WindowLabel::Pure => (counts.len() == 1).then_some(labels[0]),
                };
                if let Some(label) = label {
                    let channel = |c: usize| window.iter().map(move |&row| self.rows[row].0[c]);
                    let values = (0..self.channels).flat_map(channel).collect();
                    found.insert((recording, start), (label.to_string(), values));
                }
                start += step;
            }
        }
        found
    }
}

fn table() -> impl Strategy<Value = Table> {
    (1_usize..4).prop_flat_map(|channels| {
        let value = prop_oneof![
            -100.0_f32..100.0,
            Just(0.0),
            Just(1e-7),
            Just(-2.5e6),
            (-5_i16..5).prop_map(f32::from)
        ];
        let row = (
            prop::collection::vec(value, channels),
            prop::sample::select(vec!["idle", "run", "walk"]),
            0_usize..20,
        );
        prop::collection::vec(row, 40..160).prop_map(move |rows| {
            let mut group = 0;
            let mut label = "idle";
            let rows = rows.into_iter().map(|(values, new, draw)| {
                // Runs of one group and one class, as recordings have them.
                group += usize::from(draw == 0);
                if draw < 4 {
                    label = new;
                }
                (values, label.to_string(), format!("p{}", group % 3))
            });
            Table {
                rows: rows.collect(),
                channels,
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn windows_are_those_of_a_naive_reader(
        table in table(),
        length in 1_usize..12,
        step in 1_usize..8,
        rule in prop::sample::select(vec![WindowLabel::Majority, WindowLabel::Last, WindowLabel::Pure]),
        (separator, mark) in prop::sample::select(vec![(',', '.'), (';', ','), ('\t', '.'), (';', '.'), ('|', ',')]),
        end in prop::sample::select(vec!["\n", "\r\n"]),
        header in any::<bool>(),
        packed in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let text = table.text(separator, mark, header, end);
        let bytes = if packed { gzip(text.as_bytes()) } else { text.into_bytes() };
        let name = if packed { "r.csv.gz" } else { "r.csv" };
        let path = write(folder.path(), name, bytes);
        let place = |name: &str, number: usize| {
            if header { name.to_string() } else { number.to_string() }
        };
        let reading = Reading {
            label_column: Some(place("label", table.channels + 1)),
            group_column: Some(place("who", table.channels + 2)),
            step: Some(Span::Steps(step)),
            window_label: rule,
            split: Some(0.5),
            split_by: Some(SplitBy::Time),
            header: Some(header),
            ..windows(length)
        };
        let expected = table.oracle(length, step, rule);
        let data = match read(&path, reading) {
            Ok(data) => data,
            // Too few windows for two parts.
            Err(Error::Data { .. } | Error::Argument { .. }) => {
                prop_assume!(expected.len() < 4);
                return Ok(());
            }
            Err(other) => panic!("{other}"),
        };
        let found = all_windows(&data);
        let origin = data.train.origin();
        for (place, (class, values)) in &found {
            let (wanted, exact) = &expected[place];
            prop_assert_eq!(class, wanted);
            if origin.is_empty() {
                prop_assert_eq!(values, exact);
            } else {
                for (index, (value, exact)) in values.iter().zip(exact).enumerate() {
                    let whole = f64::from(*value) + origin[index / length];
                    prop_assert!((whole - f64::from(*exact)).abs() <= 1e-6 * f64::from(exact.abs().max(1.0)));
                }
            }
        }
        // What is not there lies across a border, and shares a row with a test window.
        let sources = |part: &Dataset| part.provenance().sources.clone();
        let (train, test) = (sources(&data.train), sources(&data.test));
        prop_assert!(!train.iter().any(|a| test.iter().any(|b| a.overlaps(b))));
        for (recording, start) in expected.keys() {
            if found.contains_key(&(*recording, *start)) {
                continue;
            }
            let near = test.iter().any(|held| {
                held.recording == *recording && *start < held.end && held.start < start + length
            });
            prop_assert!(near, "window {recording} {start} was lost");
        }
    }

    #[test]
    fn resampling_is_linear_interpolation(
        steps in prop::collection::vec((0.2_f64..2.5, -10.0_f32..10.0), 20..80),
        rate in prop::sample::select(vec![1.0_f64, 2.0, 0.7]),
    ) {
        let mut time = 3.0;
        let mut rows = Vec::new();
        for (apart, value) in steps {
            rows.push((time, value));
            time += (apart * 1000.0).round() / 1000.0;
        }
        let mut text = String::from("time,v,label\n");
        for (index, (time, value)) in rows.iter().enumerate() {
            let _ = writeln!(text, "{time},{value},{}", if index % 2 == 0 { "a" } else { "b" });
        }
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "r.csv", text);
        let reading = Reading {
            rate: Some(rate),
            window_label: WindowLabel::Last,
            ..windows(1)
        };
        let data = read(&path, reading).unwrap();
        let mut found = all_windows(&data).into_iter();
        let (first, last) = (rows[0].0, rows[rows.len() - 1].0);
        let count = ((last - first) * rate + 1e-6).floor() as usize + 1;
        for step in 0..count {
            let at = first + step as f64 / rate;
            let after = rows.iter().position(|(time, _)| *time >= at - 1e-9).unwrap_or(rows.len() - 1);
            let expected = if after == 0 {
                f64::from(rows[0].1)
            } else {
                let ((t0, v0), (t1, v1)) = (rows[after - 1], rows[after]);
                let share = ((at - t0) / (t1 - t0)).clamp(0.0, 1.0);
                f64::from(v0) + (f64::from(v1) - f64::from(v0)) * share
            };
            let (_, (_, values)) = found.next().unwrap();
            prop_assert!((f64::from(values[0]) - expected).abs() < 1e-4, "{step}: {values:?} {expected}");
        }
        prop_assert!(found.next().is_none());
    }
}

const SMALL: &str = "time,ax,note,ay,label\n\
    0.00,1,x,10,a\n0.02,2,x,20,a\n0.04,3,y,30,a\n0.06,4,y,40,b\n0.08,5,x,50,b\n0.10,6,x,60,b\n\
    0.12,7,x,70,a\n0.14,8,x,80,a\n0.16,9,y,90,a\n0.18,10,y,95,b\n0.20,11,x,96,b\n0.22,12,x,97,b\n";

#[test]
fn what_is_found_out_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "small.csv", SMALL);
    let data = read(&path, windows(3)).unwrap();
    let notes = &data.train.provenance().notes;
    let expected = "small.csv: separator comma, decimal point, a header; channels ax, ay; classes \
                    from label; time from time (seconds); text left out: note";
    assert!(notes[0].ends_with(expected), "{notes:?}");
    assert_eq!(notes[1], "12 rows at 50 Hz in 1 recordings");
    assert_eq!(
        notes[2],
        "4 windows of 3 steps (0.06 s), one every 3, class by majority"
    );
    assert_eq!(data.train.classes(), ["a", "b"]);
    assert_eq!(data.train.axes().channels, ["ax", "ay"]);
    assert_eq!(data.train.axes().rate, Some(50.0));
    assert_eq!(data.train.name(), "small");
}

#[test]
fn seconds_are_steps_at_the_rate() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "small.csv", SMALL);
    let reading = Reading {
        window: Some(Span::Seconds(0.06)),
        ..Reading::default()
    };
    assert_eq!(read(&path, reading.clone()).unwrap().train.steps(), Some(3));
    let error = refusal(
        &path,
        Reading {
            time_column: Some("none".into()),
            ..reading
        },
    );
    assert!(
        error.starts_with("window: found 0.06s, expected a number of steps"),
        "{error}"
    );
}

#[test]
fn channels_are_chosen_by_name_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "small.csv", SMALL);
    let chosen = |names: &[&str]| Reading {
        channels: names.iter().map(|name| (*name).to_string()).collect(),
        ..windows(3)
    };
    let data = read(&path, chosen(&["AY", "ax"])).unwrap();
    assert_eq!(data.train.sample(0), [10.0, 20.0, 30.0, 1.0, 2.0, 3.0]);
    let error = refusal(&path, chosen(&["ay", "az", "gx"]));
    assert!(
        error.contains("found no column for the channels az, gx, expected them among time, ax"),
        "{error}"
    );
    let error = refusal(&path, chosen(&["ax", "label"]));
    assert!(
        error.starts_with("channels: found label, which is another column"),
        "{error}"
    );
}

#[test]
fn gaps_and_steps_back_end_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("t_ms,v,label\n");
    for (start, label) in [(0, "a"), (10_000, "b"), (5_000, "a"), (20_000, "b")] {
        for step in 0..40 {
            let _ = writeln!(text, "{},{step},{label}", start + 20 * step);
        }
    }
    let path = write(folder.path(), "gaps.csv", text);
    let reading = Reading {
        time_column: Some("t_ms".into()),
        ..windows(10)
    };
    let data = read(&path, reading.clone()).unwrap();
    assert_eq!(
        data.train.provenance().notes[1],
        "160 rows at 50 Hz in 4 recordings; cut at 2 gaps of more than 5 steps; cut where the time \
         goes back, 1 times"
    );
    assert_eq!(data.train.len() + data.test.len(), 16);
    let source = data.train.provenance().sources[0];
    assert_eq!((source.from, source.to), (0.0, 0.18));
    let wide = Reading {
        max_gap: Some(1_000),
        ..reading
    };
    let data = read(&path, wide).unwrap();
    assert!(data.train.provenance().notes[1].contains("in 2 recordings"));
}

#[test]
fn missing_values_are_refused_or_filled_from_the_training_part() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("v,w,label\n");
    for row in 0..60 {
        let missing = row % 10 == 4;
        let value = if missing {
            "NA".into()
        } else {
            format!("{row}")
        };
        let _ = writeln!(
            text,
            "{value},{},{}",
            row * 2,
            if row / 10 % 2 == 0 { "a" } else { "b" }
        );
    }
    let path = write(folder.path(), "gaps.csv", text);
    let with = |missing: Missing| Reading {
        missing,
        ..windows(10)
    };
    let error = refusal(&path, with(Missing::Refuse));
    assert!(
        error.contains("line 6: no value in column v, expected a number; --missing"),
        "{error}"
    );

    let data = read(&path, with(Missing::Interpolate)).unwrap();
    assert_eq!(data.train.sample(0)[4], 4.0);

    let data = read(&path, with(Missing::Mean)).unwrap();
    let present = |index: usize| {
        let sample = data.train.sample(index)[..10].iter().enumerate();
        sample
            .filter(|(step, _)| *step != 4)
            .map(|(_, value)| f64::from(*value))
    };
    let values: Vec<f64> = (0..data.train.len()).flat_map(present).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    assert!((f64::from(data.train.sample(0)[4]) - mean).abs() < 1e-4);
    assert_eq!(
        data.test.sample(0)[4],
        data.train.sample(0)[4],
        "fitted on the training part"
    );

    let data = read(&path, with(Missing::Mask)).unwrap();
    assert_eq!(data.train.axes().channels, ["v", "w", "v missing"]);
    assert_eq!(
        data.train.sample(0)[20..],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    );
    assert_eq!(data.train.preprocessing().unwrap().masked, [0]);
}

#[test]
fn folders_of_classes_and_files_of_subjects_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (class, sign) in [("idle", 1), ("run", -1)] {
        for subject in 0..4 {
            let mut text = String::from("ax;ay\n");
            for step in 0..20 {
                let _ = writeln!(text, "{},5;{step}", sign * (step + 100 * subject));
            }
            // The order of columns may differ from file to file.
            if subject == 2 {
                text = text
                    .lines()
                    .map(|line| line.split_once(';').unwrap())
                    .fold(String::new(), |text, (x, y)| text + y + ";" + x + "\n");
            }
            write(folder.path(), &format!("{class}/s{subject}.csv"), text);
        }
    }
    let data = read(folder.path(), windows(10)).unwrap();
    assert_eq!(data.train.classes(), ["idle", "run"]);
    let groups = |part: &Dataset| part.provenance().present().len();
    assert_eq!(
        (groups(&data.train), groups(&data.test)),
        (3, 1),
        "{:?}",
        data.train.provenance().notes
    );
    let names = data.train.provenance().present();
    assert!(names.is_disjoint(&data.test.provenance().present()));
    for part in [&data.train, &data.test] {
        for index in 0..part.len() {
            let sample = part.sample(index);
            assert_eq!(
                sample[0].fract().abs(),
                0.5,
                "ax comes first whatever the file's order"
            );
            assert_eq!(sample[10].fract(), 0.0);
        }
    }
    // Whole recordings are samples without a window.
    let data = read(folder.path(), Reading::default()).unwrap();
    assert_eq!(
        (data.train.steps(), data.train.len() + data.test.len()),
        (Some(20), 8)
    );
    let left = Reading {
        leave_out: vec!["s1".into(), "s3".into()],
        ..windows(10)
    };
    let data = read(folder.path(), left).unwrap();
    assert_eq!(
        data.test
            .provenance()
            .present()
            .into_iter()
            .collect::<Vec<_>>(),
        ["s1", "s3"]
    );
    let absent = Reading {
        leave_out: vec!["s9".into()],
        ..windows(10)
    };
    assert!(
        refusal(folder.path(), absent)
            .contains("leave-out: found s9, expected groups out of s0, s1")
    );
}

#[test]
fn ucr_and_wide_files_have_a_sample_a_row() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "Toy_TEST.tsv", "2\t1\t2\t3\n1\t4\t5\t7\n");
    let path = write(
        folder.path(),
        "Toy_TRAIN.tsv",
        "1\t1.5\t2\t3\n2\t4\t5\tNaN\n10\t7\t8\t9\n",
    );
    let reading = Reading {
        missing: Missing::Mean,
        ..Reading::default()
    };
    let data = read(&path, reading).unwrap();
    assert_eq!(data.train.classes(), ["1", "2", "10"]);
    assert_eq!(data.train.sample(0), [1.5, 2.0, 3.0]);
    assert_eq!(
        data.train.valid_steps(1),
        1..3,
        "missing at the end is shorter"
    );
    assert_eq!(data.test.labels(), [1, 0]);

    let wide = "ax_0,ax_1,ay_0,ay_1,label\n1,2,3,4,u\n5,6,7,8,d\n9,1,2,3,u\n4,5,6,7,d\n";
    let path = write(folder.path(), "wide.csv", wide);
    let reading = Reading {
        wide: true,
        split: Some(0.5),
        ..Reading::default()
    };
    let data = read(&path, reading).unwrap();
    assert_eq!(data.train.axes().channels, ["ax", "ay"]);
    assert_eq!((data.train.len(), data.test.len()), (2, 2));
    assert_eq!(data.train.shape().dims(), [2, 2]);
}

#[test]
fn a_test_part_that_shares_groups_or_samples_is_refused_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |group: &str, from: usize| {
        let mut text = String::from("v,who,label\n");
        for row in from..from + 40 {
            let _ = writeln!(
                text,
                "{row},{group},{}",
                if row / 10 % 2 == 0 { "a" } else { "b" }
            );
        }
        text
    };
    let path = write(folder.path(), "r_TRAIN.csv", rows("ann", 0));
    let test = |group: &str, from: usize| write(folder.path(), "r_TEST.csv", rows(group, from));
    let reading = Reading {
        group_column: Some("who".into()),
        ..windows(10)
    };
    test("bob", 100);
    let data = read(&path, reading.clone()).unwrap();
    assert!(data.test.provenance().shared.is_empty());
    test("ann", 100);
    let error = refusal(&path, reading.clone());
    assert!(
        error.contains("a test part that shares the groups ann with the training part"),
        "{error}"
    );
    test("bob", 20);
    let error = refusal(&path, reading.clone());
    assert!(error.contains("shares 2 of its samples"), "{error}");
    let forced = Reading {
        force_split: true,
        ..reading
    };
    let data = read(&path, forced).unwrap();
    assert_eq!(data.test.provenance().shared.samples, 2);
}

#[test]
fn hostile_tables_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |text: &[u8]| {
        let path = write(folder.path(), "bad.csv", text);
        refusal(&path, windows(2))
    };
    let cases: [(&[u8], &str); 9] = [
        (b"", "found an empty file, expected rows"),
        (b"\n\n \n", "found an empty file, expected rows"),
        (b"# only\n# comments\n", "found comments alone"),
        (b"\xff\xfea\0,\0b\0", "found text in UTF-16"),
        (
            b"v,label\n1,a\n2,b,c\n3,a\n",
            "line 3: 3 fields, expected 2",
        ),
        (
            b"v,label\n1,a\n1e60,b\n",
            "line 3: \"1e60\" in column v, expected a finite number",
        ),
        (b"v,label\n1,a\n,b\n", "line 3: no value in column v"),
        (b"v,w\n1,2\n3,4\n", "found no column of classes"),
        (b"note,label\nx,a\ny,b\n", "found no column of numbers"),
    ];
    for (text, expected) in cases {
        let error = refuse(text);
        assert!(error.contains(expected), "{error:?} lacks {expected:?}");
    }
    let late = format!("v,label\n{}x,a\n", "1,a\n".repeat(300));
    assert!(
        refuse(late.as_bytes()).contains("line 302: \"x\" in column v, expected a finite number")
    );
    let path = write(folder.path(), "cut.csv.gz", &gzip(SMALL.as_bytes())[..40]);
    assert!(refusal(&path, windows(3)).contains("damaged data"));
    let path = write(folder.path(), "plain.csv.gz", SMALL);
    assert!(refusal(&path, windows(3)).contains("expected gzip data"));
    let path = write(folder.path(), "small.csv", SMALL);
    assert!(refusal(&path, windows(100)).contains("no window of 100 steps"));
    assert!(
        refusal(&path, Reading::default())
            .contains("window: found none for one recording of 12 steps")
    );
    let overlapping = Reading {
        step: Some(Span::Steps(1)),
        split_by: Some(SplitBy::Sample),
        ..windows(3)
    };
    assert!(
        refusal(&path, overlapping).contains("split-by: found sample, for windows that overlap")
    );
}
