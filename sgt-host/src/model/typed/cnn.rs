//! The papers' convolutional network, with typed sizes.

use super::TapeNetwork;
use crate::Result;
use crate::model::{InputShape, Mode};
use crate::nn::composed::{Matrix, device_error};
use crate::nn::layer::named::module_tensors;
use crate::nn::layer::{Backend, Conv2d, Dropout, Extent, Linear, MaxPool2d, flatten, relu};
use dfdx::prelude::*;

/// The dropout after pooling and the one before the last layer.
const DROPOUT: [f32; 2] = [0.25, 0.5];

/// Conv 3×3, ReLU, conv 3×3, ReLU, max-pool 2, dropout, fc, ReLU, dropout, fc over grey square
/// images.
///
/// The sides of the images after each step are `S0` (the input), `S1 = S0 − 2`, `S2 = S1 − 2`
/// and `S3 = S2 / 2`; `A` and `B` are the channels of the convolutions, `F = B · S3²` the
/// features, `H` the hidden units and `N` the classes.
#[derive(Clone, Debug)]
pub struct Cnn<
    S0: Dim,
    S1: Dim,
    S2: Dim,
    S3: Dim,
    A: Dim,
    B: Dim,
    F: Dim,
    H: Dim,
    N: Dim,
    E: Dtype = f32,
    D: Storage<E> = Cpu,
> {
    /// `conv1`.
    pub conv1: Conv2d<Const<1>, A, Const<3>, Const<1>, Const<0>, Const<1>, E, D>,
    /// `conv2`.
    pub conv2: Conv2d<A, B, Const<3>, Const<1>, Const<0>, Const<1>, E, D>,
    /// `fc1`.
    pub fc1: Linear<F, H, E, D>,
    /// `fc2`.
    pub fc2: Linear<H, N, E, D>,
    /// Sides of the images.
    pub sides: CnnSides<S0, S1, S2, S3>,
}

/// Sides of a [`Cnn`]'s images: input, after each convolution, after pooling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CnnSides<S0, S1, S2, S3>(pub S0, pub S1, pub S2, pub S3);

/// `mnist-cnn`: 28×28, channels 32 and 64, 128 hidden units, 10 classes.
pub type MnistCnn<E = f32, D = Cpu> = Cnn<
    Const<28>,
    Const<26>,
    Const<24>,
    Const<12>,
    Const<32>,
    Const<64>,
    Const<9216>,
    Const<128>,
    Const<10>,
    E,
    D,
>;

/// `small-cnn`: 16×16, channels 4 and 8, 16 hidden units, 10 classes.
pub type SmallCnn<E = f32, D = Cpu> = Cnn<
    Const<16>,
    Const<14>,
    Const<12>,
    Const<6>,
    Const<4>,
    Const<8>,
    Const<288>,
    Const<16>,
    Const<10>,
    E,
    D,
>;

module_tensors! {
    Cnn [S0: Dim, S1: Dim, S2: Dim, S3: Dim, A: Dim, B: Dim, F: Dim, H: Dim, N: Dim]
    const [
        S0: ConstDim, S1: ConstDim, S2: ConstDim, S3: ConstDim,
        A: ConstDim, B: ConstDim, F: ConstDim, H: ConstDim, N: ConstDim
    ]
    modules { conv1, conv2, fc1, fc2 }
    copied { sides }
}

impl<S0, S1, S2, S3, A, B, F, H, N, D> Cnn<S0, S1, S2, S3, A, B, F, H, N, f32, D>
where
    S0: Extent,
    S1: Extent,
    S2: Extent,
    S3: Extent,
    A: Extent,
    B: Extent,
    F: Extent,
    H: Extent,
    N: Extent,
    D: Backend,
{
    /// A network with `PyTorch`'s default values, drawn from `device`'s generator: of sizes that
    /// only the data tells, or of constant ones.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(
        device: &D,
        sides: CnnSides<S0, S1, S2, S3>,
        channels: (A, B),
        features: F,
        hidden: H,
        classes: N,
    ) -> Result<Self> {
        let (first, second) = channels;
        let one = Const::<1>;
        Ok(Self {
            conv1: Conv2d::new(device, (one, first, Const), Const, Const, Const)?,
            conv2: Conv2d::new(device, (first, second, Const), Const, Const, Const)?,
            fc1: Linear::new(device, features, hidden)?,
            fc2: Linear::new(device, hidden, classes)?,
            sides,
        })
    }
}

impl<S0, S1, S2, S3, A, B, F, H, N, D> TapeNetwork<D> for Cnn<S0, S1, S2, S3, A, B, F, H, N, f32, D>
where
    S0: Extent,
    S1: Extent,
    S2: Extent,
    S3: Extent,
    A: Extent,
    B: Extent,
    F: Extent,
    H: Extent,
    N: Extent,
    D: Backend,
{
    fn input(&self) -> InputShape {
        let side = self.sides.0.size();
        InputShape::Image {
            channels: 1,
            height: side,
            width: side,
        }
    }

    fn classes(&self) -> usize {
        self.fc2.bias.shape().0.size()
    }

    fn logits<T: Tape<f32, D>>(&self, x: Matrix<D, T>, mode: Mode) -> Result<Matrix<D, T>> {
        let batch = x.shape().0;
        let shape = (batch, Const::<1>, self.sides.0, self.sides.0);
        let x = x.try_reshape_like(&shape).map_err(device_error)?;
        let x: Tensor<(usize, A, S1, S1), f32, D, T> = self.conv1.forward(x, mode)?;
        let x: Tensor<(usize, B, S2, S2), f32, D, T> = self.conv2.forward(relu(x)?, mode)?;
        let pool = MaxPool2d::<Const<2>>::default();
        let x: Tensor<(usize, B, S3, S3), f32, D, T> = pool.forward(relu(x)?)?;
        let x: Tensor<(usize, F), f32, D, T> = flatten(x)?;
        let x = Dropout::new(DROPOUT[0], 0)?.forward(x, mode)?;
        let x = relu(self.fc1.forward(x, mode)?)?;
        let x = Dropout::new(DROPOUT[1], 1)?.forward(x, mode)?;
        let logits = self.fc2.forward(x, mode)?;
        let shape = (batch, self.classes());
        logits.try_reshape_like(&shape).map_err(device_error)
    }
}
