//! Single layers against `PyTorch`: outputs, and the gradients of the input and of every
//! parameter, on both paths. The vectors are made by `golden/generate_layers.py`.

#[path = "common/tolerance.rs"]
mod tolerance;

use dfdx::prelude::*;
use safetensors::SafeTensors;
use sgt_host::model::Mode;
use sgt_host::nn::composed::BatchStatistics;
use sgt_host::nn::kernel::batch_norm::MOMENTUM;
use sgt_host::nn::kernel::conv2d::Conv2dGeometry;
use sgt_host::nn::kernel::pool::PoolGeometry;
use tolerance::{GOLDEN, assert_close};

const FILE: &[u8] = include_bytes!("golden/layers.safetensors");

fn golden(name: &str) -> (Vec<usize>, Vec<f32>) {
    let file = SafeTensors::deserialize(FILE).unwrap();
    let view = file.tensor(name).unwrap();
    let (values, rest) = view.data().as_chunks::<4>();
    assert!(rest.is_empty());
    let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
    (view.shape().to_vec(), values.collect())
}

/// The golden tensor `name` as one of dfdx's shape `S`, its missing axes put in front of the last
/// as ones: a series becomes an image of height 1.
fn tensor<S: Shape<Concrete = [usize; N]>, const N: usize>(
    device: &Cpu,
    name: &str,
) -> Tensor<S, f32, Cpu> {
    let (mut shape, values) = golden(name);
    while shape.len() < N {
        shape.insert(shape.len() - 1, 1);
    }
    let shape = S::from_concrete(&shape.try_into().unwrap()).unwrap();
    device.tensor_from_vec(values, shape)
}

type Images = Tensor<(usize, usize, usize, usize), f32, Cpu>;
type Traced<S> = Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>;

/// Compares a case's output, and pulls its cotangent back.
fn pull_back<S: Shape>(case: &str, out: Traced<S>) -> Gradients<f32, Cpu> {
    assert_close(
        case,
        &out.as_vec(),
        &golden(&format!("{case}.out")).1,
        GOLDEN,
    );
    let (_, cotangent) = golden(&format!("{case}.cotangent"));
    let cotangent = out.device().tensor_from_vec(cotangent, *out.shape());
    (out * cotangent).sum::<Rank0, _>().backward()
}

fn compare<S: Shape>(
    case: &str,
    gradients: &Gradients<f32, Cpu>,
    input: &str,
    tensor: &Tensor<S, f32, Cpu>,
) {
    let name = format!("{case}.gradient.{input}");
    let found = gradients.get(tensor).as_vec();
    assert_close(&name, &found, &golden(&name).1, GOLDEN);
}

fn geometry(
    sizes: [usize; 2],
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
    dilation: [usize; 2],
) -> Conv2dGeometry {
    Conv2dGeometry {
        in_channels: sizes[0],
        out_channels: sizes[1],
        input,
        kernel,
        stride,
        padding_before: padding[0],
        padding_after: padding[1],
        dilation,
    }
}

/// The same cases as CONV2D of the generator.
fn convolutions() -> Vec<(&'static str, Conv2dGeometry)> {
    let conv =
        |name, sizes, input, kernel: usize, stride: usize, padding: usize, dilation: usize| {
            let padding = [[padding; 2]; 2];
            let geometry = geometry(
                sizes,
                input,
                [kernel; 2],
                [stride; 2],
                padding,
                [dilation; 2],
            );
            (name, geometry)
        };
    vec![
        conv("conv2d-plain", [2, 3], [7, 6], 3, 1, 0, 1),
        conv("conv2d-stride", [3, 4], [8, 9], 3, 2, 0, 1),
        conv("conv2d-padding", [2, 3], [5, 5], 3, 1, 2, 1),
        conv("conv2d-dilation", [2, 2], [9, 8], 3, 1, 0, 2),
        conv("conv2d-all", [3, 2], [11, 10], 3, 2, 2, 2),
        conv("conv2d-pointwise", [4, 5], [3, 4], 1, 2, 0, 1),
    ]
}

/// The same cases as CONV1D of the generator.
fn series_convolutions() -> Vec<(&'static str, Conv2dGeometry)> {
    let conv = |name, sizes, steps, [kernel, stride, before, after, dilation]: [usize; 5]| {
        let padding = [[0, before], [0, after]];
        let geometry = geometry(
            sizes,
            [1, steps],
            [1, kernel],
            [1, stride],
            padding,
            [1, dilation],
        );
        (name, geometry)
    };
    vec![
        conv("conv1d-same", [3, 4], 10, [3, 1, 1, 1, 1]),
        conv("conv1d-causal", [3, 2], 9, [4, 1, 3, 0, 1]),
        conv("conv1d-causal-dilated", [2, 3], 12, [3, 1, 4, 0, 2]),
        conv("conv1d-stride", [2, 3], 13, [5, 3, 2, 2, 1]),
    ]
}

