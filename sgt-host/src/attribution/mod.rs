//! Attribution: how much each input value contributes to a score, by the field's usual methods.
//!
//! | module | methods |
//! |---|---|
//! | `method` | the methods as data: names, parameters, defaults |
//! | `gradient` | gradient, input × gradient, `SmoothGrad`, `GradientSHAP` |
//! | `integrated` | integrated gradients |
//! | [`quadrature`] | the points and weights of the path integral |
//! | `deeplift` | `DeepLIFT` (rescale rule) and `DeepLIFT`-SHAP |
//! | `occlusion` | occlusion by a sliding window |
//! | `points` | many points a forward pass, in bounded memory |
//!
//! All methods read raw batches `[batch, input]` and give one value an input value. Models run
//! in evaluation mode; parameters and their gradients are never touched.

mod deeplift;
mod gradient;
mod integrated;
mod method;
mod occlusion;
mod points;
pub mod quadrature;
mod scores;

pub use method::{GradientShap, IntegratedGradients, METHOD_NAMES, Method, Occlusion, SmoothGrad};
pub use points::ROWS_PER_FORWARD;
pub use scores::score_values;

use crate::network::{Labelled, Model, Rescaling, Score, check_finite};
use crate::{Error, Result};
use points::Points;
use sgt_core::{Pcg32, Random};

/// The reference that IG, `DeepLIFT`, the SHAP methods and occlusion compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Baseline<'a> {
    /// Zero in input units.
    #[default]
    Zero,
    /// Reference samples `[n, input]`. IG, `DeepLIFT` and occlusion take one for all samples or
    /// one for each; the SHAP methods take any number as the reference distribution.
    Samples(&'a [f32]),
}

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

/// Attributes the score of every sample of `batch` to its input values.
///
/// Cost in forward-and-input-backward passes a sample: 1 for the gradient methods and
/// `DeepLIFT` (2), `steps` for integrated gradients, `samples` for `SmoothGrad` and
/// `GradientSHAP`, one a baseline for `DeepLIFT`-SHAP; forward passes only, one a window, for
/// occlusion. Memory beside the result is that of [`ROWS_PER_FORWARD`] samples.
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
    let baselines = Baselines::new(settings.baseline, model.input().len(), method, samples)?;
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
        Method::SmoothGrad(config) => gradient::smooth_grad(&mut points, config, false, seed),
        Method::SmoothGradSquared(config) => gradient::smooth_grad(&mut points, config, true, seed),
        Method::GradientShap(config) => {
            gradient::gradient_shap(&mut points, config, &baselines, seed)
        }
        Method::IntegratedGradients(config) => {
            integrated::integrated_gradients(&mut points, config, &baselines)
        }
        Method::DeepLift => deeplift::deeplift(&mut points, &baselines, settings.rescaling),
        Method::DeepLiftShap => {
            deeplift::deeplift_shap(&mut points, &baselines, settings.rescaling)
        }
        Method::Occlusion(config) => occlusion::occlusion(&mut points, config, &baselines),
        Method::Random => Ok(random(batch.x, samples, seed)),
    }
}

/// Uniform values in [0, 1): the control that every method should beat.
fn random(x: &[f32], batch: usize, seed: u64) -> Attribution {
    let mut values = vec![0.0; x.len()];
    for (sample, row) in values.chunks_exact_mut(x.len() / batch).enumerate() {
        let mut rng = Pcg32::new(seed, sample as u64);
        for value in row {
            *value = rng.unit();
        }
    }
    Attribution { values, gap: None }
}

/// Checked baselines `[n, input]`.
struct Baselines<'a> {
    values: std::borrow::Cow<'a, [f32]>,
    sample: usize,
}

impl<'a> Baselines<'a> {
    fn new(baseline: Baseline<'a>, sample: usize, method: &Method, batch: usize) -> Result<Self> {
        let values: std::borrow::Cow<'a, [f32]> = match baseline {
            Baseline::Zero => vec![0.0; sample].into(),
            Baseline::Samples(values) => {
                check_finite("baseline", values)?;
                values.into()
            }
        };
        let count = values.len() / sample;
        let fits = if method.takes_a_distribution() {
            count > 0
        } else {
            count == 1 || count == batch
        };
        if !fits || values.len() != count * sample {
            return Err(Error::Shape {
                operation: "baseline",
                found: format!("{} values", values.len()),
                expected: if method.takes_a_distribution() {
                    format!("one or more samples of {sample} values")
                } else {
                    format!("1 or {batch} samples of {sample} values")
                },
            });
        }
        Ok(Self { values, sample })
    }

    fn count(&self) -> usize {
        self.values.len() / self.sample
    }

    /// Baseline number `index` of the set.
    fn at(&self, index: usize) -> &[f32] {
        &self.values[index * self.sample..][..self.sample]
    }

    /// The baseline of sample `sample`: its own, or the one of all.
    fn of(&self, sample: usize) -> &[f32] {
        self.at(if self.count() == 1 { 0 } else { sample })
    }
}
