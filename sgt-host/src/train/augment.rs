//! The samples of a batch, varied.

use super::{Purpose, derive_seed};
use crate::config::Augmentation;
use crate::data::{Bounds, InputShape, Normalization};
use sgt_core::{Pcg32, Random};
use std::ops::Range;

const STREAM: u64 = 0xa06e_7000_0000_0000;
/// Axes of a sensor.
const AXES: usize = 3;

/// How a training's samples are varied.
#[derive(Clone, Debug)]
pub(super) struct Augmenter {
    rules: Augmentation,
    input: InputShape,
    bounds: Option<Bounds>,
    /// From the input's units to those of the samples.
    units: Option<Normalization>,
    seed: u64,
}

impl Augmenter {
    pub(super) fn new(
        rules: Augmentation,
        input: InputShape,
        bounds: Option<Bounds>,
        units: Option<Normalization>,
        seed: u64,
    ) -> Self {
        Self {
            rules,
            input,
            bounds,
            units,
            seed,
        }
    }

    /// Varies the samples of a batch, whose places in the training part are `places`, in `epoch`: a
    /// function of these alone, whatever was trained on before.
    pub(super) fn vary(
        &self,
        x: &mut [f32],
        valid: &[Range<usize>],
        places: &[usize],
        epoch: usize,
    ) {
        if self.rules.is_off() {
            return;
        }
        let samples = x.chunks_exact_mut(self.input.len()).enumerate();
        for (index, sample) in samples {
            let place = [epoch as u64, places[index] as u64];
            let seed = derive_seed(self.seed, Purpose::Augmentation, place);
            let mut rng = Pcg32::new(seed, STREAM);
            let steps = valid.get(index).cloned();
            let steps = steps.unwrap_or(0..self.input.positions());
            match self.input {
                InputShape::Image { .. } => self.vary_image(sample, &mut rng),
                InputShape::Series { .. } => self.vary_series(sample, steps, &mut rng),
                InputShape::Tokens { .. } => {}
            }
        }
    }

    fn jitter(&self, sample: &mut [f32], steps: Range<usize>, rng: &mut Pcg32) {
        if self.rules.jitter > 0.0 {
            for step in steps {
                for channel in 0..self.input.channels() {
                    sample[self.input.place(step, channel)] +=
                        self.rules.jitter * rng.standard_normal();
                }
            }
        }
    }

    fn vary_series(&self, sample: &mut [f32], steps: Range<usize>, rng: &mut Pcg32) {
        let input = self.input;
        self.jitter(sample, steps.clone(), rng);
        if self.rules.scaling > 0.0 {
            for channel in 0..input.channels() {
                let factor = 1.0 + self.rules.scaling * rng.standard_normal();
                for step in steps.clone() {
                    self.in_units(channel, &mut sample[input.place(step, channel)], |value| {
                        value * factor
                    });
                }
            }
        }
        if self.rules.rotation > 0.0 {
            let matrix = rotation(self.rules.rotation, rng);
            for first in (0..input.channels().saturating_sub(AXES - 1)).step_by(AXES) {
                for step in steps.clone() {
                    self.turn(sample, step, first, matrix);
                }
            }
        }
        if self.rules.time_shift > 0.0 {
            let most = (self.rules.time_shift * steps.len() as f32).floor();
            let shift = ((2.0 * rng.unit() - 1.0) * (most + 1.0)).trunc() as isize;
            let source = sample.to_vec();
            for step in steps.clone() {
                let from = step.saturating_add_signed(shift);
                let from = from.clamp(steps.start, steps.end - 1);
                for channel in 0..input.channels() {
                    sample[input.place(step, channel)] = source[input.place(from, channel)];
                }
            }
        }
    }

    /// Applies `change` to a value in the input's units.
    fn in_units(&self, channel: usize, value: &mut f32, change: impl FnOnce(f32) -> f32) {
        let Some(units) = &self.units else {
            *value = change(*value);
            return;
        };
        let (mean, deviation) = (units.mean()[channel], units.deviation()[channel]);
        *value = (change(*value * deviation + mean) - mean) / deviation;
    }

