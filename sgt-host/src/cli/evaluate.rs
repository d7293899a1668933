//! `sgt evaluate`.

use super::Common;
use super::output::{Output, remark};
use super::settings::text;
use crate::Result;
use crate::attack::{AttackConfig, AttackKind};
use crate::attribution::Method;
use crate::compare::runs::{FinishedRun, compare_runs, evaluate_runs};
use crate::compare::table;
use crate::metrics::comparison::Comparison;
use crate::metrics::{Evaluation, EvaluationConfig, Fill};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// What is measured of finished runs.
#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// Folders of sgt train, or of a comparison's runs.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// Radii of the attacks.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "0.05,0.1,0.2,0.3"
    )]
    eps: Vec<f32>,
    /// The attacks.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "fgsm,pgd,mi-fgsm,random-noise"
    )]
    attacks: Vec<AttackKind>,
    /// The attribution methods.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "gradient,absolute-gradient,input-x-gradient,integrated-gradients,\
                           smoothgrad,gradient-shap,random"
    )]
    methods: Vec<String>,
    /// What removed features become: background, mean, uniform, zero, farthest, delete.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "zero,uniform"
    )]
    fills: Vec<Fill>,
    /// Test samples, from the first on.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    samples: usize,
    /// Samples for max-sensitivity, saliency overlap and parameter randomisation.
    #[arg(long, value_name = "N", default_value_t = 20)]
    stability_samples: usize,
    /// Seeds random starts, random methods and fills.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl What {
    /// The runs, read back.
    pub(super) fn open(&self, common: &Common) -> Result<Vec<FinishedRun>> {
        let data_dir = common.data_dir.as_deref().map(text).transpose()?;
        FinishedRun::open_all(&self.runs, data_dir)
    }

    /// At most so many test samples.
    pub(super) fn samples(&self) -> usize {
        self.samples.max(1)
    }

    /// The attacks, in the order of their curves.
    pub(super) fn attacks(&self) -> &[AttackKind] {
        &self.attacks
    }

    /// What is measured of each.
    pub(super) fn config(&self) -> Result<EvaluationConfig> {
        let attack = |&kind: &AttackKind| AttackConfig::new(kind, 0.0);
        let methods = self.methods.iter().map(|name| Method::named(name));
        Ok(EvaluationConfig {
            attacks: self.attacks.iter().map(attack).collect(),
            epsilons: self.eps.clone(),
            methods: methods.collect::<Result<_>>()?,
            fills: self.fills.clone(),
            attribution_samples: self.samples(),
            stability_samples: self.stability_samples,
            seed: self.seed,
            ..EvaluationConfig::default()
        })
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    what: What,
}

#[derive(Serialize)]
struct Evaluated<'e> {
    comparison: &'e Comparison,
    runs: Vec<EvaluatedRun<'e>>,
}

#[derive(Serialize)]
struct EvaluatedRun<'e> {
    run: &'e PathBuf,
    regime: &'e str,
    seed: u64,
    evaluation: &'e Evaluation,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let what = &arguments.what;
    let config = what.config()?;
    let runs = what.open(common)?;
    let groups = evaluate_runs(&runs, what.samples(), &config, |run, found| {
        if !output.is_json() {
            remark(&format!(
                "{}: accuracy {:.4}",
                run.path.display(),
                found.accuracy
            ));
        }
    })?;
    let comparison = compare_runs(&groups)?;
    let evaluated = groups.iter().flat_map(|group| {
        group.runs.iter().map(|(run, evaluation)| EvaluatedRun {
            run: &run.path,
            regime: &group.name,
            seed: run.config.seed,
            evaluation,
        })
    });
    let evaluated = Evaluated {
        comparison: &comparison,
        runs: evaluated.collect(),
    };
    output.print(&evaluated, || table::every_row(&comparison))?;
    Ok(ExitCode::SUCCESS)
}
