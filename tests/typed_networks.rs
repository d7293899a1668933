//! Typed networks: what they describe, their tensors, and the engine behind them.

#[path = "common/tolerance.rs"]
mod tolerance;

use dfdx::nn::tensor_collection::TensorCollection;
use dfdx::nn::{Module, ModuleMut, NumParams, ResetParams, ToDevice};
use dfdx::optim::{Optimizer, Sgd, SgdConfig};
use dfdx::prelude::*;
use sgt_core::{Pcg32, Random};
use sgt_host::config::{DataKind, Regime, RunConfig};
use sgt_host::data::{Bounds, Dataset};
use sgt_host::network::layer::Padding;
use sgt_host::network::named::{NetworkSizes, description};
use sgt_host::network::{
    Classifier, Description, InputShape, Mode, Model, Network, NetworkPass, SeriesOrder,
};
use sgt_host::train::{Event, Trainer, TrainingData};
use sgt_host::typed::layer::{
    AveragePool, Conv, Flatten, Linear, Lstm, MaxPool, PositionalEncoding, SelfAttention,
};
use sgt_host::typed::{
    Architecture, Chain, Image, Series, SeriesChannelsFirst, Tokens, TypedNetwork, cifar_cnn,
    mnist_cnn, sensor_lstm, tape,
};
use sgt_host::weights::{Weights, save};
use std::collections::BTreeSet;

fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut random = Pcg32::new(seed, 0);
    (0..len).map(|_| random.unit()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

// ---- what they describe ---------------------------------------------------------------------------

fn named(name: &str, input: InputShape, classes: usize) -> Description {
    description(name, &NetworkSizes::new(input, classes)).unwrap()
}

#[test]
fn standard_networks_describe_the_named_ones() {
    let mnist = named("mnist-cnn", InputShape::image(1, 28, 28), 10);
    assert_eq!(mnist_cnn().describe(), mnist);
    let cifar = named("cifar-cnn", InputShape::image(3, 32, 32), 10);
    assert_eq!(cifar_cnn().describe(), cifar);
    let sensor = named("sensor-lstm", InputShape::series(128, 9), 6);
    assert_eq!(sensor_lstm::<128, 9, 6>().describe(), sensor);
}

#[test]
fn a_named_series_cnn_and_a_text_network_can_be_written() {
    let typed = SeriesChannelsFirst::<9, 128>
        .layer(Conv::<9, 32, 5>::new().padding::<2>())
        .relu()
        .layer(Conv::<32, 64, 5>::new().padding::<2>())
        .relu()
        .layer(Conv::<64, 64, 5>::new().padding::<2>())
        .relu()
        .global_average_pool()
        .linear::<64, 6>()
        .classify::<6>()
        .named("sensor-cnn");
    let series = InputShape::series(128, 9).ordered(SeriesOrder::ChannelsFirst);
    assert_eq!(typed.describe(), named("sensor-cnn", series, 6));

    let typed = Tokens::<20, 16>
        .layer(Lstm::<16, 64>::new().both())
        .linear::<128, 2>()
        .classify::<2>()
        .named("text-bilstm");
    assert_eq!(
        typed.describe(),
        named("text-bilstm", InputShape::tokens(20, 16), 2)
    );
}

#[test]
fn resnet18_can_be_written() {
    fn plain<N, const C: usize>(before: N, name: &str) -> impl Chain<Form = N::Form>
    where
        N: Chain<Form = sgt_host::typed::form::Image>,
    {
        let body = |x: sgt_host::typed::Inside<N>| {
            x.layer(Conv::<C, C, 3>::new().padding::<1>().without_bias())
                .named(format!("{name}.conv1"))
                .batch_norm::<C>()
                .named(format!("{name}.bn1"))
                .relu()
                .layer(Conv::<C, C, 3>::new().padding::<1>().without_bias())
                .named(format!("{name}.conv2"))
                .batch_norm::<C>()
                .named(format!("{name}.bn2"))
        };
        before.residual(body, |x| x).relu()
    }
    fn halving<N, const I: usize, const C: usize>(
        before: N,
        name: &str,
    ) -> impl Chain<Form = N::Form>
    where
        N: Chain<Form = sgt_host::typed::form::Image>,
    {
        let body = |x: sgt_host::typed::Inside<N>| {
            x.layer(
                Conv::<I, C, 3>::new()
                    .stride::<2>()
                    .padding::<1>()
                    .without_bias(),
            )
            .named(format!("{name}.conv1"))
            .batch_norm::<C>()
            .named(format!("{name}.bn1"))
            .relu()
            .layer(Conv::<C, C, 3>::new().padding::<1>().without_bias())
            .named(format!("{name}.conv2"))
            .batch_norm::<C>()
            .named(format!("{name}.bn2"))
        };
        let shortcut = |x: sgt_host::typed::Inside<N>| {
            x.layer(Conv::<I, C, 1>::new().stride::<2>().without_bias())
                .named(format!("{name}.downsample.0"))
                .batch_norm::<C>()
                .named(format!("{name}.downsample.1"))
        };
        before.residual(body, shortcut).relu()
    }
    let stem = Image::<3, 32, 32>
        .layer(Conv::<3, 64, 3>::new().padding::<1>().without_bias())
        .named("conv1")
        .batch_norm::<64>()
        .named("bn1")
        .relu();
    let x = plain::<_, 64>(plain::<_, 64>(stem, "layer1.0"), "layer1.1");
    let x = plain::<_, 128>(halving::<_, 64, 128>(x, "layer2.0"), "layer2.1");
    let x = plain::<_, 256>(halving::<_, 128, 256>(x, "layer3.0"), "layer3.1");
    let x = plain::<_, 512>(halving::<_, 256, 512>(x, "layer4.0"), "layer4.1");
    let typed = x
        .global_average_pool()
        .linear::<512, 10>()
        .classify::<10>()
        .named("resnet18");
    assert_eq!(
        typed.describe(),
        named("resnet18", InputShape::image(3, 32, 32), 10)
    );
}

#[test]
fn layers_of_a_kind_are_numbered_and_single_ones_are_not() {
    let typed = Image::<1, 6, 6>
        .conv::<1, 2, 3>()
        .residual(|x| x.layer(Conv::<2, 2, 3>::new().same()), |x| x)
        .batch_norm::<2>()
        .conv::<2, 3, 2>()
        .named("head")
        .flatten()
        .linear::<27, 2>()
        .classify::<2>();
    let description = typed.describe();
    let names: Vec<&str> = description
        .summary()
        .unwrap()
        .iter()
        .map(|summary| summary.layer.name())
        .collect();
    assert_eq!(names, ["conv1", "", "conv2", "bn", "head", "", "fc"]);
    let twice = Image::<1, 6, 6>
        .flatten()
        .linear::<36, 4>()
        .named("fc")
        .linear::<4, 2>()
        .classify::<2>();
    let error = twice.build(0).unwrap_err().to_string();
    assert_eq!(
        error,
        "layer 3 (linear fc): found fc, expected a name that no other layer has"
    );
}

/// The compiler's sizes are those of the engine's rules, and tensors are as long as the engine's.
fn agree<A: Chain, const CLASSES: usize>(architecture: &Architecture<A, CLASSES>) {
    let description = architecture.describe();
    let text = serde_json::to_string(&description.layers).unwrap();
    assert_eq!(description.classes().unwrap(), CLASSES, "{text}");
    let typed = architecture.build(3).unwrap();
    let engine = Network::new(&description, 3).unwrap();
    let found = typed.to_engine();
    assert_eq!(found.parameters(), engine.parameters(), "{text}");
    let count = engine.parameters().trainable_count();
    assert_eq!(typed.num_trainable_params(), count, "{text}");
}

#[test]
fn compiled_shapes_are_the_engines() {
    let image = Image::<2, 11, 9>;
    agree(&image.conv::<2, 3, 4>().flatten().classify::<144>());
    agree(
        &image
            .layer(Conv::<2, 3, 3>::new().stride::<2>())
            .flatten()
            .classify::<60>(),
    );
    let conv = Conv::<2, 3, 3>::new();
    agree(
        &image
            .layer(conv.padding::<2>().stride::<3>())
            .flatten()
            .classify::<60>(),
    );
    agree(&image.layer(conv.dilation::<3>()).flatten().classify::<45>());
    agree(&image.layer(conv.same()).flatten().classify::<297>());
    agree(
        &image
            .layer(conv.same().stride::<2>())
            .flatten()
            .classify::<90>(),
    );
    agree(&image.layer(conv.without_bias()).flatten().classify::<189>());
    agree(&image.max_pool::<2>().flatten().classify::<40>());
    let pool = MaxPool::<3, 3>::new();
    agree(
        &image
            .layer(pool.stride::<2>().padding::<1>())
            .flatten()
            .classify::<60>(),
    );
    agree(&image.global_average_pool().classify::<2>());
    agree(
        &image
            .layer(Flatten::channels_last())
            .dropout(0.5)
            .classify::<198>(),
    );

    let series = Series::<10, 3>;
    agree(&series.conv::<3, 4, 3>().flatten().classify::<32>());
    let conv = Conv::<3, 4, 3>::new();
    agree(
        &series
            .layer(conv.causal().dilation::<2>())
            .flatten()
            .classify::<40>(),
    );
    agree(
        &series
            .layer(conv.causal().stride::<3>())
            .flatten()
            .classify::<16>(),
    );
    agree(
        &series
            .layer(conv.same().stride::<4>())
            .flatten()
            .classify::<12>(),
    );
    agree(&series.layer(conv.without_bias()).flatten().classify::<32>());
    agree(&series.max_pool::<3>().flatten().classify::<9>());
    agree(&series.linear::<3, 5>().flatten().classify::<50>());
    agree(&series.batch_norm::<3>().relu().flatten().classify::<30>());
    let lstm = Lstm::<3, 5>::new();
    agree(&series.lstm::<3, 5>().classify::<5>());
    agree(&series.layer(lstm.reverse()).classify::<5>());
    agree(&series.layer(lstm.both()).classify::<10>());
    agree(&series.layer(lstm.all()).flatten().classify::<50>());
    agree(&series.layer(lstm.both().all()).flatten().classify::<100>());
    agree(&series.flatten().batch_norm::<30>().classify::<30>());
    agree(&series.layer(lstm.mean()).classify::<5>());
    agree(&series.layer(lstm.both().max()).classify::<10>());
    agree(&series.layer(lstm.attention::<5>()).classify::<5>());
    agree(&series.layer(lstm.both().attention::<10>()).classify::<10>());
    let linear = Linear::<30, 2>::new().without_bias();
    agree(&series.flatten().layer(linear).classify::<2>());
    let body = |x: sgt_host::typed::Inside<Series<10, 3>>| x.layer(Conv::<3, 4, 3>::new().same());
    agree(
        &series
            .layer_norm::<3>()
            .gelu()
            .global_max_pool()
            .classify::<3>(),
    );
    agree(
        &series
            .tanh()
            .average_pool::<4>()
            .sigmoid()
            .flatten()
            .classify::<6>(),
    );
    let pool = AveragePool::<5, 5>::new();
    agree(
        &series
            .layer(pool.stride::<1>().padding::<2>())
            .flatten()
            .classify::<30>(),
    );
    let attention = SelfAttention::<3, 3>::new();
    agree(
        &series
            .layer(attention.causal().dropout(0.1))
            .flatten()
            .classify::<30>(),
    );
    agree(
        &series
            .layer(PositionalEncoding::scaled())
            .flatten()
            .classify::<30>(),
    );
    let text = Tokens::<4, 6>.embedding::<50, 6>();
    agree(
        &text
            .self_attention::<6, 2>()
            .global_average_pool()
            .classify::<6>(),
    );
    let residual = series.residual(body, Chain::conv::<3, 4, 1>);
    agree(&residual.flatten().classify::<40>());
}

// ---- training through the engine ------------------------------------------------------------------

fn data(input: InputShape, classes: usize, bounds: Option<Bounds>) -> TrainingData {
    let samples = 24;
    let names = (0..classes).map(|class| class.to_string()).collect();
    let labels = (0..samples).map(|sample| sample % classes).collect();
    let values = noise(samples * input.len(), 5);
    // Data sets hold series as [channels, steps].
    let input = input.ordered(SeriesOrder::ChannelsFirst);
    TrainingData {
        train: Dataset::new("noise", names, input, values, labels, bounds).unwrap(),
        validation: None,
    }
}

fn config(kind: DataKind, regime: Regime) -> RunConfig {
    let mut config = RunConfig::defaults(kind);
    config.regime = regime;
    config.training.batch = 12;
    config.training.epochs = 1;
    config
}

/// Two steps.
fn trained(config: &RunConfig, data: &TrainingData, mut classifier: Classifier) -> Network {
    if let Some(bounds) = data.train.bounds() {
        classifier = classifier.with_bounds(bounds).unwrap();
    }
    let mut trainer = Trainer::new(config, data, classifier).unwrap();
    while trainer.advance().unwrap() != Event::Finished {}
    trainer.into_model().into_network()
}

fn trains_as<A: Chain, const CLASSES: usize>(
    architecture: &Architecture<A, CLASSES>,
    kind: DataKind,
    bounds: Option<Bounds>,
) {
    let description = architecture.describe();
    let data = data(description.input, CLASSES, bounds);
    let classes = data.train.classes().to_vec();
    for regime in [Regime::Sgt, Regime::Asgt] {
        let config = config(kind, regime);
        let mut typed = architecture.build(7).unwrap();
        let by_type = trained(&config, &data, typed.classifier(classes.clone()).unwrap());
        let network = Network::new(&description, 7).unwrap();
        let classifier = Classifier::new(network.clone(), classes.clone()).unwrap();
        let by_name = trained(&config, &data, classifier);
        let (by_type_bits, expected) = (
            bits(by_type.parameters().values()),
            bits(by_name.parameters().values()),
        );
        assert!(by_type_bits == expected, "{regime:?}: other bits");
        assert_ne!(by_name.parameters(), network.parameters(), "{regime:?}");
        typed.load(&by_type).unwrap();
        assert_eq!(typed.to_engine().parameters(), by_name.parameters());
    }
}

#[test]
fn training_gives_the_bits_of_the_named_networks() {
    trains_as(&mnist_cnn(), DataKind::Image, Some(Bounds::UNIT));
    trains_as(&sensor_lstm::<16, 9, 6>(), DataKind::Series, None);
}

// ---- tensors --------------------------------------------------------------------------------------

fn small() -> Architecture<impl Chain<Input = Image<1, 8, 8>>, 3> {
    Image::<1, 8, 8>
        .conv::<1, 4, 3>()
        .batch_norm::<4>()
        .relu()
        .residual(
            |x| x.layer(Conv::<4, 4, 3>::new().padding::<1>()).relu(),
            |x| x,
        )
        .max_pool::<2>()
        .flatten()
        .linear::<36, 3>()
        .classify()
}

#[test]
fn tensors_go_in_and_come_out() {
    let network = small().build(1).unwrap();
    let device = Cpu::default();
    let values = noise(5 * 64, 2);
    let x: Tensor<Rank4<5, 1, 8, 8>, f32, Cpu> = device.tensor(values.clone());
    let logits: Tensor<Rank2<5, 3>, f32, Cpu> = network.logits(x).unwrap();
    let engine = network.to_engine();
    let mut pass = NetworkPass::default();
    let expected = engine
        .forward(&values, Mode::Evaluation, &mut pass)
        .unwrap();
    assert_eq!(bits(&logits.as_vec()), bits(expected));

    let shape = (5_usize, Const::<1>, Const::<8>, Const::<8>);
    let x: Tensor<(usize, Const<1>, Const<8>, Const<8>), f32, Cpu> =
        device.tensor_from_vec(values, shape);
    let again: Tensor<(usize, Const<3>), f32, Cpu> = network.logits(x).unwrap();
    assert_eq!(bits(&again.as_vec()), bits(&logits.as_vec()));

    let empty = device.tensor_from_vec(Vec::new(), (0_usize, Const::<1>, Const::<8>, Const::<8>));
    let error = network.logits(empty).unwrap_err().to_string();
    assert_eq!(
        error,
        "network on the tape: found shape an empty batch, expected one or more samples"
    );
}

#[test]
fn tensors_have_pytorchs_names() {
    let network = small().build(1).unwrap();
    let engine = network.to_engine();
    let weight: Tensor<Rank4<4, 1, 3, 3>, f32, Cpu> = network.tensor("conv1.weight").unwrap();
    let expected = engine.parameters().get("conv1.weight").unwrap();
    assert_eq!(weight.as_vec(), expected);
    let bias: Tensor<Rank1<3>, f32, Cpu> = network.tensor("fc.bias").unwrap();
    assert_eq!(bias.as_vec(), engine.parameters().get("fc.bias").unwrap());
    assert!(network.tensor::<Rank1<3>>("fc.weight").is_err());
    let error = network.tensor::<Rank1<3>>("fc1.bias").unwrap_err();
    assert!(
        error.to_string().starts_with("tensor: found fc1.bias as"),
        "{error}"
    );
}

#[test]
fn dfdx_counts_resets_and_moves_the_tensors() {
    let mut network = mnist_cnn().build(0).unwrap();
    assert_eq!(network.num_trainable_params(), 1_199_882);
    let device = Cpu::seed_from_u64(3);
    let moved = network.to_device(&device).unwrap();
    assert_eq!(
        moved.to_engine().parameters(),
        network.to_engine().parameters()
    );
    // dfdx's own way moves the tensors alone.
    let tensors = ToDevice::to_device(&network, &device);
    drop(tensors);

    let before = network.to_engine();
    network.reset_params();
    let after = network.to_engine();
    let largest = |values: &[f32]| values.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    for entry in before.parameters().entries() {
        let old = &before.parameters().values()[entry.range.clone()];
        let new = &after.parameters().values()[entry.range.clone()];
        assert_ne!(old, new, "{}", entry.name);
        let bound = 1.0 / (entry.shape[1..].iter().product::<usize>() as f32).sqrt();
        if entry.shape.len() > 1 {
            assert!(
                largest(new) <= bound && largest(new) > 0.8 * bound,
                "{}",
                entry.name
            );
        }
    }

    let mut network = small().build(0).unwrap();
    let statistics = |network: &TypedNetwork<_, 3>| -> Vec<f32> {
        network
            .tensor::<Rank1<4>>("bn.running_var")
            .unwrap()
            .as_vec()
    };
    let x: Tensor<Rank4<5, 1, 8, 8>, f32, Cpu> = Cpu::default().tensor(noise(5 * 64, 2));
    network.forward_mut(x);
    assert_ne!(statistics(&network), [1.0; 4]);
    network.reset_params();
    assert_eq!(statistics(&network), [1.0; 4]);
}

#[test]
fn foreign_networks_are_refused() {
    let mut network = small().build(1).unwrap();
    let before = network.to_engine();
    let other = Description::new(InputShape::image(1, 8, 8)).flatten();
    let lacking = Network::new(&other.clone().linear("fc", 3), 0).unwrap();
    let error = network.load(&lacking).unwrap_err().to_string();
    assert_eq!(
        error,
        "network: found no tensor conv1.weight, expected conv1.weight of shape [4, 1, 3, 3]"
    );
    let mut fully = Image::<1, 8, 8>
        .flatten()
        .linear::<64, 2>()
        .classify::<2>()
        .build(0)
        .unwrap();
    let error = fully.load(&lacking).unwrap_err().to_string();
    assert_eq!(
        error,
        "network: found fc.weight of shape [3, 64], expected fc.weight of shape [2, 64]"
    );
    assert_eq!(network.to_engine().parameters(), before.parameters());
}

#[test]
fn weights_are_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("typed.safetensors");
    let network = small().build(4).unwrap();
    save(&path, network.to_engine().parameters(), None).unwrap();
    let mut engine = small().build(5).unwrap().to_engine();
    Weights::read(&path)
        .unwrap()
        .load_into(engine.parameters_mut())
        .unwrap();
    let mut other = small().build(6).unwrap();
    other.load(&engine).unwrap();
    assert_eq!(
        other.to_engine().parameters(),
        network.to_engine().parameters()
    );
}

