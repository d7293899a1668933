//! Sinusoidal positional encoding: a table of sines and cosines added to every sample of a series.
//!
//! `out = factor · x + table` with factor 1, or √channels. For step t of d channels and even c:
//!
//! ```text
//! table[t, c] = sin(t / 10000^(c / d))     table[t, c + 1] = cos(t / 10000^(c / d))          (standard)
//! table[t, c] = sin(t / 10000^(2c / d))    table[t, c + 1] = cos(t / 10000^(2(c + 1) / d))   (published)
//! ```
//!
//! Sources: Vaswani et al., 2017; and the code of the time series benchmark of Ismail et al., 2020,
//! whose channel counts twice.

use super::request::InputGradient;
use super::{batch_len, expect_len};
use crate::Result;
use rayon::prelude::*;

const OPERATION: &str = "positional encoding";

/// The longest wavelength over 2π.
const LONGEST: f64 = 10_000.0;

/// How the wavelength depends on the channel; see the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PositionalForm {
    /// The paper's.
    #[default]
    Standard,
    /// The benchmark's.
    Published,
}

/// Sizes and form of a positional encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PositionalShape {
    /// Steps of a sample.
    pub steps: usize,
    /// Values a step.
    pub channels: usize,
    /// The wavelengths.
    pub form: PositionalForm,
    /// Whether x is multiplied by √channels first.
    pub scale: bool,
}

impl PositionalShape {
    /// Values of the table, and of a sample: `[steps, channels]`.
    pub const fn len(&self) -> usize {
        self.steps * self.channels
    }

    /// Whether a sample has no values.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is added to a sample, `[steps, channels]`. Computed in `f64` and rounded.
    pub fn table(&self) -> Vec<f32> {
        let channels = self.channels as f64;
        let value = |step: usize, channel: usize| {
            let exponent = match self.form {
                PositionalForm::Standard => channel - channel % 2,
                PositionalForm::Published => 2 * channel,
            };
            let angle = step as f64 / LONGEST.powf(exponent as f64 / channels);
            if channel.is_multiple_of(2) {
                angle.sin()
            } else {
                angle.cos()
            }
        };
        let row = |step| (0..self.channels).map(move |channel| value(step, channel) as f32);
        (0..self.steps).flat_map(row).collect()
    }

    fn factor(&self) -> f32 {
        if self.scale {
            (self.channels as f32).sqrt()
        } else {
            1.0
        }
    }
}

/// Adds the `table` that `shape` gives to every sample of `x` `[batch, steps, channels]`.
///
/// # Errors
/// [`crate::Error::Shape`] when a length doesn't fit.
pub fn forward(shape: &PositionalShape, table: &[f32], x: &[f32], out: &mut [f32]) -> Result<()> {
    batch_len(OPERATION, "x", x.len(), shape.len())?;
    expect_len(OPERATION, "table", table.len(), shape.len())?;
    expect_len(OPERATION, "out", out.len(), x.len())?;
    let factor = shape.factor();
    out.par_chunks_mut(shape.len())
        .zip(x.par_chunks(shape.len()))
        .for_each(|(out, x)| {
            for ((out, x), table) in out.iter_mut().zip(x).zip(table) {
                *out = factor * x + table;
            }
        });
    Ok(())
}

/// Pulls `dout` `[batch, steps, channels]` back: `dx = factor · dout`.
///
/// # Errors
/// [`crate::Error::Shape`] when a length doesn't fit.
pub fn backward(shape: &PositionalShape, dout: &[f32], dx: InputGradient) -> Result<()> {
    batch_len(OPERATION, "dout", dout.len(), shape.len())?;
    let (Some(dx), add) = dx.into_parts() else {
        return Ok(());
    };
    expect_len(OPERATION, "dx", dx.len(), dout.len())?;
    let factor = shape.factor();
    dx.par_chunks_mut(shape.len())
        .zip(dout.par_chunks(shape.len()))
        .for_each(|(dx, dout)| {
            for (dx, d) in dx.iter_mut().zip(dout) {
                *dx = if add { *dx + factor * d } else { factor * d };
            }
        });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::levels::values;
    use super::*;

    fn shape(form: PositionalForm, scale: bool) -> PositionalShape {
        PositionalShape {
            steps: 7,
            channels: 5,
            form,
            scale,
        }
    }

    #[test]
    fn tables_are_those_of_the_formulas() {
        for form in [PositionalForm::Standard, PositionalForm::Published] {
            let shape = shape(form, false);
            let table = shape.table();
            for step in 0..shape.steps {
                for even in (0..shape.channels).step_by(2) {
                    let t = step as f64;
                    let i = even as f64;
                    let angles = match form {
                        PositionalForm::Standard => [i, i],
                        PositionalForm::Published => [2.0 * i, 2.0 * (i + 1.0)],
                    };
                    let [sine, cosine] = angles.map(|e| t / 10_000_f64.powf(e / 5.0));
                    let row = &table[step * shape.channels..][..shape.channels];
                    assert_eq!(row[even], sine.sin() as f32);
                    if let Some(found) = row.get(even + 1) {
                        assert_eq!(*found, cosine.cos() as f32);
                    }
                }
            }
        }
    }

    #[test]
    fn adds_the_table_and_scales_the_gradient() {
        for scale in [false, true] {
            let shape = shape(PositionalForm::Standard, scale);
            let factor = if scale { 5_f32.sqrt() } else { 1.0 };
            let table = shape.table();
            let x = values(3 * shape.len(), 1);
            let mut out = vec![f32::NAN; x.len()];
            forward(&shape, &table, &x, &mut out).unwrap();
            for (index, (out, x)) in out.iter().zip(&x).enumerate() {
                assert_eq!(*out, factor * x + table[index % shape.len()]);
            }
            let mut dx = vec![f32::NAN; x.len()];
            backward(&shape, &x, InputGradient::Overwrite(&mut dx)).unwrap();
            assert!(dx.iter().zip(&x).all(|(dx, d)| *dx == factor * d));
            let mut sum = vec![1.0; x.len()];
            backward(&shape, &x, InputGradient::Add(&mut sum)).unwrap();
            assert!(sum.iter().zip(&dx).all(|(sum, dx)| *sum == 1.0 + dx));
        }
    }

    #[test]
    fn lengths_are_checked() {
        let shape = shape(PositionalForm::Standard, false);
        let table = shape.table();
        let mut out = vec![0.0; shape.len()];
        let error = forward(&shape, &table, &table[1..], &mut out).unwrap_err();
        assert_eq!(
            error.to_string(),
            "positional encoding: found shape x of 34 values, expected one or more samples of 35 \
             values"
        );
        assert!(forward(&shape, &table[1..], &table, &mut out).is_err());
        assert!(backward(&shape, &table, InputGradient::Overwrite(&mut out[1..])).is_err());
    }
}
