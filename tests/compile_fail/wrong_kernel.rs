//! A kernel larger than its image.

use sgt_host::typed::layer::Conv;
use sgt_host::typed::{Chain, Image};

fn main() {
    let _ = Image::<1, 4, 9>.layer(Conv::<1, 8, 7>::new().padding::<1>());
}
