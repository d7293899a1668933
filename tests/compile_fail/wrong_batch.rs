//! A batch of other images than the network reads.

use dfdx::prelude::{Cpu, Rank4, Tensor, ZerosTensor};
use sgt_host::typed::mnist_cnn;

fn main() {
    let network = mnist_cnn().build(0).unwrap();
    let x: Tensor<Rank4<2, 1, 32, 32>, f32, Cpu> = Cpu::default().zeros();
    let _ = network.logits(x);
}
