//! How a table of layers is walked: shapes, and where each layer finds its parameters, what it
//! reads and where it writes.

use super::{Layer, Shape};
use crate::Error;

/// Where values lie in a pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the caller's input.
    Input,
    /// In memory of our own.
    Own {
        /// In an inference: which of the [`BUFFERS`].
        buffer: usize,
        /// In a pass that keeps everything: where in the tape.
        tape: usize,
    },
}

/// Two that take turns, and one more while a residual block holds one of them.
pub(super) const BUFFERS: usize = 3;

/// A layer in its place.
#[derive(Clone, Copy)]
pub(super) struct Stage<'t> {
    pub(super) layer: &'t Layer,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// The number of its first parameter, and how many there are.
    pub(super) first: usize,
    pub(super) parameters: usize,
    pub(super) reads: Place,
    pub(super) writes: Place,
    /// What [`Layer::ResidualAdd`] adds.
    pub(super) skip: Place,
}

impl Stage<'_> {
    /// True when the output takes the input's place.
    pub(super) fn is_in_place(&self) -> bool {
        self.reads == self.writes
    }
}

/// A way around some layers.
#[derive(Clone, Copy)]
struct Skip {
    place: Place,
    shape: Shape,
}

/// Goes through a table from its first layer.
#[derive(Clone, Copy)]
pub(super) struct Walk<'t> {
    rest: &'t [Layer],
    number: usize,
    shape: Shape,
    parameters: usize,
    tape: usize,
    place: Place,
    skip: Option<Skip>,
    /// Whether the layer in front wrote what the next one reads, for nobody else.
    is_owned: bool,
}

impl<'t> Walk<'t> {
    pub(super) const fn new(layers: &'t [Layer], input: Shape) -> Self {
        Self {
            rest: layers,
            number: 0,
            shape: input,
            parameters: 0,
            tape: 0,
            place: Place::Input,
            skip: None,
            is_owned: false,
        }
    }

    /// Refuses the next layer where it does not fit, or sizes would pass counting.
    const fn check(&self) -> Result<(), Error> {
        let [layer, ..] = self.rest else {
            return Ok(());
        };
        let output = match layer.output(self.shape) {
            Ok(output) => output,
            Err(argument) => return Err(self.misfit(argument)),
        };
        let Some(values) = output.checked_len() else {
            return Err(self.misfit("size"));
        };
        let (Some(parameters), Some((_, kept)), Some(_)) = (
            layer.parameters(self.shape),
            layer.scratch(self.shape),
            layer.products(self.shape, output),
        ) else {
            return Err(self.misfit("size"));
        };
        let Some(own) = values.checked_add(kept) else {
            return Err(self.misfit("size"));
        };
        if self.parameters.checked_add(parameters).is_none() || self.tape.checked_add(own).is_none()
        {
            return Err(self.misfit("size"));
        }
        let is_closed = match (layer, &self.skip) {
            (Layer::ResidualStart, skip) => skip.is_none(),
            (Layer::ResidualAdd, Some(skip)) => self.fits(skip),
            (Layer::ResidualAdd, None) => false,
            _ => true,
        };
        if is_closed {
            Ok(())
        } else {
            Err(self.misfit("residual"))
        }
    }

