//! A training step of a typed network on any device.

use crate::model::Mode;
use crate::model::typed::TapeNetwork;
use crate::nn::composed::{Matrix, device_error};
use crate::nn::layer::Backend;
use crate::optimizer::Optimizer;
use crate::{Error, Result};
use dfdx::nn::tensor_collection::TensorCollection;
use dfdx::prelude::*;

/// One step of standard training: the mean cross-entropy of the batch `x` (sample after sample)
/// before the step. `seed` seeds the dropout masks.
///
/// # Errors
/// [`Error::Shape`] when `x` is no batch of as many samples as labels, [`Error::Argument`] on a
/// label that is no class, [`Error::Numerical`] when a gradient is not finite, [`Error::Device`]
/// when the device refuses. The network is then unchanged.
pub fn train_step<N, D>(
    device: &D,
    network: &mut N,
    optimizer: &mut Optimizer,
    x: &[f32],
    labels: &[usize],
    seed: u64,
) -> Result<f32>
where
    N: TapeNetwork<D> + TensorCollection<f32, D>,
    D: Backend,
{
    let (len, classes) = (network.input().len(), network.classes());
    if labels.is_empty() || x.len() != labels.len() * len {
        return Err(Error::Shape {
            operation: "training step",
            found: format!("x of {} values, {} labels", x.len(), labels.len()),
            expected: format!("samples of {len} values, a label each"),
        });
    }
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        return Err(Error::Argument {
            argument: "label".into(),
            found: label.to_string(),
            expected: format!("a class below {classes}"),
        });
    }
    let shape = (labels.len(), len);
    let x = device.try_tensor_from_vec(x.to_vec(), shape);
    let x: Matrix<D> = x.map_err(device_error)?;
    let mut targets = vec![0.0; labels.len() * classes];
    for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
        row[label] = 1.0;
    }
    let targets = device.try_tensor_from_vec(targets, (labels.len(), classes));
    let targets: Matrix<D> = targets.map_err(device_error)?;
    let logits = network.logits(x.leaky_trace(), Mode::Training { seed })?;
    let step = || {
        let likelihood = logits.try_log_softmax::<Axis<1>>()?.try_mul(targets)?;
        let sum = likelihood.try_sum::<Rank0, _>()?.try_negate()?;
        sum.try_div(labels.len() as f32)
    };
    let loss = step().map_err(device_error::<D::Err>)?;
    let value = loss.as_vec()[0];
    let mut gradients = loss.try_backward().map_err(device_error)?;
    optimizer.step_typed(network, &mut gradients)?;
    Ok(value)
}

/// [`train_step`] on an NVIDIA GPU.
///
/// # Errors
/// As [`train_step`].
#[cfg(feature = "cuda")]
pub fn train_step_on_cuda<N>(
    device: &Cuda,
    network: &mut N,
    optimizer: &mut Optimizer,
    x: &[f32],
    labels: &[usize],
    seed: u64,
) -> Result<f32>
where
    N: TapeNetwork<Cuda> + TensorCollection<f32, Cuda>,
{
    train_step(device, network, optimizer, x, labels, seed)
}
