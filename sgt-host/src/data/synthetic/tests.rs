//! Statistics of the generators.

use super::draw::{Draw, Stream};
use super::process::{AUTOREGRESSIVE_STEP, KEPT, NOISE, irregular_times};
use super::sequence_combination::Form;
use super::*;
use std::collections::BTreeSet;

/// Statistics of draws may lie this far from their expectation, in standard errors.
const ERRORS: f64 = 5.0;

fn draw(index: usize) -> Draw {
    Draw::new(11, Stream::Train, index)
}

fn request(name: &str) -> Synthetic {
    name.parse().unwrap()
}

/// Asserts that the mean of independent values is `expected`.
fn assert_mean(what: &str, values: &[f64], expected: f64) {
    let (mean, deviation) = moments(values);
    let error = deviation / (values.len() as f64).sqrt();
    assert!(
        (mean - expected).abs() <= ERRORS * error.max(1e-12),
        "{what}: mean {mean}, expected {expected} ± {error}"
    );
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// Products of the values at distance `lag`, one a series: their mean over it.
fn products(series: &[Vec<f64>], lag: usize) -> Vec<f64> {
    let mean = |path: &Vec<f64>| {
        let pairs = path.iter().zip(&path[lag..]);
        pairs.map(|(a, b)| a * b).sum::<f64>() / (path.len() - lag) as f64
    };
    series.iter().map(mean).collect()
}

/// One channel a sample, so that the series are independent.
fn series_of(process: Process, count: usize, as_published: bool) -> Vec<Vec<f64>> {
    let one = |index| process.series([50, 1], as_published, &mut draw(index));
    (0..count).map(one).collect()
}

#[test]
fn processes_have_their_variance_and_autocovariance() {
    let noise = NOISE * NOISE;
    let stationary = AUTOREGRESSIVE_STEP.powi(2) / (1.0 - KEPT * KEPT);
    for (process, variance, next) in [
        (Process::Gaussian, 1.0, 0.0),
        (
            Process::Autoregressive,
            stationary + noise,
            KEPT * stationary,
        ),
    ] {
        let series = series_of(process, 2000, false);
        let means: Vec<f64> = series.iter().map(|path| moments(path).0).collect();
        assert_mean(process.name(), &means, 0.0);
        assert_mean(process.name(), &products(&series, 0), variance);
        assert_mean(process.name(), &products(&series, 1), next);
    }
    for (process, range) in [
        (Process::GaussianProcess, 0.78..0.88),
        (Process::Car, 0.92..0.99),
    ] {
        let series = series_of(process, 2000, false);
        assert_mean(process.name(), &products(&series, 0), 1.0 + noise);
        // Half of the points 0.2 apart: neighbours are 0.4 apart on average, and alike.
        let (alike, _) = moments(&products(&series, 1));
        assert!(range.contains(&alike), "{process:?}: {alike}");
    }
    // a sin(w t): half of E[a²] = 1.25 where the time is spread over many periods.
    let pseudo = products(&series_of(Process::PseudoPeriodic, 2000, false), 0);
    assert!((moments(&pseudo).0 - (0.625 + noise)).abs() < 0.03);
    let harmonic = products(&series_of(Process::Harmonic, 500, false), 0);
    assert!((moments(&harmonic).0 - (0.5 + noise)).abs() < 0.03);
}

#[test]
fn published_processes_have_their_defects() {
    let noise = NOISE * NOISE;
    // CAR is the noise alone, NARMA one path for all, AR starts at 0.
    assert_mean(
        "car",
        &products(&series_of(Process::Car, 1000, true), 0),
        noise,
    );
    let narma = Process::Narma.series([50, 40], true, &mut draw(0));
    let late: Vec<Vec<f64>> = narma.chunks(50).map(<[f64]>::to_vec).collect();
    for step in 0..50 {
        let column: Vec<f64> = late.iter().map(|path| path[step]).collect();
        let (_, deviation) = moments(&column);
        assert!((deviation - NOISE).abs() < 0.2, "step {step}: {deviation}");
    }
    let right: Vec<f64> = (0..400)
        .map(|index| narma::series(50, 10, false, &mut draw(index))[30])
        .collect();
    let (mean, deviation) = moments(&right);
    assert!((0.3..0.5).contains(&mean) && (0.05..0.2).contains(&deviation));
    let first: Vec<f64> = series_of(Process::Autoregressive, 2000, true)
        .iter()
        .map(|path| path[0] * path[0])
        .collect();
    assert_mean("ar", &first, AUTOREGRESSIVE_STEP.powi(2) + noise);
}

#[test]
fn narma_of_order_2_has_the_published_mean_and_range() {
    let paths: Vec<Vec<f64>> = (0..400)
        .map(|index| narma::series(200, 2, true, &mut draw(index))[20..].to_vec())
        .collect();
    let means: Vec<f64> = paths.iter().map(|path| moments(path).0).collect();
    // (0.1 + 1.5 / 16) / 0.7
    assert_mean("narma", &means, 0.276_785_7);
    let all = paths.concat();
    assert!(all.iter().all(|y| (0.142..0.679).contains(y)));
}

#[test]
fn time_stamps_are_in_order_and_span_twenty() {
    let times = irregular_times(50, &mut draw(0));
    assert_eq!(times.len(), 50);
    assert!(times.is_sorted());
    assert!(times[0] > -2.0 && times[49] < 22.0 && times[49] - times[0] > 15.0);
}

/// First and last true step and channel of a sample.
fn extent(part: &TruePart, sample: usize) -> [(usize, usize); 2] {
    let shape = part.data.shape();
    let truth = part.truth_of(sample);
    let places = (0..truth.len()).filter(|&place| truth[place]);
    let places: Vec<_> = places
        .map(|place| shape.position_and_channel(place))
        .collect();
    let of = |values: Vec<usize>| (*values.iter().min().unwrap(), *values.iter().max().unwrap());
    [
        of(places.iter().map(|place| place.0).collect()),
        of(places.iter().map(|place| place.1).collect()),
    ]
}

#[test]
fn boxes_lie_where_the_benchmark_puts_them() {
    let published = [
        ("middle", 0.36, Some((10, 39)), Some((10, 39))),
        ("small-middle", 0.0784, Some((18, 31)), Some((18, 31))),
        ("moving-middle", 0.36, None, None),
        ("moving-small-middle", 0.09, None, None),
        ("rare-time", 0.096, Some((22, 27)), Some((5, 44))),
        ("moving-rare-time", 0.096, None, Some((5, 44))),
        ("rare-feature", 0.096, Some((5, 44)), Some((22, 27))),
        ("moving-rare-feature", 0.096, Some((5, 44)), None),
    ];
    for (name, density, steps, channels) in published {
        let generated = request(&format!("{name}-gaussian?train=200&test=1"))
            .generate()
            .unwrap();
        let part = &generated.train;
        assert!((part.density() - density).abs() < 1e-9, "{name}");
        let mut starts = [BTreeSet::new(), BTreeSet::new()];
        for sample in 0..200 {
            let found = extent(part, sample);
            for (axis, expected) in [steps, channels].into_iter().enumerate() {
                assert!(
                    expected.is_none_or(|expected| expected == found[axis]),
                    "{name}"
                );
                starts[axis].insert(found[axis].0);
            }
        }
        let counts = starts.map(|starts| starts.len());
        assert_eq!(
            [counts[0] == 1, counts[1] == 1],
            [steps.is_some(), channels.is_some()]
        );
    }
}

#[test]
fn a_box_is_above_or_below_by_its_class_and_classes_are_balanced() {
    for name in [
        "middle-gaussian",
        "moving-rare-time-car",
        "rare-feature-narma",
    ] {
        let part = request(&format!("{name}?train=400&test=1"))
            .generate()
            .unwrap()
            .train;
        let labels: Vec<f64> = part
            .data
            .labels()
            .iter()
            .map(|&label| label as f64)
            .collect();
        assert_mean("labels", &labels, 0.5);
        let mut levels = [Vec::new(), Vec::new()];
        let mut outside = Vec::new();
        for sample in 0..400 {
            let (values, truth) = (part.data.sample(sample), part.truth_of(sample));
            let mean = |wanted: bool| {
                let values = values.iter().zip(truth).filter(|&(_, &t)| t == wanted);
                let values: Vec<f64> = values.map(|(&v, _)| f64::from(v)).collect();
                moments(&values).0
            };
            levels[part.data.labels()[sample]].push(mean(true));
            outside.push(mean(false));
        }
        let outside = moments(&outside).0;
        for (label, level) in [(0, -1.0), (1, 1.0)] {
            let found = moments(&levels[label]).0 - outside;
            assert!((found - level).abs() < 0.1, "{name}: {found}");
        }
    }
}

#[test]
fn a_positional_box_tells_the_class_by_the_axis_of_its_name_and_as_published_by_the_other() {
    for (name, as_published, axis) in [
        ("positional-time", false, 0),
        ("positional-time", true, 1),
        ("positional-feature", false, 1),
        ("positional-feature", true, 0),
    ] {
        let mut request = request(&format!("{name}-gaussian?train=60&test=1"));
        request.as_published = as_published;
        let part = request.generate().unwrap().train;
        let mut free = BTreeSet::new();
        for sample in 0..60 {
            let found = extent(&part, sample);
            let start = [29, 1][part.data.labels()[sample]];
            assert_eq!(found[axis], (start, start + 19), "{name}");
            free.insert(found[1 - axis].0);
        }
        assert!(free.len() > 10);
    }
}

#[test]
fn published_boxes_move_along_both_axes_and_never_reach_the_end() {
    let part = request("moving-rare-time-gaussian?train=400&test=1&as-published");
    let part = part.generate().unwrap().train;
    let starts = (0..400).map(|sample| extent(&part, sample).map(|(start, _)| start));
    let starts: Vec<_> = starts.collect();
    let channels: BTreeSet<_> = starts.iter().map(|start| start[1]).collect();
    assert_eq!(channels, (0..10).collect());
    assert_eq!(starts.iter().map(|start| start[0]).max(), Some(43));
    let right = request("moving-rare-time-gaussian?train=400&test=1")
        .generate()
        .unwrap()
        .train;
    let last = (0..400).map(|sample| extent(&right, sample)[0].0).max();
    assert_eq!(last, Some(44));
}

#[test]
fn boxes_scale_with_the_series() {
    let part = request("middle-gaussian?steps=100&channels=20&train=4&test=1");
    let part = part.generate().unwrap().train;
    assert_eq!(extent(&part, 0), [(20, 79), (4, 15)]);
}

#[test]
fn freq_shapes_has_the_stated_densities_and_spikes() {
    let part = request("freq-shapes?train=4000&test=1")
        .generate()
        .unwrap()
        .train;
    assert_eq!(part.data.class_counts(), [1000; 4]);
    let mut densities = [Vec::new(), Vec::new()];
    let mut levels = [Vec::new(), Vec::new()];
    for sample in 0..4000 {
        let label = part.data.labels()[sample];
        let truth = part.truth_of(sample);
        let count = truth.iter().filter(|&&t| t).count();
        assert_eq!(count % 3, 0);
        densities[label / 2].push(count as f64 / 50.0);
        let values = part.data.sample(sample).iter().zip(truth);
        let spike: Vec<f64> = values
            .filter(|(_, t)| **t)
            .map(|(&v, _)| v.into())
            .collect();
        levels[label % 2].extend(spike);
    }
    assert_mean("period 10", &densities[0], 0.2025);
    assert_mean("period 17", &densities[1], 0.143_636_4);
    for (class, sign) in [(0, -1.0), (1, 1.0)] {
        let expected = sign * (1.75 + 2.0 + 1.75) / 3.0;
        assert!((moments(&levels[class]).0 - expected).abs() < 0.01);
    }
}

/// The runs of true steps of a channel.
fn runs(truth: &[bool]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (step, _) in truth.iter().enumerate().filter(|(_, t)| **t) {
        match runs.last_mut() {
            Some(run) if run.end == step => run.end += 1,
            _ => runs.push(step..step + 1),
        }
    }
    runs
}

#[test]
fn sequence_combinations_rise_and_fall_by_class() {
    for (name, lengths, channels) in [("seqcomb-uv", 10..20, 1), ("seqcomb-mv", 15..30, 4)] {
        let part = request(&format!("{name}?train=400&test=1"))
            .generate()
            .unwrap()
            .train;
        assert_eq!(part.data.class_counts(), [100; 4]);
        let mut seen = BTreeSet::new();
        for sample in 0..400 {
            let label = part.data.labels()[sample];
            let truth = part.truth_of(sample);
            let mut pieces = Vec::new();
            for channel in 0..channels {
                let offset = channel * 200;
                for run in runs(&truth[offset..][..200]) {
                    pieces.push((run, channel));
                }
            }
            assert_eq!(part.is_scored[sample], label != 0);
            if label == 0 {
                assert!(pieces.is_empty());
                continue;
            }
            pieces.sort_by_key(|(run, _)| run.start);
            // Two pieces of one channel may touch.
            if let [(run, _)] = &pieces[..] {
                assert!(channels == 1 && run.len() >= 2 * lengths.start);
                continue;
            }
            let [(first, one), (second, other)] = &pieces[..] else {
                panic!("{name}: {pieces:?}");
            };
            assert!(first.end <= second.start && first.start < 100);
            assert_eq!(one == other, channels == 1);
            for (piece, (run, channel)) in pieces.iter().enumerate() {
                assert!(lengths.contains(&run.len()));
                seen.insert(run.len());
                let values = &part.data.sample(sample)[channel * 200..][run.clone()];
                let half = values.len() / 2;
                let rise = values[half..].iter().sum::<f32>() / (values.len() - half) as f32
                    - values[..half].iter().sum::<f32>() / half as f32;
                let rises = label == 2 || (label == 3 && piece == 0);
                assert_eq!(rise > 0.0, rises, "{name}, class {label}, piece {piece}");
            }
        }
        assert_eq!(seen, lengths.collect());
    }
    let form = Form {
        several_channels: true,
    };
    assert_eq!([form.lengths(200), form.lengths(40)], [15..30, 3..6]);
}

#[test]
fn low_variance_pieces_are_quiet_and_tell_the_class() {
    let part = request("lowvar?train=400&test=1").generate().unwrap().train;
    let mut inside = [const { Vec::new() }; 4];
    for sample in 0..400 {
        let label = part.data.labels()[sample];
        let truth = part.truth_of(sample);
        let own = runs(&truth[label / 2 * 200..][..200]);
        assert!(own.len() == 1 && (10..20).contains(&own[0].len()));
        assert!((20..160).contains(&own[0].start));
        assert!(runs(&truth[(1 - label / 2) * 200..][..200]).is_empty());
        let values = &part.data.sample(sample)[label / 2 * 200..][own[0].clone()];
        inside[label].extend(values.iter().map(|&v| f64::from(v)));
    }
    for (label, values) in inside.iter().enumerate() {
        let (mean, deviation) = moments(values);
        let level = if label % 2 == 0 { -1.5 } else { 1.5 };
        assert!((mean - level).abs() < 0.02 && (deviation - 0.1).abs() < 0.01);
    }
    let published = request("lowvar?train=8&test=1&as-published")
        .generate()
        .unwrap()
        .train;
    assert_eq!(published.is_scored[..4], [false, true, true, true]);
}

#[test]
fn the_hidden_state_set_has_its_means_and_its_truth() {
    let part = request("state?train=400&test=1&as-published")
        .generate()
        .unwrap()
        .train;
    assert!((part.density() - 1.0 / 3.0).abs() < 1e-9);
    let mut of_state = [const { [const { Vec::new() }; 3] }; 2];
    for sample in 0..400 {
        for step in 0..200 {
            let state = usize::from(part.truth_of(sample)[2 * 200 + step]);
            for (channel, values) in of_state[state].iter_mut().enumerate() {
                values.push(f64::from(part.data.sample(sample)[channel * 200 + step]));
            }
        }
    }
    for (state, means) in [[0.1, 1.6, 0.5], [-0.1, -0.4, -1.5]]
        .into_iter()
        .enumerate()
    {
        for (values, expected) in of_state[state].iter().zip(means) {
            assert_mean("state", values, expected);
            let (_, deviation) = moments(values);
            assert!((deviation * deviation - 0.801).abs() < 0.02);
        }
    }
    let last = request("state?train=20&test=1").generate().unwrap().train;
    for sample in 0..20 {
        let truth = last.truth_of(sample);
        let [(step, _), (channel, _)] = extent(&last, sample);
        assert!(truth.iter().filter(|&&t| t).count() == 1 && step == 199 && channel > 0);
        let steps = &last.step_labels.as_ref().unwrap()[sample * 200..][..200];
        assert_eq!(steps[199], last.data.labels()[sample]);
    }
}

#[test]
fn the_switch_feature_set_has_its_means_and_its_kernel() {
    let means = [[0.8, -0.5, -0.2], [0.0, -1.0, 0.0], [-0.2, -0.2, 0.8]];
    for (as_published, alike) in [(true, 0.0), (false, 0.88)] {
        let mut request = request("switch-feature?train=300&test=1");
        request.as_published = true;
        let truth = request.generate().unwrap().train;
        request.as_published = as_published;
        let part = request.generate().unwrap().train;
        if as_published {
            for sample in 0..300 {
                assert!(
                    !truth.truth_of(sample)[2 * 100],
                    "the third state starts no series"
                );
            }
            let (mut squares, mut neighbours) = (Vec::new(), Vec::new());
            for sample in 0..300 {
                let state_at = |step| {
                    (0..3)
                        .find(|state| truth.truth_of(sample)[state * 100 + step])
                        .unwrap()
                };
                for step in 1..100 {
                    let rest = |step: usize| {
                        let value = f64::from(part.data.sample(sample)[step]);
                        value - means[state_at(step)][0]
                    };
                    squares.push(rest(step).powi(2));
                    if state_at(step) == state_at(step - 1) {
                        neighbours.push(rest(step) * rest(step - 1));
                    }
                }
            }
            assert_mean("variance", &squares, 0.1);
            assert!((moments(&neighbours).0 / 0.1 - alike).abs() < 0.05);
        } else {
            let kept = switch_feature::KERNEL.covariance(0.1) / 0.1;
            assert!((kept - alike).abs() < 0.01);
            assert!(
                (0..300)
                    .all(|sample| { part.truth_of(sample).iter().filter(|&&t| t).count() == 1 })
            );
        }
    }
}

#[test]
fn rare_sets_have_their_cells_their_variance_and_balanced_classes() {
    for (name, [steps, channels]) in [("rare-feature", [25, 5]), ("rare-time", [5, 25])] {
        let set = if name == "rare-time" {
            Rare::Time
        } else {
            Rare::Feature
        };
        let request = Synthetic {
            train: 400,
            ..Synthetic::new(Set::Rare(set))
        };
        let part = request.generate().unwrap().train;
        assert!((part.density() - 0.05).abs() < 1e-9);
        let [(first, last), (low, high)] = extent(&part, 0);
        assert!(last - first + 1 == steps && high - low + 1 >= channels);
        assert!((1..400).all(|sample| part.truth_of(sample) == part.truth_of(0)));
        let labels: Vec<f64> = part
            .data
            .labels()
            .iter()
            .map(|&label| label as f64)
            .collect();
        let share = moments(&labels).0;
        assert!((0.38..0.56).contains(&share), "{name}: {share}");
        let series: Vec<Vec<f64>> = part
            .data
            .samples()
            .chunks(50 * 50)
            .take(400)
            .map(|sample| sample[..50].iter().map(|&v| f64::from(v)).collect())
            .collect();
        assert_mean("variance", &products(&series, 0), rare::variance());
        let anew = Synthetic {
            as_published: true,
            ..request
        }
        .generate()
        .unwrap()
        .train;
        assert!((1..400).any(|sample| anew.truth_of(sample) != anew.truth_of(0)));
    }
}

#[test]
fn a_larger_set_begins_with_a_smaller_one_and_seeds_differ() {
    for set in Set::all() {
        let request = Synthetic {
            train: 4,
            test: 2,
            ..Synthetic::new(set)
        };
        let small = request.generate().unwrap();
        let large = Synthetic {
            train: 8,
            ..request
        }
        .generate()
        .unwrap();
        let size = small.train.data.samples().len();
        assert_eq!(
            small.train.data.samples(),
            &large.train.data.samples()[..size]
        );
        assert_eq!(small.train.truth, large.train.truth[..size]);
        assert_ne!(
            small.train.data.samples()[..size / 2],
            small.test.data.samples()[..size / 2]
        );
        let other = Synthetic { seed: 1, ..request }.generate().unwrap();
        assert_ne!(small.train.data.samples(), other.train.data.samples());
    }
}

#[test]
fn requests_are_read_and_written() {
    for text in [
        "middle-gaussian",
        "moving-rare-time-gaussian-process?steps=20",
        "seqcomb-mv?steps=100&channels=6&train=7&test=9&seed=3&as-published",
    ] {
        let found = request(text);
        assert_eq!(found.to_string(), text);
        assert_eq!(request(&format!("{SCHEME}{text}")), found);
    }
    for (text, said) in [
        ("midle-gaussian", "nearest: middle-gaussian"),
        ("lowvar?stps=20", "the option stps, expected steps"),
        ("lowvar?steps=x", "steps: found x, expected a whole number"),
        ("lowvar?channels=1", "at least 2"),
        ("state?channels=4", "expected 3"),
        ("seqcomb-uv?steps=10", "at least 40"),
        ("lowvar?test=0", "1 or more samples"),
        ("lowvar?train=9999999999", "1 or more samples"),
        ("lowvar?as-published=no", "true or false"),
    ] {
        let error = text.parse::<Synthetic>().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
