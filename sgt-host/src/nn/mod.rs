//! Building blocks of networks.
//!
//! [`kernel`] holds the arithmetic as plain functions over slices, without a tape: forward
//! passes, and backward passes that overwrite input gradients and **add** to weight gradients.
//! [`layer`] puts it behind typed layers on dfdx's tape, with sizes checked when the program is
//! built; [`composed`] is the same of dfdx's own operations, for its other devices.

pub mod composed;
pub mod kernel;
pub mod layer;
