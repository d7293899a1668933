//! Attribution: how much each input value contributes to a score, by the field's usual methods.
//!
//! | module | methods |
//! |---|---|
//! | `gradient` | gradient, absolute gradient, input × gradient |
//! | `smooth_grad` | `SmoothGrad`, also squared |
//! | `gradient_shap` | `GradientSHAP` |
//! | `integrated` | integrated gradients |
//! | [`quadrature`] | the points and weights of the path integral |
//! | `deeplift` | `DeepLIFT` (rescale rule) and `DeepLIFT`-SHAP |
//! | `occlusion` | occlusion by a sliding window |
//! | `step_occlusion` | occlusion of a series by whole steps and by single cells |
//! | `temporal_rescaling`, `win_tsr` | temporal saliency rescaling: by maps, by scores |
//! | `random`, `shuffled` | the controls |
//! | `baseline` | what they compare with |
//! | `points` | many points a forward pass, in bounded memory |
//!
//! All methods read raw batches `[batch, input]` and give one value an input value. Models run
//! in evaluation mode; parameters and their gradients are never touched.

mod baseline;
mod check;
mod deeplift;
mod gradient;
mod gradient_shap;
mod integrated;
mod noise;
mod occlusion;
mod points;
pub mod quadrature;
mod random;
mod scores;
mod shuffled;
mod smooth_grad;
mod step_occlusion;
mod temporal_rescaling;
mod win_tsr;

pub use baseline::Baseline;
pub use gradient_shap::GradientShap;
pub use integrated::IntegratedGradients;
pub use occlusion::Occlusion;
pub use points::ROWS_PER_FORWARD;
pub use scores::score_values;
pub use shuffled::{Places, Shuffled};
pub use smooth_grad::SmoothGrad;
pub use temporal_rescaling::TemporalRescaling;
pub use win_tsr::WinTsr;

use crate::network::{Labelled, Model, Rescaling, Score};
use crate::{Error, Result};
use baseline::Baselines;
use points::Points;
use serde::{Deserialize, Serialize};
use step_occlusion::{Piece, step_occlusion};

/// What is attributed, to what it is compared, and the seed of the random methods.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings<'a> {
    /// The scalar a sample that is attributed. For [`Score::PredictedLogit`] the class predicted
    /// for the sample itself is kept along paths and under noise.
    pub score: Score,
    /// The reference.
    pub baseline: Baseline<'a>,
    /// Which relevance rules `DeepLIFT` uses.
    pub rescaling: Rescaling,
    /// Same seed, same batch: same attribution.
    pub seed: u64,
}

/// The attribution of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// One value an input value, `[batch, input]`.
    pub values: Vec<f32>,
    /// For methods with the completeness axiom, the convergence gap a sample:
    /// `Σ values − (F(x) − F(baseline))`; 0 is perfect. For `DeepLIFT`-SHAP `F(baseline)` is the
    /// mean over the baselines.
    pub gap: Option<Vec<f32>>,
}

