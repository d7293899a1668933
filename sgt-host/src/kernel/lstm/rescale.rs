//! `DeepLIFT` through an LSTM: the rescale rule at the gates' activations, the rule of products at
//! `i ∘ g`, `f ∘ c` and `o ∘ tanh(c)`, backwards through time.

use super::super::layout::transpose;
use super::super::lengths::real_steps;
use super::super::rescale::{halfway, slope};
use super::cell::{CANDIDATE, GATES};
use super::{InputGradient, LstmParameters, LstmShape};
use crate::Result;
use crate::kernel::{batch_len, expect_len};
use rayon::prelude::*;

/// Pulls the multipliers `dout` of what [`forward`](super::forward) writes into its rows back to
/// the inputs, for inputs `x` against `reference`, both `[batch, steps, input]`.
///
/// `Σ dx · (x − reference) = Σ dout · (out(x) − out(reference))` for every sample, up to rounding;
/// the steps behind a sample's length have multipliers of 0. Sums are in `f64`. Where a gate does not
/// change, its activation's derivative is taken.
///
/// Cost: about `24 · batch · steps · hidden · (hidden + input)` operations, in scalar code.
///
/// # Errors
/// As [`forward`](super::forward).
pub(crate) fn multipliers(
    shape: &LstmShape,
    parameters: LstmParameters,
    x: &[f32],
    reference: &[f32],
    lengths: Option<&[usize]>,
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    shape.check()?;
    parameters.check(shape)?;
    let batch = batch_len("lstm multipliers", "x", x.len(), shape.input_len())?;
    let expect = |name, found, expected| expect_len("lstm multipliers", name, found, expected);
    expect("reference", reference.len(), x.len())?;
    expect("dout", dout.len(), batch * shape.output_len())?;
    let lengths = real_steps(lengths, batch, shape.steps)?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect("dx", dx.len(), x.len())?;
    let weights = Weights::new(shape, parameters);
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(x.par_chunks_exact(shape.input_len()))
        .zip(reference.par_chunks_exact(shape.input_len()))
        .zip(dout.par_chunks_exact(shape.output_len()))
        .zip(lengths)
        .for_each_init(
            Trace::default,
            |trace, ((((dx, x), reference), dout), length)| {
                if !add {
                    dx.fill(0.0);
                }
                trace.run(shape, &weights, [x, reference], length);
                trace.pull(shape, parameters, dout, dx);
            },
        );
    Ok(())
}

/// The parameters, transposed.
struct Weights {
    /// `[input, 4 · hidden]`.
    input: Vec<f32>,
    /// `[hidden, 4 · hidden]`.
    hidden: Vec<f32>,
    /// `[4 · hidden]`, both biases.
    bias: Vec<f64>,
}

impl Weights {
    fn new(shape: &LstmShape, parameters: LstmParameters) -> Self {
        let gates = GATES * shape.hidden;
        let transposed = |weight: &[f32], columns| {
            let mut out = vec![0.0; weight.len()];
            transpose(gates, columns, weight, &mut out);
            out
        };
        let biases = parameters.bias_ih.iter().zip(parameters.bias_hh);
        Self {
            input: transposed(parameters.weight_ih, shape.input),
            hidden: transposed(parameters.weight_hh, shape.hidden),
            bias: biases.map(|(ih, hh)| f64::from(ih + hh)).collect(),
        }
    }
}

/// What one sample and its reference went through, step after step.
#[derive(Default)]
struct Trace {
    length: usize,
    /// `[length][4 · hidden]`: the gates before their activations.
    sums: Vec<[f64; 2]>,
    /// `[length][4 · hidden]`: i, f, g, o.
    gates: Vec<[f64; 2]>,
    /// `[length + 1][hidden]`: c, from zero on.
    cells: Vec<[f64; 2]>,
}