    /// The next layer of a table that was checked.
    pub(super) const fn next(&mut self) -> Option<Stage<'t>> {
        let [layer, rest @ ..] = self.rest else {
            return None;
        };
        let input = self.shape;
        let Ok(output) = layer.output(input) else {
            return None;
        };
        let parameters = match layer.parameters(input) {
            Some(parameters) => parameters,
            None => 0,
        };
        let reads = self.place;
        let writes = if layer.is_free() || (matches!(layer, Layer::Relu) && self.is_owned) {
            reads
        } else {
            let writes = Place::Own {
                buffer: self.free_buffer(),
                tape: self.tape,
            };
            self.tape += output.len();
            if let Some((_, kept)) = layer.scratch(input) {
                self.tape += kept;
            }
            writes
        };
        let skip = match &self.skip {
            Some(skip) => skip.place,
            None => reads,
        };
        match layer {
            Layer::ResidualStart => {
                self.skip = Some(Skip {
                    place: reads,
                    shape: input,
                });
                self.is_owned = false;
            }
            Layer::ResidualAdd => self.skip = None,
            _ => {}
        }
        if !layer.is_free() {
            self.is_owned = true;
        }
        let first = self.parameters;
        self.rest = rest;
        self.number += 1;
        self.shape = output;
        self.parameters += parameters;
        self.place = writes;
        Some(Stage {
            layer,
            input,
            output,
            first,
            parameters,
            reads,
            writes,
            skip,
        })
    }

    const fn misfit(&self, argument: &'static str) -> Error {
        Error::Layer {
            layer: self.number,
            argument,
        }
    }

    /// A sum of equal shapes with something between.
    const fn fits(&self, skip: &Skip) -> bool {
        self.is_owned
            && self.shape.positions == skip.shape.positions
            && self.shape.channels == skip.shape.channels
    }

    /// A buffer that is neither read next nor held by a residual block.
    const fn free_buffer(&self) -> usize {
        let read = match self.place {
            Place::Own { buffer, .. } => buffer,
            Place::Input => BUFFERS,
        };
        let held = match self.skip {
            Some(Skip {
                place: Place::Own { buffer, .. },
                ..
            }) => buffer,
            _ => BUFFERS,
        };
        if read != 0 && held != 0 {
            0
        } else if read != 1 && held != 1 {
            1
        } else {
            2
        }
    }
}

/// What the passes of a table need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) parameters: usize,
    pub(super) classes: usize,
    /// Values of each of an inference's buffers.
    pub(super) buffers: [usize; BUFFERS],
    /// Values that one layer of an inference needs beside them.
    pub(super) state: usize,
    /// Values of everything that a backward pass needs.
    pub(super) tape: usize,
    /// Values of the largest activation, the input among them.
    pub(super) widest: usize,
    /// Products of an inference.
    pub(super) products: usize,
}

impl Sizes {
    /// Checks a table, of which only layers of `kinds` may be.
    pub(super) const fn of(layers: &[Layer], input: Shape, kinds: u16) -> Result<Self, Error> {
        if layers.is_empty() {
            return Err(Error::Empty { argument: "layers" });
        }
        let Some(mut widest) = input.checked_len() else {
            return Err(Error::Range { argument: "input" });
        };
        if widest == 0 {
            return Err(Error::Empty { argument: "input" });
        }
        let mut walk = Walk::new(layers, input);
        let mut buffers = [0; BUFFERS];
        let (mut state, mut products) = (0, 0_usize);
        loop {
            if let Err(error) = walk.check() {
                return Err(error);
            }
            let before = walk;
            let Some(stage) = walk.next() else { break };
            if stage.layer.kind() & !kinds != 0 {
                return Err(before.misfit("kind"));
            }
            let values = stage.output.len();
            if let Place::Own { buffer, .. } = stage.writes {
                let [a, b, c] = &mut buffers;
                let room = match buffer {
                    0 => a,
                    1 => b,
                    _ => c,
                };
                *room = largest(*room, values);
            }
            if let Some((own, _)) = stage.layer.scratch(stage.input) {
                state = largest(state, own);
            }
            widest = largest(widest, values);
            let Some(own) = stage.layer.products(stage.input, stage.output) else {
                return Err(before.misfit("size"));
            };
            let Some(sum) = products.checked_add(own) else {
                return Err(before.misfit("size"));
            };
            products = sum;
        }
        walk.number -= 1;
        if walk.skip.is_some() {
            return Err(walk.misfit("residual"));
        }
        if walk.shape.positions != 1 {
            return Err(walk.misfit("output"));
        }
        let sizes = Self {
            parameters: walk.parameters,
            classes: walk.shape.channels,
            buffers,
            state,
            tape: walk.tape,
            widest,
            products,
        };
        match sizes.total() {
            Some(_) => Ok(sizes),
            None => Err(walk.misfit("size")),
        }
    }

    /// More than any `…_len` of the network, so that none overflows; `None` when that does.
    const fn total(&self) -> Option<usize> {
        let parts = [
            self.buffers[0],
            self.buffers[1],
            self.buffers[2],
            self.state,
            self.tape,
            self.widest,
            self.widest,
            self.widest,
            self.widest,
            self.widest,
            self.widest,
        ];
        let mut total = 0_usize;
        let mut rest = parts.as_slice();
        while let [part, behind @ ..] = rest {
            total = match total.checked_add(*part) {
                Some(total) => total,
                None => return None,
            };
            rest = behind;
        }
        Some(total)
    }
}

const fn largest(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}
