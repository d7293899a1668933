//! The metrics by their identity, and what each says about itself.

use serde::{Deserialize, Serialize};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// See [`Metric::definition`], as for all others.
    Accuracy,
    /// Of samples under an attack.
    AccuracyUnderAttack,
    /// Of [`super::drop_curve::DropCurve`].
    AccuracyDropArea,
    /// The number of the SGT reference's code.
    AccuracyDropMean,
    /// Of [`super::faithfulness`].
    Comprehensiveness,
    /// Of [`super::faithfulness`].
    Sufficiency,
    /// Of [`super::focus`].
    Sparseness,
    /// Of [`super::focus`].
    Entropy,
    /// Of [`super::stability`].
    MaxSensitivity,
    /// Of [`super::stability`].
    SaliencyOverlap,
    /// Of [`super::randomisation`].
    RandomisedRankCorrelation,
    /// Of [`super::gradients`].
    MeanGradient,
    /// Of the run that trained the model.
    TrainingSeconds,
    /// AUP of [`super::truth`].
    AreaUnderPrecision,
    /// AUR of [`super::truth`].
    AreaUnderRecall,
    /// AUPR of [`super::truth`].
    AreaUnderPrecisionRecall,
}

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More is better.
    HigherIsBetter,
    /// Less is better.
    LowerIsBetter,
    /// The value describes, it does not judge.
    Descriptive,
}

