//! Which implementation of the layers a device runs.

use super::operation;
use crate::Result;
use crate::nn::Mode;
use crate::nn::composed::{
    self, AttentionParameters, BatchStatistics, Images, LstmParameters, Matrix, Series, Vector,
};
use crate::nn::kernel::conv2d::Conv2dGeometry;
use crate::nn::kernel::dropout::DropoutKey;
use crate::nn::kernel::lstm::Readout;
use crate::nn::kernel::pool::PoolGeometry;
use dfdx::prelude::{Cpu, Device, Shape, Tape, Tensor};

/// Writes each function of a layer twice: in the trait, composed of dfdx's operations; for the
/// CPU, as one operation of ours.
macro_rules! backend {
    ($(
        $(#[$doc:meta])*
        fn $name:ident<$($generic:ident: $bound:path),*>($($argument:ident: $type:ty),*) -> $result:ty;
    )*) => {
        /// A dfdx device that runs the layers.
        ///
        /// The provided functions are those of [`composed`](crate::nn::composed), which run on
        /// every device; the CPU replaces all of them by those of
        /// [`operation`](crate::nn::layer::operation), whose documentation holds for both.
        pub trait Backend: Device<f32> {
            $(
                $(#[$doc])*
                #[allow(clippy::missing_errors_doc, reason = "see the two implementations")]
                fn $name<$($generic: $bound),*>($($argument: $type),*) -> Result<$result> {
                    composed::$name($($argument),*)
                }
            )*
        }

        impl Backend for Cpu {
            $(
                fn $name<$($generic: $bound),*>($($argument: $type),*) -> Result<$result> {
                    operation::$name($($argument),*)
                }
            )*
        }
    };
}

backend! {
    /// `x Wᵀ + b`.
    fn linear<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        weight: &Matrix<Self>,
        bias: Option<&Vector<Self>>,
        mode: Mode
    ) -> Matrix<Self, T>;

    /// Convolution.
    fn conv2d<T: Tape<f32, Self>>(
        geometry: &Conv2dGeometry,
        x: Images<Self, T>,
        weight: &Images<Self>,
        bias: Option<&Vector<Self>>,
        mode: Mode
    ) -> Images<Self, T>;

    /// Maximum over windows.
    fn max_pool<T: Tape<f32, Self>>(
        geometry: &PoolGeometry,
        x: Images<Self, T>
    ) -> Images<Self, T>;

    /// Mean over windows.
    fn average_pool<T: Tape<f32, Self>>(
        geometry: &PoolGeometry,
        x: Images<Self, T>
    ) -> Images<Self, T>;

    /// Mean over each channel.
    fn global_average_pool<T: Tape<f32, Self>>(x: Images<Self, T>) -> Matrix<Self, T>;

    /// Batch normalisation.
    fn batch_norm<T: Tape<f32, Self>>(
        x: Series<Self, T>,
        weight: &Vector<Self>,
        bias: &Vector<Self>,
        running_mean: &Vector<Self>,
        running_variance: &Vector<Self>,
        mode: Mode
    ) -> (Series<Self, T>, Option<BatchStatistics>);

    /// Layer normalisation.
    fn layer_norm<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        weight: &Vector<Self>,
        bias: &Vector<Self>,
        mode: Mode
    ) -> Matrix<Self, T>;

    /// Inverted dropout.
    fn dropout<S: Shape, T: Tape<f32, Self>>(
        key: DropoutKey,
        probability: f32,
        x: Tensor<S, f32, Self, T>
    ) -> Tensor<S, f32, Self, T>;

    /// `max(x, 0)`.
    fn relu<S: Shape, T: Tape<f32, Self>>(
        x: Tensor<S, f32, Self, T>
    ) -> Tensor<S, f32, Self, T>;

    /// Rows of a table.
    fn embedding<T: Tape<f32, Self>>(
        table: &Matrix<Self>,
        tokens: &[usize],
        mode: Mode
    ) -> Matrix<Self, T>;

    /// LSTM in one or both directions.
    fn lstm<T: Tape<f32, Self>>(
        x: Series<Self, T>,
        forward: &LstmParameters<Self>,
        backward: Option<&LstmParameters<Self>>,
        readout: Readout,
        mode: Mode
    ) -> Series<Self, T>;

    /// Multi-head self-attention.
    fn attention<T: Tape<f32, Self>>(
        x: Series<Self, T>,
        parameters: &AttentionParameters<Self>,
        heads: usize,
        causal: bool,
        mode: Mode
    ) -> Series<Self, T>;
}

#[cfg(feature = "cuda")]
impl Backend for dfdx::prelude::Cuda {}