fn assert_running_statistics(case: &str, found: Option<BatchStatistics>) {
    let follow = |name: &str, batch: &[f32]| {
        let (_, before) = golden(&format!("{case}.{name}.before"));
        let moved = before.iter().zip(batch);
        let moved: Vec<f32> = moved
            .map(|(old, new)| (1.0 - MOMENTUM) * old + MOMENTUM * new)
            .collect();
        let name = format!("{case}.{name}.after");
        assert_close(&name, &moved, &golden(&name).1, GOLDEN);
    };
    if let Some(statistics) = found {
        follow("mean", &statistics.mean);
        follow("variance", &statistics.unbiased_variance);
    } else {
        let before = golden(&format!("{case}.mean.before"));
        assert_eq!(before, golden(&format!("{case}.mean.after")));
    }
}

macro_rules! suite {
    ($path:ident, $($module:ident)::+) => {
        mod $path {
            use super::*;
            use $($module)::+ as path;

            #[test]
            fn convolutions_agree_with_pytorch() {
                let device = Cpu::default();
                for (case, geometry) in convolutions().into_iter().chain(series_convolutions()) {
                    let x: Images = tensor(&device, &format!("{case}.in.x"));
                    let weight: Images = tensor(&device, &format!("{case}.in.weight"));
                    let bias = tensor(&device, &format!("{case}.in.bias"));
                    let traced = x.leaky_trace();
                    let out =
                        path::conv2d(&geometry, traced, &weight, Some(&bias), Mode::Evaluation);
                    let gradients = pull_back(case, out.unwrap());
                    compare(case, &gradients, "x", &x);
                    compare(case, &gradients, "weight", &weight);
                    compare(case, &gradients, "bias", &bias);
                }
            }

            #[test]
            fn pools_agree_with_pytorch() {
                let device = Cpu::default();
                for (name, channels, input, window) in
                    [("pool-even", 3, [6, 8], 2), ("pool-rest", 2, [7, 5], 3)]
                {
                    let geometry = PoolGeometry {
                        channels,
                        input,
                        window: [window; 2],
                        stride: [2, 2],
                    };
                    for kind in ["max", "average"] {
                        let case = format!("{kind}-{name}");
                        let x: Images = tensor(&device, &format!("{case}.in.x"));
                        let out = if kind == "max" {
                            path::max_pool(&geometry, x.leaky_trace())
                        } else {
                            path::average_pool(&geometry, x.leaky_trace())
                        };
                        let gradients = pull_back(&case, out.unwrap());
                        compare(&case, &gradients, "x", &x);
                    }
                }
                let x: Images = tensor(&device, "global-average.in.x");
                let out = path::global_average_pool(x.leaky_trace()).unwrap();
                let gradients = pull_back("global-average", out);
                compare("global-average", &gradients, "x", &x);
            }

            #[test]
            fn normalisations_agree_with_pytorch() {
                let device = Cpu::default();
                for shape in ["batch-norm-2d", "batch-norm-1d"] {
                    for (mode, kind) in [
                        (Mode::Training { seed: 0 }, "training"),
                        (Mode::Evaluation, "evaluation"),
                    ] {
                        let case = &format!("{shape}-{kind}");
                        let (sizes, values) = golden(&format!("{case}.in.x"));
                        let plane = sizes[2..].iter().product();
                        let x = device.tensor_from_vec(values, (sizes[0], sizes[1], plane));
                        let weight = tensor(&device, &format!("{case}.in.weight"));
                        let bias = tensor(&device, &format!("{case}.in.bias"));
                        let mean = tensor(&device, &format!("{case}.mean.before"));
                        let variance = tensor(&device, &format!("{case}.variance.before"));
                        let traced = x.leaky_trace();
                        let (out, statistics) =
                            path::batch_norm(traced, &weight, &bias, &mean, &variance, mode)
                                .unwrap();
                        assert_running_statistics(case, statistics);
                        let gradients = pull_back(case, out);
                        compare(case, &gradients, "x", &x);
                        compare(case, &gradients, "weight", &weight);
                        compare(case, &gradients, "bias", &bias);
                    }
                }
                let case = "layer-norm";
                let (sizes, values) = golden("layer-norm.in.x");
                let x = device.tensor_from_vec(values, (sizes[0] * sizes[1], sizes[2]));
                let weight = tensor(&device, "layer-norm.in.weight");
                let bias = tensor(&device, "layer-norm.in.bias");
                let out = path::layer_norm(x.leaky_trace(), &weight, &bias, Mode::Evaluation);
                let gradients = pull_back(case, out.unwrap());
                compare(case, &gradients, "x", &x);
                compare(case, &gradients, "weight", &weight);
                compare(case, &gradients, "bias", &bias);
            }
        }
    };
}

suite!(fast, sgt_host::nn::layer::operation);
suite!(composed, sgt_host::nn::composed);
