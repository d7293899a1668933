//! Benchmarks of maps whose truth is known.
//!
//! | module | what it holds |
//! |---|---|
//! | [`time_series`] | generated series: networks, regimes and methods over sets and seeds |

pub mod time_series;
