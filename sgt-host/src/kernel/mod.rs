//! Layers as plain functions over slices, forward and backward, on the CPU.
//!
//! The contract of every kernel:
//! - **Memory.** A batch is sample after sample. Inside a sample positions (pixels row by row, time
//!   steps, tokens) come first and channels are innermost: `[batch, positions, channels]`. Weights
//!   have PyTorch's layouts.
//! - **Shape.** A small `Copy` struct says the sizes (`…Shape`), checks them once (`check`) and
//!   knows the lengths of input, output and parameters.
//! - **Parameters** come as a struct of slices (`…Parameters`), their gradients as the same struct
//!   of exclusive slices (`…Gradients`).
//! - **Forward** overwrites `out` and leaves in its cache (`…Cache`, whose buffers are kept from call
//!   to call) what [`Keep`](request::Keep) asks for.
//! - **Backward** overwrites `dx` or adds to it ([`InputGradient`](request::InputGradient)), and
//!   **adds** to parameter gradients. Any number of backward passes may follow a forward pass.
//! - **Threads.** Work is spread over rayon's current pool in pieces whose number and order of
//!   summation depend on the shapes alone: the same bits, whatever the number of threads.
//! - **Lengths** are checked; a mismatch is [`crate::Error::Shape`] and writes nothing.
//! - **NaN and infinities** pass through as IEEE 754 has it.
//!
//! | module | what it computes |
//! |---|---|
//! | [`conv2d`] | convolution in two dimensions, and in one (height 1) |
//! | [`grouped`] | convolution in groups of channels, depthwise among them |
//! | [`linear`] | `x Wᵀ + b` |
//! | [`activation`] | ReLU, and the sum of a residual branch |
//! | [`pool`] | max, average and global average pooling |
//! | [`batch_norm`] | batch normalisation, one- and two-dimensional |
//! | [`dropout`] | dropout whose mask is a function of seed and position |
//! | [`lstm`] | long short-term memory over whole sequences, in either direction |
//! | [`input_cell`] | an LSTM that reads attention over the inputs so far |
//! | [`attention`] | scaled dot-product self-attention |
//! | [`layer_norm`] | layer normalisation |
//! | [`embedding`] | rows of a table, and the scatter-add of their gradient |

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod batch_norm;
pub(crate) mod buffer;
pub(crate) mod conv2d;
pub(crate) mod conv_block;
mod depthwise;
mod dispatch;
mod dot;
pub(crate) mod dropout;
pub(crate) mod embedding;
#[cfg(test)]
mod golden;
pub(crate) mod grouped;
pub(crate) mod input_cell;
pub(crate) mod layer_norm;
pub(crate) mod layout;
mod lengths;
#[cfg(test)]
mod levels;
pub(crate) mod linear;
pub(crate) mod lstm;
mod matrix;
#[cfg(test)]
mod oracle;
pub(crate) mod pool;
mod pooled_gradient;
pub(crate) mod positional;
mod product;
pub(crate) mod request;
pub(crate) mod rescale;
mod softmax;
pub(crate) mod softmax_pool;
mod sums;
mod transcendental;
mod vanishing;

use crate::{Error, Result};

/// Refuses a slice of the wrong length.
pub(crate) fn expect_len(
    operation: &'static str,
    name: &str,
    found: usize,
    expected: usize,
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        operation,
        found: format!("{name} of {found} values"),
        expected: format!("{expected} values"),
    })
}

/// The number of samples of `len` values in `found` values; at least one.
pub(crate) fn batch_len(
    operation: &'static str,
    name: &str,
    found: usize,
    len: usize,
) -> Result<usize> {
    if len > 0 && found > 0 && found.is_multiple_of(len) {
        return Ok(found / len);
    }
    Err(Error::Shape {
        operation,
        found: format!("{name} of {found} values"),
        expected: format!("one or more samples of {len} values"),
    })
}

/// The instruction sets that this machine can run, the plainest first.
#[cfg(test)]
fn instructions() -> Vec<pulp::Arch> {
    let mut all = vec![pulp::Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    all.extend(pulp::x86::V3::try_new().map(pulp::Arch::V3));
    let best = pulp::Arch::new();
    if std::mem::discriminant(&best) != std::mem::discriminant(all.last().unwrap_or(&best)) {
        all.push(best);
    }
    all
}
