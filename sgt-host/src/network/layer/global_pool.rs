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

/// The largest value over all positions of an image or a series; ties go to the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GlobalMaxPool {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl Rule for GlobalMaxPool {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        pooled(input)
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        place.push(Maximum {
            positions: place.input.positions(),
            channels: place.input.channels(),
        });
    }
}

/// The mean over the real positions.
#[derive(Debug)]
pub(super) struct Average {
    pub(super) positions: usize,
    pub(super) channels: usize,
}

impl Average {
    /// The real positions of a sample.
    fn real(&self, call: &Call<'_>, sample: usize) -> usize {
        call.lengths
            .map_or(self.positions, |lengths| lengths[sample])
    }
}

impl Operation for Average {
    type State = ();

    fn forward(&self, call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        let out = out.resize(call.batch * self.channels);
        out.par_chunks_exact_mut(self.channels)
            .zip(x.par_chunks_exact(self.channels * self.positions))
            .enumerate()
            .for_each(|(sample, (out, x))| {
                let real = self.real(call, sample);
                let share = 1.0 / real as f32;
                out.fill(0.0);
                for pixel in x.chunks_exact(self.channels).take(real) {
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
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if let Some(dx) = &mut dx {
            dx.par_chunks_exact_mut(self.channels * self.positions)
                .zip(dout.par_chunks_exact(self.channels))
                .enumerate()
                .for_each(|(sample, (dx, dout))| {
                    let real = self.real(call, sample);
                    let share = 1.0 / real as f32;
                    dx[real * self.channels..].fill(0.0);
                    for pixel in dx.chunks_exact_mut(self.channels).take(real) {
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

/// The largest value over the real positions.
#[derive(Debug)]
pub(super) struct Maximum {
    pub(super) positions: usize,
    pub(super) channels: usize,
}

impl Operation for Maximum {
    /// The position of each maximum.
    type State = Vec<u32>;

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        places: &mut Vec<u32>,
    ) -> Result<Flow> {
        let out = out.resize(call.batch * self.channels);
        places.resize(out.len(), 0);
        out.par_chunks_exact_mut(self.channels)
            .zip(places.par_chunks_exact_mut(self.channels))
            .zip(x.par_chunks_exact(self.channels * self.positions))
            .enumerate()
            .for_each(|(sample, ((out, places), x))| {
                let real = call
                    .lengths
                    .map_or(self.positions, |lengths| lengths[sample]);
                out.copy_from_slice(&x[..self.channels]);
                places.fill(0);
                for (position, x) in x.chunks_exact(self.channels).enumerate().take(real) {
                    for ((out, place), &x) in out.iter_mut().zip(&mut *places).zip(x) {
                        // A NaN is the largest, as in PyTorch.
                        if x > *out || (x.is_nan() && !out.is_nan()) {
                            (*out, *place) = (x, position as u32);
                        }
                    }
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
        places: &mut Vec<u32>,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if let Some(dx) = &mut dx {
            dx.par_chunks_exact_mut(self.channels * self.positions)
                .zip(dout.par_chunks_exact(self.channels))
                .zip(places.par_chunks_exact(self.channels))
                .for_each(|((dx, dout), places)| {
                    dx.fill(0.0);
                    for (channel, (d, place)) in dout.iter().zip(places).enumerate() {
                        dx[*place as usize * self.channels + channel] = *d;
                    }
                });
        }
        pull.spare(dout);
        Ok(dx)
    }
}
