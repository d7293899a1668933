//! The steps that are timed: the same work as benches/peers does in PyTorch, done by the parts of
//! the library that `sgt train` and `sgt attack` call.

use sgt_core::{Bounds, Pcg32, Random};
use sgt_host::attack::{AttackConfig, AttackKind, perturb};
use sgt_host::config::{ConfigDraft, DataKind, RunConfig};
use sgt_host::data::{Batch, Dataset};
use sgt_host::network::named::{self, NetworkSizes, Reads};
use sgt_host::network::{
    Classifier, ClassifierPass, InputShape, Mode, Model, Network, NetworkPass, Score, SeriesOrder,
    input_gradient,
};
use sgt_host::train::{Event, Trainer, TrainingData};

/// The steps by name.
pub(crate) const STEPS: [&str; 5] = ["forward", "saliency", "standard", "sgt", "pgd7"];

const LEARNING_RATE: f64 = 0.01;
const PGD_STEPS: usize = 7;
const EPSILON: f32 = 0.3;
const ALPHA: f32 = 0.1;
/// More than any timing takes; an epoch has one step.
const EPOCHS: i64 = 1 << 30;

/// A batch of a size that the peers use.
struct Size {
    input: InputShape,
    classes: usize,
    batch: usize,
}

/// MNIST's, CIFAR's, a sensor's and a text's.
fn size(model: &str, reads: Reads) -> Size {
    let (input, classes, batch) = match reads {
        Reads::Images if matches!(model, "mnist-cnn" | "small-cnn") => {
            (InputShape::image(1, 28, 28), 10, 128)
        }
        Reads::Images => (InputShape::image(3, 32, 32), 10, 128),
        // The time-series benchmark's.
        Reads::Series(order) if matches!(model, "tcn" | "transformer" | "input-cell-lstm") => {
            (InputShape::series(50, 50).ordered(order), 2, 64)
        }
        Reads::Series(order) => (InputShape::series(128, 9).ordered(order), 6, 64),
        Reads::Tokens => (InputShape::tokens(200, 50), 2, 32),
    };
    Size {
        input,
        classes,
        batch,
    }
}

/// One step of one network, on one batch of random samples.
pub(crate) struct Workload(Work);

enum Work {
    Forward(Samples),
    Saliency(Samples),
    Attack(Samples, AttackConfig),
    Train(Box<Trainer<'static, Classifier>>),
}

/// A network and a batch, with the buffers of a pass.
struct Samples {
    network: Classifier,
    batch: Batch,
    pass: ClassifierPass<NetworkPass>,
    out: Vec<f32>,
}

impl Workload {
    /// The step called `step`, one of [`STEPS`], of the network by name `model`.
    pub(crate) fn new(model: &str, step: &str) -> Self {
        let named = named::find(model).expect("a network by name");
        let size = size(model, named.reads);
        let data = random_data(&size);
        let sizes = NetworkSizes::new(size.input, size.classes);
        let description = named::description(model, &sizes).expect("sizes that fit");
        let network = Network::new(&description, 1).expect("a checked description");
        let network = Classifier::new(network, data.classes().to_vec()).expect("named classes");
        let network = network.with_bounds(Bounds::UNIT).expect("bounds in order");
        let samples = |network| Samples::new(network, &data);
        Self(match step {
            "forward" => Work::Forward(samples(network)),
            "saliency" => Work::Saliency(samples(network)),
            "pgd7" => Work::Attack(samples(network), pgd()),
            "standard" | "sgt" => Work::Train(trainer(step, network, data)),
            _ => panic!("step: found {step}, expected one of {STEPS:?}"),
        })
    }

    /// Runs the step once more.
    pub(crate) fn run(&mut self) {
        match &mut self.0 {
            Work::Forward(samples) => samples.forward(),
            Work::Saliency(samples) => samples.saliency(),
            Work::Attack(samples, config) => samples.attack(config),
            Work::Train(trainer) => {
                while !matches!(trainer.advance(), Ok(Event::Step { .. })) {
                    assert!(!trainer.progress().finished, "a training without end");
                }
            }
        }
    }
}

/// One batch, uniform in [0, 1).
fn random_data(size: &Size) -> Dataset {
    let mut random = Pcg32::new(2, 0);
    let values = size.batch * size.input.len();
    let x = (0..values).map(|_| random.unit()).collect();
    let labels = (0..size.batch).map(|_| random.below(size.classes as u32) as usize);
    let classes = (0..size.classes).map(|class| class.to_string());
    Dataset::new(
        "random",
        classes.collect(),
        size.input.ordered(SeriesOrder::ChannelsFirst),
        x,
        labels.collect(),
        Some(Bounds::UNIT),
    )
    .expect("samples of the network's shape")
}

fn pgd() -> AttackConfig {
    AttackConfig {
        steps: PGD_STEPS,
        alpha: Some(ALPHA),
        random_start: false,
        ..AttackConfig::new(AttackKind::Pgd, EPSILON)
    }
}

/// A training whose epochs are one step each. Configuration and data live as long as the process.
fn trainer(regime: &str, network: Classifier, data: Dataset) -> Box<Trainer<'static, Classifier>> {
    let config = config(regime, data.len(), data.shape().kind());
    let config: &'static RunConfig = Box::leak(Box::new(config));
    let data: &'static TrainingData = Box::leak(Box::new(TrainingData {
        train: data,
        validation: None,
    }));
    Box::new(Trainer::new(config, data, network).expect("a network that fits its data"))
}

fn config(regime: &str, batch: usize, kind: DataKind) -> RunConfig {
    let mut draft = ConfigDraft::new();
    draft.set("regime", regime);
    draft.set("optimizer.name", "sgd");
    draft.set("optimizer.learning-rate", LEARNING_RATE);
    draft.set("training.epochs", EPOCHS);
    let mut config = draft.finish(kind).expect("known keys");
    config.training.batch = batch;
    config
}

impl Samples {
    fn new(network: Classifier, data: &Dataset) -> Self {
        let mut batch = Batch::new();
        let places: Vec<usize> = (0..data.len()).collect();
        let filled = batch.fill(data, &places, network.input());
        filled.expect("the network's shape");
        Self {
            out: vec![0.0; batch.x().len()],
            network,
            batch,
            pass: ClassifierPass::default(),
        }
    }

    fn forward(&mut self) {
        let logits =
            self.network
                .forward(self.batch.labelled(), Mode::InputGradient, &mut self.pass);
        logits.expect("finite samples");
    }

    fn saliency(&mut self) {
        let batch = self.batch.labelled();
        let (pass, dx) = (&mut self.pass, &mut self.out);
        input_gradient(&self.network, batch, Score::TrueLogit, pass, dx).expect("a gradient");
    }

    fn attack(&mut self, config: &AttackConfig) {
        let batch = self.batch.labelled();
        let (pass, out) = (&mut self.pass, &mut self.out);
        perturb(&self.network, batch, config, 0, pass, out).expect("adversarial samples");
    }
}
