//! The closed set of layers.

use crate::kernel::conv_block::ConvBlock;
use std::ops::Range;

/// One layer and where its parameters lie.
#[derive(Clone, Debug)]
pub(super) enum Layer {
    /// `[channels, pixels]` to `[pixels, channels]`.
    ChannelsLast { channels: usize, pixels: usize },
    /// Convolution with bias, ReLU and max pooling, each where wanted.
    Convolution(Box<Convolution>),
    /// Batch normalisation, and ReLU where wanted.
    BatchNorm(BatchNorm),
    /// `relu(body(x) + shortcut(x))`; an empty shortcut is the identity.
    Residual {
        body: Vec<Layer>,
        shortcut: Vec<Layer>,
    },
    /// The mean over pixels, `[pixels, channels]` to `[channels]`.
    GlobalAveragePool { channels: usize, pixels: usize },
    /// Dropout in training mode; `index` tells it from the network's other dropout layers.
    Dropout { p: f32, index: u64 },
    /// Fully connected, with ReLU where wanted.
    Linear(Linear),
    /// An LSTM's last state, or both directions' last states.
    Lstm(Lstm),
}

#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub(super) block: ConvBlock,
    pub(super) weight: Range<usize>,
    pub(super) bias: Option<Range<usize>>,
}

#[derive(Clone, Debug)]
pub(super) struct BatchNorm {
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) running_mean: Range<usize>,
    pub(super) running_variance: Range<usize>,
    pub(super) relu: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) weight: Range<usize>,
    pub(super) bias: Range<usize>,
    pub(super) relu: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Lstm {
    pub(super) steps: usize,
    pub(super) input: usize,
    pub(super) hidden: usize,
    /// One direction, or forward and reverse.
    pub(super) directions: Vec<LstmParameters>,
}

/// The parameters of one direction.
#[derive(Clone, Debug)]
pub(super) struct LstmParameters {
    pub(super) weight_ih: Range<usize>,
    pub(super) weight_hh: Range<usize>,
    pub(super) bias_ih: Range<usize>,
    pub(super) bias_hh: Range<usize>,
}

impl Layer {
    /// True when training and evaluation give different outputs.
    pub(super) fn depends_on_mode(&self) -> bool {
        match self {
            Self::BatchNorm(_) | Self::Dropout { .. } => true,
            Self::Residual { body, shortcut } => {
                body.iter().chain(shortcut).any(Self::depends_on_mode)
            }
            _ => false,
        }
    }

    /// True when it has parameters.
    pub(super) fn has_parameters(&self) -> bool {
        match self {
            Self::Convolution(_) | Self::BatchNorm(_) | Self::Linear(_) | Self::Lstm(_) => true,
            Self::Residual { body, shortcut } => {
                body.iter().chain(shortcut).any(Self::has_parameters)
            }
            _ => false,
        }
    }
}
