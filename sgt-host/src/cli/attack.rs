//! `sgt attack`.

use super::input_arguments::{InputArguments, say};
use super::output::Output;
use super::result_file::{ResultFile, outside};
use crate::attack::{AttackConfig, AttackKind, Goal, Norm, attack};
use crate::data::Bounds;
use crate::file::data_error;
use crate::network::{InputShape, Labelled, Model};
use crate::run::Trained;
use crate::{Error, Result, npy};
use clap::ValueEnum;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Their true classes, one a sample [default: those that the input says].
    #[arg(long, value_name = "FILE.npy")]
    labels: Option<PathBuf>,
    /// Classes to be taken for, one a sample; any wrong one without.
    #[arg(long, value_name = "FILE.npy")]
    targets: Option<PathBuf>,
    /// fgsm, pgd, mi-fgsm or random-noise.
    #[arg(long, value_name = "NAME")]
    attack: AttackKind,
    /// The radius ε: in the data's units for images, in training deviations for series.
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    eps: f32,
    /// The length of a step [default: ε/4, and ε/steps for mi-fgsm].
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    alpha: Option<f32>,
    /// Steps of pgd and mi-fgsm.
    #[arg(long, value_name = "N", default_value_t = 10)]
    steps: usize,
    /// The norm of the ball.
    #[arg(long, value_enum, default_value_t = NormName::Linf)]
    norm: NormName,
    /// The decay of mi-fgsm.
    #[arg(long, value_name = "MU", default_value_t = 1.0)]
    momentum: f32,
    /// Start pgd at the sample itself.
    #[arg(long)]
    no_random_start: bool,
    /// Random starts of which the best is kept.
    #[arg(long, value_name = "N", default_value_t = 1)]
    restarts: usize,
    /// The least and greatest value of a sample, in the input's own units [default: the bounds of
    /// the training data; none for series]. Once for all channels, or once for each. Compulsory for
    /// images whose weights do not say it.
    #[arg(long, value_name = "LO,HI", value_parser = parse_bounds, allow_hyphen_values = true)]
    clip: Vec<Bounds>,
    /// Seeds random starts and noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    result: ResultFile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NormName {
    Linf,
    L2,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Attacked<'a> {
    output: &'a PathBuf,
    samples: usize,
    accuracy: f64,
    success_rate: f64,
    predicted: Vec<usize>,
    loss: Vec<f32>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    arguments.result.check_free()?;
    let (trained, found) = arguments.input.read()?;
    let path = &arguments.input.input;
    let input = &found.values;
    let classes = trained.model.classes();
    let bounds = channel_bounds(arguments, &trained)?;
    let (channels, plane) = (
        trained.model.input().channels(),
        trained.model.input().positions(),
    );
    for (channel, &bounds) in bounds.iter().enumerate() {
        let planes = input.values.chunks(plane);
        let own = planes.skip(channel).step_by(channels);
        let values: Vec<f64> = own.flatten().copied().collect();
        if let Some(outside) = outside(&values, Some(bounds)) {
            return Err(data_error(
                path,
                format!("{outside}, in channel {channel}"),
                "values inside the bounds, which an attack may not leave: --clip says others, once \
                 for all channels or once for each",
            ));
        }
    }
    let labels = arguments
        .input
        .labels(&trained, &found, arguments.labels.as_deref());
    let (valid, notes) = (found.valid, found.provenance.notes);
    let x = trained.samples(path, found.values)?;
    let labels = labels?;
    let samples = labels.len();
    let targets = match &arguments.targets {
        Some(path) => Some(npy::read_labels_of(path, classes, samples)?),
        None => None,
    };
    let goal = match &targets {
        Some(targets) => Goal::Targeted(targets),
        None => Goal::Untargeted,
    };
    let config = AttackConfig {
        kind: arguments.attack,
        norm: match arguments.norm {
            NormName::Linf => Norm::Linf,
            NormName::L2 => Norm::L2,
        },
        epsilon: arguments.eps,
        alpha: arguments.alpha,
        steps: arguments.steps,
        random_start: !arguments.no_random_start,
        restarts: arguments.restarts,
        momentum: arguments.momentum,
        ..AttackConfig::default()
    };
    let mut classifier = trained.model.clone();
    if !arguments.clip.is_empty() {
        classifier = classifier.with_channel_bounds(trained.channel_bounds(&bounds))?;
    }
    let batch = Labelled {
        x: &x,
        labels: &labels,
        valid: &valid,
    };
    let found = attack(&classifier, batch, goal, &config, arguments.seed)?;
    let pairs = found.predicted.iter().zip(&labels);
    let right = pairs
        .filter(|(predicted, label)| predicted == label)
        .count();
    let attacked = Attacked {
        output: &arguments.result.output,
        samples: labels.len(),
        accuracy: right as f64 / labels.len() as f64,
        success_rate: found.success_rate(),
        predicted: found.predicted.clone(),
        loss: found.loss.clone(),
    };
    let mut values = trained.for_file(found.x)?;
    for (place, value) in values.iter_mut().enumerate() {
        // The way to the network's units and back rounds.
        if let Some(bounds) = bounds.get(place / plane % channels) {
            *value = value.clamp(bounds.low.into(), bounds.high.into());
        }
    }
    say(&notes);
    let precise = trained.needs_precision();
    arguments.result.write(&trained, &values, precise)?;
    output.print(&attacked, || {
        format!(
            "accuracy {:.4} on {} samples under {} ε {}; success rate {:.4}\n{}",
            attacked.accuracy,
            attacked.samples,
            config.kind.name(),
            config.epsilon,
            attacked.success_rate,
            arguments.result.output.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The bounds of each channel in a file's units; none where every number is allowed.
fn channel_bounds(arguments: &Arguments, trained: &Trained) -> Result<Vec<Bounds>> {
    let channels = trained.model.input().channels();
    match (&arguments.clip[..], trained.metadata.bounds) {
        ([], Some(bounds)) | (&[bounds], _) => Ok(vec![bounds; channels]),
        ([], None) if matches!(trained.model.input(), InputShape::Image { .. }) => {
            Err(Error::Argument {
                argument: "--clip".into(),
                found: format!(
                    "none, and no bounds in {}",
                    arguments.input.weights.display()
                ),
                expected: "the least and greatest value of an image, 0,1 for example".into(),
            })
        }
        ([], None) => Ok(Vec::new()),
        (each, _) if each.len() == channels => Ok(each.to_vec()),
        (other, _) => Err(Error::Argument {
            argument: "--clip".into(),
            found: format!("{} times", other.len()),
            expected: format!("once for all channels, or once for each of the {channels}"),
        }),
    }
}

/// `LO,HI`.
fn parse_bounds(text: &str) -> Result<Bounds, String> {
    let expected = || format!("found {text}, expected the least value, then the greatest: 0,1");
    let (low, high) = text.split_once(',').ok_or_else(expected)?;
    let number = |part: &str| part.trim().parse::<f32>().map_err(|_| expected());
    let bounds = Bounds {
        low: number(low)?,
        high: number(high)?,
    };
    if bounds.low.is_finite() && bounds.high.is_finite() && bounds.low < bounds.high {
        Ok(bounds)
    } else {
        Err(expected())
    }
}
