//! A description in Rust, layer by layer.

use super::Description;
use super::layer::{
    BatchNorm, Convolution, Dropout, Flatten, Gelu, GlobalAveragePool, GlobalMaxPool, Layer,
    Linear, Lstm, MaxPool, Pair, Relu, Residual, Sigmoid, Tanh,
};

/// Each method adds a layer behind those that are there. Nothing is checked before
/// [`Description::summary`] or [`super::Network::new`].
impl Description {
    /// Adds any layer.
    #[must_use]
    pub fn layer(mut self, layer: impl Into<Layer>) -> Self {
        self.layers.push(layer.into());
        self
    }

    /// Adds a convolution: stride 1, no padding. For others give [`Description::layer`] a
    /// [`Convolution`].
    #[must_use]
    pub fn convolution(self, name: &str, channels: usize, kernel: impl Into<Pair>) -> Self {
        self.layer(Convolution::new(name, channels, kernel))
    }

    /// Adds a batch normalisation.
    #[must_use]
    pub fn batch_norm(self, name: &str) -> Self {
        self.layer(BatchNorm::new(name))
    }

    /// Adds a `ReLU`.
    #[must_use]
    pub fn relu(self) -> Self {
        self.layer(Relu::default())
    }

    /// Adds a GELU.
    #[must_use]
    pub fn gelu(self) -> Self {
        self.layer(Gelu::default())
    }

    /// Adds a hyperbolic tangent.
    #[must_use]
    pub fn tanh(self) -> Self {
        self.layer(Tanh::default())
    }

    /// Adds a logistic sigmoid.
    #[must_use]
    pub fn sigmoid(self) -> Self {
        self.layer(Sigmoid::default())
    }

    /// Adds max pooling, its windows side by side.
    #[must_use]
    pub fn max_pool(self, window: impl Into<Pair>) -> Self {
        self.layer(MaxPool::new(window))
    }

    /// Adds the mean over all positions.
    #[must_use]
    pub fn global_average_pool(self) -> Self {
        self.layer(GlobalAveragePool::default())
    }

    /// Adds the largest value over all positions.
    #[must_use]
    pub fn global_max_pool(self) -> Self {
        self.layer(GlobalMaxPool::default())
    }

    /// Adds dropout with probability `p`.
    #[must_use]
    pub fn dropout(self, p: f32) -> Self {
        let name = String::new();
        self.layer(Dropout { name, p })
    }

    /// Adds a flattening, channel after channel.
    #[must_use]
    pub fn flatten(self) -> Self {
        self.layer(Flatten::default())
    }

    /// Adds a fully connected layer with bias.
    #[must_use]
    pub fn linear(self, name: &str, outputs: usize) -> Self {
        self.layer(Linear::new(name, outputs))
    }

    /// Adds an LSTM of one layer and one direction that gives its last state. For others give
    /// [`Description::layer`] an [`Lstm`].
    #[must_use]
    pub fn lstm(self, name: &str, hidden: usize) -> Self {
        self.layer(Lstm::new(name, hidden))
    }

    /// Adds body(x) + x.
    #[must_use]
    pub fn residual(self, body: Vec<Layer>) -> Self {
        self.layer(Residual {
            body,
            ..Residual::default()
        })
    }
}
