//! Multi-head self-attention.

use super::parameter::affine;
use super::tensor::{Images, Matrix, Series, Vector, device_error, expect_shape};
use crate::nn::Mode;
use crate::{Error, Result};
use dfdx::prelude::*;

/// Added to the score of a step that must not be seen: its weight rounds to 0.
const UNSEEN: f32 = -1e9;

/// The parameters of `PyTorch`'s `nn.MultiheadAttention`.
#[derive(Clone, Debug)]
pub struct AttentionParameters<D: Storage<f32>> {
    /// `in_proj_weight`, `[3 · dim, dim]`: query, key, value.
    pub in_projection: Matrix<D>,
    /// `in_proj_bias`, `[3 · dim]`.
    pub in_bias: Vector<D>,
    /// `out_proj.weight`, `[dim, dim]`.
    pub out_projection: Matrix<D>,
    /// `out_proj.bias`, `[dim]`.
    pub out_bias: Vector<D>,
}

/// Self-attention of `[batch, steps, dim]` with `heads` heads:
/// `softmax(q kᵀ / √(dim / heads)) v` per head, then the output projection. With `causal`, a
/// step sees the steps up to itself.
///
/// # Errors
/// [`Error::Shape`] when the sizes don't fit or the heads don't divide `dim`,
/// [`Error::Device`] when the device refuses.
pub fn attention<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    parameters: &AttentionParameters<D>,
    heads: usize,
    causal: bool,
    mode: Mode,
) -> Result<Series<D, T>> {
    check_attention(&x, parameters, heads)?;
    attend(x, parameters, heads, causal, mode).map_err(device_error)
}

/// Refuses sizes that don't fit.
pub(crate) fn check_attention<D: Storage<f32>, T>(
    x: &Series<D, T>,
    parameters: &AttentionParameters<D>,
    heads: usize,
) -> Result<()> {
    let (batch, steps, dim) = *x.shape();
    let (rows, columns) = *parameters.in_projection.shape();
    expect_shape("attention", &[batch, steps, dim], &[batch, steps, columns])?;
    expect_shape(
        "attention in_proj_weight",
        &[rows, columns],
        &[3 * dim, dim],
    )?;
    expect_shape(
        "attention in_proj_bias",
        &[parameters.in_bias.shape().0],
        &[3 * dim],
    )?;
    let out = parameters.out_projection.shape().concrete();
    expect_shape("attention out_proj.weight", &out, &[dim, dim])?;
    expect_shape(
        "attention out_proj.bias",
        &[parameters.out_bias.shape().0],
        &[dim],
    )?;
    if heads > 0 && dim.is_multiple_of(heads) {
        return Ok(());
    }
    Err(Error::Shape {
        operation: "attention",
        found: format!("{heads} heads over {dim} dimensions"),
        expected: "a number of heads that divides the dimensions".into(),
    })
}

fn attend<D: Device<f32>, T: Tape<f32, D>>(
    x: Series<D, T>,
    parameters: &AttentionParameters<D>,
    heads: usize,
    causal: bool,
    mode: Mode,
) -> Result<Series<D, T>, D::Err> {
    let (batch, steps, dim) = *x.shape();
    let head_dim = dim / heads;
    let device = x.device().clone();
    let x: Matrix<D, T> = x.try_reshape_like(&(batch * steps, dim))?;
    let (weight, bias) = (&parameters.in_projection, &parameters.in_bias);
    let projected = affine(x, weight, Some(bias), mode)?;
    let (projected, tape) = projected.split_tape();
    // [batch, heads, steps, head_dim]
    let part = |tape: T, part: usize| -> Result<Images<D, T>, D::Err> {
        let columns = part * dim..(part + 1) * dim;
        let values = projected.clone().put_tape(tape).try_slice((.., columns))?;
        let values: Images<D, T> = values.try_reshape_like(&(batch, steps, heads, head_dim))?;
        let values = values.try_permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>()?;
        values.try_contiguous()
    };
    let query = part(tape, 0)?;
    let (key, value) = (part(T::default(), 1)?, part(T::default(), 2)?);
    let key = key.try_permute::<(usize, usize, usize, usize), Axes4<0, 1, 3, 2>>()?;
    let scores = query.try_matmul(key.try_contiguous()?)?;
    let mut scores = scores.try_div((head_dim as f32).sqrt())?;
    if causal {
        let seen = |place: usize| {
            let (now, other) = (place / steps, place % steps);
            if other > now { UNSEEN } else { 0.0 }
        };
        let mask: Vec<f32> = (0..steps * steps).map(seen).collect();
        let mask = device.try_tensor_from_vec(mask, (steps, steps))?;
        let shape = (batch, heads, steps, steps);
        scores = scores.try_add(mask.try_broadcast_like::<_, Axes2<0, 1>>(&shape)?)?;
    }
    let context = scores.try_softmax::<Axis<3>>()?.try_matmul(value)?;
    let context = context.try_permute::<(usize, usize, usize, usize), Axes4<0, 2, 1, 3>>()?;
    let context: Matrix<D, T> = context.try_reshape_like(&(batch * steps, dim))?;
    let (weight, bias) = (&parameters.out_projection, &parameters.out_bias);
    let out = affine(context, weight, Some(bias), mode)?;
    out.try_reshape_like(&(batch, steps, dim))
}
