//! Heads that do not divide the channels.

use sgt_host::typed::{Chain, Series};

fn main() {
    let _ = Series::<20, 16>.self_attention::<16, 5>();
}
