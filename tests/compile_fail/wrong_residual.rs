//! A body that halves an image, and a shortcut that does not.

use sgt_host::typed::layer::Conv;
use sgt_host::typed::{Chain, Image};

fn main() {
    let _ = Image::<4, 8, 8>.residual(
        |x| x.layer(Conv::<4, 4, 3>::new().padding::<1>().stride::<2>()),
        |x| x,
    );
}
