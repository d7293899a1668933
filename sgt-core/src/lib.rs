//! placeholder
#![no_std]
pub mod error;
pub use error::Error;
