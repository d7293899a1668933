//! One number of a table: which metric, of what, over how many samples.

use super::{Evaluation, EvaluationConfig};
use crate::attack::AttackConfig;
use crate::attribution::Method;
use crate::metrics::{Fill, Metric};
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// Which metric.
    pub metric: Metric,
    /// Of what.
    pub about: About,
    /// Over which samples, for a mean over samples.
    pub measured: Option<Measured>,
    /// The value.
    pub value: f64,
}

/// The values, sample by sample, whose mean a number is.
#[derive(Clone, Debug, PartialEq)]
pub struct BySample {
    /// Which metric.
    pub metric: Metric,
    /// Of what.
    pub about: About,
    /// One value a sample, in the order of the test part.
    pub values: Vec<f32>,
}

/// What a number is about. As text it is what tables show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// Samples as they are.
    Clean,
    /// Samples under an attack.
    Attack(AttackConfig),
    /// The maps of a method.
    Map(Method),
    /// What is left when a method's most important features become something else.
    Removal {
        /// The method.
        method: Method,
        /// What they become.
        fill: Fill,
    },
    /// The same, less that of the random map of the same network: what the map itself is worth,
    /// whatever the network makes of missing features.
    OverRandom {
        /// The method.
        method: Method,
        /// What the features become.
        fill: Fill,
    },
    /// The maps of a method under small noise.
    Noise {
        /// The method.
        method: Method,
        /// Half width of the uniform noise.
        radius: f32,
    },
    /// The maps of a method under an attack.
    AttackedMap {
        /// The method.
        method: Method,
        /// The attack.
        attack: AttackConfig,
    },
    /// The training that gave the model.
    Training,
}

impl Display for About {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let attacked = |attack: &AttackConfig| format!("{} ε {}", attack.title(), attack.epsilon);
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Attack(attack) => f.write_str(&attacked(attack)),
            Self::Map(method) => f.write_str(method.name()),
            Self::Removal { method, fill } => {
                write!(f, "{}, {} fill", method.name(), fill.name())
            }
            Self::OverRandom { method, fill } => {
                write!(f, "{} less random, {} fill", method.name(), fill.name())
            }
            Self::Noise { method, radius } => write!(f, "{}, noise {radius}", method.name()),
            Self::AttackedMap { method, attack } => {
                write!(f, "{}, {}", method.name(), attacked(attack))
            }
            Self::Training => f.write_str("wall clock"),
        }
    }
}

impl About {
    /// The same of another method's maps; what is about no map stays as it is.
    #[must_use]
    pub fn with_method(&self, method: Method) -> Self {
        match self.clone() {
            Self::Map(_) => Self::Map(method),
            Self::Removal { fill, .. } => Self::Removal { method, fill },
            Self::OverRandom { fill, .. } => Self::OverRandom { method, fill },
            Self::Noise { radius, .. } => Self::Noise { method, radius },
            Self::AttackedMap { attack, .. } => Self::AttackedMap { method, attack },
            other @ (Self::Clean | Self::Attack(_) | Self::Training) => other,
        }
    }

    /// The method whose maps it is about.
    pub fn method(&self) -> Option<&Method> {
        match self {
            Self::Map(method)
            | Self::Removal { method, .. }
            | Self::OverRandom { method, .. }
            | Self::Noise { method, .. }
            | Self::AttackedMap { method, .. } => Some(method),
            Self::Clean | Self::Attack(_) | Self::Training => None,
        }
    }
}

/// Over how many of the test part's samples a number is. As text: `500 of 1,849`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// So many.
    pub samples: usize,
    /// The test part's size.
    pub of: usize,
}

impl Display for Measured {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let text = format!("{} of {}", grouped(self.samples), grouped(self.of));
        f.pad(&text)
    }
}

