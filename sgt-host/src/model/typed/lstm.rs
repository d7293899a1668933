//! The recurrent network over sensor series, with typed sizes.

use super::TapeNetwork;
use crate::Result;
use crate::model::{InputShape, Mode, SeriesOrder};
use crate::nn::composed::{Matrix, device_error};
use crate::nn::layer::named::module_tensors;
use crate::nn::layer::{Backend, Extent, Linear, Lstm};
use dfdx::prelude::*;

/// `sensor-lstm`: an LSTM of `H` hidden units over series of `S` steps and `C` channels, its last
/// state, fc to `N` classes.
#[derive(Clone, Debug)]
pub struct SensorLstm<S: Dim, C: Dim, H: Dim, N: Dim, E: Dtype = f32, D: Storage<E> = Cpu> {
    /// `lstm`.
    pub lstm: Lstm<C, H, E, D>,
    /// `fc`.
    pub fc: Linear<H, N, E, D>,
    /// Steps of a series.
    pub steps: S,
}

module_tensors! {
    SensorLstm [S: Dim, C: Dim, H: Dim, N: Dim]
    const [S: ConstDim, C: ConstDim, H: ConstDim, N: ConstDim]
    modules { lstm, fc }
    copied { steps }
}

impl<S: Extent, C: Extent, H: Extent, N: Extent, D: Backend> SensorLstm<S, C, H, N, f32, D> {
    /// A network with `PyTorch`'s default values, drawn from `device`'s generator: of sizes that
    /// only the data tells, or of constant ones.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device refuses.
    pub fn new(device: &D, steps: S, channels: C, hidden: H, classes: N) -> Result<Self> {
        Ok(Self {
            lstm: Lstm::new(device, channels, hidden)?,
            fc: Linear::new(device, hidden, classes)?,
            steps,
        })
    }
}

impl<S, C, H, N, D> TapeNetwork<D> for SensorLstm<S, C, H, N, f32, D>
where
    S: Extent,
    C: Extent,
    H: Extent,
    N: Extent,
    D: Backend,
{
    fn input(&self) -> InputShape {
        InputShape::Series {
            steps: self.steps.size(),
            channels: self.lstm.weight_ih_l0.shape().2.size(),
            order: SeriesOrder::StepsFirst,
        }
    }

    fn classes(&self) -> usize {
        self.fc.bias.shape().0.size()
    }

    fn logits<T: Tape<f32, D>>(&self, x: Matrix<D, T>, mode: Mode) -> Result<Matrix<D, T>> {
        let batch = x.shape().0;
        let channels = self.lstm.weight_ih_l0.shape().2;
        let shape = (batch, self.steps, channels);
        let x = x.try_reshape_like(&shape).map_err(device_error)?;
        let state = self.lstm.forward_last(x, mode)?;
        let logits = self.fc.forward(state, mode)?;
        let shape = (batch, self.classes());
        logits.try_reshape_like(&shape).map_err(device_error)
    }
}
