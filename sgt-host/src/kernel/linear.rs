//! The fully connected layer, `out = x Wᵀ + b`.

use super::buffer::{LINE, with_scratch};
use super::conv2d::{WeightGradient, add_rows};
use super::dot::Dot;
use super::matrix::{Left, Right, multiply};
use super::product::{PANEL, Start, pack_panels, panels_len};
use super::sums::add;
use super::{batch_len, expect_len};
use crate::Result;
use rayon::prelude::*;
use std::ops::Range;

/// Inputs whose products are summed by one task; the tasks' sums are then added in order. One
/// slice of 128 inputs and of 128 weights fits a core's own cache.
const INPUTS_A_SUM: usize = 768;

/// Samples a task where all inputs are one sum.
const SAMPLES_A_TASK: usize = 24;

/// Outputs from which on vectors run along them and no longer along the inputs.
const MANY_OUTPUTS: usize = 16;

/// Samples up to which vectors run along them instead, with the same bits: transposing the weight
/// would take longer than the product.
const FEW_SAMPLES: usize = LINE;

/// Rows of a result a task, where there are many.
const ROWS_A_TASK: usize = 96;

/// Columns of a result a task, where there are more of them than rows.
const COLUMNS_A_TASK: usize = 2 * PANEL;

/// Terms that are added to a sum before the next sum's turn: a panel of so many rows stays in the
/// cache next to the core.
const TERMS_A_VISIT: usize = 128;

/// `out[n, o] = bias[o] + Σ_i weight[o, i] · x[n, i]`.
///
/// `x` is `[batch, inputs]`, `weight` `[outputs, inputs]`, `bias` `[outputs]`, `out`
/// `[batch, outputs]`.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit.
pub(crate) fn linear_forward(
    inputs: usize,
    outputs: usize,
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let batch = batch_len("linear", "x", x.len(), inputs)?;
    expect_len("linear", "out", out.len(), batch * outputs)?;
    expect_len("linear", "weight", weight.len(), inputs * outputs)?;
    if let Some(bias) = bias {
        expect_len("linear", "bias", bias.len(), outputs)?;
    }
    let add_bias = |out: &mut [f32]| {
        if let Some(bias) = bias {
            for row in out.chunks_exact_mut(outputs) {
                row.iter_mut()
                    .zip(bias)
                    .for_each(|(out, bias)| *out += bias);
            }
        }
    };
    if inputs <= INPUTS_A_SUM && outputs >= MANY_OUTPUTS {
        if batch <= FEW_SAMPLES {
            forward_along_samples([inputs, outputs], weight, bias, x, out);
        } else {
            forward_along_outputs([inputs, outputs], weight, bias, x, out);
        }
        return Ok(());
    }
    if inputs <= INPUTS_A_SUM {
        out.par_chunks_mut(SAMPLES_A_TASK * outputs)
            .zip(x.par_chunks(SAMPLES_A_TASK * inputs))
            .for_each(|(out, x)| {
                let dot = Dot {
                    x,
                    weight,
                    stride: inputs,
                    inputs: 0..inputs,
                    out,
                };
                dot.run();
                add_bias(out);
            });
        return Ok(());
    }
    let len = batch * outputs;
    let sums = inputs.div_ceil(INPUTS_A_SUM);
    with_scratch([sums * len], |[sums]| {
        sums.par_chunks_exact_mut(len)
            .enumerate()
            .for_each(|(index, sum)| {
                let first = index * INPUTS_A_SUM;
                let dot = Dot {
                    x,
                    weight,
                    stride: inputs,
                    inputs: first..inputs.min(first + INPUTS_A_SUM),
                    out: sum,
                };
                dot.run();
            });
        out.fill(0.0);
        add_rows(sums, out);
    });
    add_bias(out);
    Ok(())
}

