//! What several test files share: a small reference network and the golden files' reader.
#![allow(dead_code, unreachable_pub, missing_docs)]

pub mod known;
pub mod mlp;

/// `|a − b| ≤ tolerance · max(1, |b|)`, value by value.
#[track_caller]
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    for (place, (&a, &b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * b.abs().max(1.0),
            "{what} at {place}: {a}, expected {b}"
        );
    }
}
