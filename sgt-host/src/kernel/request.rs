//! What a caller asks of a kernel's forward and backward pass.

use crate::{Error, Result};

/// What a forward pass keeps for the backward passes that follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keep {
    /// All that weight gradients and the input's gradient need.
    #[default]
    ForWeights,
    /// Only what the input's gradient needs: saliency, attacks, attribution.
    ForInput,
}

impl Keep {
    /// Refuses weight gradients of a pass that kept nothing for them.
    pub(super) fn check_weights(self, operation: &'static str) -> Result<()> {
        match self {
            Self::ForWeights => Ok(()),
            Self::ForInput => Err(Error::Shape {
                operation,
                found: "a pass that was kept for the input's gradient only".into(),
                expected: "a pass that was kept for weight gradients".into(),
            }),
        }
    }
}

/// What becomes of the input's gradient, which has the input's shape.
#[derive(Debug)]
pub(crate) enum InputGradient<'a> {
    /// It isn't computed.
    Skip,
    /// It replaces what the slice holds.
    Overwrite(&'a mut [f32]),
    /// It is added to what the slice holds: a second direction, a residual connection.
    Add(&'a mut [f32]),
}

impl<'a> InputGradient<'a> {
    /// The slice, if any, and whether it is added to.
    pub(super) fn into_parts(self) -> (Option<&'a mut [f32]>, bool) {
        match self {
            Self::Skip => (None, false),
            Self::Overwrite(dx) => (Some(dx), false),
            Self::Add(dx) => (Some(dx), true),
        }
    }
}
