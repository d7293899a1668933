//! `DeepLIFT` through input-cell attention: the rescale rule at tanh, `e = exp(score − c)` and
//! `r = 1 / Σ e`, the rule of products at `e · r` and `share · x`; then that of the LSTM.
//!
//! Multipliers do not depend on c, the same for the sample and its baseline. Here it follows the
//! largest scores so far, so that sums over the steps so far, and over those to come, can be carried
//! along: a change of c by `−log d` multiplies what was summed by d.
//!
//! The rule of products meets exponentials of one with the sum of the other: where `log Σ e` of the
//! sample and of its baseline are Λ apart, terms of the size of `exp(Λ)` cancel, and completeness
//! loses as many digits.

use super::super::rescale::{exp_slope, halfway, slope};
use super::{
    InputCellParameters, InputCellShape, InputGradient, LstmShape, Transposed, batch_len,
    expect_len, lstm, real_steps,
};
use crate::Result;
use rayon::prelude::*;

/// Pulls the multipliers `dout` of what [`forward`] writes into its rows back to the inputs, for
/// inputs `x` against `reference`, both `[batch, steps, input]`.
///
/// `Σ dx · (x − reference) = Σ dout · (out(x) − out(reference))` for every sample, up to rounding;
/// the steps behind a sample's length have multipliers of 0. Sums are in `f64`.
///
/// Cost: that of [`lstm::multipliers`], and about
/// `batch · steps · (12 · attention width · (input + hops) + 20 · hops · input)` operations, in
/// scalar code.
///
/// # Errors
/// As [`forward`].
pub(crate) fn multipliers(
    shape: &InputCellShape,
    parameters: InputCellParameters,
    x: &[f32],
    reference: &[f32],
    lengths: Option<&[usize]>,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    shape.check()?;
    parameters.check(shape)?;
    let operation = "input-cell lstm multipliers";
    let LstmShape { steps, input, .. } = shape.lstm;
    let batch = batch_len(operation, "x", x.len(), shape.lstm.input_len())?;
    expect_len(operation, "reference", reference.len(), x.len())?;
    let real = real_steps(lengths, batch, steps)?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect_len(operation, "dx", dx.len(), x.len())?;

    let sample = steps * input;
    let mut means = [vec![0.0; x.len()], vec![0.0; x.len()]];
    let [of_x, of_reference] = &mut means;
    of_x.par_chunks_exact_mut(sample)
        .zip(of_reference.par_chunks_exact_mut(sample))
        .zip(x.par_chunks_exact(sample))
        .zip(reference.par_chunks_exact(sample))
        .zip(&real)
        .for_each(|((((mean, reference_mean), x), reference), &length)| {
            let attention = Attention::new(shape, &parameters, [x, reference], length);
            attention.means([mean, reference_mean]);
        });

    let mut weights = Transposed::default();
    weights.read(&shape.lstm, &parameters);
    let weights = weights.parameters();
    let mut of_means = vec![0.0; x.len()];
    let target = InputGradient::Overwrite(&mut of_means);
    let [of_x, of_reference] = &means;
    lstm::multipliers(
        &shape.lstm,
        weights,
        of_x,
        of_reference,
        lengths,
        dout,
        target,
    )?;

    dx.par_chunks_exact_mut(sample)
        .zip(x.par_chunks_exact(sample))
        .zip(reference.par_chunks_exact(sample))
        .zip(of_means.par_chunks_exact(sample))
        .zip(&real)
        .for_each(|((((dx, x), reference), of_means), &length)| {
            if !add {
                dx.fill(0.0);
            }
            let attention = Attention::new(shape, &parameters, [x, reference], length);
            attention.pull(&parameters, of_means, dx);
        });
    Ok(())
}

/// The attention of a sample and of its baseline. Values come in pairs.
struct Attention<'a> {
    shape: &'a InputCellShape,
    samples: [&'a [f32]; 2],
    length: usize,
    /// `[length, attention width]`: in front of tanh.
    hidden: Vec<[f64; 2]>,
    /// A hop's scores, `[hops][length]`.
    scores: Vec<Vec<[f64; 2]>>,
}