/// Pulls `dout` `[batch, outputs]` back: `dx = dout W` is overwritten, `dout ᵀ x` and the column
/// sums of `dout` are added to the gradient.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit.
pub(crate) fn linear_backward(
    inputs: usize,
    outputs: usize,
    weight: &[f32],
    x: &[f32],
    dout: &[f32],
    dx: Option<&mut [f32]>,
    gradient: Option<WeightGradient<'_>>,
) -> Result<()> {
    let batch = batch_len("linear", "x", x.len(), inputs)?;
    expect_len("linear", "dout", dout.len(), batch * outputs)?;
    expect_len("linear", "weight", weight.len(), inputs * outputs)?;
    if let Some(dx) = &dx {
        expect_len("linear", "dx", dx.len(), x.len())?;
    }
    if let Some(gradient) = &gradient {
        expect_len(
            "linear",
            "weight gradient",
            gradient.weight.len(),
            weight.len(),
        )?;
        if let Some(bias) = &gradient.bias {
            expect_len("linear", "bias gradient", bias.len(), outputs)?;
        }
    }
    if let Some(dx) = dx {
        // dx = dout · weight
        let dout = Left::new(dout, batch, outputs, outputs);
        if by_rows(batch, inputs) {
            multiply_rows(dout, weight, inputs, dx);
        } else {
            multiply_columns(dout, weight, inputs, dx, false);
        }
    }
    if let Some(gradient) = gradient {
        if let Some(bias) = gradient.bias {
            add_sums_of_columns(dout, bias);
        }
        // weight += doutᵀ · x
        if by_rows(outputs, inputs) {
            add_transposed_product([dout, x], [inputs, outputs], gradient.weight);
        } else {
            let dout = Left::new(dout, batch, outputs, outputs).transposed();
            multiply_columns(dout, x, inputs, gradient.weight, true);
        }
    }
    Ok(())
}

/// Whether the tasks of a product of `rows` rows and `columns` columns are rows of it.
const fn by_rows(rows: usize, columns: usize) -> bool {
    rows.div_ceil(ROWS_A_TASK) >= columns.div_ceil(COLUMNS_A_TASK)
}

/// [`linear_forward`] with vectors along the outputs, over the transposed weight.
fn forward_along_outputs(
    [inputs, outputs]: [usize; 2],
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
) {
    with_scratch([panels_len(inputs, outputs)], |[packed]| {
        packed
            .par_chunks_mut(panels_len(inputs, PANEL))
            .zip(weight.par_chunks(PANEL * inputs))
            .for_each(|(panel, weight)| {
                let width = panel.len() / inputs;
                for (column, weight) in (0..width).zip(weight.chunks_exact(inputs)) {
                    let column = panel[column..].iter_mut().step_by(width);
                    column
                        .zip(weight)
                        .for_each(|(place, weight)| *place = *weight);
                }
                for row in panel.chunks_exact_mut(width) {
                    row[weight.len() / inputs..].fill(0.0);
                }
            });
        let packed = Right::panels(packed, outputs);
        let start = bias.map_or(Start::Zero, Start::Bias);
        out.par_chunks_mut(ROWS_A_TASK * outputs)
            .zip(x.par_chunks(ROWS_A_TASK * inputs))
            .for_each(|(out, x)| {
                let x = Left::new(x, x.len() / inputs, inputs, inputs);
                multiply(x, packed, start, out, outputs);
            });
    });
}

/// [`forward_along_outputs`] bit by bit, with vectors along the samples: every sum starts from the
/// bias and goes over the inputs in their order.
fn forward_along_samples(
    [inputs, outputs]: [usize; 2],
    weight: &[f32],
    bias: Option<&[f32]>,
    x: &[f32],
    out: &mut [f32],
) {
    let batch = x.len() / inputs;
    let lens = [panels_len(inputs, batch), outputs * batch];
    with_scratch(lens, |[packed, product]| {
        pack_panels(inputs, batch, packed, |input, sample| {
            x[sample * inputs + input]
        });
        let packed = Right::panels(packed, batch);
        product
            .par_chunks_mut(ROWS_A_TASK * batch)
            .zip(weight.par_chunks(ROWS_A_TASK * inputs))
            .enumerate()
            .for_each(|(task, (product, weight))| {
                let rows = weight.len() / inputs;
                for (row, sums) in product.chunks_exact_mut(batch).enumerate() {
                    sums.fill(bias.map_or(0.0, |bias| bias[task * ROWS_A_TASK + row]));
                }
                let weight = Left::new(weight, rows, inputs, inputs);
                multiply(weight, packed, Start::Out, product, batch);
            });
        for (sample, out) in out.chunks_exact_mut(outputs).enumerate() {
            let product = product[sample..].iter().step_by(batch);
            for (out, value) in out.iter_mut().zip(product) {
                *out = *value;
            }
        }
    });
}

/// `out = left · right` for `right` `[depth, columns]`, some rows a task.
fn multiply_rows(left: Left<'_>, right: &[f32], columns: usize, out: &mut [f32]) {
    let depth = left.depth();
    with_scratch([panels_len(depth, columns)], |[packed]| {
        packed
            .par_chunks_mut(panels_len(depth, PANEL))
            .enumerate()
            .for_each(|(index, panel)| {
                let first = index * PANEL;
                pack_columns(right, columns, first..columns.min(first + PANEL), panel);
            });
        let packed = Right::panels(packed, columns);
        out.par_chunks_mut(ROWS_A_TASK * columns)
            .enumerate()
            .for_each(|(task, out)| {
                let first = task * ROWS_A_TASK;
                let left = left.rows(first..first + out.len() / columns);
                multiply(left, packed, Start::Zero, out, columns);
            });
    });
}

