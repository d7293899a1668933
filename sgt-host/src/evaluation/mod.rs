//! Everything that is measured of one model, as one serialisable result.
//!
//! | module | what it holds |
//! |---|---|
//! | [`EvaluationConfig`] | what is measured: the presets, where every default stands |
//! | [`evaluate`] | the measuring |
//! | [`Evaluation`] | its result |
//! | [`Scalar`] | the result's numbers one by one, each with what it is about |

mod config;
mod scalar;

pub use config::{EvaluationConfig, Extent};
pub(crate) use scalar::grouped;
pub use scalar::{About, BySample, Measured, Scalar};

use crate::attack::{Goal, attack};
use crate::attribution::{Attribution, Baseline, Method, Settings, attribute};
use crate::data::{Batch, Dataset, balanced_draw};
use crate::metrics::classification::confusion;
use crate::metrics::drop_curve::{DropCurve, accuracy_drop_by_sample};
use crate::metrics::faithfulness::{Faithfulness, faithfulness_by_sample};
use crate::metrics::focus::{entropy_by_sample, sparseness_by_sample};
use crate::metrics::gradients::mean_gradients;
use crate::metrics::outputs::{logits, predictions, share_correct};
use crate::metrics::randomisation::{RandomisationStage, randomisation};
use crate::metrics::removal::group_importance;
use crate::metrics::robustness::{RobustnessCurve, robustness_by_sample};
use crate::metrics::stability::{max_sensitivity, overlap};
use crate::metrics::statistics::BoxPlot;
use crate::metrics::{Classification, Metric, Removing, mean};
use crate::network::{Grouping, Labelled, Model};
use crate::train::{Answers, answers};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// What was measured of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evaluation {
    /// The test part's samples.
    pub test_samples: usize,
    /// Accuracy on all of them.
    pub accuracy: f64,
    /// Mean cross-entropy on all of them.
    pub loss: f64,
    /// Right and wrong answers on all of them, class by class.
    pub classification: Classification,
    /// The samples of everything that follows, drawn from all classes alike.
    pub samples: usize,
    /// Accuracy on those, as they are.
    pub drawn_accuracy: f64,
    /// The samples of the maps' stability.
    pub stability_samples: usize,
    /// One curve an attack.
    pub robustness: Vec<RobustnessCurve>,
    /// Distribution of the samples' mean gradients of the attributed score.
    pub mean_gradient: BoxPlot,
    /// One entry an attribution method.
    pub maps: Vec<MapEvaluation>,
    /// The methods that are not defined for this model, with the reason.
    pub skipped: Vec<Skipped>,
    /// What is a mean over samples, sample by sample: for intervals over other samples. It is not
    /// written with the rest, for its size, and a comparison leaves it out.
    #[serde(skip)]
    pub by_sample: Vec<BySample>,
}

/// What was measured of one attribution method on one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MapEvaluation {
    /// The method.
    pub method: Method,
    /// One accuracy-drop curve a fill.
    pub drop_curves: Vec<DropCurve>,
    /// Comprehensiveness and sufficiency, a fill.
    pub faithfulness: Vec<Faithfulness>,
    /// Gini index.
    pub sparseness: f64,
    /// Entropy.
    pub entropy: f64,
    /// Mean magnitude of the convergence gap, for methods that are complete.
    pub convergence_gap: Option<f64>,
    /// How far the map depends on what it should, if measured; never for the random map, which
    /// reads neither the input nor the parameters and would be perfectly stable.
    pub stability: Option<Stability>,
}

/// How far a method's maps move with the input, and with the parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stability {
    /// Max-sensitivity.
    pub max_sensitivity: f64,
    /// Overlap of clean and adversarial saliency.
    pub overlap: f64,
    /// Parameter randomisation, from the output on.
    pub randomisation: Vec<RandomisationStage>,
}

/// A method that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub method: String,
    /// Why.
    pub reason: String,
}

