//! Networks: what they are as data, their layers, and the engine that runs them on the CPU.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Description`] | a network as plain data: input and layers; checked in one place |
//! | `builder` | the description's methods that add a layer |
//! | [`layer`] | the closed set of layers, one file each |
//! | `text` | descriptions as TOML |
//! | `shape` | what flows between layers |
//! | `engine` | [`Network`]: a description with parameters, executed on the CPU |
//! | [`named`] | the networks by name: functions that give descriptions |
//! | [`Classifier`] | a network with normalisation, bounds and class names |
//! | `model` | the seam [`Model`] that attacks, attributions and training see |
//! | `score` | the scalar whose input gradient is the saliency |
//! | `parameters` | named tensors in one flat buffer |

mod builder;
mod classifier;
mod description;
mod engine;
pub mod layer;
mod mode;
mod model;
pub mod named;
mod parameters;
mod score;
mod shape;
mod start;
mod text;

pub use crate::data::{
    Grouping, InputShape, Labelled, Samples, SeriesOrder, check_finite, check_labels,
};
pub use classifier::{Classifier, ClassifierPass};
pub use description::{Description, LayerSummary, limits};
pub(crate) use engine::declare;
pub use engine::{Network, NetworkPass};
pub use layer::Layer;
pub use mode::Mode;
pub use model::{Model, RESCALE_EPSILON, Rescaling};
pub use parameters::{Parameter, Parameters};
pub(crate) use score::predicted_class;
pub use score::{Score, input_gradient, score_gradient};
pub use shape::Shape;
pub use text::Gaps;