/// A row of the table of metrics.
struct Row {
    name: &'static str,
    direction: Direction,
    definition: &'static str,
    sensitive_to: &'static str,
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Self; 16] = [
        Self::Accuracy,
        Self::AccuracyUnderAttack,
        Self::AccuracyDropArea,
        Self::AccuracyDropMean,
        Self::Comprehensiveness,
        Self::Sufficiency,
        Self::Sparseness,
        Self::Entropy,
        Self::MaxSensitivity,
        Self::SaliencyOverlap,
        Self::RandomisedRankCorrelation,
        Self::MeanGradient,
        Self::TrainingSeconds,
        Self::AreaUnderPrecision,
        Self::AreaUnderRecall,
        Self::AreaUnderPrecisionRecall,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Which way it gets better.
    pub const fn direction(self) -> Direction {
        self.row().direction
    }

    /// What it is, in one sentence.
    pub const fn definition(self) -> &'static str {
        self.row().definition
    }

    /// The choices that move its value without the model or the method changing.
    pub const fn sensitive_to(self) -> &'static str {
        self.row().sensitive_to
    }

    const fn row(self) -> Row {
        use Direction::{Descriptive, HigherIsBetter, LowerIsBetter};
        match self {
            Self::Accuracy => Row {
                name: "accuracy",
                direction: HigherIsBetter,
                definition: "The share of the test part's samples that are classified correctly.",
                sensitive_to: "class balance; ties of logits count for the lowest class",
            },
            Self::AccuracyUnderAttack => Row {
                name: "accuracy under attack",
                direction: HigherIsBetter,
                definition: "The share of samples that are classified correctly after an \
                             untargeted attack of radius ε.",
                sensitive_to: "steps, step length, restarts and bounds; a model with masked \
                               gradients looks robust to gradient attacks alone, so compare with \
                               random noise and more steps",
            },
            Self::AccuracyDropArea => Row {
                name: "accuracy-drop area",
                direction: LowerIsBetter,
                definition: "The area under the accuracy over the share of the most important \
                             features that are removed.",
                sensitive_to: "the fill, above all features that already equal it (see the share \
                               changed); a model that is robust to missing features has a large \
                               area whatever the map, so read it against the random map of the \
                               same model",
            },
            Self::AccuracyDropMean => Row {
                name: "accuracy-drop mean",
                direction: LowerIsBetter,
                definition: "The mean of the accuracies behind the accuracy-drop area, the one \
                             with nothing removed included: the SGT reference's number.",
                sensitive_to: "the same as the accuracy-drop area, and the clean accuracy, which \
                               is one of the points",
            },
            Self::Comprehensiveness => Row {
                name: "comprehensiveness",
                direction: HigherIsBetter,
                definition: "How far the predicted class's probability falls when the most \
                             important features are removed, mean over ERASER's bins.",
                sensitive_to: "the fill (or removal), the bins, and the model's confidence: an \
                               uncertain model has little probability to lose",
            },
            Self::Sufficiency => Row {
                name: "sufficiency",
                direction: LowerIsBetter,
                definition: "How far the predicted class's probability falls when nothing but \
                             the most important features is kept, mean over ERASER's bins.",
                sensitive_to: "the fill and the bins; a model that says its class for an empty \
                               input scores well with any map",
            },
            Self::Sparseness => Row {
                name: "sparseness (Gini)",
                direction: HigherIsBetter,
                definition: "The Gini index of a map's importances: 0 for a flat map, towards 1 \
                             for a single feature.",
                sensitive_to: "the number of features and exact zeros; sparse is not the same as \
                               right",
            },
            Self::Entropy => Row {
                name: "entropy",
                direction: LowerIsBetter,
                definition: "The entropy of a map's importances over that of a flat map: 1 for a \
                             flat map, 0 for a single feature.",
                sensitive_to: "a constant offset of the map; a focused map is not the same as a \
                               right one",
            },
            Self::MaxSensitivity => Row {
                name: "max-sensitivity",
                direction: LowerIsBetter,
                definition: "The largest relative change of a map under small noise.",
                sensitive_to: "the radius and the number of draws; random methods keep their seed",
            },
            Self::SaliencyOverlap => Row {
                name: "saliency overlap",
                direction: HigherIsBetter,
                definition: "The share of the most important features that a map keeps when its \
                             sample is attacked.",
                sensitive_to: "the share that counts as most important (chance is that share) and \
                               the strength of the attack",
            },
            Self::RandomisedRankCorrelation => Row {
                name: "rank correlation after randomisation",
                direction: LowerIsBetter,
                definition: "The rank correlation of maps before and after all parameters are \
                             randomised.",
                sensitive_to: "features that are zero in every map (a black background), and \
                               methods that multiply by the input, which keep its shape; a \
                               network that is dead after randomisation has constant maps, which \
                               count as 0",
            },
            Self::MeanGradient => Row {
                name: "mean gradient",
                direction: Descriptive,
                definition: "The mean signed gradient over a sample's features, mean over \
                             samples.",
                sensitive_to: "the scale of the logits and of the input",
            },
            Self::TrainingSeconds => Row {
                name: "training seconds",
                direction: LowerIsBetter,
                definition: "How long the training took, on one thread a run where more runs \
                             than threads were trained side by side.",
                sensitive_to: "the machine and what else it does",
            },
            Self::AreaUnderPrecision => Row {
                name: "AUP",
                direction: HigherIsBetter,
                definition: "The weighted precision of a map against a known truth, area over \
                             the shares of its mass.",
                sensitive_to: "the share of features that carry signal: a random map scores 0.8 \
                               times it, a perfect one 0.8",
            },
            Self::AreaUnderRecall => Row {
                name: "AUR",
                direction: HigherIsBetter,
                definition: "The weighted recall of a map against a known truth, area over the \
                             shares of its mass.",
                sensitive_to: "how evenly the map is spread over the signal; a random map scores \
                               about 0.4",
            },
            Self::AreaUnderPrecisionRecall => Row {
                name: "AUPR",
                direction: HigherIsBetter,
                definition: "The area under a map's precision over its recall against a known \
                             truth.",
                sensitive_to: "the span of recall that the nine shares reach; it is not anchored \
                               at 0 and 1",
            },
        }
    }
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Direction {
    /// The direction as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::HigherIsBetter => "Higher is better.",
            Self::LowerIsBetter => "Lower is better.",
            Self::Descriptive => "Describes; it does not judge.",
        }
    }

    /// The direction in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HigherIsBetter => "higher-is-better",
            Self::LowerIsBetter => "lower-is-better",
            Self::Descriptive => "descriptive",
        }
    }

    /// The direction as a sign behind a name; empty for descriptive metrics.
    pub const fn arrow(self) -> &'static str {
        match self {
            Self::HigherIsBetter => "↑",
            Self::LowerIsBetter => "↓",
            Self::Descriptive => "",
        }
    }

    /// True when `a` is better than `b`; never for descriptive metrics.
    pub fn prefers(self, a: f64, b: f64) -> bool {
        match self {
            Self::HigherIsBetter => a > b,
            Self::LowerIsBetter => a < b,
            Self::Descriptive => false,
        }
    }
}
