//! The convolution against its definition.

use super::*;

/// Relative to the largest value: sums of up to a few hundred products in another order.
const TOLERANCE: f32 = 2e-5;

/// Calls `visit(out place, in place, weight place)` for every product of one sample.
fn visit_products(g: &Conv2dGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let [rows, columns] = g.output();
    let [height, width] = g.input;
    for o in 0..g.out_channels {
        for c in 0..g.in_channels {
            for u in 0..g.kernel[0] {
                for v in 0..g.kernel[1] {
                    let weight = ((o * g.in_channels + c) * g.kernel[0] + u) * g.kernel[1] + v;
                    for i in 0..rows {
                        for j in 0..columns {
                            let y = i * g.stride[0] + u * g.dilation[0];
                            let t = j * g.stride[1] + v * g.dilation[1];
                            let y = y.checked_sub(g.padding_before[0]);
                            let t = t.checked_sub(g.padding_before[1]);
                            if let (Some(y), Some(t)) = (y, t)
                                && y < height
                                && t < width
                            {
                                let out = (o * rows + i) * columns + j;
                                visit(out, (c * height + y) * width + t, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn values(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        ((state >> 9) as f32 / (1 << 22) as f32) - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn assert_close(name: &str, g: &Conv2dGeometry, found: &[f32], expected: &[f32]) {
    let scale = expected.iter().fold(0.0f32, |a, b| a.max(b.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= TOLERANCE * scale,
            "{name}[{i}]: {a} and {b} of {g:?}"
        );
    }
}

fn check(g: &Conv2dGeometry, batch: usize) {
    let x = values(batch * g.input_len(), 1);
    let weight = values(g.weight_len(), 2);
    let bias = values(g.out_channels, 3);
    let dout = values(batch * g.output_len(), 4);
    let plane = g.output_len() / g.out_channels;
    let mut expected = vec![0.0; dout.len()];
    for (plane, bias) in expected.chunks_mut(plane).zip(bias.iter().cycle()) {
        plane.fill(*bias);
    }
    let mut expected_dx = vec![0.0; x.len()];
    // Backward adds to what is there.
    let mut expected_weight = vec![0.5; weight.len()];
    let mut expected_bias = vec![0.25; bias.len()];
    for (plane, o) in dout.chunks(plane).zip((0..g.out_channels).cycle()) {
        expected_bias[o] += plane.iter().sum::<f32>();
    }
    visit_products(g, |out, input, tap| {
        for n in 0..batch {
            let (out, input) = (out + n * g.output_len(), input + n * g.input_len());
            expected[out] += weight[tap] * x[input];
            expected_dx[input] += weight[tap] * dout[out];
            expected_weight[tap] += x[input] * dout[out];
        }
    });
    let mut out = vec![f32::NAN; dout.len()];
    conv2d_forward(g, &weight, Some(&bias), &x, &mut out).unwrap();
    assert_close("out", g, &out, &expected);
    let mut dx = vec![f32::NAN; x.len()];
    let mut found_weight = vec![0.5; weight.len()];
    let mut found_bias = vec![0.25; bias.len()];
    let gradient = WeightGradient {
        weight: &mut found_weight,
        bias: Some(&mut found_bias),
    };
    conv2d_backward(g, &weight, &x, &dout, Some(&mut dx), Some(gradient)).unwrap();
    assert_close("dx", g, &dx, &expected_dx);
    assert_close("weight gradient", g, &found_weight, &expected_weight);
    assert_close("bias gradient", g, &found_bias, &expected_bias);
    let mut alone = vec![f32::NAN; x.len()];
    conv2d_backward(g, &weight, &x, &dout, Some(&mut alone), None).unwrap();
    assert_eq!(alone, dx, "input-only mode of {g:?}");
}

#[test]
fn agrees_with_its_definition() {
    for (batch, channels) in [
        (1, (1, 1)),
        (3, (3, 5)),
        (9, (2, 16)),
        (2, (17, 33)),
        (1, (32, 64)),
        (1, (20, 80)),
    ] {
        for kernel in [1, 2, 3, 5] {
            let plain = Conv2dGeometry::image(channels.0, channels.1, [11, 9], kernel);
            let padded = plain.padded(kernel / 2);
            check(&plain, batch);
            check(&padded, batch);
            check(&padded.strided(2), batch);
            check(&plain.strided(3), batch);
            check(&padded.padded(2).dilated(2), batch);
            let series = Conv2dGeometry::series(channels.0, channels.1, 23, kernel);
            check(&series.padded(1), batch);
            check(&series.dilated(3).causal(), batch);
            check(&series.strided(2), batch);
        }
    }
    let lopsided = Conv2dGeometry {
        kernel: [2, 4],
        stride: [1, 2],
        padding_before: [3, 0],
        padding_after: [0, 2],
        dilation: [2, 1],
        ..Conv2dGeometry::image(4, 6, [7, 10], 1)
    };
    check(&lopsided, 2);
    check(
        &Conv2dGeometry {
            stride: [1, 1],
            ..lopsided
        },
        2,
    );
}

#[test]
fn causal_outputs_do_not_see_the_future() {
    let g = Conv2dGeometry::series(2, 3, 10, 3).dilated(2).causal();
    assert_eq!(g.output(), [1, 10]);
    let weight = values(g.weight_len(), 5);
    let mut x = values(g.input_len(), 6);
    let mut before = vec![0.0; g.output_len()];
    conv2d_forward(&g, &weight, None, &x, &mut before).unwrap();
    x[6] += 1.0; // Channel 0, step 6.
    let mut after = vec![0.0; g.output_len()];
    conv2d_forward(&g, &weight, None, &x, &mut after).unwrap();
    for step in 0..10 {
        let changed = (0..3).any(|o| before[o * 10 + step] != after[o * 10 + step]);
        assert_eq!(changed, matches!(step, 6 | 8), "step {step}");
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let g = Conv2dGeometry::image(1, 1, [2, 2], 3);
    let error = conv2d_forward(&g, &[0.0; 9], None, &[0.0; 4], &mut [0.0; 4]).unwrap_err();
    assert!(error.to_string().contains("conv2d"), "{error}");
    let g = g.padded(1);
    let error = conv2d_forward(&g, &[0.0; 9], None, &[0.0; 5], &mut [0.0; 4]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "conv2d: found shape x of 5 values, expected one or more samples of 4 values"
    );
}
