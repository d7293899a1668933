//! This project's side of the timings against torchattacks and Captum: see `measure_speed.py`.
//!
//! Usage: `measure_peer CASE THREADS`, with CASE = pgd10 | ig50 | drop. `drop` has no twin: the
//! accuracy-drop curve (ten shares) of 1,000 images, gradient saliency included. One line read =
//! one repetition, its milliseconds are written; `memory` asks for the peak memory in MiB.

use sgt_core::Bounds;
use sgt_host::attack::{AttackConfig, AttackKind, perturb};
use sgt_host::attribution::{Method, Settings, attribute};
use sgt_host::data::{LoadOptions, load};
use sgt_host::metrics::drop_curve::{REFERENCE_FRACTIONS, accuracy_drop};
use sgt_host::metrics::{Fill, Samples};
use sgt_host::network::network::{Network, NetworkPass};
use sgt_host::network::registry::{self, NetworkSizes};
use sgt_host::network::{InputShape, Model};
use sgt_host::weights::Weights;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

const IMAGE: InputShape = InputShape::Image {
    channels: 1,
    height: 28,
    width: 28,
};
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
    let threads = threads.parse().expect("THREADS is a number");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global()
        .expect("the first thread pool of this process");
    let network = network();
    let images = if case == "drop" { DROP_IMAGES } else { BATCH };
    let (x, labels) = test_images(images);
    let mut pass = NetworkPass::default();
    for line in std::io::stdin().lock().lines() {
        let answer = if line.expect("readable input").trim() == "memory" {
            peak_memory()
        } else {
            let start = Instant::now();
            run(case, &network, &x, &labels, &mut pass);
            start.elapsed().as_secs_f64() * 1e3
        };
        println!("{answer}");
        std::io::stdout().flush().expect("writable output");
    }
}

fn run(case: &str, network: &Network, x: &[f32], labels: &[usize], pass: &mut NetworkPass) {
    match case {
        "pgd10" => {
            let config = AttackConfig {
                random_start: false,
                ..AttackConfig::new(AttackKind::Pgd, 0.1)
            };
            let mut adversarial = vec![0.0; x.len()];
            let bounds = Bounds::UNIT;
            perturb(
                network,
                (x, labels),
                &config,
                bounds,
                0,
                pass,
                &mut adversarial,
            )
            .expect("an attack");
        }
        "ig50" => {
            let method = Method::named("integrated-gradients").expect("a method");
            attribute(network, x, labels, &method, &Settings::default()).expect("attributions");
        }
        "drop" => {
            let settings = Settings::default();
            let map = attribute(network, x, labels, &Method::Gradient, &settings);
            let map = map.expect("a gradient").values;
            let samples = Samples::new(x, labels);
            let fill = Fill::Zero;
            accuracy_drop(network, &samples, &map, fill, &REFERENCE_FRACTIONS, 0).expect("a curve");
        }
        _ => panic!("unknown case {case}"),
    }
}

fn folder(variable: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set")))
}

fn network() -> Network {
    let path = folder("SGT_GOLDEN").join("mnist-cnn.weights.safetensors");
    let mut network =
        registry::build("mnist-cnn", &NetworkSizes::new(IMAGE, 10), 0).expect("a network");
    let weights = Weights::read(&path).expect("a weight file");
    weights
        .load_into(network.parameters_mut())
        .expect("this network's weights");
    network
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

/// The peak resident memory of this process in MiB (Linux).
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|value| value.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) / 1024.0
}
