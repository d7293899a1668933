//! Another number of classes than of logits.

use sgt_host::typed::{Chain, Image};

fn main() {
    let _ = Image::<1, 8, 8>
        .flatten()
        .linear::<64, 12>()
        .classify::<10>();
}
