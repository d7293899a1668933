//! The long short-term memory.

use crate::network::{Layer, Shape, layer};
use crate::typed::chain::{Chain, Step};
use crate::typed::form::{Form, Series, Vector};
use crate::typed::message::{Message, check_inputs, check_size};
use crate::typed::weights::{NoWeights, weights};
use dfdx::nn::tensor_collection::TensorCollection;
use dfdx::prelude::{Device, Dtype, Rank1, Rank2, Rank3};
use std::fmt::Debug;
use std::marker::PhantomData;

/// An LSTM from `I` channels to `H` hidden units in the directions `W`, of which `R` is given.
#[derive(Clone, Copy, Debug)]
pub struct Lstm<const I: usize, const H: usize, W = Forward, R = Last>(PhantomData<(W, R)>);

weights! {
    /// The tensors of a [`Lstm`] from the first step to the last. Gates, in the order i, f, g, o, are
    /// an axis of their own: the same values in the same order as PyTorch's `[4 · H, …]`.
    LstmWeights<const I, const H> {
        /// Of the input.
        weight_ih_l0: Rank3<4, H, I>,
        /// Of the state.
        weight_hh_l0: Rank3<4, H, H>,
        /// One bias.
        bias_ih_l0: Rank2<4, H>,
        /// The other bias.
        bias_hh_l0: Rank2<4, H>,
    }
    of layer::Lstm::new("", H), Shape::Series { steps: 1, channels: I }
}

weights! {
    /// The tensors of a [`Lstm`] from the last step to the first, as [`LstmWeights`].
    ReverseLstmWeights<const I, const H> {
        /// Of the input.
        weight_ih_l0_reverse: Rank3<4, H, I>,
        /// Of the state.
        weight_hh_l0_reverse: Rank3<4, H, H>,
        /// One bias.
        bias_ih_l0_reverse: Rank2<4, H>,
        /// The other bias.
        bias_hh_l0_reverse: Rank2<4, H>,
    }
    of layer::Lstm { direction: layer::Direction::Reverse, ..layer::Lstm::new("", H) },
    Shape::Series { steps: 1, channels: I }
}

/// The directions of time of a [`Lstm`].
pub trait Direction: Clone + Debug + Send + Sync + 'static {
    /// As data.
    const DIRECTION: layer::Direction;
    /// States side by side.
    const DIRECTIONS: usize;
    /// The tensors.
    type Weights<const I: usize, const H: usize, E: Dtype, D: Device<E>>: TensorCollection<E, D, To<E, D> = Self::Weights<I, H, E, D>>
        + Clone
        + Debug;
}

/// From the first step to the last.
#[derive(Clone, Copy, Debug)]
pub enum Forward {}

/// From the last step to the first.
#[derive(Clone, Copy, Debug)]
pub enum Reverse {}

/// Both, their states side by side.
#[derive(Clone, Copy, Debug)]
pub enum Both {}

impl Direction for Forward {
    const DIRECTION: layer::Direction = layer::Direction::Forward;
    const DIRECTIONS: usize = 1;
    type Weights<const I: usize, const H: usize, E: Dtype, D: Device<E>> = LstmWeights<I, H, E, D>;
}

impl Direction for Reverse {
    const DIRECTION: layer::Direction = layer::Direction::Reverse;
    const DIRECTIONS: usize = 1;
    type Weights<const I: usize, const H: usize, E: Dtype, D: Device<E>> =
        ReverseLstmWeights<I, H, E, D>;
}

impl Direction for Both {
    const DIRECTION: layer::Direction = layer::Direction::Both;
    const DIRECTIONS: usize = 2;
    type Weights<const I: usize, const H: usize, E: Dtype, D: Device<E>> =
        (LstmWeights<I, H, E, D>, ReverseLstmWeights<I, H, E, D>);
}

/// What a [`Lstm`] gives.
pub trait Readout: Clone + Debug + Send + Sync + 'static {
    /// As data.
    const READOUT: layer::Readout;
    /// States that it reads a step; none for any number.
    const WIDTH: Option<usize>;
    /// A vector or a series.
    type Form: Form;
    /// Its own tensors.
    type Weights<E: Dtype, D: Device<E>>: TensorCollection<E, D, To<E, D> = Self::Weights<E, D>>
        + Clone
        + Debug;
}

