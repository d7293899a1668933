//! This project's side of the timings against torchattacks and Captum: see `measure_speed.py`.
//!
//! Usage: `measure_peer CASE THREADS`, with CASE = pgd10 | ig50 | drop. `drop` has no twin: the
//! accuracy-drop curve (ten shares) of 1,000 images, gradient saliency included. The protocol is
//! that of the Python peers.

#[path = "../common/protocol.rs"]
mod protocol;

use sgt_core::Bounds;
use sgt_host::attack::{AttackConfig, AttackKind, perturb};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::data::{LoadOptions, load};
use sgt_host::metrics::Fill;
use sgt_host::metrics::drop_curve::{REFERENCE_FRACTIONS, accuracy_drop};
use sgt_host::network::named::{self, NetworkSizes};
use sgt_host::network::{
    Classifier, ClassifierPass, InputShape, Labelled, Model, Network, NetworkPass,
};
use sgt_host::weights::Weights;
use std::path::PathBuf;

const IMAGE: InputShape = InputShape::Image {
    channels: 1,
    height: 28,
    width: 28,
};
const CLASSES: usize = 10;
/// Images of `pgd10` and `ig50`, as the twin takes.
const BATCH: usize = 256;
/// Images of `drop`.
const DROP_IMAGES: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, threads] = arguments.as_slice() else {
        eprintln!("usage: measure_peer pgd10|ig50|drop THREADS");
        std::process::exit(2);
    };
    protocol::use_threads(threads);
    let network = network();
    let images = if case == "drop" { DROP_IMAGES } else { BATCH };
    let (x, labels) = test_images(images);
    let batch = Labelled::new(&x, &labels);
    let mut pass = ClassifierPass::default();
    protocol::serve(|| run(case, &network, batch, &mut pass));
}

fn run(
    case: &str,
    network: &Classifier,
    batch: Labelled<'_>,
    pass: &mut ClassifierPass<NetworkPass>,
) {
    match case {
        "pgd10" => {
            let config = AttackConfig {
                random_start: false,
                ..AttackConfig::new(AttackKind::Pgd, 0.1)
            };
            let mut adversarial = vec![0.0; batch.x.len()];
            perturb(network, batch, &config, 0, pass, &mut adversarial).expect("an attack");
        }
        "ig50" => {
            let method = Method::named("integrated-gradients").expect("a method");
            attribute(network, batch, &method, &Settings::default()).expect("attributions");
        }
        "drop" => {
            let settings = Settings::default();
            let map = attribute(network, batch, &Method::Gradient, &settings);
            let map = map.expect("a gradient").values;
            let fill = Fill::Zero.into();
            accuracy_drop(network, batch, &map, fill, &REFERENCE_FRACTIONS).expect("a curve");
        }
        _ => panic!("unknown case {case}"),
    }
}

fn folder(variable: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")))
}

fn network() -> Classifier {
    let path = folder("SGT_GOLDEN").join("mnist-cnn.weights.safetensors");
    let sizes = NetworkSizes::new(IMAGE, CLASSES);
    let description = named::description("mnist-cnn", &sizes).expect("a network by name");
    let mut network = Network::new(&description, 0).expect("a checked description");
    let weights = Weights::read(&path).expect("a weight file");
    weights
        .load_into(network.parameters_mut())
        .expect("this network's weights");
    let classes = (0..CLASSES).map(|class| class.to_string());
    let network = Classifier::new(network, classes.collect()).expect("named classes");
    network.with_bounds(Bounds::UNIT).expect("bounds in order")
}

fn test_images(count: usize) -> (Vec<f32>, Vec<usize>) {
    // Reads the folder that SGT_DATA names.
    let test = load("mnist", &LoadOptions::default()).expect("MNIST").test;
    let values = count * IMAGE.len();
    (
        test.samples()[..values].to_vec(),
        test.labels()[..count].to_vec(),
    )
}
