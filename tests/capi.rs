//! What the C program `sgt-core/capi/examples/everything.c` prints is what the same calls give in
//! Rust. The check `.ci/run capi` compares the program's output, on a host and on emulated boards,
//! with the same file.

use sgt_core::network::{
    Activation, Adam, Convolution, Dense, Labelled, Layer, Learner, Network, Optimizer, Parameters,
    Quantized, Rescale, SaliencyGuided, Score, Sgd, SgtScratch, Shape, Window, standardize,
};
use sgt_core::{
    AdversarialRows, AsgtRows, Ball, Bounds, Error, Goal, Group, Layout, Masking, MomentumScale,
    Norm, Order, Pcg32, Policy, Random, SgtRows, Threat,
};

const EXPECTED: &str = include_str!("../sgt-core/capi/examples/expected.txt");

const STEPS: usize = 12;
const CHANNELS: usize = 3;
const LEN: usize = STEPS * CHANNELS;
const CLASSES: usize = 4;
const LAYERS: [Layer; 5] = [
    Layer::Convolution(Convolution {
        outputs: 5,
        window: Window::same(3),
    }),
    Layer::Relu,
    Layer::MaxPool(Window::side_by_side(2)),
    Layer::Flatten(Order::ChannelsFirst),
    Layer::Dense(Dense { outputs: CLASSES }),
];
const NETWORK: Network<'static> = match Network::new(Shape::series(STEPS, CHANNELS), &LAYERS) {
    Ok(network) => network,
    Err(_) => panic!("the table does not fit"),
};
const PARAMETERS: usize = NETWORK.parameter_len();

/// FNV-1a over the bytes of values.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, values: &[f32]) {
        for byte in values.iter().flat_map(|value| value.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn line(self, name: &str) -> String {
        format!("{name} {:016x}", self.0)
    }
}

fn normals(rng: &mut Pcg32, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.standard_normal()).collect()
}

fn masking() -> Masking {
    let layout = Layout::series(STEPS, CHANNELS, Order::ChannelsLast, Group::Cell);
    Masking::reference(layout.unwrap())
}

fn maskings(rng: &mut Pcg32, window: &[f32], slope: &[f32]) -> Result<String, Error> {
    let mut digest = Digest::new();
    for policy in [
        Policy::Uniform,
        Policy::Zero,
        Policy::Constant(0.25),
        Policy::Mean,
        Policy::Gaussian {
            mean: 0.25,
            std: 2.0,
        },
        Policy::Background,
    ] {
        let masking = Masking {
            policy,
            ..masking()
        };
        let mut out = [0.0; LEN];
        let mut indices = [0_u16; LEN];
        sgt_core::mask_sample_small(&masking, slope, window, None, rng, &mut indices, &mut out)?;
        digest.add(&out);
    }
    Ok(digest.line("masking"))
}

fn losses(window: &[f32]) -> Result<String, Error> {
    const SCALE: f32 = 0.5;
    const LAMBDA: f32 = 1.5;
    let [p, q, r] = [0, 1, 2].map(|row| &window[row * CLASSES..(row + 1) * CLASSES]);
    let (mut dp, mut dq, mut dr) = ([0.0; CLASSES], [0.0; CLASSES], [0.0; CLASSES]);
    let mut out = [0.0; CLASSES];
    let mut digest = Digest::new();
    sgt_core::softmax(p, &mut out)?;
    digest.add(&out);
    sgt_core::log_softmax(p, &mut out)?;
    digest.add(&out);
    digest.add(&[sgt_core::cross_entropy(p, 1)?]);
    sgt_core::cross_entropy_grad(p, 1, SCALE, &mut dp)?;
    digest.add(&[sgt_core::kl_divergence(p, q)?]);
    sgt_core::kl_divergence_grad(p, q, SCALE, &mut dp, &mut dq)?;
    let found = sgt_core::sgt_objective(
        &SgtRows {
            clean: p,
            masked: q,
        },
        2,
        LAMBDA,
        SCALE,
        &mut SgtRows {
            clean: &mut dp,
            masked: &mut dq,
        },
    )?;
    digest.add(&[found.total]);
    let found = sgt_core::adversarial_objective(
        &AdversarialRows {
            clean: p,
            adversarial: q,
        },
        2,
        SCALE,
        &mut AdversarialRows {
            clean: &mut dp,
            adversarial: &mut dq,
        },
    )?;
    digest.add(&[found.total]);
    let found = sgt_core::asgt_objective(
        &AsgtRows {
            clean: p,
            adversarial: q,
            masked: r,
        },
        2,
        LAMBDA,
        SCALE,
        &mut AsgtRows {
            clean: &mut dp,
            adversarial: &mut dq,
            masked: &mut dr,
        },
    )?;
    digest.add(&[found.total]);
    for gradient in [dp, dq, dr] {
        digest.add(&gradient);
    }
    Ok(digest.line("losses"))
}

