//! Interpretability metrics against naive formulas in `f64`.

#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/samples.rs"]
mod samples;
#[path = "common/tolerance.rs"]
mod tolerance;

use ndarray::{Array1, s};
use proptest::prelude::*;
use sgt_core::{
    End, Error, Layout, Masking, Pcg32, Policy, Random, accuracy_drop_area, comprehensiveness,
    gini, gini_len, mask_sample, sufficiency, top_k_overlap,
};
use std::collections::HashSet;

/// `Σ_i Σ_j |a_i − a_j| / (2 n Σ a)` of magnitudes.
fn gini_of_pairs(attribution: &[f32]) -> f64 {
    let a: Vec<f64> = attribution
        .iter()
        .map(|&value| f64::from(value).abs())
        .collect();
    let sum: f64 = a.iter().sum();
    if sum == 0.0 {
        return 0.0;
    }
    let pairs: f64 = a
        .iter()
        .flat_map(|x| a.iter().map(move |y| (x - y).abs()))
        .sum();
    pairs / (2.0 * a.len() as f64 * sum)
}

/// `∫ y dx / (x_n − x_0)` by trapezoids.
fn trapezoid(x: &[f32], y: &[f32]) -> f64 {
    let x = Array1::from(oracle::wide(x));
    let y = Array1::from(oracle::wide(y));
    let widths = &x.slice(s![1..]) - &x.slice(s![..-1]);
    let heights = (&y.slice(s![1..]) + &y.slice(s![..-1])) / 2.0;
    (widths * heights).sum() / (x[x.len() - 1] - x[0])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn gini_is_the_mean_difference_of_pairs(
        attribution in prop::collection::vec(samples::gradient_value(), 1..200),
        power in -30_i32..30,
    ) {
        let mut scratch = vec![f32::NAN; gini_len(attribution.len()) + 1];
        let found = gini(&attribution, &mut scratch)?;
        prop_assert!((f64::from(found) - gini_of_pairs(&attribution)).abs() <= tolerance::METRIC);
        prop_assert!(scratch[attribution.len()].is_nan());
        // Neither scale, sign nor order matters; denormals do not scale.
        let normal = |value: &f32| if value.is_subnormal() { 0.0 } else { *value };
        let attribution: Vec<f32> = attribution.iter().map(normal).collect();
        let found = gini(&attribution, &mut scratch)?;
        let scale = -(2.0_f32.powi(power));
        let mut scaled: Vec<f32> = attribution.iter().map(|value| value * scale).collect();
        scaled.reverse();
        prop_assert_eq!(gini(&scaled, &mut scratch)?, found);
    }

    #[test]
    fn overlap_is_that_of_two_sets(
        pairs in prop::collection::vec((samples::awkward(), samples::awkward()), 1..120),
        share in samples::share(),
    ) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let k = ((share * a.len() as f64) as usize).max(1);
        let top = |values: &[f32]| -> HashSet<usize> {
            oracle::selection(values, k, End::Highest).into_iter().collect()
        };
        let shared = top(&a).intersection(&top(&b)).count();
        prop_assert_eq!(top_k_overlap(&a, &b, k)?, shared as f32 / k as f32);
        prop_assert_eq!(top_k_overlap(&a, &a, k)?, 1.0);
        prop_assert_eq!(top_k_overlap(&a, &b, a.len())?, 1.0);
    }

    #[test]
    fn accuracy_drop_area_is_the_trapezoid_rule(
        steps in prop::collection::vec((samples::between(0.01, 1.0), samples::between(0.0, 1.0)), 2..30),
    ) {
        let mut at = 0.0;
        let fractions: Vec<f32> = steps.iter().map(|step| { at += step.0; at }).collect();
        let accuracies: Vec<f32> = steps.iter().map(|step| step.1).collect();
        let found = accuracy_drop_area(&fractions, &accuracies)?;
        let expected = trapezoid(&fractions, &accuracies);
        prop_assert!((f64::from(found) - expected).abs() <= tolerance::METRIC);
    }

    #[test]
    fn comprehensiveness_and_sufficiency_are_mean_drops(
        full in samples::between(0.0, 1.0),
        others in prop::collection::vec(samples::between(0.0, 1.0), 1..20),
    ) {
        let mean = oracle::wide(&others).iter().sum::<f64>() / others.len() as f64;
        let expected = f64::from(full) - mean;
        for found in [comprehensiveness(full, &others)?, sufficiency(full, &others)?] {
            prop_assert!((f64::from(found) - expected).abs() <= tolerance::METRIC);
            prop_assert!((-1.0..=1.0).contains(&found));
        }
    }
}

