//! What the fuzz targets share: reading arguments from arbitrary bytes, and the naive oracles of
//! the tests.
//!
//! On the stable toolchain, from this folder, keeping new inputs out of the committed corpus:
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 cargo fuzz run -s none mask_sample /tmp/corpus corpus/mask_sample -- -max_total_time=60
//! ```
//!
//! The core forbids unsafe code, so `-s none` leaves out the address sanitizer and runs faster.
//! Corpus files `find-*` once made a target fail.

#[path = "../../tests/common/oracle.rs"]
pub mod oracle;
#[path = "../../tests/common/tables.rs"]
pub mod tables;

use sgt_core::{End, Group, Importance, Layout, Masking, Order, Policy, Reduction, Scope};

/// Arguments taken from the front of the fuzzer's bytes; zeros when they have run out.
#[derive(Clone, Debug)]
pub struct Bytes<'b>(pub &'b [u8]);

impl Bytes<'_> {
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&first, rest)) => {
                self.0 = rest;
                first
            }
            None => 0,
        }
    }

    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// In `0 .. bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        let draw = usize::from(self.byte()) << 8 | usize::from(self.byte());
        draw % bound.max(1)
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Any bits, or one of the values that comparisons and sums stumble over, or a small integer.
    pub fn float(&mut self) -> f32 {
        const AWKWARD: [f32; 16] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
            f32::MAX,
            f32::MIN,
            100.0,
            -100.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        match self.byte() {
            kind @ 0..16 => AWKWARD[usize::from(kind)],
            16..96 => f32::from_bits(self.word()),
            96..128 => f32::from(self.byte()) / 255.0,
            kind => f32::from(kind.cast_signed()) + 64.0,
        }
    }

    /// As [`Bytes::float`], with zero for NaN and the infinities.
    pub fn finite(&mut self) -> f32 {
        let value = self.float();
        if value.is_finite() { value } else { 0.0 }
    }

    /// `length` values; one sample in eight may hold NaN and infinities.
    pub fn floats(&mut self, length: usize) -> Vec<f32> {
        let raw = self.byte() % 8 == 0;
        (0..length)
            .map(|_| if raw { self.float() } else { self.finite() })
            .collect()
    }

    /// `length`, or now and then another one.
    pub fn length(&mut self, length: usize) -> usize {
        match self.byte() {
            0 => length + 1,
            1 => length.saturating_sub(1),
            _ => length,
        }
    }

    pub fn end(&mut self) -> End {
        if self.flag() {
            End::Highest
        } else {
            End::Lowest
        }
    }

    /// Up to 12 positions of up to 6 channels, padded or not.
    pub fn layout(&mut self) -> Layout {
        let shape = self.byte();
        let order = if shape & 1 == 0 {
            Order::ChannelsFirst
        } else {
            Order::ChannelsLast
        };
        let group = if shape & 2 == 0 {
            Group::Position
        } else {
            Group::Cell
        };
        let reduction = if shape & 4 == 0 {
            Reduction::Mean
        } else {
            Reduction::Sum
        };
        let positions = 1 + self.below(12);
        let channels = 1 + self.below(if shape & 8 == 0 { 6 } else { 20 });
        let layout = Layout::new(positions, channels, order, group, reduction)
            .expect("sizes are not zero and small");
        if shape & 16 == 0 {
            return layout;
        }
        let first = self.below(positions);
        let valid = 1 + self.below(positions - first);
        layout
            .with_valid(first, valid)
            .expect("the range lies in the sample")
    }

    pub fn policy(&mut self) -> Policy {
        match self.byte() % 8 {
            0 => Policy::Uniform,
            1 => Policy::Zero,
            2 => Policy::Constant(self.float()),
            3 => Policy::Mean,
            4 => Policy::Gaussian {
                mean: self.float(),
                std: self.float(),
            },
            5 => Policy::Background,
            6 => Policy::Permute,
            _ => Policy::PreviousSalient,
        }
    }

    pub fn masking(&mut self) -> Masking {
        Masking {
            layout: self.layout(),
            importance: if self.flag() {
                Importance::Absolute
            } else {
                Importance::Signed
            },
            scope: if self.byte() % 3 == 0 {
                Scope::PerStep
            } else {
                Scope::Sample
            },
            end: self.end(),
            fraction: match self.byte() {
                0 => self.float(),
                share => f32::from(share) / 255.0,
            },
            policy: self.policy(),
        }
    }
}

/// What outputs hold before a call: a refused call must leave it.
pub const UNTOUCHED: f32 = -12_345.678;

/// Checks that a refused call wrote nothing.
pub fn assert_untouched(out: &[f32]) {
    assert!(
        out.iter()
            .all(|value| value.to_bits() == UNTOUCHED.to_bits()),
        "a refused call wrote to its output: {out:?}"
    );
}

/// Checks what every replacement promises: values outside the selected groups keep their bits,
/// those inside are what the policy says.
pub fn assert_replaced(
    layout: &Layout,
    policy: Policy,
    selected: &[usize],
    sample: &[f32],
    donors: &[f32],
    own: usize,
    out: &[f32],
) {
    let groups = oracle::groups(layout);
    let coordinates = oracle::coordinates(layout);
    let mut replaced = vec![false; sample.len()];
    for &group in selected {
        for &offset in &groups[group] {
            replaced[offset] = true;
        }
    }
    for (offset, (before, after)) in sample.iter().zip(out).enumerate() {
        if !replaced[offset] {
            assert_eq!(before.to_bits(), after.to_bits(), "offset {offset} changed");
            continue;
        }
        let (_, channel) = coordinates[offset];
        let values = oracle::channel(layout, sample, channel);
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match policy {
            Policy::Uniform => assert!((low..=high).contains(after), "{low} {after} {high}"),
            Policy::Zero => assert_eq!(after.to_bits(), 0),
            Policy::Constant(value) => assert_eq!(after.to_bits(), value.to_bits()),
            Policy::Mean => {
                let (low, high) = (f64::from(low), f64::from(high));
                let slack = 1e-5 * low.abs().max(high.abs()) + f64::from(f32::MIN_POSITIVE);
                assert!((low - slack..=high + slack).contains(&f64::from(*after)));
            }
            Policy::Gaussian { mean, std } => {
                // Inversion of a 23-bit draw ends its tails near 5.3.
                let reach = 5.5 * f64::from(std) + 1e-6 * f64::from(mean.abs());
                let overflowed = reach + f64::from(mean).abs() > f64::from(f32::MAX);
                let distance = (f64::from(*after) - f64::from(mean)).abs();
                assert!(overflowed && !after.is_nan() || distance <= reach + 1e-37);
            }
            Policy::Background => assert_eq!(after.to_bits(), values[0].to_bits()),
            Policy::Permute | Policy::PreviousSalient => {}
        }
    }
    for &group in selected {
        let took = |from: &[f32], at: &[usize]| {
            let offsets = groups[group].iter().zip(at);
            offsets
                .into_iter()
                .all(|(&to, &at)| out[to].to_bits() == from[at].to_bits())
        };
        match policy {
            Policy::Permute => {
                let mut others = donors.chunks_exact(sample.len()).enumerate();
                assert!(
                    others.any(|(donor, values)| donor != own && took(values, &groups[group])),
                    "group {group} has no donor"
                );
            }
            Policy::PreviousSalient => {
                let from = oracle::previous_salient(selected, groups.len(), group);
                assert!(
                    took(sample, &groups[from]),
                    "group {group} is not group {from}"
                );
            }
            _ => {}
        }
    }
}