/// A hop's softmax over the steps so far, step after step.
struct Softmax {
    /// `exp(score − c)`.
    exponentials: Vec<[f64; 2]>,
    /// What earlier exponentials are multiplied by at a step, because c has grown.
    decays: Vec<f64>,
    /// The reciprocals of the sums of exponentials so far.
    reciprocals: Vec<[f64; 2]>,
}

impl Softmax {
    fn new(scores: &[[f64; 2]]) -> Self {
        let mut softmax = Self {
            exponentials: Vec::new(),
            decays: Vec::new(),
            reciprocals: Vec::new(),
        };
        let mut largest = [f64::NEG_INFINITY; 2];
        let mut shift = f64::NEG_INFINITY;
        let mut sums = [0.0; 2];
        for score in scores {
            largest = [0, 1].map(|of: usize| largest[of].max(score[of]));
            // Halfway between both maxima, so that neither's exponentials leave the range.
            let decay = (shift - halfway(largest)).exp();
            shift = halfway(largest);
            let exponential = score.map(|score| (score - shift).exp());
            sums = [0, 1].map(|of: usize| sums[of] * decay + exponential[of]);
            softmax.exponentials.push(exponential);
            softmax.decays.push(decay);
            softmax.reciprocals.push(sums.map(f64::recip));
        }
        softmax
    }
}

