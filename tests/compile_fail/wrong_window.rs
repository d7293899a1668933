//! A pooling window larger than its series.

use sgt_host::typed::{Chain, Series};

fn main() {
    let _ = Series::<3, 2>.max_pool::<4>();
}