/// A count with its thousands apart: `1,849`.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Evaluation {
    /// Over how many samples everything but the accuracy and the stability is.
    pub fn measured(&self) -> Measured {
        self.over(self.samples)
    }

    fn over(&self, samples: usize) -> Measured {
        Measured {
            samples,
            of: self.test_samples,
        }
    }

    /// Every number of a table, in its order: what differs in the method alone stands together.
    /// `config` is what was measured with.
    pub fn scalars(&self, config: &EvaluationConfig) -> Vec<Scalar> {
        let scalars = self.unordered_scalars(config);
        let mut contexts: Vec<(Metric, About)> = Vec::new();
        let place = |scalar: &Scalar| {
            let context = (scalar.metric, scalar.about.with_method(Method::Random));
            let known = contexts.iter().position(|known| *known == context);
            known.unwrap_or_else(|| {
                contexts.push(context);
                contexts.len() - 1
            })
        };
        let places: Vec<usize> = scalars.iter().map(place).collect();
        let mut ordered: Vec<(usize, Scalar)> = places.into_iter().zip(scalars).collect();
        ordered.sort_by_key(|(place, _)| *place);
        ordered.into_iter().map(|(_, scalar)| scalar).collect()
    }

    fn unordered_scalars(&self, config: &EvaluationConfig) -> Vec<Scalar> {
        let mut scalars = Vec::new();
        let mut push = |metric, about: &About, samples, value| {
            scalars.push(Scalar {
                metric,
                about: about.clone(),
                measured: Some(self.over(samples)),
                value,
            });
        };
        let classes = &self.classification;
        for (metric, value) in [
            (Metric::Accuracy, self.accuracy),
            (Metric::BalancedAccuracy, classes.balanced_accuracy),
            (Metric::MacroF1, classes.macro_f1),
            (Metric::MajorityBaseline, classes.majority_baseline),
            (Metric::CrossEntropy, self.loss),
        ] {
            push(metric, &About::Clean, self.test_samples, value);
        }
        let drawn = self.samples;
        for curve in &self.robustness {
            for point in &curve.points {
                let about = About::Attack(curve.attack.with_epsilon(point.epsilon));
                push(Metric::AccuracyUnderAttack, &about, drawn, point.accuracy);
            }
        }
        for map in &self.maps {
            let method = || map.method.clone();
            let removal = |fill| About::Removal {
                method: method(),
                fill,
            };
            for curve in &map.drop_curves {
                let about = removal(curve.fill);
                push(Metric::AccuracyDropArea, &about, drawn, curve.area);
                push(Metric::AccuracyDropMean, &about, drawn, curve.mean_accuracy);
            }
            for found in &map.faithfulness {
                let about = removal(found.fill);
                push(
                    Metric::Comprehensiveness,
                    &about,
                    drawn,
                    found.comprehensiveness,
                );
                push(Metric::Sufficiency, &about, drawn, found.sufficiency);
            }
            let about = About::Map(method());
            push(Metric::Sparseness, &about, drawn, map.sparseness);
            push(Metric::Entropy, &about, drawn, map.entropy);
            let Some(stability) = &map.stability else {
                continue;
            };
            let few = self.stability_samples;
            let noise = About::Noise {
                method: method(),
                radius: config.sensitivity.radius,
            };
            push(
                Metric::MaxSensitivity,
                &noise,
                few,
                stability.max_sensitivity,
            );
            let attacked = About::AttackedMap {
                method: method(),
                attack: config.overlap_attack.clone(),
            };
            push(Metric::SaliencyOverlap, &attacked, few, stability.overlap);
            if let Some(last) = stability.randomisation.last() {
                let metric = Metric::RandomisedRankCorrelation;
                push(metric, &about, few, last.rank_correlation);
            }
        }
        let about = About::Map(Method::Gradient);
        push(Metric::MeanGradient, &about, drawn, self.mean_gradient.mean);
        scalars
    }
}

#[cfg(test)]
mod tests {
    use super::Measured;

    #[test]
    fn samples_are_announced_with_their_thousands_apart() {
        let text = |samples, of| Measured { samples, of }.to_string();
        assert_eq!(text(500, 1849), "500 of 1,849");
        assert_eq!(text(40, 40), "40 of 40");
        assert_eq!(text(10_000, 1_000_000), "10,000 of 1,000,000");
    }
}
