//! One operation of the CPU engine: what a layer does to a batch, forwards and backwards.

use crate::Result;
use crate::kernel::buffer::Buffer;
use crate::kernel::request::Keep;
use crate::network::Mode;
use std::any::Any;
use std::fmt::Debug;
use std::ops::Range;

/// What every operation of a pass sees beside its activations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// All parameters of the network.
    pub(crate) parameters: &'a [f32],
    /// Samples.
    pub(crate) batch: usize,
    pub(crate) mode: Mode,
    /// Real steps of each sample at the operation's input, where padding is to be skipped.
    pub(crate) lengths: Option<&'a [usize]>,
}

impl<'a> Call<'a> {
    /// The parameter in `range`.
    pub(crate) fn read(&self, range: &Range<usize>) -> &'a [f32] {
        &self.parameters[range.clone()]
    }

    /// What a forward pass in this mode keeps.
    pub(crate) fn keep(&self) -> Keep {
        match self.mode {
            Mode::InputGradient => Keep::ForInput,
            Mode::Training { .. } | Mode::Evaluation => Keep::ForWeights,
        }
    }
}

/// Where an operation's output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// In the buffer it was given.
    Written,
    /// It is the input.
    Unchanged,
}

/// The activations of a forward pass around one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) out: &'a [f32],
}

/// The activations of a batch and of its references around one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) reference: &'a [f32],
    pub(crate) out: &'a [f32],
    pub(crate) reference_out: &'a [f32],
    /// Recurrent layers and attention pass plain gradients, as in Captum.
    pub(crate) as_captum: bool,
}

impl<'a> Pair<'a> {
    /// The activations of the batch alone.
    pub(crate) fn kept(&self) -> Kept<'a> {
        Kept {
            x: self.x,
            out: self.out,
        }
    }
}

/// What backward passes share: the parameters' gradient, and buffers that wait for their next use.
pub(crate) struct Pull<'a> {
    /// The parameters' gradient, to be added to; none when it is not wanted.
    pub(crate) gradient: Option<&'a mut [f32]>,
    pub(crate) free: &'a mut Vec<Buffer>,
}

impl Pull<'_> {
    /// A buffer of `len` unspecified values.
    pub(crate) fn take(&mut self, len: usize) -> Buffer {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.resize(len);
        buffer
    }

    /// Gives a buffer back.
    pub(crate) fn spare(&mut self, buffer: Buffer) {
        self.free.push(buffer);
    }

    /// The gradients of the parameters in `ranges`, which ascend; none when they are not wanted.
    pub(crate) fn gradients<const N: usize>(
        &mut self,
        ranges: [&Range<usize>; N],
    ) -> Option<[&mut [f32]; N]> {
        let mut gradient = self.gradient.as_deref_mut()?;
        let mut start = 0;
        Some(ranges.map(|range| {
            let rest = std::mem::take(&mut gradient);
            let (piece, rest) = rest[range.start - start..].split_at_mut(range.len());
            gradient = rest;
            start = range.end;
            piece
        }))
    }
}

/// What a layer does on the CPU.
pub(crate) trait Operation: Debug + Send + Sync + 'static {
    /// What a forward pass keeps beside input and output.
    type State: Default + Send + 'static;

    /// True when it has parameters to train.
    fn has_parameters(&self) -> bool {
        false
    }

    /// True when training and evaluation give different outputs.
    fn depends_on_mode(&self) -> bool {
        false
    }

    /// Real steps of its output when its input has `steps`.
    fn valid_steps(&self, steps: usize) -> usize {
        steps
    }

    /// Computes the output of the batch `x`.
    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        state: &mut Self::State,
    ) -> Result<Flow>;

    /// Pulls `dout` back: adds to the parameters' gradient and gives the input's, when `wanted`.
    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        state: &mut Self::State,
    ) -> Result<Option<Buffer>>;

    /// Pulls multipliers `dout` back by `DeepLIFT`'s rules, between the passes of a batch and of its
    /// references. Operations that are linear in their input pass multipliers as gradients.
    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [state, _]: [&mut Self::State; 2],
    ) -> Result<Buffer> {
        let dx = self.backward(call, pair.kept(), dout, true, pull, state)?;
        Ok(dx.unwrap_or_default())
    }

    /// Moves running statistics towards those of a training pass.
    fn absorb(&self, _state: &Self::State, _parameters: &mut [f32]) {}
}

/// An [`Operation`] whose state has lost its type.
pub(crate) trait AnyOperation: Debug + Send + Sync {
    fn new_state(&self) -> Box<dyn Any + Send>;
    fn has_parameters(&self) -> bool;
    fn depends_on_mode(&self) -> bool;
    fn valid_steps(&self, steps: usize) -> usize;
    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        state: &mut dyn Any,
    ) -> Result<Flow>;
    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        state: &mut dyn Any,
    ) -> Result<Option<Buffer>>;
    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        states: [&mut dyn Any; 2],
    ) -> Result<Buffer>;
    fn absorb(&self, state: &dyn Any, parameters: &mut [f32]);
}

/// The state of operation `O`: a pass that another network filled was refused before.
fn typed<O: Operation>(state: &mut dyn Any) -> &mut O::State {
    let state = state.downcast_mut();
    state.unwrap_or_else(|| unreachable!("a pass has the states of its own network"))
}

impl<O: Operation> AnyOperation for O {
    fn new_state(&self) -> Box<dyn Any + Send> {
        Box::new(O::State::default())
    }

    fn has_parameters(&self) -> bool {
        Operation::has_parameters(self)
    }

    fn depends_on_mode(&self) -> bool {
        Operation::depends_on_mode(self)
    }

    fn valid_steps(&self, steps: usize) -> usize {
        Operation::valid_steps(self, steps)
    }

    fn forward(
        &self,
        call: &Call<'_>,
        x: &[f32],
        out: &mut Buffer,
        state: &mut dyn Any,
    ) -> Result<Flow> {
        Operation::forward(self, call, x, out, typed::<O>(state))
    }

    fn backward(
        &self,
        call: &Call<'_>,
        kept: Kept<'_>,
        dout: Buffer,
        wanted: bool,
        pull: &mut Pull<'_>,
        state: &mut dyn Any,
    ) -> Result<Option<Buffer>> {
        Operation::backward(self, call, kept, dout, wanted, pull, typed::<O>(state))
    }

    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        states: [&mut dyn Any; 2],
    ) -> Result<Buffer> {
        Operation::multipliers(self, call, pair, dout, pull, states.map(typed::<O>))
    }

    fn absorb(&self, state: &dyn Any, parameters: &mut [f32]) {
        if let Some(state) = state.downcast_ref() {
            Operation::absorb(self, state, parameters);
        }
    }
}