/// An attribution method and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// `∂F/∂x`, signed.
    Gradient,
    /// `|∂F/∂x|` (Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034).
    AbsoluteGradient,
    /// `x · ∂F/∂x`.
    InputXGradient,
    /// Integrated gradients (Sundararajan, Taly, Yan 2017, arXiv 1703.01365).
    IntegratedGradients(IntegratedGradients),
    /// Mean gradient under noise (Smilkov et al. 2017, arXiv 1706.03825).
    #[serde(rename = "smoothgrad")]
    SmoothGrad(SmoothGrad),
    /// Mean squared gradient under noise (Hooker et al. 2019, arXiv 1806.10758).
    #[serde(rename = "smoothgrad-squared")]
    SmoothGradSquared(SmoothGrad),
    /// Expected gradients: the mean of `(x̂ − x′) · ∂F/∂x` at a random point between a noisy
    /// input `x̂` and a random baseline `x′` (Lundberg, Lee 2017, arXiv 1705.07874).
    GradientShap(GradientShap),
    /// Rescale rule (Shrikumar, Greenside, Kundaje 2017, arXiv 1704.02685).
    #[serde(rename = "deeplift")]
    DeepLift,
    /// The mean of `DeepLIFT` over a set of baselines.
    #[serde(rename = "deeplift-shap")]
    DeepLiftShap,
    /// The drop of the score when a window is overwritten with the baseline, averaged over the
    /// windows that cover a value (Zeiler, Fergus 2013, arXiv 1311.2901).
    Occlusion(Occlusion),
    /// The drop of the score when all channels of a step are overwritten with the baseline: one
    /// value for all of them.
    StepOcclusion,
    /// The drop of the score when one value is overwritten with the baseline; a position's values
    /// one by one, padding never.
    CellOcclusion,
    /// Temporal saliency rescaling of a method (Ismail et al. 2020, arXiv 2010.13924).
    TemporalRescaling(TemporalRescaling),
    /// Temporal saliency rescaling of the score alone (Islam et al. 2024, arXiv 2412.04532).
    WinTsr(WinTsr),
    /// A method's map with its values at other places: a control.
    Shuffled(Shuffled),
    /// Uniform noise: the control.
    Random,
}

impl std::str::FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::named(name)
    }
}

impl Method {
    /// All of them, with their default parameters.
    pub fn all() -> [Self; 16] {
        [
            Self::Gradient,
            Self::AbsoluteGradient,
            Self::InputXGradient,
            Self::IntegratedGradients(IntegratedGradients::default()),
            Self::SmoothGrad(SmoothGrad::default()),
            Self::SmoothGradSquared(SmoothGrad::default()),
            Self::GradientShap(GradientShap::default()),
            Self::DeepLift,
            Self::DeepLiftShap,
            Self::Occlusion(Occlusion::default()),
            Self::StepOcclusion,
            Self::CellOcclusion,
            Self::TemporalRescaling(TemporalRescaling::default()),
            Self::WinTsr(WinTsr::default()),
            Self::Shuffled(Shuffled::default()),
            Self::Random,
        ]
    }

    /// The method called `name`, with its default parameters.
    ///
    /// # Errors
    /// [`Error::Argument`] listing the names when there is none of that name.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::all().into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| Error::Argument {
            argument: "method".into(),
            found: name.into(),
            expected: format!(
                "one of {}",
                Self::all().map(|method| method.name()).join(", ")
            ),
        })
    }

    /// Its name, as configs and command lines spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::AbsoluteGradient => "absolute-gradient",
            Self::InputXGradient => "input-x-gradient",
            Self::IntegratedGradients(_) => "integrated-gradients",
            Self::SmoothGrad(_) => "smoothgrad",
            Self::SmoothGradSquared(_) => "smoothgrad-squared",
            Self::GradientShap(_) => "gradient-shap",
            Self::DeepLift => "deeplift",
            Self::DeepLiftShap => "deeplift-shap",
            Self::Occlusion(_) => "occlusion",
            Self::StepOcclusion => "step-occlusion",
            Self::CellOcclusion => "cell-occlusion",
            Self::TemporalRescaling(_) => "temporal-rescaling",
            Self::WinTsr(_) => "win-tsr",
            Self::Shuffled(_) => "shuffled",
            Self::Random => "random",
        }
    }

    /// The same method with another number of path points, noisy copies or random points;
    /// unchanged where a method has none.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        match &mut self {
            Self::IntegratedGradients(config) => config.steps = steps,
            Self::SmoothGrad(config) | Self::SmoothGradSquared(config) => config.samples = steps,
            Self::GradientShap(config) => config.samples = steps,
            Self::TemporalRescaling(TemporalRescaling { base, .. })
            | Self::Shuffled(Shuffled { base, .. }) => **base = base.clone().with_steps(steps),
            _ => {}
        }
        self
    }

    /// True for the methods that average over a set of baselines.
    pub fn takes_a_distribution(&self) -> bool {
        match self {
            Self::GradientShap(_) | Self::DeepLiftShap => true,
            Self::TemporalRescaling(TemporalRescaling { base, .. })
            | Self::Shuffled(Shuffled { base, .. }) => base.takes_a_distribution(),
            _ => false,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the parameter.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::IntegratedGradients(config) => config.check(),
            Self::SmoothGrad(config) | Self::SmoothGradSquared(config) => config.check(),
            Self::GradientShap(config) => config.check(),
            Self::Occlusion(config) => config.check(),
            Self::TemporalRescaling(config) => config.check(),
            Self::WinTsr(config) => config.check(),
            Self::Shuffled(config) => config.base.check(),
            _ => Ok(()),
        }
    }
}

