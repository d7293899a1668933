//! The gradient at the sample: signed, absolute, times the input.

use super::Attribution;
use super::points::Points;
use crate::Result;
use crate::network::Model;

pub(super) fn gradient<M: Model>(points: &mut Points<'_, M>) -> Result<Attribution> {
    local(points, |_, gradient| gradient)
}

pub(super) fn absolute_gradient<M: Model>(points: &mut Points<'_, M>) -> Result<Attribution> {
    local(points, |_, gradient| gradient.abs())
}

pub(super) fn input_x_gradient<M: Model>(points: &mut Points<'_, M>) -> Result<Attribution> {
    local(points, |x, gradient| x * gradient)
}

/// A function of each value and the gradient there.
fn local<M: Model>(
    points: &mut Points<'_, M>,
    combine: impl Fn(f32, f32) -> f32,
) -> Result<Attribution> {
    let (x, sample) = (points.x, points.sample);
    let mut values = Vec::with_capacity(x.len());
    points.gradients(
        1,
        |index, _, row| row.copy_from_slice(&x[index * sample..][..sample]),
        |_, _, row, gradient| values.extend(row.iter().zip(gradient).map(|(&x, &g)| combine(x, g))),
    )?;
    Ok(Attribution { values, gap: None })
}
