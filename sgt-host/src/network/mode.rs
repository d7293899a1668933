//! What a pass through layers is for.

/// How a forward pass is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout is on, drawn from `seed`; batch normalisation uses the batch's statistics.
    Training {
        /// Seeds the dropout masks of this pass; the same seed gives the same masks.
        seed: u64,
    },
    /// No dropout, running statistics; every gradient can be asked for.
    Evaluation,
    /// As [`Mode::Evaluation`], but only the input's gradient will be asked for: nothing that
    /// weight gradients need is kept.
    InputGradient,
}
