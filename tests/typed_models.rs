//! Networks of typed layers behind the model seam: against `PyTorch`, against the registry's
//! networks, and with dfdx's own optimizers.

#[path = "common/golden.rs"]
mod golden;
#[path = "common/model_golden.rs"]
mod model_golden;
#[path = "common/tolerance.rs"]
mod tolerance;

use dfdx::optim::{self, Optimizer as _};
use dfdx::prelude::*;
use model_golden::{check_golden, load_golden};
use sgt_host::Error;
use sgt_host::model::network::NetworkPass;
use sgt_host::model::registry::{self, NetworkSizes};
use sgt_host::model::typed::{
    Cnn, CnnSides, MnistCnn, SensorLstm, SmallCnn, TapeModel, TapeNetwork, TapePass, load_tensors,
    named_parameters, train_step,
};
use sgt_host::model::{InputShape, Mode, Model, SeriesOrder};
use sgt_host::nn::layer::Backend;
use sgt_host::optimizer::{Adam, Optimizer, OptimizerConfig, Sgd};
use tolerance::{GOLDEN, assert_close};

/// The sizes of `SmallCnn` as numbers that only the data tells.
type SmallCnnAtRunTime = Cnn<usize, usize, usize, usize, usize, usize, usize, usize, usize>;

fn small_cnn() -> SmallCnn {
    BuildModule::build(&Cpu::seed_from_u64(5))
}

fn small_cnn_at_run_time() -> SmallCnnAtRunTime {
    let sides = CnnSides(16, 14, 12, 6);
    Cnn::new(&Cpu::default(), sides, (4, 8), 288, 16, 10).unwrap()
}

fn model<N: TapeNetwork<Cpu>>(network: N) -> TapeModel<N> {
    TapeModel::new(network, Cpu::default()).unwrap()
}

#[test]
fn constant_sizes_agree_with_pytorch() {
    let (weights, cases) = golden::golden("small-cnn").unwrap();
    let mut model = model(small_cnn());
    load_golden(&mut model, &weights);
    check_golden(&model, &cases);
}

#[test]
fn sizes_at_run_time_agree_with_pytorch() {
    let (weights, cases) = golden::golden("small-cnn").unwrap();
    let mut model = model(small_cnn_at_run_time());
    load_golden(&mut model, &weights);
    check_golden(&model, &cases);
}

#[test]
fn an_lstm_agrees_with_pytorch() {
    let (weights, cases) = golden::golden("sensor-lstm").unwrap();
    let device = Cpu::default();
    let steps = 100_usize;
    let network = SensorLstm::new(&device, steps, Const::<6>, Const::<64>, Const::<4>);
    let mut model = model(network.unwrap());
    load_golden(&mut model, &weights);
    check_golden(&model, &cases);
}

/// Pixels without pattern.
fn images(count: usize) -> Vec<f32> {
    let pixel = |index: usize| ((index * 7919 + 13) % 1009) as f32 / 1009.0;
    (0..count).map(pixel).collect()
}

