//! Everything that is measured of one model, as one serialisable result.

use super::description::{Description, Direction};
use super::drop_curve::{DropCurve, REFERENCE_FRACTIONS, accuracy_drop};
use super::faithfulness::{ERASER_BINS, Faithfulness, faithfulness};
use super::focus::{entropy, sparseness};
use super::gradients::mean_gradients;
use super::randomisation::{RandomisationStage, randomisation};
use super::removal::{Fill, Removing, group_importance};
use super::robustness::{RobustnessCurve, clean_accuracy, robustness};
use super::stability::{SensitivityConfig, max_sensitivity, overlap};
use super::statistics::BoxPlot;
use crate::attack::{AttackConfig, AttackKind, Goal, attack};
use crate::attribution::{Attribution, Baseline, METHOD_NAMES, Method, Settings, attribute};
use crate::network::{Grouping, Labelled, Model, Score};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sgt_core::{Pcg32, Random};

/// What is measured, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
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
    /// Samples, from the first on, that are attributed.
    pub attribution_samples: usize,
    /// Samples, from the first on, for max-sensitivity, overlap and parameter randomisation,
    /// which attribute many times; 0 leaves these out.
    pub stability_samples: usize,
    /// Seeds random starts, random methods and fills.
    pub seed: u64,
}

impl Default for EvaluationConfig {
    /// All four attacks at ε 0.05, 0.1, 0.2, 0.3; every method but occlusion, of the predicted
    /// class; the reference's fractions and ERASER's bins with zero and uniform fills; 1,000
    /// samples, 100 for stability.
    fn default() -> Self {
        let attack = |kind| AttackConfig::new(kind, 0.1);
        let methods = METHOD_NAMES.iter().filter(|name| **name != "occlusion");
        Self {
            attacks: AttackKind::ALL.map(attack).to_vec(),
            epsilons: vec![0.05, 0.1, 0.2, 0.3],
            methods: methods
                .filter_map(|name| Method::named(name).ok())
                .collect(),
            score: Score::PredictedLogit,
            baselines: 5,
            fills: vec![Fill::Zero, Fill::Uniform],
            fractions: REFERENCE_FRACTIONS.to_vec(),
            bins: ERASER_BINS.to_vec(),
            sensitivity: SensitivityConfig::default(),
            overlap_attack: attack(AttackKind::Pgd),
            overlap_share: 0.1,
            attribution_samples: 1000,
            stability_samples: 100,
            seed: 0,
        }
    }
}

/// What was measured of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Evaluation {
    /// Number of samples of the accuracies.
    pub samples: usize,
    /// Accuracy on the samples as they are.
    pub accuracy: f64,
    /// One curve an attack.
    pub robustness: Vec<RobustnessCurve>,
    /// Distribution of the samples' mean gradients of the attributed score.
    pub mean_gradient: BoxPlot,
    /// One entry an attribution method.
    pub maps: Vec<MapEvaluation>,
    /// The methods that are not defined for this model, with the reason.
    pub skipped: Vec<Skipped>,
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
    /// Max-sensitivity, if measured; this and the next two never for the random map.
    pub max_sensitivity: Option<f64>,
    /// Overlap of clean and adversarial saliency, if measured.
    pub overlap: Option<f64>,
    /// Parameter randomisation, from the output on, if measured.
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

