//! A causal convolution that loses steps.

use dfdx::prelude::*;
use sgt_host::model::Mode;
use sgt_host::nn::layer::{Causal, Conv1d};

fn main() {
    let device = Cpu::default();
    let conv: Conv1d<Const<3>, Const<2>, Const<5>, Const<1>, Causal> = BuildModule::build(&device);
    let series: Tensor<Rank3<2, 3, 20>, f32, Cpu> = device.zeros();
    let _: Tensor<Rank3<2, 2, 16>, f32, Cpu> = conv.forward(series, Mode::Evaluation).unwrap();
}