/// A linear model whose attribution is known: `p(x) = Σ w x`, with positive shares that sum to 1.
struct Linear {
    weights: Vec<f32>,
    sample: Vec<f32>,
}

impl Linear {
    fn new(features: usize, rng: &mut Pcg32) -> Self {
        let sample: Vec<f32> = (0..features).map(|_| 0.1 + rng.unit()).collect();
        let raw: Vec<f32> = (0..features).map(|_| rng.unit()).collect();
        let sum: f32 = raw.iter().zip(&sample).map(|(w, x)| w * x).sum();
        let weights = raw.iter().map(|w| w / sum).collect();
        Self { weights, sample }
    }

    fn probability(&self, x: &[f32]) -> f32 {
        self.weights.iter().zip(x).map(|(w, x)| w * x).sum()
    }

    fn contributions(&self) -> Vec<f32> {
        let terms = self.weights.iter().zip(&self.sample);
        terms.map(|(w, x)| w * x).collect()
    }

    /// The probabilities without, or with only, the most salient shares of an attribution.
    fn curve(&self, attribution: &[f32], end: End) -> Result<Vec<f32>, Error> {
        let bins = [0.01, 0.05, 0.1, 0.2, 0.5];
        let features = self.sample.len();
        let mut scratch = vec![0; features];
        let mut masked = vec![0.0; features];
        bins.into_iter()
            .map(|bin: f32| {
                let masking = Masking {
                    end,
                    fraction: if end == End::Highest { bin } else { 1.0 - bin },
                    policy: Policy::Zero,
                    ..Masking::reference(Layout::flat(features)?)
                };
                let mut rng = Pcg32::new(0, 0);
                mask_sample(
                    &masking,
                    attribution,
                    &self.sample,
                    None,
                    &mut rng,
                    &mut scratch,
                    &mut masked,
                )?;
                Ok(self.probability(&masked))
            })
            .collect()
    }
}

#[test]
fn better_orderings_score_better_on_a_linear_model() -> Result<(), Error> {
    let mut rng = Pcg32::new(12, 0);
    for _ in 0..20 {
        let model = Linear::new(200, &mut rng);
        let perfect = model.contributions();
        let inverted: Vec<f32> = perfect.iter().map(|value| -value).collect();
        let random: Vec<f32> = perfect.iter().map(|_| rng.unit()).collect();
        let full = model.probability(&model.sample);
        let scores = |attribution: &[f32]| -> Result<(f32, f32), Error> {
            Ok((
                comprehensiveness(full, &model.curve(attribution, End::Highest)?)?,
                sufficiency(full, &model.curve(attribution, End::Lowest)?)?,
            ))
        };
        let (best, chance, worst) = (scores(&perfect)?, scores(&random)?, scores(&inverted)?);
        assert!(
            best.0 > chance.0 && chance.0 > worst.0,
            "{best:?} {chance:?} {worst:?}"
        );
        assert!(
            best.1 < chance.1 && chance.1 < worst.1,
            "{best:?} {chance:?} {worst:?}"
        );
        // The exact value: the largest contributions are what is lost.
        let mut sorted = perfect.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let lost = [2, 10, 20, 40, 100].map(|k| oracle::wide(&sorted[..k]).iter().sum::<f64>());
        let expected = lost.iter().sum::<f64>() / 5.0;
        assert!((f64::from(best.0) - expected).abs() <= tolerance::METRIC);
    }
    Ok(())
}

#[test]
fn gini_of_known_vectors() -> Result<(), Error> {
    let mut scratch = [0.0; 8];
    assert_eq!(gini(&[2.0; 8], &mut scratch)?, 0.0);
    assert_eq!(gini(&[0.0; 8], &mut scratch)?, 0.0);
    assert_eq!(
        gini(&[0.0, 0.0, 0.0, 0.0, 0.0, -5.0, 0.0, 0.0], &mut scratch)?,
        0.875
    );
    assert_eq!(gini(&[f32::MAX; 8], &mut scratch)?, 0.0);
    Ok(())
}

#[test]
fn gini_of_large_attributions_is_exact_enough() -> Result<(), Error> {
    let mut rng = Pcg32::new(9, 9);
    let attribution: Vec<f32> = (0..3_072).map(|_| rng.standard_normal()).collect();
    let mut scratch = vec![0.0; 3_072];
    let found = f64::from(gini(&attribution, &mut scratch)?);
    assert!((found - gini_of_pairs(&attribution)).abs() <= tolerance::METRIC);
    // Of a half-normal distribution: √2 − 1.
    assert!((found - (2.0_f64.sqrt() - 1.0)).abs() < 0.01);
    Ok(())
}
