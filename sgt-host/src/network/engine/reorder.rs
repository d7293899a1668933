//! Changes of the memory order of a sample.

use super::operation::{Call, Flow, Kept, Operation, Pull};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::layout::transpose;
use rayon::prelude::*;

/// Transposes each sample `[rows, columns]`.
#[derive(Debug)]
pub(crate) struct Reorder {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

fn transposed(rows: usize, columns: usize, x: &[f32], out: &mut [f32]) {
    out.par_chunks_exact_mut(rows * columns)
        .zip(x.par_chunks_exact(rows * columns))
        .for_each(|(out, x)| transpose(rows, columns, x, out));
}

impl Operation for Reorder {
    type State = ();

    fn forward(&self, _call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        transposed(self.rows, self.columns, x, out.resize(x.len()));
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        _kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        let mut dx = wanted.then(|| pull.take(dout.len()));
        if let Some(dx) = &mut dx {
            transposed(self.columns, self.rows, &dout, dx);
        }
        pull.spare(dout);
        Ok(dx)
    }
}
