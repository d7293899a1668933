//! `FreqShapes`: the shape and the distance of spikes tell four classes (Queen et al., `TimeX`, 2023).

use super::draw::Draw;
use super::sample::Sample;

/// Steps between the spikes of classes 0 and 1, and of classes 2 and 3, in 50 steps.
const PERIODS: [usize; 2] = [10, 17];
const STEPS: usize = 50;
/// The spike's shoulders and its centre; classes 0 and 2 point down.
const SPIKE: [f64; 3] = [1.75, 2.0, 1.75];
const NOISE: f64 = 0.25;
pub(super) const CLASSES: usize = 4;

/// Zeros with spikes every period from a random start, then noise. A spike that would run over an
/// end is left out.
pub(super) fn sample(steps: usize, channels: usize, label: usize, draw: &mut Draw) -> Sample {
    let mut sample = Sample::new(steps, vec![0.0; steps * channels], label);
    let period = (PERIODS[label / 2] * steps / STEPS).max(SPIKE.len());
    let sign = if label.is_multiple_of(2) { -1.0 } else { 1.0 };
    let start = draw.integer(0..steps.saturating_sub(period).max(1));
    // One channel carries the spikes; others are noise.
    let channel = draw.integer(0..channels);
    for centre in (start..steps).step_by(period) {
        if centre == 0 || centre + 1 == steps {
            continue;
        }
        for (step, height) in (centre - 1..).zip(SPIKE) {
            sample.write(step, channel, sign * height);
        }
    }
    for value in &mut sample.values {
        *value += draw.normal(0.0, NOISE);
    }
    sample
}