/// Attributes the score of every sample of `batch` to its input values.
///
/// Cost in forward-and-input-backward passes a sample: 1 for the gradient methods and
/// `DeepLIFT` (2), `steps` for integrated gradients, `samples` for `SmoothGrad` and
/// `GradientSHAP`, one a baseline for `DeepLIFT`-SHAP; forward passes only, one a window, step or
/// cell, for occlusion and `WinTSR`. Temporal saliency rescaling costs its base method 1 + steps +
/// about (1 − quantile) · cells times. Memory beside the result is that of [`ROWS_PER_FORWARD`] samples.
///
/// # Errors
/// As [`Labelled::check`]; [`Error::Shape`] for baselines that do not fit; [`Error::Argument`] for a
/// method whose parameters are out of their domain, or `DeepLIFT` of a model without the rule.
pub fn attribute<M: Model>(
    model: &M,
    batch: Labelled<'_>,
    method: &Method,
    settings: &Settings<'_>,
) -> Result<Attribution> {
    let samples = batch.check("attribution", model.input(), model.classes())?;
    method.check()?;
    let baselines = Baselines::new(
        settings.baseline,
        model.input().len(),
        method.takes_a_distribution(),
        samples,
    )?;
    let (score, labels) = scores::resolve(model, batch, settings.score)?;
    let batch = Labelled {
        labels: &labels,
        ..batch
    };
    let mut points = Points::new(model, batch, score);
    let seed = settings.seed;
    match method {
        Method::Gradient => gradient::gradient(&mut points),
        Method::AbsoluteGradient => gradient::absolute_gradient(&mut points),
        Method::InputXGradient => gradient::input_x_gradient(&mut points),
        Method::SmoothGrad(config) => smooth_grad::smooth_grad(&mut points, config, false, seed),
        Method::SmoothGradSquared(config) => {
            smooth_grad::smooth_grad(&mut points, config, true, seed)
        }
        Method::GradientShap(config) => {
            gradient_shap::gradient_shap(&mut points, config, &baselines, seed)
        }
        Method::IntegratedGradients(config) => {
            integrated::integrated_gradients(&mut points, config, &baselines)
        }
        Method::DeepLift => deeplift::deeplift(&mut points, &baselines, settings.rescaling),
        Method::DeepLiftShap => {
            deeplift::deeplift_shap(&mut points, &baselines, settings.rescaling)
        }
        Method::Occlusion(config) => occlusion::occlusion(&mut points, config, &baselines),
        Method::StepOcclusion => step_occlusion(&mut points, Piece::Step, &baselines),
        Method::CellOcclusion => step_occlusion(&mut points, Piece::Cell, &baselines),
        Method::TemporalRescaling(config) => {
            temporal_rescaling::temporal_rescaling(&points, config, &baselines, settings)
        }
        Method::WinTsr(config) => win_tsr::win_tsr(&mut points, *config, &baselines),
        Method::Shuffled(config) => shuffled::shuffled(&points, config, settings),
        Method::Random => Ok(random::random(batch.x, samples, seed)),
    }
}
