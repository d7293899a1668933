//! The CPU engine: a [`Description`] with parameters, executed.
//!
//! A network's layers are lowered once to operations over the kernels of [`crate::kernel`]; layers
//! that follow each other are fused where a kernel computes them together. Between operations
//! activations lie channels-last; inputs and weights have PyTorch's order.

mod operation;
mod padding;
mod pass;
mod place;
mod reorder;
mod sequence;

pub(crate) use operation::{Call, Flow, Kept, Operation, Pair, Pull};
pub use pass::NetworkPass;
pub(crate) use place::Place;
pub(crate) use reorder::Reorder;
pub(crate) use sequence::{Sequence, SequenceState};

use super::layer::Layer;
use super::start::{Start, draw};
use super::{Description, InputShape, Mode, Model, Parameters, Rescaling, Samples, Shape, limits};
use crate::kernel::buffer::Buffer;
use crate::kernel::embedding::{embedding_backward, embedding_forward};
use crate::kernel::{batch_len, expect_len};
use crate::{Error, Result};
use padding::Padding;
use place::Lowering;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// 0 belongs to no network.
static NEXT_IDENTITY: AtomicU64 = AtomicU64::new(1);

/// A network of [`Description`]'s layers on the CPU.
///
/// Same parameters, same batch, same mode: the same bits, whatever the number of threads.
#[derive(Clone, Debug)]
pub struct Network {
    description: Arc<Description>,
    classes: usize,
    parameters: Parameters,
    fused: Arc<Sequence>,
    /// Tells networks of different operations apart; clones share it.
    identity: u64,
    /// See [`Model::least_batch`].
    least_batch: usize,
    /// One operation a layer, for rules that need what lies between; made when first needed.
    plain: Arc<OnceLock<Sequence>>,
}

impl Network {
    /// The network that `description` says, its parameters drawn from `seed` as PyTorch draws
    /// them.
    ///
    /// # Errors
    /// As [`Description::summary`].
    pub fn new(description: &Description, seed: u64) -> Result<Self> {
        Self::within(description, seed, limits::PARAMETERS)
    }

    /// [`Network::new`] for a description of a stranger: at most `limit` parameters are allocated.
    ///
    /// # Errors
    /// As [`Description::summary`], and [`Error::Argument`] when there would be more than `limit`
    /// parameters.
    pub fn within(description: &Description, seed: u64, limit: usize) -> Result<Self> {
        let (mut parameters, starts) = declare(description)?;
        let declared = parameters.declared();
        if declared > limit {
            return Err(Error::Argument {
                argument: "sizes".into(),
                found: format!("a network of {declared} parameters"),
                expected: format!("at most {limit}"),
            });
        }
        // A fused kernel does not clear the padding between its layers.
        let (fused, output) = lower(description, &parameters, !description.skip_padding);
        parameters.allocate();
        draw(&mut parameters, &starts, seed);
        Ok(Self {
            description: Arc::new(description.clone()),
            classes: output.len(),
            least_batch: least_batch(description)?,
            parameters,
            fused: Arc::new(fused),
            identity: NEXT_IDENTITY.fetch_add(1, Ordering::Relaxed),
            plain: Arc::default(),
        })
    }

    /// What the network is.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The table of the embedding in front, and the values of a vector.
    fn embedding(&self) -> Result<(Range<usize>, usize)> {
        if let Some(Layer::Embedding(layer)) = self.description.layers.first()
            && let Some(entry) = self.parameters.entries().first()
        {
            return Ok((entry.range.clone(), layer.dim));
        }
        Err(Error::Argument {
            argument: "network".into(),
            found: "no embedding".into(),
            expected: "an embedding as the first layer".into(),
        })
    }

    /// The vectors `[words, dim]` of words by their numbers: what [`Model::forward`] reads.
    ///
    /// # Errors
    /// [`Error::Argument`] for a network without an embedding, or a number beyond its vocabulary.
    pub fn embed(&self, words: &[usize]) -> Result<Vec<f32>> {
        let (table, dim) = self.embedding()?;
        let mut vectors = vec![0.0; words.len() * dim];
        let table = &self.parameters.values()[table];
        embedding_forward(dim, table, words, &mut vectors)?;
        Ok(vectors)
    }

