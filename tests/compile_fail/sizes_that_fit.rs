//! The same layers as in the failing cases, with sizes that fit.

use dfdx::prelude::*;
use sgt_host::model::Mode;
use sgt_host::nn::layer::{BiLstm, Causal, Conv1d, Conv2d, MaxPool2d, MultiHeadAttention, flatten};

fn main() {
    let device = Cpu::default();
    let conv: Conv2d<Const<1>, Const<4>, Const<3>> = BuildModule::build(&device);
    let image: Tensor<Rank4<2, 1, 16, 16>, f32, Cpu> = device.zeros();
    let image: Tensor<Rank4<2, 4, 14, 14>, f32, Cpu> =
        conv.forward(image, Mode::Evaluation).unwrap();
    let pool = MaxPool2d::<Const<2>>::default();
    let image: Tensor<Rank4<2, 4, 7, 7>, f32, Cpu> = pool.forward(image).unwrap();
    let _: Tensor<Rank2<2, 196>, f32, Cpu> = flatten(image).unwrap();

    let conv: Conv1d<Const<3>, Const<2>, Const<5>, Const<1>, Causal> = BuildModule::build(&device);
    let series: Tensor<Rank3<2, 3, 20>, f32, Cpu> = device.zeros();
    let _: Tensor<Rank3<2, 2, 20>, f32, Cpu> = conv.forward(series, Mode::Evaluation).unwrap();

    let lstm: BiLstm<Const<3>, Const<8>> = BuildModule::build(&device);
    let series: Tensor<Rank3<2, 20, 3>, f32, Cpu> = device.zeros();
    let series: Tensor<Rank3<2, 20, 16>, f32, Cpu> =
        lstm.forward(series, Mode::Evaluation).unwrap();

    let attention: MultiHeadAttention<Const<16>, Const<4>> = BuildModule::build(&device);
    attention.forward(series, true, Mode::Evaluation).unwrap();
}
