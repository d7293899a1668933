//! The arguments that say what is measured.

use super::list::List;
use crate::attack::{AttackConfig, AttackKind};
use crate::attribution::Method;
use crate::data::DataKind;
use crate::evaluation::{EvaluationConfig, Extent};
use crate::metrics::Fill;

/// What `compare`, `evaluate` and `report` have in common. What is left out is the extent's.
#[derive(Debug, clap::Args)]
pub(super) struct EvaluationArguments {
    /// How much is measured: quick or thorough [default: quick for compare, thorough for evaluate
    /// and report].
    #[arg(long, value_name = "EXTENT")]
    extent: Option<Extent>,
    /// Radii of the attacks [default: 0.05,0.1,0.2,0.3 for images, in their own unit; 0.1,0.2,0.4
    /// for series, in training deviations].
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    eps: Option<List<f32>>,
    /// The attacks: fgsm, pgd, mi-fgsm, random-noise [default: quick pgd, thorough all].
    #[arg(long, value_name = "LIST")]
    attacks: Option<List<AttackKind>>,
    /// The attribution methods; random, the control that each is read against, is always measured
    /// too [default: quick gradient; thorough gradient, absolute-gradient, input-x-gradient,
    /// integrated-gradients, smoothgrad, gradient-shap].
    #[arg(long, value_name = "LIST")]
    methods: Option<List<Method>>,
    /// What removed features become: background, mean, uniform, zero, farthest, delete [default:
    /// quick mean; thorough zero, uniform, mean].
    #[arg(long, value_name = "LIST")]
    fills: Option<List<Fill>>,
    /// At most so many test samples, drawn from all classes alike, for everything but the accuracy
    /// [default: quick 500, thorough 1000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// At most so many for max-sensitivity, saliency overlap and parameter randomisation; 0 leaves
    /// these out [default: quick 0, thorough 20].
    #[arg(long, value_name = "N")]
    stability_samples: Option<u32>,
    /// Seeds the draw of test samples, random starts, random methods and fills [default: 0].
    #[arg(long)]
    seed: Option<u64>,
}

impl EvaluationArguments {
    /// What is measured of data of `kind`, by the `usual` extent if no other is asked for.
    pub(super) fn config(&self, usual: Extent, kind: DataKind) -> EvaluationConfig {
        self.config_of(usual, kind, None)
    }

    /// [`EvaluationArguments::config`] with a number of samples that is usual for the data.
    pub(super) fn config_of(
        &self,
        usual: Extent,
        kind: DataKind,
        samples: Option<usize>,
    ) -> EvaluationConfig {
        let preset = EvaluationConfig::of(self.extent.unwrap_or(usual), kind);
        let attack = |&kind: &AttackKind| AttackConfig::new(kind, 0.0);
        let attacks = self.attacks.as_ref().map(|list| &list.0);
        EvaluationConfig {
            attacks: attacks.map_or(preset.attacks, |kinds| kinds.iter().map(attack).collect()),
            epsilons: chosen(self.eps.as_ref(), preset.epsilons),
            methods: match &self.methods {
                Some(List(methods)) => with_control(methods),
                None => preset.methods,
            },
            fills: chosen(self.fills.as_ref(), preset.fills),
            samples: match (self.samples, samples) {
                (Some(count), _) => count as usize,
                (None, usual) => usual.unwrap_or(preset.samples),
            },
            stability_samples: self
                .stability_samples
                .map_or(preset.stability_samples, |count| count as usize),
            seed: self.seed.unwrap_or(preset.seed),
            ..preset
        }
    }
}

fn chosen<T: Clone>(list: Option<&List<T>>, usual: Vec<T>) -> Vec<T> {
    list.map_or(usual, |list| list.0.clone())
}

/// `methods`, and the random map that each is read against.
fn with_control(methods: &[Method]) -> Vec<Method> {
    let mut methods = methods.to_vec();
    if !methods.contains(&Method::Random) {
        methods.push(Method::Random);
    }
    methods
}
