//! What flows from layer to layer.

/// The shape of one window's activations: `[positions, channels]`, position after position in
/// memory, channels innermost. A vector has one position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Shape {
    /// Time steps.
    pub positions: usize,
    /// Values at each of them.
    pub channels: usize,
}

impl Shape {
    /// `steps × channels`.
    pub const fn series(steps: usize, channels: usize) -> Self {
        Self {
            positions: steps,
            channels,
        }
    }

    /// A vector.
    pub const fn vector(values: usize) -> Self {
        Self::series(1, values)
    }

    /// Values; `None` when they cannot be counted.
    pub(super) const fn checked_len(self) -> Option<usize> {
        self.positions.checked_mul(self.channels)
    }

    /// Values of a shape that was checked.
    pub(super) const fn len(self) -> usize {
        self.positions * self.channels
    }
}
