//! One value a channel over all positions.

use super::{Misfit, Rule};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::pool::global::{
    GlobalMaxPoolCache, GlobalPoolShape, global_average_pool_backward, global_average_pool_forward,
    global_max_pool_backward, global_max_pool_forward, global_max_pool_multipliers,
};
use crate::kernel::request::InputGradient;
use crate::network::Shape;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use serde::{Deserialize, Serialize};

/// The mean over all positions of an image or a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GlobalAveragePool {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// The largest value over all positions of an image or a series; ties go to the first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GlobalMaxPool {
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

fn pool_shape(input: Shape) -> GlobalPoolShape {
    GlobalPoolShape {
        positions: input.positions(),
        channels: input.channels(),
    }
}

impl Rule for GlobalAveragePool {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        pooled(input)
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        place.push(Mean(pool_shape(place.input)));
    }
}

impl Rule for GlobalMaxPool {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        pooled(input)
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        place.push(Maximum(pool_shape(place.input)));
    }
}

/// The mean over the real positions.
#[derive(Debug)]
pub(super) struct Mean(pub(super) GlobalPoolShape);

impl Operation for Mean {
    type State = ();

    fn forward(&self, call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        let out = out.resize(call.batch * self.0.channels);
        global_average_pool_forward(&self.0, x, call.lengths, out)?;
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
            let target = InputGradient::Overwrite(dx);
            global_average_pool_backward(&self.0, call.lengths, &dout, target)?;
        }
        pull.spare(dout);
        Ok(dx)
    }
}

/// The largest value over the real positions.
#[derive(Debug)]
pub(super) struct Maximum(pub(super) GlobalPoolShape);

impl Operation for Maximum {
    type State = GlobalMaxPoolCache;

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        cache: &mut GlobalMaxPoolCache,
    ) -> Result<Flow> {
        let out = out.resize(call.batch * self.0.channels);
        global_max_pool_forward(&self.0, x, call.lengths, out, cache)?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        cache: &mut GlobalMaxPoolCache,
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(kept.x.len()));
        if let Some(dx) = &mut dx {
            global_max_pool_backward(cache, &dout, InputGradient::Overwrite(dx))?;
        }
        pull.spare(dout);
        Ok(dx)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        _caches: [&mut GlobalMaxPoolCache; 2],
    ) -> Result<Buffer> {
        let mut dx = pull.take(pair.x.len());
        let target = InputGradient::Overwrite(&mut dx);
        let [x, reference] = [pair.x, pair.reference];
        global_max_pool_multipliers(&self.0, x, reference, call.lengths, &dout, target)?;
        pull.spare(dout);
        Ok(dx)
    }
}
