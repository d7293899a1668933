//! Named parameters in one flat buffer.

use crate::{Error, Result};
use std::ops::Range;

/// One named tensor in [`Parameters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// PyTorch's name, `conv1.weight` for example.
    pub name: String,
    /// PyTorch's layout, `[out, in, kh, kw]` for example.
    pub shape: Vec<usize>,
    /// False for running statistics, which no optimizer touches.
    pub trainable: bool,
    /// Where its values lie in [`Parameters::values`].
    pub range: Range<usize>,
}

/// Every parameter of a model, in one flat buffer that optimizers and checkpoints walk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    values: Vec<f32>,
    entries: Vec<Parameter>,
}

impl Parameters {
    /// No parameters yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a tensor of zeros and returns its place.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        trainable: bool,
    ) -> Range<usize> {
        let range = self.declare(name, shape, trainable);
        self.allocate();
        range
    }

    /// As [`Parameters::push`], but without memory for the values until
    /// [`Parameters::allocate`]: sizes that come from a file are counted first.
    pub(crate) fn declare(
        &mut self,
        name: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        trainable: bool,
    ) -> Range<usize> {
        let shape = shape.into();
        let start = self.declared();
        let size = shape
            .iter()
            .fold(1, |size: usize, &axis| size.saturating_mul(axis));
        let range = start..start.saturating_add(size);
        self.entries.push(Parameter {
            name: name.into(),
            shape,
            trainable,
            range: range.clone(),
        });
        range
    }

    /// The number of values that the tensors have, allocated or not.
    pub(crate) fn declared(&self) -> usize {
        self.entries.last().map_or(0, |entry| entry.range.end)
    }

    /// Zeros for every declared tensor that has no values yet.
    pub(crate) fn allocate(&mut self) {
        self.values.resize(self.declared(), 0.0);
    }

    /// All values, tensor after tensor.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The tensors in order.
    pub fn entries(&self) -> &[Parameter] {
        &self.entries
    }

    /// The number of values an optimizer may change.
    pub fn trainable_count(&self) -> usize {
        let trainable = self.entries.iter().filter(|entry| entry.trainable);
        trainable.map(|entry| entry.range.len()).sum()
    }

    /// The values of the tensor `name`.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no such tensor.
    pub fn get(&self, name: &str) -> Result<&[f32]> {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| Error::Argument {
            argument: "parameter".into(),
            found: name.into(),
            expected: "the name of a tensor of this model".into(),
        })?;
        Ok(&self.values[entry.range.clone()])
    }
}
