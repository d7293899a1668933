//! An attention to other states than an LSTM in both directions has.

use sgt_host::typed::layer::Lstm;
use sgt_host::typed::{Chain, Series};

fn main() {
    let _ = Series::<20, 3>.layer(Lstm::<3, 8>::new().both().attention::<8>());
}
