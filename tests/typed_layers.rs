//! What typed layers promise: constant sizes and sizes at run time are one code, sizes that don't
//! fit are named, and dfdx's tools work on layers of constant sizes.

use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorName, ViewTensorRef,
};
use dfdx::prelude::*;
use sgt_host::model::Mode;
use sgt_host::nn::layer::{
    AveragePool2d, BatchNorm, BiLstm, Causal, Conv1d, Conv2d, DownsampleBlock, Dropout, Embedding,
    LayerNorm, Linear, Lstm, MaxPool1d, MaxPool2d, MultiHeadAttention, NamedTensorVisitor,
    NamedTensors, ResidualBlock, TensorRole, flatten, global_average_pool, relu,
};
use sgt_host::optimizer::{Optimizer, OptimizerConfig, Sgd};
use sgt_host::{Error, Result};

const EVALUATION: Mode = Mode::Evaluation;

/// The tensors of a layer as dfdx names them: name, values, whether they are trained.
struct Names(Vec<(String, usize, bool)>);

impl TensorVisitor<f32, Cpu> for Names {
    type Viewer = (ViewTensorName, ViewTensorRef);
    type Err = CpuError;
    type E2 = f32;
    type D2 = Cpu;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, f32, Cpu>,
        (name, tensor): (String, &Tensor<S, f32, Cpu>),
    ) -> std::result::Result<Option<Tensor<S, f32, Cpu>>, CpuError> {
        let len = tensor.shape().num_elements();
        self.0.push((name, len, options.do_gradient_update));
        Ok(None)
    }
}

/// The same as our walk sees it.
#[derive(Default)]
struct Roles(Vec<TensorRole>);

impl NamedTensorVisitor<Cpu> for Roles {
    fn visit<S: Shape>(
        &mut self,
        role: &TensorRole,
        tensor: &mut Tensor<S, f32, Cpu>,
    ) -> Result<()> {
        assert_eq!(
            role.shape.iter().product::<usize>(),
            tensor.shape().num_elements()
        );
        self.0.push(role.clone());
        Ok(())
    }
}

/// Checks that both walks see the same tensors, and gives `name [shape]` of each.
fn tensors<L>(mut layer: L) -> Vec<String>
where
    L: NamedTensors<Cpu> + TensorCollection<f32, Cpu>,
{
    let mut names = Names(Vec::new());
    L::iter_tensors(&mut RecursiveWalker {
        m: (String::new(), &layer),
        f: &mut names,
    })
    .unwrap();
    let mut roles = Roles::default();
    layer.visit_tensors("", &mut roles).unwrap();
    let ours = roles.0.iter();
    let ours: Vec<_> = ours
        .map(|role| {
            (
                role.name.clone(),
                role.shape.iter().product(),
                role.trainable,
            )
        })
        .collect();
    assert_eq!(names.0, ours);
    let trained: usize = ours.iter().filter(|t| t.2).map(|t| t.1).sum();
    assert_eq!(layer.num_trainable_params(), trained);
    let roles = roles.0.iter();
    roles
        .map(|role| format!("{} {:?}", role.name, role.shape))
        .collect()
}

fn built<L: BuildModule<Cpu, f32>>() -> L {
    BuildModule::build(&Cpu::seed_from_u64(3))
}

#[test]
fn tensors_have_pytorchs_names_and_shapes() {
    assert_eq!(
        tensors(built::<Linear<Const<5>, Const<2>>>()),
        ["weight [2, 5]", "bias [2]"]
    );
    assert_eq!(
        tensors(built::<Conv2d<Const<2>, Const<4>, Const<3>>>()),
        ["weight [4, 2, 3, 3]", "bias [4]"]
    );
    assert_eq!(
        tensors(built::<
            Conv1d<Const<2>, Const<4>, Const<3>, Const<1>, Causal>,
        >()),
        ["weight [4, 2, 3]", "bias [4]"]
    );
    assert_eq!(
        tensors(built::<BatchNorm<Const<4>>>()),
        [
            "weight [4]",
            "bias [4]",
            "running_mean [4]",
            "running_var [4]"
        ]
    );
    assert_eq!(
        tensors(built::<LayerNorm<Const<4>>>()),
        ["weight [4]", "bias [4]"]
    );
    assert_eq!(
        tensors(built::<Embedding<Const<9>, Const<4>>>()),
        ["weight [9, 4]"]
    );
    let forward = [
        "weight_ih_l0 [20, 3]",
        "weight_hh_l0 [20, 5]",
        "bias_ih_l0 [20]",
        "bias_hh_l0 [20]",
    ];
    assert_eq!(tensors(built::<Lstm<Const<3>, Const<5>>>()), forward);
    let both = tensors(built::<BiLstm<Const<3>, Const<5>>>());
    assert_eq!(both[..4], forward);
    assert_eq!(both[4], "weight_ih_l0_reverse [20, 3]");
    assert_eq!(both[7], "bias_hh_l0_reverse [20]");
    assert_eq!(
        tensors(built::<MultiHeadAttention<Const<6>, Const<2>>>()),
        [
            "in_proj_weight [18, 6]",
            "in_proj_bias [18]",
            "out_proj.weight [6, 6]",
            "out_proj.bias [6]",
        ]
    );
    let block = tensors(built::<DownsampleBlock<Const<2>, Const<3>>>());
    assert_eq!(block[0], "conv1.weight [3, 2, 3, 3]");
    assert_eq!(block[1], "bn1.weight [3]");
    assert_eq!(block[10], "downsample.0.weight [3, 2, 1, 1]");
    assert_eq!(block[11], "downsample.1.weight [3]");
    assert_eq!(tensors(built::<ResidualBlock<Const<3>>>()).len(), 10);
}