impl Trace {
    /// Runs both samples forward.
    fn run(&mut self, shape: &LstmShape, weights: &Weights, samples: [&[f32]; 2], length: usize) {
        let LstmShape {
            input,
            hidden,
            direction,
            ..
        } = *shape;
        self.length = length;
        self.sums.clear();
        self.gates.clear();
        self.cells.clear();
        self.cells.resize(hidden, [0.0; 2]);
        let mut states = [vec![0.0; hidden], vec![0.0; hidden]];
        let mut sums = [weights.bias.clone(), weights.bias.clone()];
        for step in 0..length {
            let Some(time) = direction.time(step, length) else {
                break;
            };
            for ((sums, x), states) in sums.iter_mut().zip(samples).zip(&states) {
                sums.copy_from_slice(&weights.bias);
                let x = &x[time * input..][..input];
                add_product(x.iter().map(|&x| f64::from(x)), &weights.input, sums);
                add_product(states.iter().copied(), &weights.hidden, sums);
            }
            let first = self.sums.len();
            let [x, reference] = &sums;
            let pairs = x.iter().zip(reference);
            self.sums
                .extend(pairs.map(|(&x, &reference)| [x, reference]));
            let of_step = self.sums[first..].iter().enumerate();
            self.gates
                .extend(of_step.map(|(place, sum)| sum.map(activation(place / hidden))));
            for unit in 0..hidden {
                let [i, f, g, o] = four(&self.gates[first..], hidden, unit);
                let before = self.cells[step * hidden + unit];
                let c = [0, 1].map(|of: usize| f[of] * before[of] + i[of] * g[of]);
                self.cells.push(c);
                for (of, states) in states.iter_mut().enumerate() {
                    states[unit] = o[of] * c[of].tanh();
                }
            }
        }
    }

    /// Adds the multipliers of the inputs to `dx`.
    fn pull(&self, shape: &LstmShape, parameters: LstmParameters, dout: &[f32], dx: &mut [f32]) {
        let LstmShape {
            input,
            hidden,
            direction,
            ..
        } = *shape;
        let mut of_states = vec![0.0; hidden];
        let mut of_cells = vec![0.0; hidden];
        let mut of_sums = vec![0.0; GATES * hidden];
        let mut of_x = vec![0.0; input];
        for step in (0..self.length).rev() {
            if let Some(place) = shape.readout_place(0, step, self.length) {
                for (sum, d) in of_states.iter_mut().zip(&dout[place..place + hidden]) {
                    *sum += f64::from(*d);
                }
            }
            let first = step * GATES * hidden;
            for unit in 0..hidden {
                let [i, f, g, o] = four(&self.gates[first..], hidden, unit);
                let before = self.cells[step * hidden + unit];
                let c = self.cells[(step + 1) * hidden + unit];
                let tanh_c = c.map(f64::tanh);
                // h = o · tanh(c)
                let of_h = of_states[unit];
                let through_tanh = slope(c, tanh_c, derivative(CANDIDATE, tanh_c[0]));
                let of_c = of_cells[unit] + of_h * halfway(o) * through_tanh;
                // c = f · c before + i · g
                of_cells[unit] = of_c * halfway(f);
                let of_gates = [
                    of_c * halfway(g),
                    of_c * halfway(before),
                    of_c * halfway(i),
                    of_h * halfway(tanh_c),
                ];
                for (gate, (value, of_gate)) in [i, f, g, o].into_iter().zip(of_gates).enumerate() {
                    let place = gate * hidden + unit;
                    let derivative = derivative(gate, value[0]);
                    of_sums[place] = of_gate * slope(self.sums[first + place], value, derivative);
                }
            }
            of_states.fill(0.0);
            of_x.fill(0.0);
            for (row, &of_sum) in of_sums.iter().enumerate() {
                let weights = &parameters.weight_hh[row * hidden..][..hidden];
                for (sum, &weight) in of_states.iter_mut().zip(weights) {
                    *sum += of_sum * f64::from(weight);
                }
                let weights = &parameters.weight_ih[row * input..][..input];
                for (sum, &weight) in of_x.iter_mut().zip(weights) {
                    *sum += of_sum * f64::from(weight);
                }
            }
            if let Some(time) = direction.time(step, self.length) {
                for (dx, &multiplier) in dx[time * input..][..input].iter_mut().zip(&of_x) {
                    *dx += multiplier as f32;
                }
            }
        }
    }
}

/// The values i, f, g, o of a unit.
fn four(gates: &[[f64; 2]], hidden: usize, unit: usize) -> [[f64; 2]; GATES] {
    std::array::from_fn(|gate| gates[gate * hidden + unit])
}

fn activation(gate: usize) -> fn(f64) -> f64 {
    match gate {
        CANDIDATE => f64::tanh,
        _ => |x| 1.0 / (1.0 + (-x).exp()),
    }
}

/// The slope of a gate's activation where its value is `y`.
fn derivative(gate: usize, y: f64) -> f64 {
    match gate {
        CANDIDATE => 1.0 - y * y,
        _ => y * (1.0 - y),
    }
}

/// `sums += values · matrix`, for rows of `sums.len()` values.
fn add_product(values: impl Iterator<Item = f64>, matrix: &[f32], sums: &mut [f64]) {
    for (value, row) in values.zip(matrix.chunks_exact(sums.len())) {
        for (sum, &weight) in sums.iter_mut().zip(row) {
            *sum += value * f64::from(weight);
        }
    }
}
