//! The same networks as in the failing programs, with sizes that fit.

use sgt_host::typed::layer::Conv;
use sgt_host::typed::{Chain, Image, mnist_cnn};

fn main() {
    mnist_cnn().build(0).unwrap();
    let image = Image::<3, 8, 8>;
    let image = image.layer(Conv::<3, 4, 3>::new().padding::<1>());
    let sum = image.residual(|x| x.conv::<4, 4, 1>(), |x| x);
    let network = sum.max_pool::<8>().flatten().linear::<4, 2>();
    network.classify::<2>().build(0).unwrap();
}