#[test]
fn initial_values_fill_pytorchs_range() {
    let layer: Linear<Const<100>, Const<50>> = built();
    let values = layer.weight.as_vec();
    let largest = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    assert!((0.099..=0.1).contains(&largest), "{largest}");
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    assert!(mean.abs() < 0.003, "{mean}");
    let same: Linear<Const<100>, Const<50>> = built();
    assert_eq!(values, same.weight.as_vec());
    let other: Linear<Const<100>, Const<50>> = BuildModule::build(&Cpu::seed_from_u64(4));
    assert_ne!(values, other.weight.as_vec());
}

fn image<S: Shape>(shape: S) -> Tensor<S, f32, Cpu> {
    let values = (0..shape.num_elements()).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0);
    Cpu::default().tensor_from_vec(values.collect(), shape)
}

/// A small network over all kinds of sizes: constant ones, ones at run time, and both mixed.
macro_rules! network {
    ($name:ident, $side:ty, $conv:ty, $pool:ty, $features:ty, $channels:ty, $classes:ty) => {
        fn $name(
            conv: &Conv2d<Const<1>, $channels, Const<3>>,
            fc: &Linear<$features, $classes>,
            x: Tensor<(usize, Const<1>, $side, $side), f32, Cpu>,
        ) -> Vec<f32> {
            let x: Tensor<(usize, $channels, $conv, $conv), f32, Cpu> =
                conv.forward(x, EVALUATION).unwrap();
            let pool = MaxPool2d::<Const<2>>::default();
            let x: Tensor<(usize, $channels, $pool, $pool), f32, Cpu> =
                pool.forward(relu(x).unwrap()).unwrap();
            let x: Tensor<(usize, $features), f32, Cpu> = flatten(x).unwrap();
            fc.forward(x, EVALUATION).unwrap().as_vec()
        }
    };
}

network!(
    constant,
    Const<8>,
    Const<6>,
    Const<3>,
    Const<18>,
    Const<2>,
    Const<3>
);
network!(at_run_time, usize, usize, usize, usize, usize, usize);
network!(mixed, Const<8>, usize, Const<3>, usize, Const<2>, usize);

#[test]
fn constant_sizes_and_sizes_at_run_time_give_the_same() {
    let device = Cpu::default();
    let conv: Conv2d<Const<1>, Const<2>, Const<3>> = built();
    let fc: Linear<Const<18>, Const<3>> = built();
    let expected = constant(&conv, &fc, image((2, Const, Const, Const)));

    let mut dynamic_conv = Conv2d::new(&device, (Const, 2, Const), Const, Const, Const).unwrap();
    let mut dynamic_fc = Linear::new(&device, 18, 3).unwrap();
    dynamic_conv.weight.copy_from(&conv.weight.as_vec());
    dynamic_conv.bias.copy_from(&conv.bias.as_vec());
    dynamic_fc.weight.copy_from(&fc.weight.as_vec());
    dynamic_fc.bias.copy_from(&fc.bias.as_vec());
    let found = at_run_time(&dynamic_conv, &dynamic_fc, image((2, Const, 8, 8)));
    assert_eq!(found, expected);
    let found = mixed(&conv, &dynamic_fc, image((2, Const, Const, Const)));
    assert_eq!(found, expected);
}

fn assert_shapes<T>(result: Result<T>, expected: &str) {
    match result {
        Ok(_) => panic!("accepted, expected: {expected}"),
        Err(error) => {
            assert!(matches!(error, Error::Shape { .. }), "{error}");
            assert_eq!(error.to_string(), expected);
        }
    }
}

