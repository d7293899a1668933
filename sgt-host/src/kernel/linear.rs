//! The fully connected layer, `out = x Wᵀ + b`.

use super::buffer::with_scratch;
use super::conv2d::{WeightGradient, add_rows};
use super::dot::Dot;
use super::product::{Layout, PANEL, Product, Run, Start, panels_len};
use super::{batch_len, expect_len};
use crate::Result;
use rayon::prelude::*;

/// Inputs whose products are summed by one task; the tasks' sums are then added in order. One
/// slice of 128 inputs and of 128 weights fits a core's own cache.
const INPUTS_A_SUM: usize = 768;

/// Samples a task where all inputs are one sum.
const SAMPLES_A_TASK: usize = 24;

/// Columns of the weight's gradient, or of the input's, a task.
const COLUMNS_A_TASK: usize = 4 * PANEL;

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
        multiply_columns(
            &Left {
                values: dout,
                rows: (0..batch).map(|n| n * outputs).collect(),
                step: 1,
                depth: outputs,
            },
            weight,
            inputs,
            dx,
            false,
        );
    }
    if let Some(gradient) = gradient {
        if let Some(bias) = gradient.bias {
            add_rows(dout, bias);
        }
        // weight += doutᵀ · x
        multiply_columns(
            &Left {
                values: dout,
                rows: (0..outputs).collect(),
                step: outputs,
                depth: batch,
            },
            x,
            inputs,
            gradient.weight,
            true,
        );
    }
    Ok(())
}

/// The left factor of a product: value (row, t) is at `rows[row] + t · step`.
struct Left<'a> {
    values: &'a [f32],
    rows: Vec<usize>,
    step: usize,
    depth: usize,
}

/// `out (+)= left · right` for `right` `[depth, columns]` and `out` `[rows, columns]`, some columns
/// a task.
fn multiply_columns(left: &Left<'_>, right: &[f32], columns: usize, out: &mut [f32], add: bool) {
    let rows = left.rows.len();
    let depth = left.depth;
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
                        let packed = panel.chunks_exact_mut(panels_len(1, width));
                        for (packed, row) in packed.zip(right.chunks_exact(columns)) {
                            packed[..width].copy_from_slice(&row[first + start..][..width]);
                            packed[width..].fill(0.0);
                        }
                        Product {
                            a: left.values,
                            rows: &left.rows,
                            runs: &[Run {
                                offset: 0,
                                len: depth,
                            }],
                            step: left.step,
                            b: panel,
                            layout: Layout::Panels,
                            columns: width,
                            start: Start::Zero,
                            relu: false,
                            out: product,
                            out_stride: width,
                        }
                        .run();
                        for (out, row) in out.iter_mut().zip(product.chunks_exact(width)) {
                            let out = &mut out[start..start + width];
                            if add {
                                out.iter_mut()
                                    .zip(row)
                                    .for_each(|(out, value)| *out += value);
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
    use crate::kernel::oracle::{TOLERANCE, assert_close, doubles};

    /// Batch, inputs, outputs: around the sizes of vectors, of tasks and of their sums.
    const SIZES: [[usize; 3]; 5] = [
        [1, 1, 1],
        [5, 37, 11],
        [30, 70, 130],
        [3, INPUTS_A_SUM + 1, 5],
        [2, 4 * PANEL + 3, 17],
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
    fn what_does_not_fit_is_refused_in_one_line() {
        let error = linear_forward(3, 2, &[0.0; 6], None, &[0.0; 4], &mut [0.0; 2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "linear: found shape x of 4 values, expected one or more samples of 3 values"
        );
    }
}