impl<'a> Attention<'a> {
    fn new(
        shape: &'a InputCellShape,
        parameters: &InputCellParameters,
        samples: [&'a [f32]; 2],
        length: usize,
    ) -> Self {
        let width = shape.attention_width;
        let input = shape.lstm.input;
        let mut attention = Self {
            shape,
            samples,
            length,
            hidden: Vec::with_capacity(length * width),
            scores: vec![Vec::with_capacity(length); shape.hops],
        };
        for step in 0..length {
            let rows = parameters.first_weight.chunks_exact(input);
            let of_step = rows.zip(parameters.first_bias).map(|(weights, &bias)| {
                samples.map(|x| {
                    let x = x[step * input..][..input].iter().map(|&x| f64::from(x));
                    f64::from(bias) + product(weights, x)
                })
            });
            attention.hidden.extend(of_step);
            let hidden = &attention.hidden[step * width..];
            let rows = parameters.second_weight.chunks_exact(width);
            let rows = rows.zip(parameters.second_bias);
            for (scores, (weights, &bias)) in attention.scores.iter_mut().zip(rows) {
                scores.push([0, 1].map(|of: usize| {
                    let tanh = hidden.iter().map(|hidden| hidden[of].tanh());
                    f64::from(bias) + product(weights, tanh)
                }));
            }
        }
        attention
    }

    /// Value `value` of a step's input.
    fn x(&self, step: usize, value: usize) -> [f64; 2] {
        let place = step * self.shape.lstm.input + value;
        self.samples.map(|x| f64::from(x[place]))
    }

    /// Writes M of both into the steps in front of `length`.
    fn means(&self, mut means: [&mut [f32]; 2]) {
        let input = self.shape.lstm.input;
        let softmaxes: Vec<Softmax> = self.scores.iter().map(|s| Softmax::new(s)).collect();
        let part = 1.0 / self.shape.hops as f64;
        for value in 0..input {
            let mut sums = vec![[0.0; 2]; self.shape.hops];
            for step in 0..self.length {
                let x = self.x(step, value);
                let mut mean = [0.0; 2];
                for (softmax, sums) in softmaxes.iter().zip(&mut sums) {
                    let exponential = softmax.exponentials[step];
                    for of in 0..2 {
                        sums[of] = sums[of] * softmax.decays[step] + exponential[of] * x[of];
                        mean[of] += sums[of] * softmax.reciprocals[step][of];
                    }
                }
                for (means, mean) in means.iter_mut().zip(mean) {
                    means[step * input + value] = (mean * part) as f32;
                }
            }
        }
    }

    /// Adds the multipliers of the inputs to `dx`, given those of M.
    fn pull(&self, parameters: &InputCellParameters, of_means: &[f32], dx: &mut [f32]) {
        let input = self.shape.lstm.input;
        let width = self.shape.attention_width;
        let part = 1.0 / self.shape.hops as f64;
        let mut multipliers = vec![0.0; self.length * input];
        let mut of_tanh = vec![0.0; self.length * width];
        let of_means = of_means.iter().map(|&m| f64::from(m) * part);
        let of_means: Vec<f64> = of_means.take(self.length * input).collect();
        let rows = parameters.second_weight.chunks_exact(width);
        for (scores, weights) in self.scores.iter().zip(rows) {
            let of_scores = self.pull_hop(scores, &of_means, &mut multipliers);
            for (of_tanh, of_score) in of_tanh.chunks_exact_mut(width).zip(of_scores) {
                for (sum, &weight) in of_tanh.iter_mut().zip(weights) {
                    *sum += of_score * f64::from(weight);
                }
            }
        }
        for (place, (&of_tanh, &hidden)) in of_tanh.iter().zip(&self.hidden).enumerate() {
            let tanh = hidden.map(f64::tanh);
            let of_hidden = of_tanh * slope(hidden, tanh, 1.0 - tanh[0] * tanh[0]);
            let (step, unit) = (place / width, place % width);
            let weights = &parameters.first_weight[unit * input..][..input];
            let target = &mut multipliers[step * input..][..input];
            for (sum, &weight) in target.iter_mut().zip(weights) {
                *sum += of_hidden * f64::from(weight);
            }
        }
        for (dx, multiplier) in dx.iter_mut().zip(multipliers) {
            *dx += multiplier as f32;
        }
    }

    /// The multipliers of a hop's scores; those of x for given shares are added to `multipliers`.
    fn pull_hop(&self, scores: &[[f64; 2]], of_means: &[f64], multipliers: &mut [f64]) -> Vec<f64> {
        let input = self.shape.lstm.input;
        let softmax = Softmax::new(scores);
        // Of each step's sum of exponentials: Δ(1 / S) / ΔS is −1 / (S · S₀).
        let mut of_sums = Vec::with_capacity(self.length);
        // Σ (e + e₀) · (x + x₀) over the steps so far.
        let mut products = vec![0.0; input];
        for (step, of_mean) in of_means.chunks_exact(input).enumerate() {
            let exponential = halfway(softmax.exponentials[step]);
            let mut of_reciprocal = 0.0;
            for (value, (sum, of_mean)) in products.iter_mut().zip(of_mean).enumerate() {
                let x = halfway(self.x(step, value));
                *sum = *sum * softmax.decays[step] + exponential * x;
                of_reciprocal += *sum * of_mean;
            }
            let [r, r0] = softmax.reciprocals[step];
            of_sums.push(-of_reciprocal * r * r0);
        }
        let mut of_scores = vec![0.0; self.length];
        // Σ r · (multiplier of M), of both, and Σ (multiplier of the sum), over the steps to come.
        let mut ahead = vec![[0.0; 2]; input];
        let mut sums_ahead = 0.0;
        for step in (0..self.length).rev() {
            let decay = softmax.decays.get(step + 1).copied().unwrap_or(0.0);
            sums_ahead = sums_ahead * decay + of_sums[step];
            let [r, r0] = softmax.reciprocals[step];
            let [e, e0] = softmax.exponentials[step];
            let mut of_exponential = sums_ahead;
            let places = step * input..(step + 1) * input;
            let targets = multipliers[places.clone()]
                .iter_mut()
                .zip(&of_means[places]);
            for (value, (target, of_mean)) in targets.enumerate() {
                let [sum, sum0] = &mut ahead[value];
                *sum = *sum * decay + r * of_mean;
                *sum0 = *sum0 * decay + r0 * of_mean;
                *target += halfway([e * *sum, e0 * *sum0]);
                of_exponential += halfway(self.x(step, value)) * halfway([*sum, *sum0]);
            }
            of_scores[step] = of_exponential * exp_slope(scores[step], [e, e0]);
        }
        of_scores
    }
}

/// `Σ weights · values`.
fn product(weights: &[f32], values: impl Iterator<Item = f64>) -> f64 {
    let products = weights.iter().zip(values);
    products
        .map(|(&weight, value)| f64::from(weight) * value)
        .sum()
}
