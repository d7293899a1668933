//! What is measured of a model, and how.

use crate::attack::{AttackConfig, AttackKind};
use crate::attribution::Method;
use crate::data::{DataKind, Grouping, InputShape};
use crate::metrics::Fill;
use crate::metrics::drop_curve::REFERENCE_FRACTIONS;
use crate::metrics::faithfulness::ERASER_BINS;
use crate::metrics::stability::SensitivityConfig;
use crate::network::Score;
use crate::{Error, Result, strict};
use serde::{Deserialize, Serialize};

/// What is measured, and how. The presets [`EvaluationConfig::quick`] and
/// [`EvaluationConfig::thorough`] are where every default stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EvaluationConfig {
    /// The attacks; their own ε is replaced by each of `epsilons`.
    pub attacks: Vec<AttackConfig>,
    /// The radii, in input units.
    pub epsilons: Vec<f32>,
    /// The attribution methods.
    pub methods: Vec<Method>,
    /// The score that is attributed.
    pub score: Score,
    /// Uniform random baselines, within the samples' range, of the SHAP methods; 0 for a zero
    /// baseline.
    pub baselines: usize,
    /// What removed features become.
    pub fills: Vec<Fill>,
    /// The removed shares of the accuracy-drop curves.
    pub fractions: Vec<f32>,
    /// The shares of comprehensiveness and sufficiency.
    pub bins: Vec<f32>,
    /// Noise of the max-sensitivity.
    pub sensitivity: SensitivityConfig,
    /// The attack whose saliency is compared with the clean one.
    pub overlap_attack: AttackConfig,
    /// The share of features that counts as most important in that comparison.
    pub overlap_share: f32,
    /// At most so many test samples, drawn from all classes alike, for everything but the
    /// accuracy, which is of the whole test part.
    pub samples: usize,
    /// At most so many for max-sensitivity, overlap and parameter randomisation, which attribute
    /// many times; 0 leaves these out.
    pub stability_samples: usize,
    /// Seeds the draw of the samples, random starts, random methods and fills.
    pub seed: u64,
}

/// A named extent of measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// [`EvaluationConfig::quick`].
    Quick,
    /// [`EvaluationConfig::thorough`].
    Thorough,
}

impl Extent {
    /// Every extent.
    pub const ALL: [Self; 2] = [Self::Quick, Self::Thorough];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Thorough => "thorough",
        }
    }
}

impl std::str::FromStr for Extent {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let extent = Self::ALL.into_iter().find(|extent| extent.name() == name);
        extent.ok_or_else(|| Error::Argument {
            argument: "extent".into(),
            found: name.into(),
            expected: strict::nearest(name, &Self::ALL.map(Self::name)),
        })
    }
}

/// The attacks' radii: of images in their own unit, of series in training deviations.
const fn radii(kind: DataKind) -> &'static [f32] {
    match kind {
        DataKind::Image => &[0.05, 0.1, 0.2, 0.3],
        DataKind::Series => &[0.1, 0.2, 0.4],
    }
}

/// The radius, one of every kind's, at which clean and adversarial saliency are compared.
const OVERLAP_RADIUS: f32 = 0.1;

/// The methods of a thorough evaluation: one pass, a path, noise, baselines, and the control.
const METHODS: [&str; 7] = [
    "gradient",
    "absolute-gradient",
    "input-x-gradient",
    "integrated-gradients",
    "smoothgrad",
    "gradient-shap",
    "random",
];

impl EvaluationConfig {
    /// The extent called so, with the defaults of `kind`.
    pub fn of(extent: Extent, kind: DataKind) -> Self {
        match extent {
            Extent::Quick => Self::quick(kind),
            Extent::Thorough => Self::thorough(kind),
        }
    }

    /// All four attacks; seven methods; zeros, uniform values and the mean as fills; 1,000
    /// samples, 20 for stability.
    pub fn thorough(kind: DataKind) -> Self {
        let named = METHODS.iter().filter_map(|name| Method::named(name).ok());
        Self {
            attacks: AttackKind::ALL.map(attack).to_vec(),
            epsilons: radii(kind).to_vec(),
            methods: named.collect(),
            score: Score::PredictedLogit,
            baselines: 5,
            fills: vec![Fill::Zero, Fill::Uniform, Fill::Mean],
            fractions: REFERENCE_FRACTIONS.to_vec(),
            bins: ERASER_BINS.to_vec(),
            sensitivity: SensitivityConfig::default(),
            overlap_attack: attack(AttackKind::Pgd),
            overlap_share: 0.1,
            samples: 1000,
            stability_samples: 20,
            seed: 0,
        }
    }

    /// A part of the thorough one: PGD, the gradient beside the random map, the mean as fill, which
    /// no regime trains with by default, and no stability, on half as many samples.
    pub fn quick(kind: DataKind) -> Self {
        Self {
            attacks: vec![attack(AttackKind::Pgd)],
            methods: vec![Method::Gradient, Method::Random],
            fills: vec![Fill::Mean],
            samples: 500,
            stability_samples: 0,
            ..Self::thorough(kind)
        }
    }

    /// Checks what can be checked before a model is there: radii, the parameters of attacks and
    /// methods, and fills that suit samples of shape `input`.
    ///
    /// # Errors
    /// As [`AttackConfig::check`], [`Method::check`] and [`Fill::check`]; [`Error::Argument`] for
    /// no samples.
    pub fn check(&self, input: InputShape) -> Result<()> {
        if self.samples == 0 {
            return Err(Error::Argument {
                argument: "samples".into(),
                found: "0".into(),
                expected: "1 or more".into(),
            });
        }
        for attack in &self.attacks {
            for &epsilon in &self.epsilons {
                attack.with_epsilon(epsilon).check()?;
            }
        }
        self.overlap_attack.check()?;
        self.methods.iter().try_for_each(Method::check)?;
        let layout = input.layout(Grouping::Natural)?;
        self.fills.iter().try_for_each(|fill| fill.check(&layout))
    }
}

fn attack(kind: AttackKind) -> AttackConfig {
    AttackConfig::new(kind, OVERLAP_RADIUS)
}