    /// Adds the gradient `dx` `[words, dim]` of embedded words to their rows of the embedding's
    /// table in `gradient`, which is laid out as [`Model::parameters`].
    ///
    /// # Errors
    /// As [`Network::embed`]; [`Error::Shape`] on mismatched lengths.
    pub fn add_embedding_gradient(
        &self,
        words: &[usize],
        dx: &[f32],
        gradient: &mut [f32],
    ) -> Result<()> {
        let (table, dim) = self.embedding()?;
        let values = self.parameters.values().len();
        expect_len("embedding", "gradient", gradient.len(), values)?;
        embedding_backward(dim, words, dx, &mut gradient[table])
    }

    fn plain(&self) -> &Sequence {
        let lower = || lower(&self.description, &self.parameters, false).0;
        self.plain.get_or_init(lower)
    }

    fn check_pass(&self, operation: &'static str, pass: &NetworkPass) -> Result<()> {
        if pass.batch > 0 && pass.network == self.identity {
            return Ok(());
        }
        Err(Error::Shape {
            operation,
            found: "a pass without activations of this network".into(),
            expected: "a forward pass of this network".into(),
        })
    }

    /// Copies a batch into `input`, and gives the number of samples. Where padding is skipped, the
    /// real steps of each sample come first, with zeros behind them.
    fn take_samples(
        &self,
        samples: Samples<'_>,
        input: &mut Buffer,
        padding: &mut Option<Padding>,
    ) -> Result<usize> {
        let batch = batch_len("network", "x", samples.x.len(), self.input().len())?;
        *padding = None;
        input.copy_from(samples.x);
        if self.description.skip_padding && !samples.valid.is_empty() {
            samples.check_valid(batch, self.input())?;
            let own = padding.insert(Padding::new(samples.valid));
            own.to_front(self.input(), input);
        }
        Ok(batch)
    }

    /// Runs the operations from `first` on.
    fn run<'p>(
        &self,
        first: usize,
        batch: usize,
        mode: Mode,
        pass: &'p mut NetworkPass,
    ) -> Result<&'p [f32]> {
        pass.batch = 0;
        let call = Call {
            parameters: self.parameters.values(),
            batch,
            mode,
            lengths: pass.padding.as_ref().map(Padding::lengths),
        };
        self.fused
            .forward(first, &call, &pass.input, &mut pass.state)?;
        pass.batch = batch;
        pass.mode = mode;
        Ok(pass.state.last(&pass.input))
    }
}

/// The operations of a checked description, and what the last gives.
fn lower(description: &Description, parameters: &Parameters, fuse: bool) -> (Sequence, Shape) {
    let ranges: Vec<Range<usize>> = parameters
        .entries()
        .iter()
        .map(|entry| entry.range.clone())
        .collect();
    let mut lowering = Lowering::new(&ranges, fuse);
    let input = description.input;
    let shape = Shape::of_input(input);
    let (mut operations, output) = lowering.layers(&description.layers, shape);
    if input.is_channels_first() && input.channels() > 1 && input.positions() > 1 {
        let reorder = Reorder {
            rows: input.channels(),
            columns: input.positions(),
        };
        operations.push_front(Box::new(reorder), shape);
    }
    (operations, output)
}

/// The parameters of a network, not yet allocated, and what each begins with.
pub(crate) fn declare(description: &Description) -> Result<(Parameters, Vec<Start>)> {
    let mut parameters = Parameters::new();
    let mut starts = Vec::new();
    for layer in description.summary()? {
        for tensor in layer.tensors {
            let name = format!("{}.{}", layer.layer.name(), tensor.suffix);
            parameters.declare(name, tensor.shape, tensor.trainable);
            starts.push(tensor.start);
        }
    }
    Ok((parameters, starts))
}

/// See [`Model::least_batch`].
fn least_batch(description: &Description) -> Result<usize> {
    let summary = description.summary()?;
    let single = summary
        .iter()
        .any(|layer| matches!(layer.layer, Layer::BatchNorm(_)) && layer.input.positions() == 1);
    Ok(if single { 2 } else { 1 })
}

impl Model for Network {
    type Pass = NetworkPass;

