//! A convolution whose output is one row short.

use dfdx::prelude::*;
use sgt_host::model::Mode;
use sgt_host::nn::layer::Conv2d;

fn main() {
    let device = Cpu::default();
    let conv: Conv2d<Const<1>, Const<4>, Const<3>> = BuildModule::build(&device);
    let image: Tensor<Rank4<2, 1, 16, 16>, f32, Cpu> = device.zeros();
    let _: Tensor<Rank4<2, 4, 13, 14>, f32, Cpu> = conv.forward(image, Mode::Evaluation).unwrap();
}
