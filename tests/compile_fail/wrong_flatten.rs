//! Features that are not the product of the sizes.

use dfdx::prelude::*;
use sgt_host::nn::layer::flatten;

fn main() {
    let image: Tensor<Rank4<2, 4, 7, 7>, f32, Cpu> = Cpu::default().zeros();
    let _: Tensor<Rank2<2, 200>, f32, Cpu> = flatten(image).unwrap();
}