/// `out += doutᵀ · x` for `dout` `[batch, outputs]` and `x` `[batch, inputs]`, some outputs a task.
fn add_transposed_product([dout, x]: [&[f32]; 2], [inputs, outputs]: [usize; 2], out: &mut [f32]) {
    out.par_chunks_mut(ROWS_A_TASK * inputs)
        .enumerate()
        .for_each(|(task, out)| {
            let first = task * ROWS_A_TASK;
            let rows = out.len() / inputs;
            for start in (0..inputs).step_by(PANEL) {
                let columns = start..inputs.min(start + PANEL);
                let width = columns.len();
                with_scratch(
                    [panels_len(TERMS_A_VISIT, width), rows * width],
                    |[panel, product]| {
                        product.fill(0.0);
                        let terms = dout
                            .chunks(TERMS_A_VISIT * outputs)
                            .zip(x.chunks(TERMS_A_VISIT * inputs));
                        for (dout, x) in terms {
                            let depth = x.len() / inputs;
                            let panel = &mut panel[..panels_len(depth, width)];
                            pack_columns(x, inputs, columns.clone(), panel);
                            let left = Left::new(&dout[first..], depth, rows, outputs).transposed();
                            let right = Right::panels(panel, width);
                            multiply(left, right, Start::Out, product, width);
                        }
                        let sums = out
                            .chunks_exact_mut(inputs)
                            .zip(product.chunks_exact(width));
                        for (out, product) in sums {
                            add(product, &mut out[columns.clone()]);
                        }
                    },
                );
            }
        });
}

/// Adds the sum of each column of `rows` to `sums`.
fn add_sums_of_columns(rows: &[f32], sums: &mut [f32]) {
    let columns = sums.len();
    sums.par_chunks_mut(PANEL)
        .enumerate()
        .for_each(|(task, sums)| {
            let first = task * PANEL;
            for row in rows.chunks_exact(columns) {
                add(&row[first..first + sums.len()], sums);
            }
        });
}

/// Packs some columns, at most [`PANEL`], of a matrix with rows of `columns` as one panel.
fn pack_columns(matrix: &[f32], columns: usize, chosen: Range<usize>, panel: &mut [f32]) {
    let rows = matrix.chunks_exact(columns);
    if chosen.len() == PANEL {
        let (panel, _) = panel.as_chunks_mut::<PANEL>();
        for (packed, row) in panel.iter_mut().zip(rows) {
            if let Some(row) = row[chosen.start..].first_chunk() {
                *packed = *row;
            }
        }
        return;
    }
    let width = panels_len(1, chosen.len());
    for (packed, row) in panel.chunks_exact_mut(width).zip(rows) {
        packed[..chosen.len()].copy_from_slice(&row[chosen.clone()]);
        packed[chosen.len()..].fill(0.0);
    }
}

