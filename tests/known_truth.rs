//! Scores against a known truth: hand-computed cases, known values of perfect, random and inverted
//! maps, and the published programs' loops.

mod common;

use common::mlp::Mlp;
use sgt_core::{Pcg32, Random};
use sgt_host::metrics::known_truth::prediction_path::{PathFill, prediction_path};
use sgt_host::metrics::known_truth::saliency_mass::masked_accuracy;
use sgt_host::metrics::known_truth::thresholds::{Alignment, LowThresholds, ThresholdCurve};
use sgt_host::metrics::known_truth::{TrueMaps, mass, overlap, ranking, rescale, score_maps};
use sgt_host::metrics::outputs::{logits, probabilities};
use sgt_host::metrics::truth::truth_scores;
use sgt_host::network::{InputShape, Labelled};

/// Of sums of a few `f64`.
const EXACT: f64 = 1e-12;
/// Of the published loops on the same maps.
const PUBLISHED: f64 = 1e-6;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{found}, expected {expected}"
    );
}

/// 3 × 3 cells, the first row of which is true.
const TRUTH: [bool; 9] = [true, true, true, false, false, false, false, false, false];
const MAP: [f64; 9] = [0.9, 0.8, 0.1, 0.7, 0.05, 0.0, 0.3, 0.2, 0.6];

#[test]
fn scores_of_three_by_three_cells_are_those_by_hand() {
    // True cells are the 1st, 2nd and 7th.
    let found = ranking::average_precision(&MAP, &TRUTH).unwrap();
    close(found, (1.0 + 1.0 + 3.0 / 7.0) / 3.0, EXACT);
    // 0.9 and 0.8 are above all six others, 0.1 above two.
    close(ranking::roc_area(&MAP, &TRUTH).unwrap(), 14.0 / 18.0, EXACT);
    close(overlap::weighted_jaccard(&MAP, &TRUTH), 1.8 / 4.85, EXACT);
    let squares: f64 = 0.01 + 0.04 + 0.81 + 0.49 + 0.0025 + 0.09 + 0.04 + 0.36;
    close(
        overlap::euclid(&MAP, &TRUTH).unwrap(),
        (squares / 3.0).sqrt(),
        EXACT,
    );
    let information = -(0.100_01_f64.log2() + 0.200_01_f64.log2() + 0.900_01_f64.log2());
    close(mass::information(&MAP, &TRUTH), information, 1e-9);
    let of = |a: f64| -a * (a + 1e-5).log2() - (1.0 - a) * (1.0 - a + 1e-5).log2();
    close(
        mass::entropy(&MAP, &TRUTH),
        of(0.9) + of(0.8) + of(0.1),
        1e-9,
    );
    // The quantile 0.9 lies between 0.8 and 0.9: one cell is above it.
    close(
        overlap::intersection_over_union(&MAP, &TRUTH, 0.1),
        1.0 / 3.0,
        EXACT,
    );
    // Ties count once, half of a pair each.
    let (tied, truth) = ([1.0, 1.0, 0.0], [true, false, true]);
    let found = ranking::average_precision(&tied, &truth).unwrap();
    close(found, 0.5 * 0.5 + 0.5 * 2.0 / 3.0, EXACT);
    close(ranking::roc_area(&tied, &truth).unwrap(), 0.25, EXACT);
    assert_eq!(ranking::average_precision(&MAP, &[false; 9]), None);
    assert_eq!(ranking::roc_area(&MAP, &[true; 9]), None);
}

#[test]
fn threshold_areas_of_three_cells_are_those_by_hand() {
    let (values, truth) = ([0.0, 0.5, 1.0], [false, true, true]);
    let curve = ThresholdCurve::new(&values, &truth, LowThresholds::Kept).unwrap();
    assert_eq!(curve.thresholds, [0.0, 0.5, 1.0]);
    assert_eq!(curve.precision, [2.0 / 3.0, 1.0, 1.0, 1.0]);
    assert_eq!(curve.recall, [1.0, 1.0, 0.5, 0.0]);
    let own = curve.areas(Alignment::AtThreshold);
    close(own.precision, 0.5 * (5.0 / 6.0) + 0.5, EXACT);
    close(own.recall, 0.5 + 0.5 * 0.75, EXACT);
    let next = curve.areas(Alignment::NextThreshold);
    close(next.precision, 1.0, EXACT);
    close(next.recall, 0.5 * 0.75 + 0.5 * 0.25, EXACT);
    let cut = ThresholdCurve::new(&values, &truth, LowThresholds::Cut).unwrap();
    assert_eq!(cut.thresholds, [0.5, 1.0]);
    assert_eq!(cut.precision, [1.0, 1.0, 1.0]);
    close(cut.areas(Alignment::AtThreshold).recall, 0.375, EXACT);
    let constant = ThresholdCurve::new(&[0.0; 3], &truth, LowThresholds::Kept).unwrap();
    close(constant.areas(Alignment::AtThreshold).precision, 0.0, EXACT);
    assert!(ThresholdCurve::new(&values, &[false; 3], LowThresholds::Kept).is_none());
}