// ---- the tape -------------------------------------------------------------------------------------

/// The engine's gradients of `Σ cotangent · logits`.
struct Expected {
    logits: Vec<f32>,
    dx: Vec<f32>,
    gradient: Vec<f32>,
}

fn engine(network: &Network, x: &[f32], mode: Mode, cotangent: &[f32]) -> Expected {
    let mut pass = NetworkPass::default();
    let logits = network.forward(x, mode, &mut pass).unwrap().to_vec();
    let mut dx = vec![0.0; x.len()];
    let mut gradient = vec![0.0; network.parameters().values().len()];
    network
        .backward(&mut pass, cotangent, Some(&mut dx), Some(&mut gradient))
        .unwrap();
    Expected {
        logits,
        dx,
        gradient,
    }
}

#[test]
fn the_tape_has_the_engines_gradients() {
    let device = Cpu::default();
    let network = small().build(1).unwrap();
    let x: Tensor<Rank4<5, 1, 8, 8>, f32, Cpu> = device.tensor(noise(5 * 64, 2));
    let cotangent: Tensor<Rank2<5, 3>, f32, Cpu> = device.tensor(noise(15, 3));
    let engine_network = network.to_engine();
    let expected = engine(
        &engine_network,
        &x.as_vec(),
        Mode::Evaluation,
        &cotangent.as_vec(),
    );

    let logits = network.forward(x.leaky_trace());
    assert_eq!(bits(&logits.as_vec()), bits(&expected.logits));
    let gradients = (logits * cotangent.clone()).sum::<Rank0, _>().backward();
    assert_eq!(bits(&gradients.get(&x).as_vec()), bits(&expected.dx));
    let of = |name: &str| {
        let mut entries = engine_network.parameters().entries().iter();
        let entry = entries.find(|entry| entry.name == name).unwrap();
        bits(&expected.gradient[entry.range.clone()])
    };
    let kernel: Tensor<Rank4<4, 4, 3, 3>, f32, Cpu> = network.tensor("conv2.weight").unwrap();
    assert_eq!(bits(&gradients.get(&kernel).as_vec()), of("conv2.weight"));
    let bias: Tensor<Rank1<3>, f32, Cpu> = network.tensor("fc.bias").unwrap();
    assert_eq!(bits(&gradients.get(&bias).as_vec()), of("fc.bias"));

    // A network whose sizes only the data tells, its parameters one tensor.
    let values = engine_network.parameters().values().to_vec();
    let count = values.len();
    let parameters = device.tensor_from_vec(values, (count,));
    let untrained = small().build(9).unwrap().to_engine();
    let logits = tape::run(&untrained, &parameters, x.leaky_trace(), Mode::Evaluation).unwrap();
    assert_eq!(bits(&logits.as_vec()), bits(&expected.logits));
    let cotangent = device.tensor_from_vec(cotangent.as_vec(), (5, 3));
    let gradients = (logits * cotangent).sum::<Rank0, _>().backward();
    assert_eq!(bits(&gradients.get(&x).as_vec()), bits(&expected.dx));
    assert_eq!(
        bits(&gradients.get(&parameters).as_vec()),
        bits(&expected.gradient)
    );

    let short = device.tensor_from_vec(vec![0.0; 3], (3,));
    let error = tape::run(&untrained, &short, x, Mode::Evaluation).unwrap_err();
    let text =
        format!("network on the tape: found shape 3 parameters, expected the network's {count}");
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_network_stands_between_dfdxs_layers() {
    type Head = (Tanh, modules::Linear<3, 2, f32, Cpu>);
    let device = Cpu::seed_from_u64(2);
    let head: Head = BuildModule::build(&device);
    let body = small().build(1).unwrap();
    let x: Tensor<Rank4<5, 1, 8, 8>, f32, Cpu> = device.tensor(noise(5 * 64, 2));
    let model = (body, head);
    let out: Tensor<Rank2<5, 2>, f32, Cpu> = model.forward(x.clone());
    let by_hand = model.1.forward(model.0.logits(x.clone()).unwrap());
    assert_eq!(out.array(), by_hand.array());

    // A finite difference through both.
    let gradients = model
        .forward(x.leaky_trace())
        .square()
        .sum::<Rank0, _>()
        .backward();
    let gradient = gradients.get(&x).as_vec();
    let difference = tolerance::of("network");
    let value = |values: Vec<f32>| -> f64 {
        let x: Tensor<Rank4<5, 1, 8, 8>, f32, Cpu> = device.tensor(values);
        let out = model.forward(x).as_vec();
        out.iter().map(|&v| f64::from(v) * f64::from(v)).sum()
    };
    let scale = gradient.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
    for place in [3, 70, 150, 260] {
        let moved = |by: f32| {
            let mut values = x.as_vec();
            values[place] += by;
            value(values)
        };
        let step = difference.step;
        let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        let error = (slope as f32 - gradient[place]).abs();
        assert!(
            error <= difference.relative * scale,
            "{place}: {slope} {}",
            gradient[place]
        );
    }
}

#[test]
fn dfdxs_optimizer_trains_a_typed_network() {
    let device = Cpu::default();
    let mut network = small().build(1).unwrap();
    let x: Tensor<Rank4<5, 1, 8, 8>, f32, Cpu> = device.tensor(noise(5 * 64, 2));
    let cotangent: Tensor<Rank2<5, 3>, f32, Cpu> = device.tensor(noise(15, 3));
    let before = network.to_engine();
    let mode = Mode::Training { seed: 0 };
    let expected = engine(&before, &x.as_vec(), mode, &cotangent.as_vec());

    let learning_rate = 0.125;
    let settings = SgdConfig {
        lr: learning_rate,
        momentum: None,
        weight_decay: None,
    };
    let mut optimizer = Sgd::new(&network, settings);
    let logits = network.forward_mut(x.leaky_trace());
    assert_eq!(bits(&logits.as_vec()), bits(&expected.logits));
    let gradients = (logits * cotangent).sum::<Rank0, _>().backward();
    optimizer.update(&mut network, &gradients).unwrap();

    let after = network.to_engine();
    let mut statistics = BTreeSet::new();
    for entry in after.parameters().entries() {
        let old = &before.parameters().values()[entry.range.clone()];
        let new = &after.parameters().values()[entry.range.clone()];
        if !entry.trainable {
            assert_ne!(old, new, "{}", entry.name);
            statistics.insert(entry.name.clone());
            continue;
        }
        let gradient = &expected.gradient[entry.range.clone()];
        let step = old
            .iter()
            .zip(gradient)
            .map(|(p, g)| p - learning_rate as f32 * g);
        let step: Vec<f32> = step.collect();
        tolerance::assert_close(&entry.name, new, &step, tolerance::STEP as f32);
    }
    assert_eq!(statistics.len(), 2);
}

/// Typed networks are collections of tensors to dfdx whatever their device.
fn _is_a_collection<A: Chain, D: Device<f32>>(network: &TypedNetwork<A, 3, D>) -> usize
where
    TypedNetwork<A, 3, D>: TensorCollection<f32, D>,
{
    network.num_trainable_params()
}

#[test]
fn padding_is_data() {
    let typed = Series::<8, 2>
        .layer(Conv::<2, 3, 3>::new().causal())
        .flatten()
        .classify::<24>()
        .skip_padding();
    let description = typed.describe();
    assert!(description.skip_padding);
    let sgt_host::network::Layer::Convolution(conv) = &description.layers[0] else {
        panic!("no convolution");
    };
    assert_eq!(conv.padding, Padding::CAUSAL);
}
