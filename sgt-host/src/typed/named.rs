//! The networks by name in their usual sizes, typed: they describe exactly what
//! [`crate::network::named`] gives.

use super::chain::Chain;
use super::input::{Image, Series};
use super::layer::Conv;
use super::network::Architecture;

/// `mnist-cnn` over 28 × 28 grey images of 10 classes.
pub fn mnist_cnn() -> Architecture<impl Chain<Input = Image<1, 28, 28>>, 10> {
    Image::<1, 28, 28>
        .conv::<1, 32, 3>()
        .relu()
        .conv::<32, 64, 3>()
        .relu()
        .max_pool::<2>()
        .flatten()
        .dropout(0.25)
        .linear::<9216, 128>()
        .relu()
        .dropout(0.5)
        .linear::<128, 10>()
        .classify()
        .named("mnist-cnn")
}

/// `cifar-cnn` over 32 × 32 images of three colours and 10 classes.
pub fn cifar_cnn() -> Architecture<impl Chain<Input = Image<3, 32, 32>>, 10> {
    Image::<3, 32, 32>
        .layer(Conv::<3, 32, 3>::new().padding::<1>())
        .relu()
        .layer(Conv::<32, 32, 3>::new().padding::<1>())
        .relu()
        .max_pool::<2>()
        .dropout(0.25)
        .layer(Conv::<32, 64, 3>::new().padding::<1>())
        .relu()
        .layer(Conv::<64, 64, 3>::new().padding::<1>())
        .relu()
        .max_pool::<2>()
        .flatten()
        .dropout(0.25)
        .linear::<4096, 256>()
        .relu()
        .dropout(0.5)
        .linear::<256, 10>()
        .classify()
        .named("cifar-cnn")
}

/// `sensor-lstm` over series of `STEPS` steps and `CHANNELS` channels of `CLASSES` classes.
pub fn sensor_lstm<const STEPS: usize, const CHANNELS: usize, const CLASSES: usize>()
-> Architecture<impl Chain<Input = Series<STEPS, CHANNELS>>, CLASSES> {
    Series::<STEPS, CHANNELS>
        .lstm::<CHANNELS, 64>()
        .linear::<64, CLASSES>()
        .classify()
        .named("sensor-lstm")
}
