//! The methods as data: what a config or a command line says.

use super::quadrature::Rule;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

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
    /// Uniform noise: the control.
    Random,
}

/// Parameters of integrated gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntegratedGradients {
    /// Points on the path.
    pub steps: usize,
    /// Where they lie.
    pub rule: Rule,
}

impl Default for IntegratedGradients {
    /// Captum's defaults: 50 Gauss–Legendre points.
    fn default() -> Self {
        Self {
            steps: 50,
            rule: Rule::GaussLegendre,
        }
    }
}

/// Parameters of `SmoothGrad` and its squared form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothGrad {
    /// Noisy copies a sample.
    pub samples: usize,
    /// Standard deviation of the noise as a share of the sample's own range `max − min`.
    pub noise: f32,
}

impl Default for SmoothGrad {
    /// 25 copies, 15 % noise: within the range that the paper recommends.
    fn default() -> Self {
        Self {
            samples: 25,
            noise: 0.15,
        }
    }
}

/// Parameters of `GradientSHAP`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientShap {
    /// Random points a sample.
    pub samples: usize,
    /// Standard deviation of the noise on the input, in input units.
    pub noise: f32,
}

impl Default for GradientShap {
    /// 25 points; deviation 0.09, the SGT reference's.
    fn default() -> Self {
        Self {
            samples: 25,
            noise: 0.09,
        }
    }
}

/// Parameters of occlusion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Occlusion {
    /// Length of the window: the side of a square over all channels of an image, time steps of
    /// one channel of a series, tokens of a text.
    pub window: usize,
    /// Distance of neighbouring windows; the last one is moved back onto the edge.
    pub stride: usize,
}

impl Default for Occlusion {
    /// Windows of 3, at every position.
    fn default() -> Self {
        Self {
            window: 3,
            stride: 1,
        }
    }
}

/// The names of all methods, as configs and command lines spell them.
pub const METHOD_NAMES: [&str; 11] = [
    "gradient",
    "absolute-gradient",
    "input-x-gradient",
    "integrated-gradients",
    "smoothgrad",
    "smoothgrad-squared",
    "gradient-shap",
    "deeplift",
    "deeplift-shap",
    "occlusion",
    "random",
];

impl Method {
    /// The method called `name`, with its default parameters.
    ///
    /// # Errors
    /// [`Error::Argument`] listing [`METHOD_NAMES`] when there is none of that name.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "gradient" => Self::Gradient,
            "absolute-gradient" => Self::AbsoluteGradient,
            "input-x-gradient" => Self::InputXGradient,
            "integrated-gradients" => Self::IntegratedGradients(IntegratedGradients::default()),
            "smoothgrad" => Self::SmoothGrad(SmoothGrad::default()),
            "smoothgrad-squared" => Self::SmoothGradSquared(SmoothGrad::default()),
            "gradient-shap" => Self::GradientShap(GradientShap::default()),
            "deeplift" => Self::DeepLift,
            "deeplift-shap" => Self::DeepLiftShap,
            "occlusion" => Self::Occlusion(Occlusion::default()),
            "random" => Self::Random,
            _ => {
                return Err(Error::Argument {
                    argument: "method".into(),
                    found: name.into(),
                    expected: format!("one of {}", METHOD_NAMES.join(", ")),
                });
            }
        })
    }

    /// Its name, one of [`METHOD_NAMES`].
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
            _ => {}
        }
        self
    }

    /// True for the methods that average over a set of baselines.
    pub fn takes_a_distribution(&self) -> bool {
        matches!(self, Self::GradientShap(_) | Self::DeepLiftShap)
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the parameter.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::IntegratedGradients(config) => {
                let least = if config.rule == Rule::Trapezoid { 2 } else { 1 };
                at_least("steps", config.steps, least)
            }
            Self::SmoothGrad(config) | Self::SmoothGradSquared(config) => {
                at_least("samples", config.samples, 1)?;
                not_negative("noise", config.noise)
            }
            Self::GradientShap(config) => {
                at_least("samples", config.samples, 1)?;
                not_negative("noise", config.noise)
            }
            Self::Occlusion(config) => {
                at_least("window", config.window, 1)?;
                at_least("stride", config.stride, 1)
            }
            _ => Ok(()),
        }
    }
}

fn at_least(argument: &str, found: usize, least: usize) -> Result<()> {
    if found >= least {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: format!("at least {least}"),
    })
}

fn not_negative(argument: &str, found: f32) -> Result<()> {
    if found.is_finite() && found >= 0.0 {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: "a finite value of at least 0".into(),
    })
}
