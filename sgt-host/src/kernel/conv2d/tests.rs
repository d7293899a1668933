//! The plans of a convolution against its definition, in all geometries.

use super::oracle::Truth;
use super::*;
use crate::kernel::buffer::Buffer;
use crate::kernel::dispatch::on_every_instruction_set;
use crate::kernel::levels::values;
use crate::kernel::oracle::{TOLERANCE, assert_close};

/// One image's output, input gradient and weight gradient, the latter added to ones.
fn run(g: &Conv2dGeometry, [weight, bias, x, dout]: [&[f32]; 4]) -> [Vec<f32>; 3] {
    let plan = Plan::new(g);
    let mut packed = Buffer::default();
    plan.pack(weight, packed.resize(plan.packed_len()));
    let mut padded = Buffer::default();
    plan.pad(x, padded.resize(plan.padded_len()));
    let mut out = vec![f32::NAN; dout.len()];
    plan.forward(
        &packed,
        Some(bias),
        false,
        &padded,
        0..plan.pixels(),
        &mut out,
    );

    let data = DataGradient::new(&plan);
    data.pack(weight, packed.resize(data.packed_len()));
    let mut dx = vec![f32::NAN; x.len()];
    data.backward(&packed, dout, &mut dx);

    let mut sums = Buffer::default();
    sums.resize(plan.depth() * g.out_channels).fill(0.0);
    plan.add_weight_gradient(&padded, dout, &mut sums);
    let mut gradient = vec![1.0; weight.len()];
    plan.unpack_gradient(&sums, &mut gradient);
    [out, dx, gradient]
}

fn geometries() -> Vec<Conv2dGeometry> {
    let mut all = Vec::new();
    for (inputs, outputs) in [(1, 1), (3, 5), (2, 16), (17, 33), (32, 64), (20, 80)] {
        for kernel in [1, 2, 3, 5] {
            let plain = Conv2dGeometry::image(inputs, outputs, [11, 9], kernel);
            let padded = plain.padded(kernel / 2);
            let series = Conv2dGeometry::series(inputs, outputs, 23, kernel);
            all.extend([
                plain,
                padded,
                padded.strided(2),
                plain.strided(3),
                padded.padded(2).dilated(2),
                series.padded(1),
                series.dilated(3).causal(),
                series.strided(2),
            ]);
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
    let unstrided = Conv2dGeometry {
        stride: [1, 1],
        ..lopsided
    };
    all.extend([lopsided, unstrided]);
    all
}

#[test]
fn agrees_with_its_definition_on_every_instruction_set() {
    let cases = geometries().into_iter().map(|g| {
        let inputs = [
            values(g.weight_len(), 2),
            values(g.out_channels, 3),
            values(g.input_len(), 1),
            values(g.output_len(), 4),
        ];
        let truth = Truth::new(&g, 1, inputs.each_ref().map(Vec::as_slice));
        (g, inputs, truth)
    });
    let cases: Vec<_> = cases.collect();
    on_every_instruction_set(|arch| {
        for (g, inputs, truth) in &cases {
            let [out, dx, weight] = run(g, inputs.each_ref().map(Vec::as_slice));
            let name = format!("{arch:?}, {g:?}");
            assert_close(&format!("out: {name}"), &out, 0.0, &truth.out, TOLERANCE);
            assert_close(&format!("dx: {name}"), &dx, 0.0, &truth.dx, TOLERANCE);
            assert_close(
                &format!("weight: {name}"),
                &weight,
                1.0,
                &truth.weight,
                TOLERANCE,
            );
        }
    });
}

#[test]
fn causal_outputs_do_not_see_the_future() {
    let g = Conv2dGeometry::series(2, 3, 10, 3).dilated(2).causal();
    assert_eq!(g.output(), [1, 10]);
    let (weight, bias) = (values(g.weight_len(), 5), [0.0; 3]);
    let dout = vec![0.0; g.output_len()];
    let mut x = values(g.input_len(), 6);
    let [before, ..] = run(&g, [&weight, &bias, &x, &dout]);
    x[6 * 2] += 1.0; // Channel 0, step 6.
    let [after, ..] = run(&g, [&weight, &bias, &x, &dout]);
    for (step, (before, after)) in before.chunks(3).zip(after.chunks(3)).enumerate() {
        assert_eq!(before != after, matches!(step, 6 | 8), "step {step}");
    }
}

#[test]
fn refuses_what_does_not_fit() {
    let g = Conv2dGeometry::image(1, 1, [2, 2], 3);
    assert_eq!(
        g.check().unwrap_err().to_string(),
        "conv2d: found shape input [1, 2, 2], kernel [1, 1, 3, 3], stride [1, 1], dilation [1, 1], \
         expected positive sizes and a kernel inside the padded input"
    );
    assert!(g.padded(1).check().is_ok());
    assert!(g.padded(1).strided(0).check().is_err());
}