#[test]
fn sizes_at_run_time_that_do_not_fit_are_both_named() {
    let device = Cpu::default();
    let conv = Conv2d::new(
        &device,
        (1, 2, Const::<3>),
        Const::<1>,
        Const::<0>,
        Const::<1>,
    );
    let conv = conv.unwrap();
    let out = conv.forward::<_, _, _, usize, usize, _>(image((2, 3, 8, 8)), EVALUATION);
    assert_shapes(
        out,
        "conv2d: found shape [2, 3, 8, 8], expected [2, 1, 8, 8]",
    );
    // The height is known to the type alone, the input's to the data alone.
    let out = conv.forward::<_, _, _, Const<7>, usize, _>(image((2, 1, 8, 8)), EVALUATION);
    assert_shapes(
        out,
        "Conv2d: found shape [2, 2, 6, 6], expected [_, _, 7, _]",
    );
    let out = conv.forward::<_, _, _, usize, usize, _>(image((2, 1, 2, 8)), EVALUATION);
    assert!(matches!(out, Err(Error::Shape { .. })));
    let flat: Result<Tensor<(usize, Const<11>), f32, Cpu>> = flatten(image((2, 3, 2_usize, 2)));
    assert_shapes(flat, "flatten: found shape [2, 12], expected [_, 11]");
    let lstm = Lstm::new(&device, 3, 4).unwrap();
    let out = lstm.forward(image((2, 5, 2)), EVALUATION);
    assert_shapes(out, "LSTM: found shape [2, 5, 2], expected [2, 5, 3]");
    let attention = MultiHeadAttention::new(&device, 6, 4).unwrap();
    let out = attention.forward(image((2, 5, 6)), false, EVALUATION);
    assert_shapes(
        out,
        "attention: found shape 4 heads over 6 dimensions, expected a number of heads that \
         divides the dimensions",
    );
    let norm = BatchNorm::new(&device, 3).unwrap();
    let out = norm.forward_series(image((2, 4, 5)), EVALUATION);
    assert_shapes(out, "batch norm: found shape [2, 4, 5], expected [2, 3, 5]");
    let table = Embedding::new(&device, 9, 4).unwrap();
    let out = table.forward::<_, NoneTape>(&[1, 2, 3], 2, EVALUATION);
    assert_shapes(out, "Embedding: found shape [3] tokens, expected [_, 2]");
    let out = table.forward::<_, NoneTape>(&[1, 9], 2, EVALUATION);
    assert_eq!(
        out.unwrap_err().to_string(),
        "token: found 9, expected a row below 9"
    );
}

#[test]
fn causal_convolutions_see_no_future() {
    let conv: Conv1d<Const<2>, Const<3>, Const<3>, Const<1>, Causal, Const<2>> = built();
    let run = |x: Tensor<Rank3<1, 2, 10>, f32, Cpu>| {
        let out: Tensor<Rank3<1, 3, 10>, f32, Cpu> = conv.forward(x, EVALUATION).unwrap();
        out.array()
    };
    let x = image((Const, Const, Const));
    let mut changed = x.as_vec();
    changed[6] += 1.0;
    let mut later = x.clone();
    later.copy_from(&changed);
    let (before, after) = (run(x), run(later));
    for channel in 0..3 {
        assert_eq!(before[0][channel][..6], after[0][channel][..6]);
        assert_ne!(before[0][channel][6], after[0][channel][6]);
    }
}

#[test]
fn pools_read_images_and_series() {
    let x = image((Const::<1>, Const::<2>, Const::<4>, Const::<6>));
    let pool = AveragePool2d::<Const<2>>::default();
    let means: Tensor<Rank4<1, 2, 2, 3>, f32, Cpu> = pool.forward(x.clone()).unwrap();
    let overall = global_average_pool(x.clone()).unwrap().array();
    let coarse = global_average_pool(means).unwrap().array();
    for channel in 0..2 {
        assert!((overall[0][channel] - coarse[0][channel]).abs() < 1e-6);
    }
    let series = image((Const::<1>, Const::<2>, Const::<9>));
    let largest: Tensor<Rank3<1, 2, 4>, f32, Cpu> = MaxPool1d::<Const<3>, Const<2>>::default()
        .forward(series.clone())
        .unwrap();
    let (found, values) = (largest.array(), series.array());
    for channel in 0..2 {
        for window in 0..4 {
            let expected = values[0][channel][2 * window..2 * window + 3].iter();
            let expected = expected.copied().fold(f32::MIN, f32::max);
            assert_eq!(found[0][channel][window], expected);
        }
    }
}

