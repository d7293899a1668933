//! The metrics by their identity, and what each says about itself.

use serde::{Deserialize, Serialize};

/// The closed set of metrics as one table: identity, name and direction; what it is, in one
/// sentence; the choices that move its value.
macro_rules! metrics {
    ($($id:ident: $name:literal, $direction:ident, $definition:literal, $sensitive_to:literal;)+) => {
        /// What is measured.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Metric {
            $(#[doc = $definition] $id,)+
        }

        impl Metric {
            /// Every metric, in the order of tables.
            pub const ALL: &[Self] = &[$(Self::$id),+];

            /// Its name in tables.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)+ }
            }

            /// Which way it gets better.
            pub const fn direction(self) -> Direction {
                match self { $(Self::$id => Direction::$direction,)+ }
            }

            /// What it is, in one sentence.
            pub const fn definition(self) -> &'static str {
                match self { $(Self::$id => $definition,)+ }
            }

            /// The choices that move its value without the model or the method changing.
            pub const fn sensitive_to(self) -> &'static str {
                match self { $(Self::$id => $sensitive_to,)+ }
            }
        }
    };
}

metrics! {
    Accuracy: "accuracy", HigherIsBetter,
        "The share of the test part's samples that are classified correctly.",
        "class balance; ties of logits count for the lowest class";
    BalancedAccuracy: "balanced accuracy", HigherIsBetter,
        "The mean over classes of the share of their samples that is classified correctly.",
        "small classes, whose few samples weigh as much as the many of large ones";
    MacroF1: "macro F1", HigherIsBetter,
        "The mean over classes of the harmonic mean of precision and recall.",
        "small classes, as balanced accuracy; a class that is never predicted counts as 0";
    MajorityBaseline: "majority baseline", Descriptive,
        "The accuracy of always answering the test part's largest class.",
        "nothing but the test part: a network that is no better has learned nothing that counts";
    CrossEntropy: "cross-entropy", LowerIsBetter,
        "The mean cross-entropy of the test part's labels, in nats.",
        "confidence: a network that is right but unsure, or wrong and sure, has a large one";
    AccuracyUnderAttack: "accuracy under attack", HigherIsBetter,
        "The share of samples that are classified correctly as they are and under an untargeted \
         attack of radius ε and of every smaller radius that was tried: balls are nested.",
        "steps, step length, restarts and bounds; a model with masked gradients looks robust to \
         gradient attacks alone, so compare with random noise and more steps";
    AccuracyDropArea: "accuracy-drop area", LowerIsBetter,
        "The area under the accuracy over the share of the most important features removed.",
        "the fill, above all features that already equal it (see the share changed); a model that \
         is robust to missing features has a large area whatever the map, so read it against the \
         random map of the same model";
    AccuracyDropMean: "accuracy-drop mean", LowerIsBetter,
        "The mean of the accuracies behind the accuracy-drop area, the one with nothing removed \
         included: the SGT reference's number.",
        "the same as the accuracy-drop area, and the clean accuracy, which is one of the points";
    Comprehensiveness: "comprehensiveness", HigherIsBetter,
        "How far the predicted class's probability falls when the most important features are \
         removed, mean over ERASER's bins.",
        "the fill (or removal), the bins, and the model's confidence: an uncertain model has \
         little probability to lose";
    Sufficiency: "sufficiency", LowerIsBetter,
        "How far the predicted class's probability falls when nothing but the most important \
         features is kept, mean over ERASER's bins.",
        "the fill and the bins; a model that says its class for an empty input scores well with \
         any map";
    Sparseness: "sparseness (Gini)", HigherIsBetter,
        "The Gini index of a map's importances: 0 for a flat map, towards 1 for a single feature.",
        "the number of features and exact zeros; sparse is not the same as right";
    Entropy: "entropy", LowerIsBetter,
        "The entropy of a map's importances over that of a flat map: 0 for a single feature.",
        "a constant offset of the map; a focused map is not the same as a right one";
    MaxSensitivity: "max-sensitivity", LowerIsBetter,
        "The largest relative change of a map under small noise.",
        "the radius and the number of draws; random methods keep their seed";
    SaliencyOverlap: "saliency overlap", HigherIsBetter,
        "The share of the most important features that a map keeps when its sample is attacked.",
        "the share that counts as most important (chance is that share) and the strength of the \
         attack";
    RandomisedRankCorrelation: "rank correlation after randomisation", LowerIsBetter,
        "The rank correlation of maps before and after all parameters are randomised.",
        "features that are zero in every map (a black background), and methods that multiply by \
         the input, which keep its shape; a network that is dead after randomisation has constant \
         maps, which count as 0";
    MeanGradient: "mean gradient", Descriptive,
        "The mean signed gradient over a sample's features, mean over samples.",
        "the scale of the logits and of the input";
    TrainingSeconds: "training seconds", LowerIsBetter,
        "How long the training took, on its share of the threads where runs went side by side.",
        "the machine and what else it does";
    AreaUnderPrecision: "AUP", HigherIsBetter,
        "The weighted precision of a map against a known truth, area over the shares of its mass.",
        "the share of features that carry signal: a random map scores 0.8 times it, a perfect one \
         0.8";
    AreaUnderRecall: "AUR", HigherIsBetter,
        "The weighted recall of a map against a known truth, area over the shares of its mass.",
        "how evenly the map is spread over the signal; a random map scores about 0.4";
    AreaUnderPrecisionRecall: "AUPR", HigherIsBetter,
        "The area under a map's precision over its recall against a known truth.",
        "the span of recall that the nine shares reach; it is not anchored at 0 and 1";
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
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

impl Direction {
    /// The direction as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::HigherIsBetter => "Higher is better.",
            Self::LowerIsBetter => "Lower is better.",
            Self::Descriptive => "Describes; it does not judge.",
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
