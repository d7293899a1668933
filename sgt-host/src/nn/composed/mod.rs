//! Layers composed of dfdx's own operations: they run on every dfdx device, and are what CUDA
//! runs.
//!
//! Each function has a twin of the same name and signature in
//! [`crate::nn::layer::operation`], one operation over our kernels for the CPU; one test suite
//! holds both to the same values and gradients. Sizes are known at run time here; the typed
//! layers check theirs before they call.
//!
//! Every parameter enters through `parameter`, so that in [`Mode::InputGradient`] no gradient
//! of a parameter is computed or allocated.
//!
//! | module | what it computes |
//! |---|---|
//! | `tensor` | the tensors that layers exchange, and the device's errors |
//! | `parameter` | products, sums and scalings with a parameter |
//! | `window` | convolution, pooling |
//! | `normalization` | batch and layer normalisation |
//! | `token` | embedding, dropout, ReLU |
//! | `attention` | multi-head self-attention |
//! | `recurrent` | LSTM, one or both directions |

mod attention;
mod normalization;
mod parameter;
mod recurrent;
mod tensor;
mod token;
mod window;

pub use attention::{AttentionParameters, attention};
pub use normalization::{BatchStatistics, batch_norm, layer_norm};
pub use parameter::linear;
pub use recurrent::{LstmParameters, lstm};
pub use tensor::{Images, Matrix, Series, Vector};
pub use token::{dropout, embedding, relu};
pub use window::{average_pool, conv2d, global_average_pool, max_pool};

pub(crate) use attention::check_attention;
pub(crate) use normalization::{check_batch_norm, check_layer_norm};
pub(crate) use parameter::check_linear;
pub(crate) use recurrent::check_lstm;
pub(crate) use tensor::device_error;
pub(crate) use window::{check_conv2d, check_pool};

#[cfg(doc)]
use crate::nn::Mode;
