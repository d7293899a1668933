//! Dropout.

use super::{Misfit, Rule};
use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::dropout::{DropoutKey, dropout, dropout_in_place};
use crate::network::engine::{Call, Flow, Kept, Operation, Place, Pull};
use crate::network::{Mode, Shape};
use serde::{Deserialize, Serialize};

/// In training each value is dropped with probability `p` and otherwise divided by `1 − p`; in
/// other modes nothing happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Dropout {
    /// Its name; not needed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The probability, 0 or more and below 1.
    pub p: f32,
}

/// Refuses what is no probability below 1.
pub(super) fn check_probability(p: f32) -> Result<(), Misfit> {
    if (0.0..1.0).contains(&p) {
        return Ok(());
    }
    Err(Misfit::new(p, "a probability of 0 or more and below 1"))
}

impl Rule for Dropout {
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        check_probability(self.p)?;
        Ok(input)
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let index = place.next_dropout();
        place.push(Drop { p: self.p, index });
    }
}

/// `index` tells it from the network's other dropout layers.
#[derive(Debug)]
struct Drop {
    p: f32,
    index: u64,
}

impl Operation for Drop {
    type State = ();

    fn depends_on_mode(&self) -> bool {
        true
    }

    fn forward(&self, call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        let Mode::Training { seed } = call.mode else {
            return Ok(Flow::Unchanged);
        };
        let key = DropoutKey::new(seed, self.index);
        dropout(key, self.p, x, out.resize(x.len()))?;
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        _kept: Kept<'_>,
        mut dout: Buffer,
        _wanted: bool,
        _pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        if let Mode::Training { seed } = call.mode {
            dropout_in_place(DropoutKey::new(seed, self.index), self.p, &mut dout);
        }
        Ok(Some(dout))
    }
}