    fn input(&self) -> InputShape {
        self.description.input
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn least_batch(&self) -> usize {
        self.least_batch
    }

    fn forward<'s, 'p>(
        &self,
        samples: impl Into<Samples<'s>>,
        mode: Mode,
        pass: &'p mut NetworkPass,
    ) -> Result<&'p [f32]> {
        pass.batch = 0;
        if pass.network != self.identity {
            pass.network = self.identity;
            pass.state = SequenceState::default();
        }
        let batch = self.take_samples(samples.into(), &mut pass.input, &mut pass.padding)?;
        self.run(0, batch, mode, pass)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut NetworkPass) -> Result<&'p [f32]> {
        self.check_pass("forward again", pass)?;
        let batch = pass.batch;
        // A pass for the input's gradient alone has not kept what other modes need.
        let first = if pass.mode == Mode::InputGradient && mode != Mode::InputGradient {
            0
        } else {
            self.fused.first_that_depends_on_mode()
        };
        self.run(first, batch, mode, pass)
    }

    fn backward(
        &self,
        pass: &mut NetworkPass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        self.check_pass("backward", pass)?;
        let logits = pass.batch * self.classes;
        expect_len("backward", "dlogits", dlogits.len(), logits)?;
        if let Some(dx) = &dx {
            expect_len("backward", "dx", dx.len(), pass.input.len())?;
        }
        if let Some(gradient) = &gradient {
            let values = self.parameters.values().len();
            expect_len("backward", "gradient", gradient.len(), values)?;
            if pass.mode == Mode::InputGradient {
                return Err(Error::Shape {
                    operation: "backward",
                    found: "a pass for the input's gradient alone".into(),
                    expected: "a training or evaluation pass, to have weight gradients".into(),
                });
            }
        }
        let call = Call {
            parameters: self.parameters.values(),
            batch: pass.batch,
            mode: pass.mode,
            lengths: pass.padding.as_ref().map(Padding::lengths),
        };
        let mut pull = Pull {
            gradient,
            free: &mut pass.free,
        };
        let mut dout = pull.take(dlogits.len());
        dout.copy_from_slice(dlogits);
        let state = &mut pass.state;
        let result =
            self.fused
                .backward(&call, &pass.input, dout, dx.is_some(), &mut pull, state)?;
        if let Some(buffer) = result {
            if let Some(dx) = dx {
                dx.copy_from_slice(&buffer);
                if let Some(padding) = &pass.padding {
                    padding.back(self.input(), dx);
                }
            }
            pass.free.push(buffer);
        }
        Ok(())
    }

    fn multipliers(
        &self,
        samples: Samples<'_>,
        reference: &[f32],
        dlogits: &[f32],
        rules: Rescaling,
        dx: &mut [f32],
    ) -> Result<()> {
        expect_len(
            "rescale rule",
            "reference",
            reference.len(),
            samples.x.len(),
        )?;
        expect_len("rescale rule", "dx", dx.len(), samples.x.len())?;
        let (mut inputs, mut padding) = ([Buffer::default(), Buffer::default()], None);
        let references = Samples {
            x: reference,
            ..samples
        };
        let batch = self.take_samples(samples, &mut inputs[0], &mut padding)?;
        self.take_samples(references, &mut inputs[1], &mut padding)?;
        let logits = batch * self.classes;
        expect_len("rescale rule", "dlogits", dlogits.len(), logits)?;
        let call = Call {
            parameters: self.parameters.values(),
            batch,
            mode: Mode::InputGradient,
            lengths: padding.as_ref().map(Padding::lengths),
        };
        let plain = self.plain();
        let mut states = [SequenceState::default(), SequenceState::default()];
        for (input, state) in inputs.iter().zip(&mut states) {
            plain.forward(0, &call, input, state)?;
        }
        let mut free = Vec::new();
        let mut pull = Pull {
            gradient: None,
            free: &mut free,
        };
        let mut dout = pull.take(dlogits.len());
        dout.copy_from_slice(dlogits);
        let pair = Pair {
            x: &inputs[0],
            reference: &inputs[1],
            out: &[],
            reference_out: &[],
            as_captum: rules == Rescaling::AsCaptum,
        };
        let result = plain.multipliers(&call, pair, dout, &mut pull, states.each_mut())?;
        dx.copy_from_slice(&result);
        if let Some(padding) = &padding {
            padding.back(self.input(), dx);
        }
        Ok(())
    }

    fn absorb_statistics(&mut self, pass: &NetworkPass) {
        if matches!(pass.mode, Mode::Training { .. }) && pass.network == self.identity {
            self.fused.absorb(&pass.state, self.parameters.values_mut());
        }
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}
