//! Reading tensors and writing gradients on dfdx's CPU device.

use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::device_error;
use crate::nn::kernel::conv2d::WeightGradient;
use dfdx::prelude::{
    Cpu, CpuError, HasShape, PutTape, ReshapeTo, Shape, SplitTape, Tape, Tensor, TensorFromVec,
};

pub(super) type Gradients = dfdx::prelude::Gradients<f32, Cpu>;

/// A tensor without its tape, its values in order, and the tape.
pub(super) fn read<S: Shape, T: Tape<f32, Cpu>>(
    x: Tensor<S, f32, Cpu, T>,
) -> Result<(Tensor<S, f32, Cpu>, Vec<f32>, T)> {
    // A permuted tensor is put in order by an operation that is on the tape as well.
    let x = x.try_contiguous().map_err(device_error)?;
    let (x, tape) = x.split_tape();
    let values = values(&x);
    Ok((x, values, tape))
}

/// The values of a tensor that lies in order in memory: a parameter, or the result of [`read`].
pub(super) fn values<S: Shape>(tensor: &Tensor<S, f32, Cpu>) -> Vec<f32> {
    let mut values = vec![0.0; tensor.shape().num_elements()];
    tensor.copy_into(&mut values);
    values
}

/// Puts `out`, computed of `x`, on the tape.
///
/// `backward` gets the gradients of parameters, the output's gradient and a slice of zeros for
/// the input's, which is added to what other uses of `x` gave.
pub(super) fn record<In, Out, T, F>(
    x: Tensor<In, f32, Cpu>,
    mut tape: T,
    out: Vec<f32>,
    shape: Out,
    backward: F,
) -> Result<Tensor<Out, f32, Cpu, T>>
where
    In: Shape,
    Out: Shape,
    T: Tape<f32, Cpu>,
    F: FnOnce(&mut Gradients, &[f32], &mut [f32]) -> Result<()> + 'static,
{
    let out = x.device().try_tensor_from_vec(out, shape);
    let out = out.map_err(device_error)?;
    let recorded = out.clone();
    tape.add_backward_op(move |gradients| {
        let dout = take(gradients, &recorded)?;
        let mut dx = vec![0.0; x.shape().num_elements()];
        backward(gradients, &dout, &mut dx).map_err(refused)?;
        put(gradients, &recorded, dout)?;
        let sum = gradients.get_or_alloc_mut(&x)?;
        sum.iter_mut().zip(&dx).for_each(|(sum, dx)| *sum += dx);
        Ok(())
    });
    Ok(out.put_tape(tape))
}

/// Takes a tensor's gradient out of the map, for others to be read and written beside it.
pub(super) fn take<S: Shape>(
    gradients: &mut Gradients,
    tensor: &Tensor<S, f32, Cpu>,
) -> Result<Vec<f32>, CpuError> {
    let gradient: &mut Vec<f32> = &mut *gradients.get_or_alloc_mut(tensor)?;
    Ok(std::mem::take(gradient))
}

/// Puts a gradient back.
pub(super) fn put<S: Shape>(
    gradients: &mut Gradients,
    tensor: &Tensor<S, f32, Cpu>,
    values: Vec<f32>,
) -> Result<(), CpuError> {
    let gradient: &mut Vec<f32> = &mut *gradients.get_or_alloc_mut(tensor)?;
    *gradient = values;
    Ok(())
}

/// Runs `kernel` over the gradients of a weight and a bias, which it adds to; over none in
/// [`Mode::InputGradient`].
pub(super) fn with_weight_gradient<S: Shape, B: Shape>(
    gradients: &mut Gradients,
    mode: Mode,
    weight: &Tensor<S, f32, Cpu>,
    bias: Option<&Tensor<B, f32, Cpu>>,
    kernel: impl FnOnce(Option<WeightGradient<'_>>) -> Result<()>,
) -> Result<()> {
    if mode == Mode::InputGradient {
        return kernel(None);
    }
    let mut weight_gradient = take(gradients, weight).map_err(device_error)?;
    let mut bias_gradient = match bias {
        None => None,
        Some(bias) => Some(take(gradients, bias).map_err(device_error)?),
    };
    kernel(Some(WeightGradient {
        weight: &mut weight_gradient,
        bias: bias_gradient.as_deref_mut(),
    }))?;
    put(gradients, weight, weight_gradient).map_err(device_error)?;
    if let (Some(bias), Some(gradient)) = (bias, bias_gradient) {
        put(gradients, bias, gradient).map_err(device_error)?;
    }
    Ok(())
}

/// A kernel can only refuse lengths, and the forward pass has checked them.
fn refused(_: crate::Error) -> CpuError {
    CpuError::WrongNumElements
}