/// `cells` flags, a fifth of them true, scattered.
fn scattered(cells: usize) -> Vec<bool> {
    (0..cells).map(|cell| cell * 7 % 5 == 0).collect()
}

#[test]
fn threshold_areas_of_perfect_random_and_inverted_maps_are_the_known_ones() {
    const CELLS: usize = 5000;
    let truth = scattered(CELLS);
    let areas = |values: &[f64], alignment| {
        let curve = ThresholdCurve::new(values, &truth, LowThresholds::Kept).unwrap();
        curve.areas(alignment)
    };
    let own = Alignment::AtThreshold;
    let mask: Vec<f64> = truth.iter().map(|&t| f64::from(u8::from(t))).collect();
    close(areas(&mask, own).precision, 0.6, EXACT);
    close(areas(&mask, own).recall, 1.0, EXACT);
    close(areas(&mask, Alignment::NextThreshold).precision, 1.0, EXACT);
    close(areas(&mask, Alignment::NextThreshold).recall, 0.5, EXACT);
    let inverted: Vec<f64> = mask.iter().map(|value| 1.0 - value).collect();
    close(areas(&inverted, own).precision, 0.1, EXACT);
    close(areas(&inverted, own).recall, 0.5, EXACT);
    // All true cells above all others, evenly spread: AUP 0.2 − 0.2 ln 0.2, AUR 0.9.
    let mut order: Vec<usize> = (0..CELLS).collect();
    order.sort_by_key(|&cell| truth[cell]);
    let mut spread = vec![0.0; CELLS];
    for (place, cell) in order.into_iter().enumerate() {
        spread[cell] = place as f64 / (CELLS - 1) as f64;
    }
    close(
        areas(&spread, own).precision,
        0.2 - 0.2 * 0.2_f64.ln(),
        1e-2,
    );
    close(areas(&spread, own).recall, 0.9, 1e-2);
    close(
        ranking::average_precision(&spread, &truth).unwrap(),
        1.0,
        EXACT,
    );
    let mut rng = Pcg32::new(3, 0);
    let random: Vec<f64> = (0..CELLS).map(|_| f64::from(rng.unit())).collect();
    close(areas(&random, own).precision, 0.2, 0.03);
    close(areas(&random, own).recall, 0.5, 0.03);
    close(
        ranking::average_precision(&random, &truth).unwrap(),
        0.2,
        0.02,
    );
}

/// AUP, AUR and AUPR as the benchmark's program computes them, loop for loop.
fn published(maps: &[Vec<f64>], truth: &[Vec<bool>]) -> [f64; 3] {
    let (mut precision, mut recall) = (vec![0.0; 9], vec![0.0; 9]);
    let (mut precisions, mut recalls) = (vec![0.0; 9], vec![0.0; 9]);
    for (map, truth) in maps.iter().zip(truth) {
        let mut order: Vec<usize> = (0..map.len()).collect();
        order.sort_by(|&a, &b| map[a].total_cmp(&map[b]));
        let total: f64 = map.iter().sum();
        let mut count = 1;
        let share = |count: usize| {
            let chosen = &order[map.len() - count..];
            chosen.iter().map(|&cell| map[cell]).sum::<f64>() / total
        };
        for tenth in 0..9 {
            let wanted = (tenth + 1) as f64 * 10.0 / 100.0;
            let mut dropped = share(count);
            while dropped < wanted && count < map.len() - 1 {
                count += 1;
                dropped = share(count);
            }
            let chosen = &order[map.len() - count..];
            let (mut hit, mut false_hit, mut missed) = (0.0, 0.0, 0.0);
            for &cell in chosen {
                *(if truth[cell] {
                    &mut hit
                } else {
                    &mut false_hit
                }) += map[cell];
            }
            for cell in (0..map.len()).filter(|&cell| truth[cell] && !chosen.contains(&cell)) {
                missed += map[cell];
            }
            if hit + false_hit > 0.0 {
                precision[tenth] += hit / (hit + false_hit);
                precisions[tenth] += 1.0;
            }
            if hit + missed > 0.0 {
                recall[tenth] += hit / (hit + missed);
                recalls[tenth] += 1.0;
            }
        }
    }
    for tenth in 0..9 {
        precision[tenth] /= precisions[tenth];
        recall[tenth] /= recalls[tenth];
    }
    let area = |x: &[f64], y: &[f64]| -> f64 {
        let pairs = x.windows(2).zip(y.windows(2));
        pairs
            .map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.0)
            .sum()
    };
    let tenths: Vec<f64> = (1..10).map(|tenth| f64::from(tenth) / 10.0).collect();
    let mut pairs: Vec<(f64, f64)> = recall.iter().copied().zip(precision.clone()).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    [
        area(&tenths, &precision),
        area(&tenths, &recall),
        area(&x, &y),
    ]
}