    /// Turns three channels at a step.
    fn turn(&self, sample: &mut [f32], step: usize, first: usize, matrix: [[f32; AXES]; AXES]) {
        let mut vector = [0.0; AXES];
        for (axis, value) in vector.iter_mut().enumerate() {
            *value = sample[self.input.place(step, first + axis)];
            if let Some(units) = &self.units {
                *value = *value * units.deviation()[first + axis] + units.mean()[first + axis];
            }
        }
        for (axis, row) in matrix.iter().enumerate() {
            let turned = row.iter().zip(vector).map(|(a, b)| a * b).sum();
            let place = self.input.place(step, first + axis);
            self.in_units(first + axis, &mut sample[place], |_| turned);
        }
    }

    fn vary_image(&self, sample: &mut [f32], rng: &mut Pcg32) {
        let InputShape::Image {
            channels,
            height,
            width,
        } = self.input
        else {
            return;
        };
        self.jitter(sample, 0..height * width, rng);
        if self.rules.jitter > 0.0
            && let Some(Bounds { low, high }) = self.bounds
        {
            for value in &mut *sample {
                *value = value.clamp(low, high);
            }
        }
        let most = self.rules.shift;
        let mut draw = || {
            let span = u32::try_from(2 * most + 1).unwrap_or(u32::MAX);
            if most == 0 {
                0
            } else {
                (rng.below(span) as usize).cast_signed() - most.cast_signed()
            }
        };
        let (down, right) = (draw(), draw());
        let mirrored = self.rules.flip && rng.unit() < 0.5;
        if (down, right, mirrored) == (0, 0, false) {
            return;
        }
        let source = sample.to_vec();
        for channel in 0..channels {
            for row in 0..height {
                for column in 0..width {
                    let from = if mirrored { width - 1 - column } else { column };
                    let from = (
                        row.checked_add_signed(-down),
                        from.checked_add_signed(-right),
                    );
                    let value = match from {
                        (Some(row), Some(column)) if row < height && column < width => {
                            source[(channel * height + row) * width + column]
                        }
                        _ => 0.0,
                    };
                    sample[(channel * height + row) * width + column] = value;
                }
            }
        }
    }
}

