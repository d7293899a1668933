//! What one forward pass leaves for backward passes.

use super::padding::Padding;
use super::sequence::SequenceState;
use crate::kernel::buffer::Buffer;
use crate::network::Mode;

/// The activations of one forward pass of a [`super::Network`]. Keeps its buffers from pass to
/// pass.
pub struct NetworkPass {
    /// Samples; 0 while there is no complete forward pass.
    pub(super) batch: usize,
    pub(super) mode: Mode,
    /// The network whose activations these are; 0 for none.
    pub(super) network: u64,
    pub(super) input: Buffer,
    /// Where padding is skipped.
    pub(super) padding: Option<Padding>,
    pub(super) state: SequenceState,
    /// Gradient buffers that wait for their next use.
    pub(super) free: Vec<Buffer>,
}

impl Default for NetworkPass {
    fn default() -> Self {
        Self {
            batch: 0,
            mode: Mode::Evaluation,
            network: 0,
            input: Buffer::default(),
            padding: None,
            state: SequenceState::default(),
            free: Vec::new(),
        }
    }
}

impl std::fmt::Debug for NetworkPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkPass")
            .field("batch", &self.batch)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