#[test]
fn weighted_scores_are_those_of_the_published_loop() {
    const SAMPLES: usize = 12;
    const CELLS: usize = 60;
    for power in [1, 3, 12] {
        let mut rng = Pcg32::new(power, 1);
        let mut draw = || f64::from(rng.unit()).powi(power as i32);
        let maps: Vec<Vec<f64>> = (0..SAMPLES)
            .map(|_| {
                let map: Vec<f64> = (0..CELLS).map(|_| draw()).collect();
                rescale(map.into_iter(), 0.0)
            })
            .collect();
        let truth = vec![scattered(CELLS); SAMPLES];
        let as_read: Vec<Vec<f32>> = maps
            .iter()
            .map(|map| map.iter().map(|&value| value as f32).collect())
            .collect();
        let rounded: Vec<Vec<f64>> = as_read
            .iter()
            .map(|map| map.iter().map(|&value| value.into()).collect())
            .collect();
        let found = truth_scores(&as_read, &truth).unwrap();
        let [aup, aur, aupr] = published(&rounded, &truth);
        close(found.aup, aup, PUBLISHED);
        close(found.aur, aur, PUBLISHED);
        close(found.aupr, aupr, PUBLISHED);
    }
}

#[test]
fn all_scores_at_once_are_the_scores_one_by_one_and_order_the_maps() {
    const CELLS: usize = 500;
    let truth = [scattered(CELLS), vec![false; CELLS]].concat();
    let mut rng = Pcg32::new(5, 0);
    let random: Vec<f32> = (0..2 * CELLS).map(|_| rng.unit() - 0.5).collect();
    let perfect: Vec<f32> = truth
        .iter()
        .map(|&t| f32::from(u8::from(t)) + 0.01 * rng.unit())
        .collect();
    let inverted: Vec<f32> = perfect.iter().map(|value| 2.0 - value).collect();
    let [perfect, random_scores, inverted] = [&perfect, &random, &inverted]
        .map(|map| score_maps(TrueMaps::new(map, &truth, CELLS).unwrap()).unwrap());
    for (better, worse) in [(perfect, random_scores), (random_scores, inverted)] {
        assert!(better.weighted.aup > worse.weighted.aup);
        assert!(better.average_precision.mean > worse.average_precision.mean);
        assert!(better.roc_area.mean > worse.roc_area.mean);
        assert!(better.weighted_jaccard.mean > worse.weighted_jaccard.mean);
        assert!(better.euclid.mean < worse.euclid.mean);
        assert!(better.information > worse.information);
        assert!(better.timex_overlap.mean > worse.timex_overlap.mean);
    }
    // The sample without a true cell does not count.
    assert_eq!(random_scores.samples, 1);
    let magnitudes = random[..CELLS].iter().map(|&v| f64::from(v).abs());
    let magnitudes = rescale(magnitudes, 0.0);
    let signed = rescale(random[..CELLS].iter().map(|&v| f64::from(v)), 0.0);
    let truth_of_first = &truth[..CELLS];
    close(
        random_scores.average_precision.mean,
        ranking::average_precision(&magnitudes, truth_of_first).unwrap(),
        EXACT,
    );
    close(
        random_scores.timex_average_precision.mean,
        ranking::average_precision(&signed, truth_of_first).unwrap(),
        EXACT,
    );
    let pooled = ThresholdCurve::new(&magnitudes, truth_of_first, LowThresholds::Kept).unwrap();
    let areas = pooled.areas(Alignment::AtThreshold);
    close(random_scores.dynamask_aup, areas.precision, EXACT);
    close(random_scores.dynamask_aur, areas.recall, EXACT);
    close(
        random_scores.weighted_of_maximum().aup,
        random_scores.weighted.aup / 0.8,
        EXACT,
    );
}

