//! One value a channel over all positions.

use super::{Misfit, Rule};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Place, Pull};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The mean over all positions of an image or a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GlobalAveragePool {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A vector of channels.
fn pooled(input: Shape) -> Result<Shape, Misfit> {
    if matches!(input, Shape::Vector { .. }) {
        return Err(Misfit::new(input, "a series or an image"));
    }
    let features = input.channels();
    Ok(Shape::Vector { features })
}

impl Rule for GlobalAveragePool {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        pooled(input)
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        place.push(Average {
            positions: place.input.positions(),
            channels: place.input.channels(),
        });
    }
}

#[derive(Debug)]
struct Average {
    positions: usize,
    channels: usize,
}

impl Operation for Average {
    type State = ();

    fn forward(&self, call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        let out = out.resize(call.batch * self.channels);
        let share = 1.0 / self.positions as f32;
        out.par_chunks_exact_mut(self.channels)
            .zip(x.par_chunks_exact(self.channels * self.positions))
            .for_each(|(out, x)| {
                out.fill(0.0);
                for pixel in x.chunks_exact(self.channels) {
                    out.iter_mut().zip(pixel).for_each(|(out, x)| *out += x);
                }
                for out in out {
                    *out *= share;
                }
            });
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if let Some(dx) = &mut dx {
            let share = 1.0 / self.positions as f32;
            dx.par_chunks_exact_mut(self.channels * self.positions)
                .zip(dout.par_chunks_exact(self.channels))
                .for_each(|(dx, dout)| {
                    for pixel in dx.chunks_exact_mut(self.channels) {
                        for (dx, d) in pixel.iter_mut().zip(dout) {
                            *dx = d * share;
                        }
                    }
                });
        }
        pull.spare(dout);
        Ok(dx)
    }
}
