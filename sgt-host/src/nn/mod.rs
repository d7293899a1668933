//! Networks: kernels over plain slices and what is built of them.

pub mod kernel;