#[test]
fn running_statistics_follow_training_batches_alone() {
    let mut norm: BatchNorm<Const<2>> = built();
    let x = image((Const::<3>, Const::<2>, Const::<2>, Const::<2>));
    let (_, none) = norm.forward(x.clone(), EVALUATION).unwrap();
    assert!(none.is_none());
    let training = Mode::Training { seed: 0 };
    let (_, statistics) = norm.forward(x.clone(), training).unwrap();
    let statistics = statistics.unwrap();
    norm.absorb(&statistics);
    for channel in 0..2 {
        let mean = norm.running_mean.array()[channel];
        assert!((mean - 0.1 * statistics.mean[channel]).abs() < 1e-6);
        let variance = norm.running_var.array()[channel];
        let expected = 0.9 + 0.1 * statistics.unbiased_variance[channel];
        assert!((variance - expected).abs() < 1e-6);
    }
    let flat = image((Const::<12>, Const::<2>));
    let (_, features) = norm.forward_features(flat, training).unwrap();
    assert!(features.is_some());
}

#[test]
fn dropout_is_seeded_and_off_outside_training() {
    let x = image((4_usize, 50_usize));
    let dropout = Dropout::new(0.5, 0).unwrap();
    let run = |dropout: Dropout, mode| dropout.forward(x.clone(), mode).unwrap().as_vec();
    assert_eq!(run(dropout, EVALUATION), x.as_vec());
    assert_eq!(run(dropout, Mode::InputGradient), x.as_vec());
    let first = run(dropout, Mode::Training { seed: 1 });
    assert_eq!(first, run(dropout, Mode::Training { seed: 1 }));
    assert_ne!(first, run(dropout, Mode::Training { seed: 2 }));
    assert_ne!(
        first,
        run(Dropout::new(0.5, 1).unwrap(), Mode::Training { seed: 1 })
    );
    for (dropped, x) in first.iter().zip(x.as_vec()) {
        assert!(*dropped == 0.0 || *dropped == 2.0 * x);
    }
    assert!(Dropout::new(1.0, 0).is_err());
    assert!(Dropout::new(f32::NAN, 0).is_err());
}

#[test]
fn residual_blocks_add_their_input() {
    let mut block: ResidualBlock<Const<3>> = built();
    let x = image((Const::<2>, Const::<3>, Const::<5>, Const::<5>));
    block.bn2.weight.fill_with_zeros();
    let (out, statistics) = block.forward(x.clone(), EVALUATION).unwrap();
    assert_eq!(out.as_vec(), relu(x.clone()).unwrap().as_vec());
    assert!(statistics.iter().all(Option::is_none));
    let (_, statistics) = block
        .forward(x.clone(), Mode::Training { seed: 0 })
        .unwrap();
    assert!(statistics.iter().all(Option::is_some));

    let block: DownsampleBlock<Const<3>, Const<4>> = built();
    let traced = x.leaky_trace();
    let (out, _) = block.forward(traced, EVALUATION).unwrap();
    let out: Tensor<Rank4<2, 4, 3, 3>, f32, Cpu, _> = out;
    let gradients = out.square().mean::<Rank0, _>().backward();
    let short = gradients.get(&block.downsample.conv.weight).as_vec();
    let branch = gradients.get(&block.conv1.weight).as_vec();
    assert!(short.iter().chain(&branch).any(|g| *g != 0.0));
    assert!(gradients.get(&x).as_vec().iter().any(|g| *g != 0.0));
}

#[test]
fn our_optimizer_steps_layers_of_either_kind_alike() {
    let device = Cpu::default();
    let mut constant: Linear<Const<3>, Const<2>> = built();
    let mut dynamic = Linear::new(&device, 3_usize, 2_usize).unwrap();
    dynamic.weight.copy_from(&constant.weight.as_vec());
    dynamic.bias.copy_from(&constant.bias.as_vec());
    let rule = Sgd {
        momentum: 0.9,
        ..Sgd::default()
    };
    let optimizer = || Optimizer::new(OptimizerConfig::Sgd(rule), 8).unwrap();
    let (mut first, mut second) = (optimizer(), optimizer());
    let before = constant.weight.as_vec();
    for _ in 0..3 {
        let x = image((4_usize, Const::<3>)).leaky_trace();
        let loss = constant.forward(x, EVALUATION).unwrap().square();
        let mut gradients = loss.mean::<Rank0, _>().backward();
        first.step_typed(&mut constant, &mut gradients).unwrap();
        let x = image((4_usize, 3_usize)).leaky_trace();
        let loss = dynamic.forward(x, EVALUATION).unwrap().square();
        let mut gradients = loss.mean::<Rank0, _>().backward();
        second.step_named(&mut dynamic, &mut gradients).unwrap();
    }
    assert_ne!(constant.weight.as_vec(), before);
    assert_eq!(constant.weight.as_vec(), dynamic.weight.as_vec());
    assert_eq!(constant.bias.as_vec(), dynamic.bias.as_vec());
    assert_eq!(first, second);
}