/// Makes the readouts without tensors.
macro_rules! readouts {
    ($($(#[$doc:meta])* $readout:ident: $form:ident),+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $readout {}

        impl Readout for $readout {
            const READOUT: layer::Readout = layer::Readout::$readout;
            const WIDTH: Option<usize> = None;
            type Form = $form;
            type Weights<E: Dtype, D: Device<E>> = NoWeights;
        }
    )+};
}

readouts! {
    /// The state after the last step of a direction.
    Last: Vector,
    /// The mean of the states of all steps.
    Mean: Vector,
    /// The largest value of each unit over all steps.
    Max: Vector,
    /// The states of all steps.
    All: Series
}

/// A mean of the states, `WIDTH` values a step, weighted by a learned attention to the steps.
#[derive(Clone, Copy, Debug)]
pub enum Attention<const WIDTH: usize> {}

weights! {
    /// The tensors of an [`Attention`].
    AttentionWeights<const WIDTH> {
        /// `[WIDTH, WIDTH]`.
        attention_weight: Rank2<WIDTH, WIDTH>,
        /// `[WIDTH]`.
        attention_bias: Rank1<WIDTH>,
        /// `[WIDTH]`.
        attention_query: Rank1<WIDTH>,
    }
    of layer::Lstm { readout: layer::Readout::Attention, ..layer::Lstm::new("", WIDTH) },
    Shape::Series { steps: 1, channels: 1 }
}

impl<const WIDTH: usize> Readout for Attention<WIDTH> {
    const READOUT: layer::Readout = layer::Readout::Attention;
    const WIDTH: Option<usize> = Some(WIDTH);
    type Form = Vector;
    type Weights<E: Dtype, D: Device<E>> = AttentionWeights<WIDTH, E, D>;
}

impl<const I: usize, const H: usize> Default for Lstm<I, H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const I: usize, const H: usize> Lstm<I, H> {
    /// From the first step to the last, of which the state is given.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<const I: usize, const H: usize, W, R> Lstm<I, H, W, R> {
    /// The same from the last step to the first.
    pub fn reverse(self) -> Lstm<I, H, Reverse, R> {
        Lstm(PhantomData)
    }

    /// The same in both directions: it gives 2 · `H` values.
    pub fn both(self) -> Lstm<I, H, Both, R> {
        Lstm(PhantomData)
    }

    /// The same, but the mean of all states is given.
    pub fn mean(self) -> Lstm<I, H, W, Mean> {
        Lstm(PhantomData)
    }

    /// The same, but the largest value of each unit is given.
    pub fn max(self) -> Lstm<I, H, W, Max> {
        Lstm(PhantomData)
    }

    /// The same, but a mean of all states that is weighted by a learned attention is given. `WIDTH`
    /// is the number of values of a step's states: `H`, or 2 · `H` of both directions.
    pub fn attention<const WIDTH: usize>(self) -> Lstm<I, H, W, Attention<WIDTH>> {
        Lstm(PhantomData)
    }

    /// The same, but all states are given: a series.
    pub fn all(self) -> Lstm<I, H, W, All> {
        Lstm(PhantomData)
    }
}

const fn output(
    input: Shape,
    [inputs, hidden]: [usize; 2],
    directions: usize,
    readout: layer::Readout,
    width: Option<usize>,
) -> Shape {
    check_size("lstm", "hidden unit", hidden);
    check_inputs("lstm", inputs, input);
    let channels = directions * hidden;
    if let Some(width) = width
        && width != channels
    {
        Message::of("lstm")
            .text("an attention to states of ")
            .count(width, "value")
            .text(", but a step has ")
            .number(channels)
            .refuse();
    }
    match readout {
        layer::Readout::All => input.resized(input.size(), channels),
        _ => Shape::Vector { features: channels },
    }
}

impl<N: Chain, const I: usize, const H: usize, W: Direction, R: Readout> Step<N, Series>
    for Lstm<I, H, W, R>
{
    type Form = R::Form;
    type Weights<E: Dtype, D: Device<E>> = (W::Weights<I, H, E, D>, R::Weights<E, D>);
    const OUTPUT: Shape = output(N::SHAPE, [I, H], W::DIRECTIONS, R::READOUT, R::WIDTH);

    fn describe(&self, name: String) -> Layer {
        let lstm = layer::Lstm {
            direction: W::DIRECTION,
            readout: R::READOUT,
            ..layer::Lstm::new(&name, H)
        };
        lstm.into()
    }
}