/// A rotation of at most `degrees` about an axis that is drawn, by Rodrigues' formula.
fn rotation(degrees: f32, rng: &mut Pcg32) -> [[f32; AXES]; AXES] {
    let drawn: [f32; AXES] = std::array::from_fn(|_| rng.standard_normal());
    let length = drawn.iter().map(|value| value * value).sum::<f32>().sqrt();
    let [x, y, z] = if length > 0.0 {
        drawn.map(|value| value / length)
    } else {
        [0.0, 0.0, 1.0]
    };
    let angle = (2.0 * rng.unit() - 1.0) * degrees.to_radians();
    let (sin, cos) = angle.sin_cos();
    let rest = 1.0 - cos;
    [
        [
            cos + x * x * rest,
            x * y * rest - z * sin,
            x * z * rest + y * sin,
        ],
        [
            y * x * rest + z * sin,
            cos + y * y * rest,
            y * z * rest - x * sin,
        ],
        [
            z * x * rest - y * sin,
            z * y * rest + x * sin,
            cos + z * z * rest,
        ],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::SeriesOrder;

    fn vary(rules: Augmentation, input: InputShape, x: &[f32], epoch: usize) -> Vec<f32> {
        let units = matches!(input, InputShape::Series { .. })
            .then(|| Normalization::new(vec![1.0, -2.0, 3.0], vec![2.0, 0.5, 4.0]).unwrap());
        let augmenter = Augmenter::new(rules, input, Some(Bounds::UNIT), units, 7);
        let mut varied = x.to_vec();
        let places: Vec<usize> = (0..x.len() / input.len()).collect();
        augmenter.vary(&mut varied, &[], &places, epoch);
        varied
    }

    fn series() -> (InputShape, Vec<f32>) {
        let input = InputShape::series(8, 3);
        let value = |place: usize| ((place * 37) % 11) as f32 / 5.0 - 1.0;
        (input, (0..4 * input.len()).map(value).collect())
    }

    #[test]
    fn nothing_is_varied_by_default() {
        let (input, x) = series();
        assert_eq!(vary(Augmentation::default(), input, &x, 0), x);
    }

    #[test]
    fn epochs_differ_and_repeat() {
        let (input, x) = series();
        let rules = Augmentation {
            jitter: 0.1,
            scaling: 0.1,
            rotation: 20.0,
            time_shift: 0.2,
            ..Augmentation::default()
        };
        assert_eq!(vary(rules, input, &x, 1), vary(rules, input, &x, 1));
        assert_ne!(vary(rules, input, &x, 1), vary(rules, input, &x, 2));
        // The memory order of the network changes nothing.
        let other = input.ordered(SeriesOrder::ChannelsFirst);
        let turned: Vec<f32> = x.chunks(24).flat_map(|s| input.reorder(s, other)).collect();
        let varied: Vec<f32> = vary(rules, other, &turned, 1)
            .chunks(24)
            .flat_map(|sample| other.reorder(sample, input))
            .collect();
        assert_eq!(varied, vary(rules, input, &x, 1));
    }

    #[test]
    fn a_rotation_keeps_lengths_in_the_inputs_units() {
        let (input, x) = series();
        let rules = Augmentation {
            rotation: 90.0,
            ..Augmentation::default()
        };
        let varied = vary(rules, input, &x, 0);
        assert_ne!(varied, x);
        let length = |v: &[f32]| {
            let raw = [v[0] * 2.0 + 1.0, v[1] * 0.5 - 2.0, v[2] * 4.0 + 3.0];
            raw.iter().map(|value| value * value).sum::<f32>()
        };
        for (before, after) in x.chunks(3).zip(varied.chunks(3)) {
            assert!((length(before) - length(after)).abs() < 1e-3 * length(before).max(1.0));
        }
    }

    #[test]
    fn a_time_shift_moves_and_repeats_the_end() {
        let input = InputShape::series(10, 1);
        let x: Vec<f32> = (0..10).map(|step| step as f32).collect();
        let rules = Augmentation {
            time_shift: 0.3,
            ..Augmentation::default()
        };
        let mut seen = std::collections::BTreeSet::new();
        for epoch in 0..40 {
            let varied = vary(rules, input, &x, epoch);
            let shift = varied[5] - 5.0;
            assert!(shift.abs() <= 3.0);
            for (step, value) in varied.iter().enumerate() {
                assert_eq!(*value, (step as f32 + shift).clamp(0.0, 9.0));
            }
            seen.insert(shift as i32);
        }
        assert_eq!(seen.len(), 7, "every shift is drawn");
    }

    #[test]
    fn images_are_moved_and_mirrored() {
        let input = InputShape::image(1, 3, 4);
        let x: Vec<f32> = (1..=12).map(|value| value as f32 / 12.0).collect();
        let flip = Augmentation {
            flip: true,
            ..Augmentation::default()
        };
        let mirrored: Vec<f32> = x
            .chunks(4)
            .flat_map(|row| row.iter().rev())
            .copied()
            .collect();
        let drawn: Vec<Vec<f32>> = (0..20).map(|epoch| vary(flip, input, &x, epoch)).collect();
        assert!(
            drawn
                .iter()
                .all(|varied| *varied == x || *varied == mirrored)
        );
        assert!(drawn.contains(&x) && drawn.contains(&mirrored));
        let shift = Augmentation {
            shift: 1,
            jitter: 0.5,
            ..Augmentation::default()
        };
        let varied = vary(shift, input, &x, 0);
        assert!(
            varied.iter().all(|value| (0.0..=1.0).contains(value)),
            "bounds hold"
        );
    }
}