#[test]
fn maps_that_do_not_fit_or_tell_nothing_are_refused() {
    for (values, truth, cells) in [(6, 6, 4), (6, 5, 3), (0, 0, 3), (3, 3, 0)] {
        let (values, truth) = (vec![0.0; values], vec![true; truth]);
        assert!(TrueMaps::new(&values, &truth, cells).is_err());
    }
    assert!(TrueMaps::new(&[f32::NAN], &[true], 1).is_err());
    let error = score_maps(TrueMaps::new(&[1.0, 0.0], &[false; 2], 2).unwrap()).unwrap_err();
    assert!(error.to_string().contains("no true cell"));
    let error = score_maps(TrueMaps::new(&[1.0, 1.0], &[true; 2], 2).unwrap()).unwrap_err();
    assert!(error.to_string().contains("constant"));
}

const SERIES: InputShape = InputShape::series(4, 2);

#[test]
fn masked_accuracy_removes_shares_of_the_saliency() {
    // Only the first cell tells: class 1 where it is positive.
    let mut weights = [0.0; 8];
    weights[0] = 1.0;
    let model = Mlp::linear(SERIES, &weights, 0.0);
    let mut x = vec![0.25; 16];
    (x[0], x[8]) = (1.0, -1.0);
    let samples = Labelled::new(&x, &[1, 0]);
    let replacement = vec![-0.5; 11 * 8];
    let mut right = vec![0.0; 16];
    (right[0], right[8]) = (2.0, -2.0);
    let found = masked_accuracy(&model, samples, &right, &replacement).unwrap();
    // From the first tenth on the cell is gone, and every sample is class 0.
    assert_eq!(found.accuracies[0], 1.0);
    assert_eq!(found.accuracies[1..], [0.5; 10]);
    close(found.area, 10.0 * (0.75 + 9.0 * 0.5), EXACT);
    let wrong: Vec<f32> = right.iter().map(|value| 2.0 - value.abs()).collect();
    let found = masked_accuracy(&model, samples, &wrong, &replacement).unwrap();
    assert_eq!(found.accuracies[..10], [1.0; 10]);
    assert!(masked_accuracy(&model, samples, &right, &replacement[1..]).is_err());
}

#[test]
fn the_path_of_the_prediction_is_that_of_a_loop() {
    let model = Mlp::random(SERIES, 12, 3, 4);
    let mut rng = Pcg32::new(8, 0);
    let x: Vec<f32> = (0..16).map(|_| rng.standard_normal()).collect();
    let maps: Vec<f32> = (0..16).map(|_| rng.standard_normal()).collect();
    let valid = [1..4, 0..4];
    let samples = Labelled {
        x: &x,
        labels: &[0, 1],
        valid: &valid,
    };
    for fill in [PathFill::Zero, PathFill::Mean] {
        let found = prediction_path(&model, samples, &maps, 5, fill).unwrap();
        let mut expected = [0.0; 2];
        for sample in 0..2 {
            let own = &x[sample * 8..][..8];
            let first = valid[sample].start;
            let mut cells: Vec<usize> = (first * 2..8).collect();
            cells.sort_by(|&a, &b| {
                maps[sample * 8 + b]
                    .abs()
                    .total_cmp(&maps[sample * 8 + a].abs())
            });
            for path in &mut expected {
                let mut without = own.to_vec();
                let softmax = |x: &Vec<f32>| probabilities(&logits(&model, x).unwrap(), 3).unwrap();
                let mut last = softmax(&without);
                for &cell in &cells[..5] {
                    let of_channel = (first..4).map(|step| own[step * 2 + cell % 2]);
                    let count = of_channel.len() as f32;
                    without[cell] = match fill {
                        PathFill::Zero => 0.0,
                        PathFill::Mean => of_channel.sum::<f32>() / count,
                    };
                    let next = softmax(&without);
                    let moved = last
                        .iter()
                        .zip(&next)
                        .map(|(a, b)| f64::from((a - b).abs()));
                    *path += moved.sum::<f64>() / 2.0;
                    last = next;
                }
                cells.reverse();
            }
        }
        close(found.difference, expected[0], PUBLISHED);
        close(found.preservation, expected[1], PUBLISHED);
    }
}