/// A typed model and the registry's network of the same values give the same in every mode.
fn compare_with_registry<N: TapeNetwork<Cpu> + Send + Sync>(
    name: &str,
    sizes: &NetworkSizes,
    network: N,
) {
    let mut typed = model(network);
    let reference = registry::build(name, sizes, 3).unwrap();
    assert_eq!(typed.input(), reference.input());
    assert_eq!(typed.classes(), reference.classes());
    for entry in reference.parameters().entries().to_vec() {
        let place = typed.parameters().entries().iter();
        let place = place
            .clone()
            .find(|other| other.name == entry.name)
            .unwrap();
        assert_eq!(place.shape, entry.shape);
        assert_eq!(place.trainable, entry.trainable);
        let values = reference.parameters().get(&entry.name).unwrap();
        let range = place.range.clone();
        typed.parameters_mut().values_mut()[range].copy_from_slice(values);
    }
    let batch = 3;
    let x = images(batch * typed.input().len());
    let cotangent: Vec<f32> = images(batch * typed.classes())
        .iter()
        .map(|v| v - 0.5)
        .collect();
    for mode in [
        Mode::Evaluation,
        Mode::Training { seed: 9 },
        Mode::InputGradient,
    ] {
        let (mut typed_pass, mut pass) = (TapePass::default(), NetworkPass::default());
        let logits = typed.forward(&x, mode, &mut typed_pass).unwrap().to_vec();
        let expected = reference.forward(&x, mode, &mut pass).unwrap().to_vec();
        assert_close("logits", &logits, &expected, GOLDEN);
        let again = typed.forward_again(mode, &mut typed_pass).unwrap();
        assert_eq!(again, logits);
        let count = reference.parameters().values().len();
        let (mut dx, mut expected_dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        let (mut gradient, mut expected) = (vec![1.0; count], vec![1.0; count]);
        let wanted = mode != Mode::InputGradient;
        let (found, reference_gradient) = if wanted {
            (Some(&mut gradient[..]), Some(&mut expected[..]))
        } else {
            (None, None)
        };
        typed
            .backward(&mut typed_pass, &cotangent, Some(&mut dx), found)
            .unwrap();
        reference
            .backward(
                &mut pass,
                &cotangent,
                Some(&mut expected_dx),
                reference_gradient,
            )
            .unwrap();
        assert_close("dx", &dx, &expected_dx, GOLDEN);
        for entry in reference.parameters().entries() {
            let places = typed.parameters().entries();
            let place = places
                .iter()
                .find(|other| other.name == entry.name)
                .unwrap();
            let found = &gradient[place.range.clone()];
            assert_close(&entry.name, found, &expected[entry.range.clone()], GOLDEN);
        }
    }
}

#[test]
fn small_cnn_is_the_registrys() {
    let image = InputShape::Image {
        channels: 1,
        height: 16,
        width: 16,
    };
    let sizes = NetworkSizes::new(image, 10);
    compare_with_registry("small-cnn", &sizes, small_cnn());
}

#[test]
fn sensor_lstm_is_the_registrys() {
    let series = InputShape::Series {
        steps: 7,
        channels: 3,
        order: SeriesOrder::StepsFirst,
    };
    let sizes = NetworkSizes {
        hidden: vec![5],
        ..NetworkSizes::new(series, 4)
    };
    let network: SensorLstm<Const<7>, Const<3>, Const<5>, Const<4>> =
        BuildModule::build(&Cpu::default());
    compare_with_registry("sensor-lstm", &sizes, network);
}

#[test]
fn mnist_cnn_has_the_papers_parameters() {
    let network: MnistCnn = BuildModule::build(&Cpu::default());
    assert_eq!(network.num_trainable_params(), 1_199_882);
    let parameters = named_parameters(&network).unwrap();
    assert_eq!(parameters.trainable_count(), 1_199_882);
    let found = parameters.entries().iter();
    let found: Vec<_> = found.map(|e| (e.name.as_str(), e.shape.clone())).collect();
    assert_eq!(
        found,
        [
            ("conv1.weight", vec![32, 1, 3, 3]),
            ("conv1.bias", vec![32]),
            ("conv2.weight", vec![64, 32, 3, 3]),
            ("conv2.bias", vec![64]),
            ("fc1.weight", vec![128, 9216]),
            ("fc1.bias", vec![128]),
            ("fc2.weight", vec![10, 128]),
            ("fc2.bias", vec![10]),
        ]
    );
}

#[test]
fn changed_parameters_reach_the_network() {
    let mut model = model(small_cnn());
    let x = images(2 * 256);
    let mut pass = TapePass::default();
    let before = model
        .forward(&x, Mode::Evaluation, &mut pass)
        .unwrap()
        .to_vec();
    let kept = model.clone();
    let last = model.parameters().values().len() - 1;
    model.parameters_mut().values_mut()[last] += 1.0;
    let after = model
        .forward(&x, Mode::Evaluation, &mut pass)
        .unwrap()
        .to_vec();
    assert!((after[9] - before[9] - 1.0).abs() < 1e-5);
    assert_eq!(after[..9], before[..9]);
    let unchanged = kept.forward(&x, Mode::Evaluation, &mut pass).unwrap();
    assert_eq!(unchanged, before);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let model = model(small_cnn());
            let (x, mut pass) = (images(9 * 256), TapePass::default());
            let mode = Mode::Training { seed: 2 };
            let logits = model.forward(&x, mode, &mut pass).unwrap().to_vec();
            let mut dx = vec![0.0; x.len()];
            let mut gradient = vec![0.0; model.parameters().values().len()];
            model
                .backward(&mut pass, &logits, Some(&mut dx), Some(&mut gradient))
                .unwrap();
            (logits, dx, gradient)
        })
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn passes_that_do_not_fit_are_refused() {
    let model = model(small_cnn());
    let mut pass = TapePass::default();
    let logits = vec![0.0; 20];
    let refused = |result: sgt_host::Result<()>, part: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(
        model.backward(&mut pass, &logits, None, None),
        "without activations",
    );
    let again = model.forward_again(Mode::Evaluation, &mut pass).map(|_| ());
    refused(again, "without activations");
    let odd = model.forward(&[0.0; 255], Mode::Evaluation, &mut pass);
    refused(odd.map(|_| ()), "x of 255 values");
    let x = images(2 * 256);
    model.forward(&x, Mode::InputGradient, &mut pass).unwrap();
    let mut gradient = vec![0.0; model.parameters().values().len()];
    refused(
        model.backward(&mut pass, &logits, None, Some(&mut gradient)),
        "input's gradient alone",
    );
    refused(
        model.backward(&mut pass, &logits[..19], None, None),
        "dlogits of 19 values",
    );
    refused(
        model.backward(&mut pass, &logits, Some(&mut [0.0; 3]), None),
        "dx of 3 values",
    );
}

