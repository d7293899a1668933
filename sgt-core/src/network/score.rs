//! The scalar whose input gradient is the saliency.

use crate::{Error, math};

/// The score whose gradient with respect to the input is a window's saliency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum Score {
    /// The true class's logit, `f_y(x)`.
    #[default]
    TrueLogit,
    /// The true class's log-probability, `log softmax(f(x))_y`.
    TrueLogProb,
    /// The largest logit, `max_c f_c(x)` (ties: the lowest class); the label is not read.
    PredictedLogit,
    /// The cross-entropy, `−log softmax(f(x))_y`.
    Loss,
}

impl Score {
    /// Writes the gradient with respect to the logits.
    pub(super) fn gradient(
        self,
        logits: &[f32],
        label: usize,
        gradient: &mut [f32],
    ) -> Result<(), Error> {
        math::check_finite("logits", logits)?;
        let classes = logits.len();
        let class = match self {
            Self::PredictedLogit => largest(logits),
            _ => label,
        };
        if class >= classes {
            return Err(Error::Label { label, classes });
        }
        gradient.fill(0.0);
        match self {
            Self::TrueLogit | Self::PredictedLogit => {
                if let Some(gradient) = gradient.get_mut(class) {
                    *gradient = 1.0;
                }
                Ok(())
            }
            Self::TrueLogProb => crate::cross_entropy_grad(logits, label, -1.0, gradient),
            Self::Loss => crate::cross_entropy_grad(logits, label, 1.0, gradient),
        }
    }
}

/// The class of the largest logit; ties go to the lowest class.
fn largest(logits: &[f32]) -> usize {
    let (mut best, mut highest) = (0, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > highest {
            (best, highest) = (class, logit);
        }
    }
    best
}
