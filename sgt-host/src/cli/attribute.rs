//! `sgt attribute`.

use super::input_arguments::{InputArguments, say};
use super::output::{Output, remark};
use super::result_file::{ResultFile, outside};
use crate::attribution::{Baseline, Method, Settings, attribute};
use crate::network::{InputShape, Labelled, Model, Rescaling, Score};
use crate::{Error, Result, npy};
use clap::ValueEnum;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Their classes, one a sample [default: those that the input says].
    #[arg(long, value_name = "FILE.npy")]
    labels: Option<PathBuf>,
    /// gradient, absolute-gradient, input-x-gradient, integrated-gradients, smoothgrad,
    /// smoothgrad-squared, gradient-shap, deeplift, deeplift-shap, occlusion, step-occlusion,
    /// cell-occlusion, temporal-rescaling, win-tsr, shuffled or random. Gradients are per unit of the
    /// input for images, per training deviation of its channel for series.
    #[arg(long, value_name = "NAME")]
    method: String,
    /// What is attributed.
    #[arg(long, value_enum, default_value_t = ScoreName::TrueLogit)]
    score: ScoreName,
    /// deeplift through recurrent layers and attention as Captum: their plain gradient.
    #[arg(long)]
    as_captum: bool,
    /// Points of integrated gradients, noisy copies of smoothgrad and gradient-shap.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// What is compared with: zero (every value 0 in the input's units), mean (of each channel over
    /// the training data), or reference samples [default: zero for images, mean for series].
    #[arg(long, value_name = "zero|mean|FILE.npy")]
    baseline: Option<PathBuf>,
    /// Seeds the random methods.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    result: ResultFile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScoreName {
    TrueLogit,
    TrueLogProb,
    PredictedLogit,
    Loss,
}

#[derive(Serialize)]
struct Attributed<'a> {
    output: &'a PathBuf,
    samples: usize,
    method: &'a Method,
    gap: Option<Vec<f32>>,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<ExitCode> {
    arguments.result.check_free()?;
    let (trained, found) = arguments.input.read()?;
    let path = &arguments.input.input;
    if let Some(outside) = outside(&found.values.values, trained.metadata.bounds) {
        remark(&format!("{}: {outside}", path.display()));
    }
    let labels = arguments
        .input
        .labels(&trained, &found, arguments.labels.as_deref());
    let (valid, notes) = (found.valid, found.provenance.notes);
    let x = trained.samples(path, found.values)?;
    let labels = labels?;
    let is_image = matches!(trained.model.input(), InputShape::Image { .. });
    let usual = Path::new(if is_image { "zero" } else { "mean" });
    let baseline = arguments.baseline.as_deref().unwrap_or(usual);
    let reference = match baseline.to_str() {
        Some("zero") => trained.constant(0.0),
        Some("mean") => trained.mean_sample(),
        _ => trained.samples(baseline, npy::read_precise(baseline)?)?,
    };
    let method = method(arguments)?;
    let settings = Settings {
        score: match arguments.score {
            ScoreName::TrueLogit => Score::TrueLogit,
            ScoreName::TrueLogProb => Score::TrueLogProb,
            ScoreName::PredictedLogit => Score::PredictedLogit,
            ScoreName::Loss => Score::Loss,
        },
        baseline: Baseline::Samples(&reference),
        rescaling: if arguments.as_captum {
            Rescaling::AsCaptum
        } else {
            Rescaling::Complete
        },
        seed: arguments.seed,
    };
    let found = attribute(
        &trained.model,
        Labelled {
            x: &x,
            labels: &labels,
            valid: &valid,
        },
        &method,
        &settings,
    )?;
    let attributed = Attributed {
        output: &arguments.result.output,
        samples: labels.len(),
        method: &method,
        gap: found.gap,
    };
    let values = trained.attributions_for_file(found.values);
    say(&notes);
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    arguments.result.write(&trained, &values, false)?;
    output.print(&attributed, || {
        let gap = attributed.gap.as_ref().map_or(String::new(), |gap| {
            let largest = gap.iter().fold(0.0_f32, |most, gap| most.max(gap.abs()));
            format!("; largest convergence gap {largest:.2e}")
        });
        format!(
            "{} of {} samples{gap}\n{}",
            method.name(),
            attributed.samples,
            arguments.result.output.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The method with its number of points.
fn method(arguments: &Arguments) -> Result<Method> {
    let method = Method::named(&arguments.method)?;
    let Some(steps) = arguments.steps else {
        return Ok(method);
    };
    // No default is 0: what stays the same then has no number of points.
    if method.clone().with_steps(0) == method {
        return Err(Error::Argument {
            argument: "--steps".into(),
            found: format!("{steps} for {}", method.name()),
            expected: "integrated-gradients, smoothgrad, smoothgrad-squared or gradient-shap"
                .into(),
        });
    }
    Ok(method.with_steps(steps))
}
