//! A convolution that reads other channels than the image has.

use sgt_host::typed::{Chain, Image};

fn main() {
    let _ = Image::<1, 28, 28>.conv::<3, 32, 3>();
}
