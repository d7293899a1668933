//! `DeepLIFT` through max pooling, as Captum has it.

use super::{Maximum, PoolShape};
use crate::Result;
use crate::kernel::request::InputGradient;
use crate::kernel::rescale::SMALLEST_CHANGE;
use crate::kernel::{batch_len, expect_len};
use rayon::prelude::*;

/// Values of a window that differ by this share of the larger are equal up to rounding.
const TIE: f32 = 1e-6;

/// Pulls the multipliers `dout` of the maxima of `x` against those of `reference`, both
/// `[batch, height, width, channels]`, back to the inputs.
///
/// What the larger of both maxima exceeds the reference's by belongs to the place of x's maximum, what
/// x's lacks to it belongs to the place of the reference's: Captum's rule. It is complete:
/// `Σ dx · (x − reference) = Σ dout · (max x − max reference)`, up to rounding.
///
/// Where the reference is as large at the place of x's maximum (a constant baseline makes whole
/// windows equal), that place answers for both, and the multiplier is the gradient's. (Captum
/// takes the gradient there whenever `ReLU` feeds the pooling, which is complete for such
/// baselines alone.) A place that does not change has the gradient's multiplier.
///
/// # Errors
/// [`crate::Error::Shape`] when a length does not fit the shape.
pub(crate) fn max_pool_multipliers(
    shape: &PoolShape,
    x: &[f32],
    reference: &[f32],
    dout: &[f32],
    dx: InputGradient,
) -> Result<()> {
    shape.check()?;
    let operation = "max pool multipliers";
    let batch = batch_len(operation, "x", x.len(), shape.input_len())?;
    expect_len(operation, "reference", reference.len(), x.len())?;
    expect_len(operation, "dout", dout.len(), batch * shape.output_len())?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect_len(operation, "dx", dx.len(), x.len())?;
    let [rows, columns] = shape.output();
    dx.par_chunks_exact_mut(shape.input_len())
        .zip(x.par_chunks_exact(shape.input_len()))
        .zip(reference.par_chunks_exact(shape.input_len()))
        .zip(dout.par_chunks_exact(shape.output_len()))
        .for_each(|(((dx, x), reference), dout)| {
            let positions = |window| shape.taps(window).map(|(_, position)| position);
            let windows = || (0..rows * columns).map(positions);
            let pair = [x, reference];
            let maxima = pair.map(|x| Maxima::new(shape.channels, x, windows()));
            multipliers(pair, &maxima, dout, dx, add);
        });
    Ok(())
}

/// The maxima of one sample, `[windows, channels]`.
pub(super) struct Maxima {
    values: Vec<f32>,
    /// Where they lie in the sample.
    places: Vec<usize>,
}

impl Maxima {
    /// Of windows that are given by their positions.
    pub(super) fn new<W>(channels: usize, x: &[f32], windows: impl IntoIterator<Item = W>) -> Self
    where
        W: Iterator<Item = usize>,
    {
        let mut maxima = Self {
            values: Vec::new(),
            places: Vec::new(),
        };
        for positions in windows {
            let first = maxima.values.len();
            maxima.values.resize(first + channels, 0.0);
            maxima.places.resize(first + channels, 0);
            let places = &mut maxima.places[first..];
            let mut maximum = Maximum::new(&mut maxima.values[first..], &mut *places);
            for place in positions.map(|position| position * channels) {
                maximum.take(place, &x[place..][..channels]);
            }
            for (channel, place) in places.iter_mut().enumerate() {
                *place += channel;
            }
        }
        maxima
    }
}

/// The rule, for one sample and its reference.
pub(super) fn multipliers(
    [x, reference]: [&[f32]; 2],
    [of_x, of_reference]: &[Maxima; 2],
    dout: &[f32],
    dx: &mut [f32],
    add: bool,
) {
    let mut share = vec![0.0; x.len()];
    let mut plain = vec![0.0; x.len()];
    for (index, &d) in dout.iter().enumerate() {
        let (max, reference_max) = (of_x.values[index], of_reference.values[index]);
        let (at, reference_at) = (of_x.places[index], of_reference.places[index]);
        let larger = max.max(reference_max);
        share[at] += d * (larger - reference_max);
        let is_tied = reference_max - reference[at] <= TIE * reference_max.abs();
        let place = if is_tied { at } else { reference_at };
        share[place] += d * (max - larger);
        plain[at] += d;
    }
    let pairs = x.iter().zip(reference).zip(share.iter().zip(&plain));
    for (dx, ((x, reference), (share, plain))) in dx.iter_mut().zip(pairs) {
        let change = x - reference;
        let multiplier = if f64::from(change.abs()) < SMALLEST_CHANGE {
            *plain
        } else {
            share / change
        };
        *dx = if add { *dx + multiplier } else { multiplier };
    }
}