/// `out (+)= left · right` for `right` `[depth, columns]` and `out` `[rows, columns]`, some columns
/// a task.
fn multiply_columns(left: Left<'_>, right: &[f32], columns: usize, out: &mut [f32], add_to: bool) {
    let (rows, depth) = (left.len(), left.depth());
    // A task owns its columns of every row.
    let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
    tasks.resize_with(columns.div_ceil(COLUMNS_A_TASK), || {
        Vec::with_capacity(rows)
    });
    for row in out.chunks_exact_mut(columns) {
        for (task, piece) in tasks.iter_mut().zip(row.chunks_mut(COLUMNS_A_TASK)) {
            task.push(piece);
        }
    }
    tasks
        .into_par_iter()
        .enumerate()
        .for_each(|(index, mut out)| {
            let first = index * COLUMNS_A_TASK;
            let width = out[0].len();
            for start in (0..width).step_by(PANEL) {
                let width = PANEL.min(width - start);
                with_scratch(
                    [panels_len(depth, width), rows * width],
                    |[panel, product]| {
                        let from = first + start;
                        pack_columns(right, columns, from..from + width, panel);
                        let right = Right::panels(panel, width);
                        multiply(left, right, Start::Zero, product, width);
                        for (out, row) in out.iter_mut().zip(product.chunks_exact(width)) {
                            let out = &mut out[start..start + width];
                            if add_to {
                                add(row, out);
                            } else {
                                out.copy_from_slice(row);
                            }
                        }
                    },
                );
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::dispatch::on_every_instruction_set;
    use crate::kernel::levels::values;
    use crate::kernel::oracle::{TOLERANCE, assert_close, bits, doubles};

    /// Batch, inputs, outputs: around the sizes of vectors, of tasks and of their sums.
    const SIZES: [[usize; 3]; 7] = [
        [1, 1, 1],
        [5, 37, 11],
        [30, 70, 130],
        [3, INPUTS_A_SUM + 1, 5],
        [2, 4 * PANEL + 3, 17],
        [2 * ROWS_A_TASK + 5, PANEL + 7, ROWS_A_TASK + 9],
        [TERMS_A_VISIT + 3, 9, MANY_OUTPUTS],
    ];

    #[test]
    fn agrees_with_its_definition_on_every_instruction_set() {
        on_every_instruction_set(|arch| {
            for [batch, inputs, outputs] in SIZES {
                let name = format!("{arch:?}, {batch} samples of {inputs} to {outputs}");
                let x = values(batch * inputs, 1);
                let weight = values(inputs * outputs, 2);
                let bias = values(outputs, 3);
                let dout = values(batch * outputs, 4);
                let [wide_x, wide_weight, wide_dout] = [&x, &weight, &dout].map(|v| doubles(v));
                let mut expected = Vec::new();
                let mut expected_dx = vec![0.0; x.len()];
                let mut expected_weight = vec![0.0; weight.len()];
                let mut expected_bias = vec![0.0; outputs];
                for sample in 0..batch {
                    let places = sample * inputs..(sample + 1) * inputs;
                    for output in 0..outputs {
                        let weights = output * inputs..(output + 1) * inputs;
                        let d = wide_dout[sample * outputs + output];
                        let mut sum = f64::from(bias[output]);
                        expected_bias[output] += d;
                        for (x, weight) in places.clone().zip(weights) {
                            sum += wide_x[x] * wide_weight[weight];
                            expected_dx[x] += wide_weight[weight] * d;
                            expected_weight[weight] += wide_x[x] * d;
                        }
                        expected.push(sum);
                    }
                }
                let mut out = vec![f32::NAN; dout.len()];
                linear_forward(inputs, outputs, &weight, Some(&bias), &x, &mut out).unwrap();
                assert_close(&format!("out: {name}"), &out, 0.0, &expected, TOLERANCE);
                let mut dx = vec![f32::NAN; x.len()];
                let (mut of_weight, mut of_bias) = (vec![1.0; weight.len()], vec![1.0; outputs]);
                let gradient = Some(WeightGradient {
                    weight: &mut of_weight,
                    bias: Some(&mut of_bias),
                });
                let target = Some(dx.as_mut_slice());
                linear_backward(inputs, outputs, &weight, &x, &dout, target, gradient).unwrap();
                assert_close(&format!("dx: {name}"), &dx, 0.0, &expected_dx, TOLERANCE);
                assert_close(
                    &format!("weight: {name}"),
                    &of_weight,
                    1.0,
                    &expected_weight,
                    TOLERANCE,
                );
                assert_close(
                    &format!("bias: {name}"),
                    &of_bias,
                    1.0,
                    &expected_bias,
                    TOLERANCE,
                );
            }
        });
    }

    #[test]
    fn a_sample_has_the_same_bits_in_a_batch_of_any_size() {
        on_every_instruction_set(|arch| {
            for [inputs, outputs] in [[37, MANY_OUTPUTS], [70, ROWS_A_TASK + 9], [70, 3]] {
                let x = values(2 * FEW_SAMPLES * inputs, 1);
                let (weight, bias) = (values(inputs * outputs, 2), values(outputs, 3));
                for bias in [Some(bias.as_slice()), None] {
                    let forward = |x: &[f32]| {
                        let mut out = vec![f32::NAN; x.len() / inputs * outputs];
                        linear_forward(inputs, outputs, &weight, bias, x, &mut out).unwrap();
                        out
                    };
                    let together = forward(&x);
                    for batch in [1, 5, FEW_SAMPLES, FEW_SAMPLES + 1] {
                        let some = forward(&x[..batch * inputs]);
                        let name = format!("{arch:?}, {batch} of {inputs} to {outputs}");
                        assert_eq!(bits(&some), bits(&together[..some.len()]), "{name}");
                    }
                }
            }
        });
    }

    #[test]
    fn what_does_not_fit_is_refused_in_one_line() {
        let error = linear_forward(3, 2, &[0.0; 6], None, &[0.0; 4], &mut [0.0; 2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "linear: found shape x of 4 values, expected one or more samples of 3 values"
        );
    }
}
