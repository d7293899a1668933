//! A block with a way around it.

use super::{Layer, Misfit, Rule};
use crate::Result;
use crate::kernel::activation::{add_assign, relu_backward_in_place, relu_in_place};
use crate::kernel::buffer::Buffer;
use crate::network::Shape;
use crate::network::engine::{
    Call, Flow, Kept, Operation, Pair, Place, Pull, Sequence, SequenceState,
};
use serde::{Deserialize, Serialize};

/// body(x) + shortcut(x).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Residual {
    /// Its name; not needed. Layers inside have whole names of their own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The block.
    pub body: Vec<Layer>,
    /// The way around it; none is the identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortcut: Vec<Layer>,
}

impl Rule for Residual {
    /// The description's walk checks both ways and their sum.
    fn output(&self, input: Shape) -> Result<Shape, Misfit> {
        Ok(input)
    }

    fn lower(&self, place: &mut Place<'_, '_>) {
        let body = place.inside(&self.body);
        let shortcut = place.inside(&self.shortcut);
        let relu = place.take_relu();
        place.push(Sum {
            body,
            shortcut,
            relu,
        });
    }
}

/// Both ways, their sum, and `ReLU` where it follows.
#[derive(Debug)]
struct Sum {
    body: Sequence,
    shortcut: Sequence,
    relu: bool,
}

#[derive(Default)]
struct SumState {
    body: SequenceState,
    shortcut: SequenceState,
}

impl Operation for Sum {
    type State = SumState;

    fn has_parameters(&self) -> bool {
        self.body.has_parameters() || self.shortcut.has_parameters()
    }

    fn depends_on_mode(&self) -> bool {
        self.body.depends_on_mode() || self.shortcut.depends_on_mode()
    }

    fn valid_steps(&self, steps: usize) -> usize {
        self.body.valid_steps(steps)
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        state: &mut SumState,
    ) -> Result<Flow> {
        self.body.forward(0, call, x, &mut state.body)?;
        self.shortcut.forward(0, call, x, &mut state.shortcut)?;
        out.copy_from(state.body.last(x));
        add_assign(state.shortcut.last(x), out)?;
        if self.relu {
            relu_in_place(out);
        }
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        mut dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        state: &mut SumState,
    ) -> Result<Option<Buffer>> {
        if self.relu {
            relu_backward_in_place(kept.out, &mut dout);
        }
        let mut branch = pull.take(dout.len());
        branch.copy_from_slice(&dout);
        let SumState { body, shortcut } = state;
        let through = self
            .body
            .backward(call, kept.x, branch, wanted, pull, body)?;
        let around = self
            .shortcut
            .backward(call, kept.x, dout, wanted, pull, shortcut)?;
        join(through, around, pull)
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        states: [&mut SumState; 2],
    ) -> Result<Buffer> {
        let [state, reference] = states;
        let mut branch = pull.take(dout.len());
        branch.copy_from_slice(&dout);
        let bodies = [&mut state.body, &mut reference.body];
        let mut through = self.body.multipliers(call, pair, branch, pull, bodies)?;
        let shortcuts = [&mut state.shortcut, &mut reference.shortcut];
        let around = self
            .shortcut
            .multipliers(call, pair, dout, pull, shortcuts)?;
        add_assign(&around, &mut through)?;
        pull.spare(around);
        Ok(through)
    }

    fn absorb(&self, state: &SumState, parameters: &mut [f32]) {
        self.body.absorb(&state.body, parameters);
        self.shortcut.absorb(&state.shortcut, parameters);
    }
}

/// The sum of both gradients, where they are wanted.
fn join(
    through: Option<Buffer>,
    around: Option<Buffer>,
    pull: &mut Pull<'_>,
) -> Result<Option<Buffer>> {
    let (Some(mut through), Some(around)) = (through, around) else {
        return Ok(None);
    };
    add_assign(&around, &mut through)?;
    pull.spare(around);
    Ok(Some(through))
}
