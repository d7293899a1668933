//! Sines and cosines that tell positions apart.

use super::{Misfit, Rule};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::positional::{self, Wavelengths};
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Place, Pull};
use serde::{Deserialize, Serialize};

/// x, or √channels · x, plus a table of sines and cosines (Vaswani et al. 2017).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PositionalEncoding {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Whether x is multiplied by √channels first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scale: bool,
    /// The formula of the table.
    #[serde(default, skip_serializing_if = "EncodingForm::is_standard")]
    pub form: EncodingForm,
}

/// The formula of a positional encoding of d channels at step t, for even i.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingForm {
    /// Channel i: `sin(t / 10000^(i/d))`, channel i + 1: the cosine of the same.
    #[default]
    Standard,
    /// The time-series benchmark's (Ismail et al. 2020): `sin(t / 10000^(2i/d))` and
    /// `cos(t / 10000^(2(i+1)/d))`.
    Published,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
impl EncodingForm {
    fn is_standard(&self) -> bool {
        *self == Self::Standard
    }
}

impl Rule for PositionalEncoding {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        match input {
            Shape::Series { .. } => Ok(input),
            _ => Err(Misfit::new(input, "a series")),
        }
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let (steps, channels) = (place.input.positions(), place.input.channels());
        let wavelengths = match self.form {
            EncodingForm::Standard => Wavelengths::Shared,
            EncodingForm::Published => Wavelengths::Published,
        };
        place.push(Encode {
            scale: if self.scale {
                (channels as f32).sqrt()
            } else {
                1.0
            },
            table: positional::table(wavelengths, steps, channels),
        });
    }
}

#[derive(Debug)]
struct Encode {
    scale: f32,
    table: Vec<f32>,
}

impl Operation for Encode {
    type State = ();

    fn forward(&self, _call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        positional::forward(self.scale, &self.table, x, out.resize(x.len()))?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        _kept: Kept<'_>,
        mut dout: Buffer,
        _wanted: bool,
        _pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        if self.scale != 1.0 {
            dout.iter_mut().for_each(|d| *d *= self.scale);
        }
        Ok(Some(dout))
    }
}