#[test]
fn foreign_parameters_are_refused_by_name() {
    let mut network = small_cnn();
    let lstm: SensorLstm<Const<7>, Const<3>, Const<5>, Const<4>> =
        BuildModule::build(&Cpu::default());
    let foreign = named_parameters(&lstm).unwrap();
    let error = load_tensors(&mut network, &foreign).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameters: found no tensor conv1.weight, expected one of shape [4, 1, 3, 3]"
    );
    let wider = Cnn::new(
        &Cpu::default(),
        CnnSides(16, 14, 12, 6),
        (5, 8),
        288,
        16,
        10,
    );
    let wider = named_parameters(&wider.unwrap()).unwrap();
    let error = load_tensors(&mut network, &wider).unwrap_err();
    assert_eq!(
        error.to_string(),
        "load parameters: found shape conv1.weight [5, 1, 3, 3], expected [4, 1, 3, 3]"
    );
}

/// Images whose label is where they are bright.
fn bright_rows() -> (Vec<f32>, Vec<usize>) {
    let labels: Vec<usize> = (0..20).map(|sample| sample % 10).collect();
    let mut x: Vec<f32> = images(20 * 256).iter().map(|v| v * 0.2).collect();
    for (sample, &label) in labels.iter().enumerate() {
        let start = sample * 256 + (label + 3) * 16;
        x[start..start + 16].fill(1.0);
    }
    (x, labels)
}

#[test]
fn a_typed_network_learns() {
    let device = Cpu::default();
    let (x, labels) = bright_rows();
    let mut network = small_cnn();
    let config = OptimizerConfig::Adam(Adam {
        learning_rate: 0.01,
        ..Adam::default()
    });
    let mut optimizer = Optimizer::new(config, network.num_trainable_params()).unwrap();
    let mut losses = Vec::new();
    for step in 0..60 {
        let loss = train_step(&device, &mut network, &mut optimizer, &x, &labels, step);
        losses.push(loss.unwrap());
    }
    assert!(losses[0] > 2.0, "{losses:?}");
    assert!(losses[59] < 0.7, "{losses:?}");
}

#[test]
fn dfdxs_optimizer_takes_our_step() {
    let device = Cpu::default();
    let (x, labels) = bright_rows();
    let mut ours = small_cnn();
    let mut theirs = ours.clone();
    let rule = Sgd {
        learning_rate: 0.1,
        ..Sgd::default()
    };
    let count = ours.num_trainable_params();
    let mut optimizer = Optimizer::new(OptimizerConfig::Sgd(rule), count).unwrap();
    let first = train_step(&device, &mut ours, &mut optimizer, &x, &labels, 4).unwrap();

    let config = SgdConfig {
        lr: 0.1,
        momentum: None,
        weight_decay: None,
    };
    let mut dfdx_optimizer = optim::Sgd::new(&theirs, config);
    let batch: Tensor<(usize, usize), f32, Cpu> = device.tensor_from_vec(x, (20, 256));
    let logits = theirs.logits(batch.leaky_trace(), Mode::Training { seed: 4 });
    let mut targets = vec![0.0; 200];
    for (sample, label) in labels.iter().enumerate() {
        targets[sample * 10 + label] = 1.0;
    }
    let targets = device.tensor_from_vec(targets, (20, 10));
    let loss = cross_entropy_with_logits_loss(logits.unwrap(), targets);
    assert!((loss.as_vec()[0] - first).abs() < 1e-5);
    let gradients = loss.backward();
    dfdx_optimizer.update(&mut theirs, &gradients).unwrap();
    let (ours, theirs) = (named_parameters(&ours), named_parameters(&theirs));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_close("parameters", ours.values(), theirs.values(), 1e-6);
}

#[test]
fn refused_training_steps_change_nothing() {
    let device = Cpu::default();
    let mut network = small_cnn();
    let before = named_parameters(&network).unwrap();
    let config = OptimizerConfig::default();
    let mut optimizer = Optimizer::new(config, network.num_trainable_params()).unwrap();
    let (mut x, labels) = bright_rows();
    let mut step = |x: &[f32], labels: &[usize]| {
        train_step(&device, &mut network, &mut optimizer, x, labels, 0).unwrap_err()
    };
    assert!(matches!(step(&x[1..], &labels), Error::Shape { .. }));
    assert!(matches!(step(&[], &[]), Error::Shape { .. }));
    assert!(matches!(step(&x, &[10; 20]), Error::Argument { .. }));
    x[0] = f32::NAN;
    assert!(matches!(step(&x, &labels), Error::Numerical(_)));
    assert_eq!(named_parameters(&network).unwrap(), before);
}

#[test]
fn networks_move_between_devices_with_their_values() {
    fn run<D: Backend>(network: &SmallCnn<f32, D>, device: &D) -> Vec<f32> {
        let x = device.tensor_from_vec(images(256), (1, 256));
        network.logits(x, Mode::Evaluation).unwrap().as_vec()
    }
    let (here, there) = (Cpu::default(), Cpu::default());
    let network = small_cnn();
    let moved: SmallCnn = network.to_device(&there);
    assert_eq!(run(&network, &here), run(&moved, &there));
}
