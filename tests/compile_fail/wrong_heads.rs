//! Heads that don't divide the dimensions.

use dfdx::prelude::*;
use sgt_host::model::Mode;
use sgt_host::nn::layer::MultiHeadAttention;

fn main() {
    let device = Cpu::default();
    let attention: MultiHeadAttention<Const<16>, Const<5>> = BuildModule::build(&device);
    let series: Tensor<Rank3<2, 20, 16>, f32, Cpu> = device.zeros();
    attention.forward(series, false, Mode::Evaluation).unwrap();
}
