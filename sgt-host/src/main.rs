//! The command `sgt`.
fn main() {}