fn attacks(rng: &mut Pcg32, window: &[f32], slope: &[f32]) -> Result<String, Error> {
    const ALPHA: f32 = 0.1;
    let mut digest = Digest::new();
    for norm in [Norm::Linf, Norm::L2] {
        let threat = Threat {
            ball: Ball { norm, epsilon: 0.3 },
            bounds: Bounds {
                low: -4.0,
                high: 4.0,
            },
            goal: Goal::Untargeted,
        };
        let (mut out, mut momentum) = ([0.0; LEN], [0.0; LEN]);
        sgt_core::fgsm(&threat, window, slope, &mut out)?;
        digest.add(&out);
        sgt_core::random_noise(&threat, window, rng, &mut out)?;
        digest.add(&out);
        sgt_core::random_start(&threat, window, rng, &mut out)?;
        sgt_core::pgd_step(&threat, window, slope, ALPHA, &mut out)?;
        let scale = MomentumScale::MeanAbsolute;
        sgt_core::mi_fgsm_step(
            &threat,
            window,
            slope,
            ALPHA,
            1.0,
            scale,
            &mut momentum,
            &mut out,
        )?;
        sgt_core::project(&threat, window, &mut out)?;
        digest.add(&out);
        digest.add(&momentum);
    }
    Ok(digest.line("attacks"))
}

fn integers(window: &[f32]) -> Result<String, Error> {
    let layers = [Layer::Dense(Dense { outputs: 5 })];
    let network = Network::new(Shape::vector(2), &layers)?;
    let quantized = Quantized {
        weights: &[32, -16, 7, 9, -100, 3, 127, -127, 55, 1],
        biases: &[64, -64, 0, 1000, -1000],
        rescales: &[Rescale {
            multiplier: 1 << 30,
            shift: 37,
        }; 5],
        activations: &[
            Activation {
                scale: 1.0 / 64.0,
                zero: 3,
            },
            Activation {
                scale: 1.0 / 16.0,
                zero: -20,
            },
        ],
    };
    let mut logits = [0.0; 5];
    let mut scratch = vec![0; network.quantized_len()];
    network.infer_quantized(&quantized, &window[..2], &mut scratch, &mut logits)?;
    let mut digest = Digest::new();
    digest.add(&logits);
    Ok(digest.line("integers"))
}

fn inference(parameters: &[f32], window: &[f32]) -> Result<[String; 2], Error> {
    let whole = Parameters::all(parameters);
    let mut scratch = vec![0.0; NETWORK.sgt_len()];
    let mut logits = [0.0; CLASSES];
    NETWORK.infer(whole, window, &mut scratch, &mut logits)?;
    let mut inference = Digest::new();
    inference.add(&logits);
    let mut saliency = Digest::new();
    for score in [
        Score::TrueLogit,
        Score::TrueLogProb,
        Score::PredictedLogit,
        Score::Loss,
    ] {
        let mut map = [0.0; LEN];
        NETWORK.saliency(whole, window, score, 1, &mut scratch, &mut logits, &mut map)?;
        saliency.add(&logits);
        saliency.add(&map);
    }
    Ok([inference.line("inference"), saliency.line("saliency")])
}

fn training<O: Optimizer>(
    name: &str,
    optimizer: O,
    parameters: &mut [f32],
    window: &[f32],
    rng: &mut Pcg32,
) -> Result<String, Error> {
    const TRAINING_STEPS: usize = 5;
    let guided = SaliencyGuided::new(masking());
    let mut state = vec![0.0; optimizer.needs(PARAMETERS)];
    let mut learner = Learner {
        frozen: &[],
        trained: parameters,
        gradient: &mut [0.0; PARAMETERS],
        optimizer,
        state: &mut state,
    };
    let mut values = vec![0.0; NETWORK.sgt_len()];
    let mut digest = Digest::new();
    for _ in 0..TRAINING_STEPS {
        let mut scratch = SgtScratch {
            values: &mut values,
            indices: &mut [0_u16; LEN],
        };
        let example = |label| Labelled {
            input: window,
            label,
        };
        let losses = NETWORK.sgt_step(&mut learner, example(1), &guided, rng, &mut scratch)?;
        digest.add(&[losses.total]);
        let losses = NETWORK.standard_step(&mut learner, example(2), &mut values)?;
        digest.add(&[losses.total]);
    }
    digest.add(learner.trained);
    Ok(digest.line(name))
}

#[test]
fn c_and_rust_give_the_same_bits() {
    let mut rng = Pcg32::new(2021, 0);
    let mut window = normals(&mut rng, LEN);
    let slope = normals(&mut rng, LEN);
    let mut parameters = normals(&mut rng, PARAMETERS);
    let mut digest = Digest::new();
    digest.add(&window);
    digest.add(&slope);
    let mut lines = vec![
        digest.line("random"),
        maskings(&mut rng, &window, &slope).unwrap(),
        losses(&window).unwrap(),
        attacks(&mut rng, &window, &slope).unwrap(),
        integers(&window).unwrap(),
    ];
    for parameter in &mut parameters {
        *parameter *= 0.3;
    }
    lines.extend(inference(&parameters, &window).unwrap());
    let mut train = |name: &str, adam: bool| {
        let parameters = &mut parameters[..];
        if adam {
            training(name, Adam::new(0.01), parameters, &window, &mut rng)
        } else {
            training(name, Sgd::new(0.05), parameters, &window, &mut rng)
        }
    };
    lines.push(train("training by SGD", false).unwrap());
    lines.push(train("training by Adam", true).unwrap());
    standardize(&mut window, &[0.5, -1.0, 0.25], &[2.0, 0.7, 1.3]).unwrap();
    let mut digest = Digest::new();
    digest.add(&window);
    lines.push(digest.line("standardised"));
    lines.push("all good".into());
    assert_eq!(lines.join("\n") + "\n", EXPECTED);
}
