//! A linear layer that reads one value too many.

use sgt_host::typed::{Chain, Image};

fn main() {
    let _ = Image::<1, 28, 28>
        .conv::<1, 32, 3>()
        .relu()
        .conv::<32, 64, 3>()
        .relu()
        .max_pool::<2>()
        .flatten()
        .linear::<9217, 128>()
        .classify::<128>();
}
