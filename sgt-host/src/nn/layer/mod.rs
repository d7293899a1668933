mod extent;
mod named;
pub mod operation;
pub use named::{NamedTensorVisitor, NamedTensors};
