//! A linear layer behind an image.

use sgt_host::typed::{Chain, Image};

fn main() {
    let _ = Image::<1, 8, 8>.linear::<64, 10>();
}