/// Measures everything `config` asks for: the accuracy on the whole of `test`, the rest on
/// samples of it that [`balanced_draw`] chooses by the config's seed.
///
/// # Errors
/// As [`EvaluationConfig::check`], [`Batch::fill`], [`attack`], [`attribute`] and the metrics'
/// own functions.
pub fn evaluate<M: Model>(
    model: &M,
    test: &Dataset,
    config: &EvaluationConfig,
) -> Result<Evaluation> {
    let input = model.input();
    config.check(input)?;
    let draw = |most| -> Result<Batch> {
        let places = balanced_draw(test.labels(), most, config.seed);
        let mut batch = Batch::new();
        batch.fill(test, &places, input)?;
        Ok(batch)
    };
    let (drawn, few) = (draw(config.samples)?, draw(config.stability_samples)?);
    let samples = drawn.labelled();
    let settings = Settings {
        score: config.score,
        seed: config.seed,
        ..Settings::default()
    };
    let gradient = attribute(model, samples, &Method::Gradient, &settings)?;
    let study = Study {
        model,
        samples,
        stability: few.labelled(),
        adversarial: adversarial(model, few.labelled(), config)?,
        baselines: uniform_baselines(samples.x, input.len(), config),
        config,
    };
    let whole = answers(model, test)?;
    let quality = whole.quality(test.labels());
    if !quality.loss.is_finite() {
        return Err(Error::Numerical(
            "an output on the test part is NaN or infinite".into(),
        ));
    }
    let classes = model.classes();
    let counts = confusion(test.labels(), &whole.predicted, classes);
    let classification = Classification::of(&class_names(test, classes), counts);
    let mut by_sample = of_answers(&whole, test, &classification);
    let clean = predictions(&logits(model, samples)?, classes);
    let mut curves = Vec::with_capacity(config.attacks.len());
    for attack in &config.attacks {
        let (radii, seed) = (&config.epsilons, config.seed);
        let (curve, right) = robustness_by_sample(model, samples, &clean, attack, radii, seed)?;
        for (point, values) in curve.points.iter().zip(right) {
            by_sample.push(BySample {
                metric: Metric::AccuracyUnderAttack,
                about: About::Attack(curve.attack.with_epsilon(point.epsilon)),
                values,
            });
        }
        curves.push(curve);
    }
    let mut maps = Vec::with_capacity(config.methods.len());
    let mut skipped = Vec::new();
    for method in &config.methods {
        match study.evaluate(method, &mut by_sample) {
            Ok(map) => maps.push(map),
            Err(error) if is_undefined(&error) => skipped.push(Skipped {
                method: method.name().into(),
                reason: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(Evaluation {
        test_samples: test.len(),
        accuracy: quality.accuracy,
        loss: quality.loss,
        classification,
        samples: drawn.len(),
        drawn_accuracy: share_correct(&clean, samples.labels),
        stability_samples: few.len(),
        robustness: curves,
        mean_gradient: mean_gradients(model, samples, &gradient.values)?,
        maps,
        skipped,
        by_sample,
    })
}

/// The names of a model's classes, numbers where the data has none.
fn class_names(test: &Dataset, classes: usize) -> Vec<String> {
    let name = |class: usize| test.classes().get(class).cloned();
    let named = |class: usize| name(class).unwrap_or_else(|| class.to_string());
    (0..classes).map(named).collect()
}

/// What the answers on the whole test part are, sample by sample.
fn of_answers(answers: &Answers, test: &Dataset, classes: &Classification) -> Vec<BySample> {
    let pairs = answers.predicted.iter().zip(test.labels());
    let right: Vec<f32> = pairs
        .map(|(found, label)| f32::from(found == label))
        .collect();
    // A class's recall is the mean over its samples: each counts by what its class lacks.
    let supports = classes.per_class.iter().map(|class| class.support);
    let present = supports.clone().filter(|&support| support > 0).count();
    let weights: Vec<f32> = supports
        .map(|support| test.len() as f32 / (present * support.max(1)) as f32)
        .collect();
    let balanced = right.iter().zip(test.labels());
    let balanced: Vec<f32> = balanced
        .map(|(right, &label)| right * weights[label])
        .collect();
    let of = |(metric, values)| BySample {
        metric,
        about: About::Clean,
        values,
    };
    let values = [
        (Metric::Accuracy, right),
        (Metric::BalancedAccuracy, balanced),
        (Metric::CrossEntropy, answers.losses.clone()),
    ];
    values.map(of).into()
}

/// True for what a model without relevance rules answers to a method that needs them.
pub(crate) fn is_undefined(error: &Error) -> bool {
    matches!(error, Error::Argument { argument, .. } if argument == "method")
}

fn adversarial<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    config: &EvaluationConfig,
) -> Result<Vec<f32>> {
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let (goal, threat) = (Goal::Untargeted, &config.overlap_attack);
    let found = attack(model, samples, goal, threat, config.seed)?;
    Ok(found.x)
}

fn uniform_baselines(x: &[f32], sample: usize, config: &EvaluationConfig) -> Vec<f32> {
    let low = x.iter().copied().fold(f32::INFINITY, f32::min);
    let high = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut rng = Pcg32::new(config.seed, 0);
    let draw = |_| low + (high - low) * rng.unit();
    (0..config.baselines * sample).map(draw).collect()
}

/// What every method's evaluation shares.
struct Study<'a, M> {
    model: &'a M,
    samples: Labelled<'a>,
    stability: Labelled<'a>,
    /// Attacked `stability` samples.
    adversarial: Vec<f32>,
    baselines: Vec<f32>,
    config: &'a EvaluationConfig,
}

impl<M: Model> Study<'_, M> {
    fn settings(&self, method: &Method) -> Settings<'_> {
        let uniform = method.takes_a_distribution() && !self.baselines.is_empty();
        Settings {
            score: self.config.score,
            baseline: if uniform {
                Baseline::Samples(&self.baselines)
            } else {
                Baseline::Zero
            },
            seed: self.config.seed,
            ..Settings::default()
        }
    }

    fn attribute(&self, batch: Labelled<'_>, method: &Method) -> Result<Attribution> {
        attribute(self.model, batch, method, &self.settings(method))
    }

    /// Measures the maps of `method`; what is a mean over samples goes into `by_sample`, too.
    fn evaluate(&self, method: &Method, by_sample: &mut Vec<BySample>) -> Result<MapEvaluation> {
        let (model, samples, config) = (self.model, self.samples, self.config);
        let map = self.attribute(samples, method)?;
        let values = &map.values;
        let mut drop_curves = Vec::with_capacity(config.fills.len());
        let mut faithful = Vec::with_capacity(config.fills.len());
        for &fill in &config.fills {
            let removing = Removing {
                seed: config.seed,
                ..fill.into()
            };
            let (fractions, bins) = (&config.fractions, &config.bins);
            let (curve, drops) =
                accuracy_drop_by_sample(model, samples, values, removing, fractions)?;
            drop_curves.push(curve);
            let (found, shares) = faithfulness_by_sample(model, samples, values, removing, bins)?;
            faithful.push(found);
            for (metric, values) in [
                (Metric::AccuracyDropArea, drops.area),
                (Metric::AccuracyDropMean, drops.mean_accuracy),
                (Metric::Comprehensiveness, shares.comprehensiveness),
                (Metric::Sufficiency, shares.sufficiency),
            ] {
                let method = method.clone();
                by_sample.push(BySample {
                    metric,
                    about: About::Removal { method, fill },
                    values,
                });
            }
        }
        let importance =
            group_importance(&samples.layouts(model.input(), Grouping::Natural)?, values)?;
        let sparse = sparseness_by_sample(&importance)?;
        let entropies = entropy_by_sample(&importance)?;
        let entropies_f32 = entropies.iter().map(|&value| value as f32).collect();
        let sparseness = mean(sparse.iter().map(|&value| f64::from(value)));
        for (metric, values) in [
            (Metric::Sparseness, sparse),
            (Metric::Entropy, entropies_f32),
        ] {
            by_sample.push(BySample {
                metric,
                about: About::Map(method.clone()),
                values,
            });
        }
        Ok(MapEvaluation {
            method: method.clone(),
            drop_curves,
            faithfulness: faithful,
            sparseness,
            entropy: mean(entropies.into_iter()),
            convergence_gap: map.gap.as_ref().map(|gap| {
                let magnitudes = gap.iter().map(|gap| f64::from(gap.abs()));
                mean(magnitudes)
            }),
            stability: self.stability(method)?,
        })
    }

    fn stability(&self, method: &Method) -> Result<Option<Stability>> {
        let (model, samples, config) = (self.model, self.stability, self.config);
        if samples.is_empty() || *method == Method::Random {
            return Ok(None);
        }
        let settings = self.settings(method);
        let clean = self.attribute(samples, method)?.values;
        let attacked = Labelled {
            x: &self.adversarial,
            ..samples
        };
        let attacked = self.attribute(attacked, method)?.values;
        let layouts = samples.layouts(model.input(), Grouping::Natural)?;
        let (before, after) = (
            group_importance(&layouts, &clean)?,
            group_importance(&layouts, &attacked)?,
        );
        let noise = &config.sensitivity;
        Ok(Some(Stability {
            max_sensitivity: max_sensitivity(model, samples, method, &settings, &clean, noise)?,
            overlap: overlap(&before, &after, config.overlap_share)?,
            randomisation: randomisation(model, samples, method, &settings)?,
        }))
    }
}