/// Measures everything `config` asks for.
///
/// # Errors
/// As [`Labelled::check`], [`attack`], [`attribute`] and the metrics' own functions.
pub fn evaluate<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    config: &EvaluationConfig,
) -> Result<Evaluation> {
    let accuracy = clean_accuracy(model, samples)?;
    let mut curves = Vec::with_capacity(config.attacks.len());
    for attack in &config.attacks {
        let epsilons = &config.epsilons;
        curves.push(robustness(model, samples, attack, epsilons, config.seed)?);
    }
    let explained = samples.first(config.attribution_samples.max(1), model.input().len());
    let settings = Settings {
        score: config.score,
        seed: config.seed,
        ..Settings::default()
    };
    let gradient = attribute(model, explained, &Method::Gradient, &settings)?;
    let mean_gradient = mean_gradients(model, explained, &gradient.values)?;
    let study = Study {
        model,
        samples: explained,
        stability: samples.first(config.stability_samples, model.input().len()),
        adversarial: adversarial(model, samples, config)?,
        baselines: uniform_baselines(explained.x, model.input().len(), config),
        config,
    };
    let mut maps = Vec::with_capacity(config.methods.len());
    let mut skipped = Vec::new();
    for method in &config.methods {
        match study.evaluate(method) {
            Ok(map) => maps.push(map),
            // What a model without relevance rules answers.
            Err(error @ Error::Argument { .. }) if is_undefined(&error) => skipped.push(Skipped {
                method: method.name().into(),
                reason: error.to_string(),
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(Evaluation {
        samples: samples.labels.len(),
        accuracy,
        robustness: curves,
        mean_gradient,
        maps,
        skipped,
    })
}

fn is_undefined(error: &Error) -> bool {
    matches!(error, Error::Argument { argument, .. } if argument == "method")
}

fn adversarial<M: Model>(
    model: &M,
    samples: Labelled<'_>,
    config: &EvaluationConfig,
) -> Result<Vec<f32>> {
    let samples = samples.first(config.stability_samples, model.input().len());
    if samples.labels.is_empty() {
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

    fn evaluate(&self, method: &Method) -> Result<MapEvaluation> {
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
            drop_curves.push(accuracy_drop(model, samples, values, removing, fractions)?);
            faithful.push(faithfulness(model, samples, values, removing, bins)?);
        }
        let importance =
            group_importance(&samples.layouts(model.input(), Grouping::Natural)?, values)?;
        let mut evaluation = MapEvaluation {
            method: method.clone(),
            drop_curves,
            faithfulness: faithful,
            sparseness: sparseness(&importance)?,
            entropy: entropy(&importance)?,
            convergence_gap: map.gap.as_ref().map(|gap| {
                let magnitudes = gap.iter().map(|gap| f64::from(gap.abs()));
                super::mean(magnitudes)
            }),
            max_sensitivity: None,
            overlap: None,
            randomisation: Vec::new(),
        };
        // The random map reads neither the input nor the parameters: it would be perfectly stable.
        if !self.stability.labels.is_empty() && *method != Method::Random {
            self.stability(method, &mut evaluation)?;
        }
        Ok(evaluation)
    }

    fn stability(&self, method: &Method, evaluation: &mut MapEvaluation) -> Result<()> {
        let (model, samples, config) = (self.model, self.stability, self.config);
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
        evaluation.overlap = Some(overlap(&before, &after, config.overlap_share)?);
        let noise = &config.sensitivity;
        let sensitivity = max_sensitivity(model, samples, method, &settings, &clean, noise)?;
        evaluation.max_sensitivity = Some(sensitivity);
        evaluation.randomisation = randomisation(model, samples, method, &settings)?;
        Ok(())
    }
}

/// One number of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scalar {
    /// The metric's name, one of [`super::DESCRIPTIONS`].
    pub metric: String,
    /// Of what: an attack and its ε, a method and its fill.
    pub about: String,
    /// Which way it gets better.
    pub direction: Direction,
    /// The value.
    pub value: f64,
}

impl Evaluation {
    /// Every number of a table, in its order.
    pub fn scalars(&self) -> Vec<Scalar> {
        let scalar = |metric: Description, about: String, value: f64| Scalar {
            metric: metric.name.into(),
            about,
            direction: metric.direction,
            value,
        };
        let mut scalars = vec![scalar(
            super::samples::ACCURACY,
            "clean".into(),
            self.accuracy,
        )];
        for curve in &self.robustness {
            for point in &curve.points {
                let about = format!("{} ε {}", attack_name(&curve.attack), point.epsilon);
                let metric = super::robustness::ROBUST_ACCURACY;
                scalars.push(scalar(metric, about, point.accuracy));
            }
        }
        for map in &self.maps {
            let method = map.method.name();
            for curve in &map.drop_curves {
                let about = format!("{method}, {} fill", curve.fill.name());
                let mean = curve.mean_accuracy;
                scalars.push(scalar(
                    super::drop_curve::DROP_AREA,
                    about.clone(),
                    curve.area,
                ));
                scalars.push(scalar(super::drop_curve::DROP_MEAN, about, mean));
            }
            for faithful in &map.faithfulness {
                let about = format!("{method}, {} fill", faithful.fill.name());
                let metric = super::faithfulness::COMPREHENSIVENESS;
                scalars.push(scalar(metric, about.clone(), faithful.comprehensiveness));
                let metric = super::faithfulness::SUFFICIENCY;
                scalars.push(scalar(metric, about, faithful.sufficiency));
            }
            let mut push = |metric, value: Option<f64>| {
                scalars.extend(value.map(|value| scalar(metric, method.into(), value)));
            };
            push(super::focus::SPARSENESS, Some(map.sparseness));
            push(super::focus::ENTROPY, Some(map.entropy));
            push(super::stability::MAX_SENSITIVITY, map.max_sensitivity);
            push(super::stability::OVERLAP, map.overlap);
            let last = map.randomisation.last();
            let survived = last.map(|stage| stage.rank_correlation);
            push(super::randomisation::RANDOMISATION, survived);
        }
        let metric = super::gradients::MEAN_GRADIENT;
        scalars.push(scalar(
            metric,
            "mean over samples".into(),
            self.mean_gradient.mean,
        ));
        scalars
    }
}

/// The attack's name, with its norm where that is not L∞.
fn attack_name(attack: &AttackConfig) -> String {
    match attack.norm {
        crate::attack::Norm::Linf => attack.kind.name().into(),
        crate::attack::Norm::L2 => format!("{} L2", attack.kind.name()),
    }
}
