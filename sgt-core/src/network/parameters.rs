//! A network's parameters: those that stay and those that are trained.

/// The parameters of all layers, layer after layer, cut at the first layer that is trained.
///
/// On a board the first part is a constant in flash, the second, for the last layers, an array in
/// RAM. Where nothing is trained, everything is [`Parameters::all`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters<'p> {
    /// Those of the layers in front.
    pub frozen: &'p [f32],
    /// Those of the layers behind, which training changes.
    pub trained: &'p [f32],
}

impl<'p> Parameters<'p> {
    /// One slice for all layers.
    pub const fn all(values: &'p [f32]) -> Self {
        Self {
            frozen: values,
            trained: &[],
        }
    }

    /// Those of one layer, which lie in one of the parts.
    pub(super) fn of_layer(self, first: usize, count: usize) -> &'p [f32] {
        let (part, start) = match first.checked_sub(self.frozen.len()) {
            Some(start) => (self.trained, start),
            None => (self.frozen, first),
        };
        part.get(start..start + count).unwrap_or_default()
    }
}
