//! The axis below a series.

use super::chart::plain_number;
use std::fmt::Write;

/// Labels at `y` under `steps` steps that are drawn from `left` on over `width`: seconds where
/// `rate`, steps a second, is known, the numbers of steps from 1 otherwise.
pub(super) fn time_axis(
    steps: usize,
    rate: Option<f64>,
    (left, width): (f64, f64),
    y: f64,
) -> String {
    /// Labels nearer to an end than this do not fit around their place.
    const EDGE: f64 = 14.0;
    let mut axis = String::new();
    for (place, label) in time_ticks(steps, rate) {
        let x = left + (place + 0.5) / steps as f64 * width;
        let class = if x < left + EDGE {
            "tick"
        } else if x > left + width - EDGE {
            "tick tick-y"
        } else {
            "tick tick-x"
        };
        let _ = write!(
            axis,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{label}</text>"
        );
    }
    axis
}

/// Places on the time axis, in steps from 0, and what they are called.
fn time_ticks(steps: usize, rate: Option<f64>) -> Vec<(f64, String)> {
    const PARTS: f64 = 4.0;
    let last = steps.saturating_sub(1) as f64;
    let mut ticks = Vec::new();
    let Some(rate) = rate else {
        let distance = round_up(steps as f64 / PARTS).max(1.0);
        let mut step = distance;
        while step <= steps as f64 {
            let word = if ticks.is_empty() { "step " } else { "" };
            ticks.push((step - 1.0, format!("{word}{step:.0}")));
            step += distance;
        }
        return ticks;
    };
    let distance = round_up(steps as f64 / rate / PARTS);
    for number in 0_u32.. {
        let seconds = f64::from(number) * distance;
        if seconds * rate > last {
            break;
        }
        ticks.push((seconds * rate, plain_number(seconds)));
    }
    if let Some((_, label)) = ticks.last_mut() {
        label.push_str(" s");
    }
    ticks
}

/// The next of 1, 2, 5, 10, … of the value's power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10.0_f64.powf(value.log10().floor());
    let fits = |round: &&f64| **round * power >= value;
    let rounds = [1.0, 2.0, 5.0];
    rounds.iter().find(fits).copied().unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::{round_up, time_ticks};

    #[test]
    fn time_has_round_ticks_with_a_unit() {
        let labels = |steps, rate| -> Vec<String> {
            let ticks = time_ticks(steps, rate).into_iter();
            ticks.map(|(_, label)| label).collect()
        };
        assert_eq!(labels(128, Some(50.0)), ["0", "1", "2 s"]);
        assert_eq!(labels(100, Some(10.0)), ["0", "5 s"]);
        assert_eq!(labels(100, None), ["step 50", "100"]);
        assert_eq!(labels(1, Some(1e-3)), ["0 s"]);
        assert_eq!(time_ticks(128, Some(50.0))[1].0, 50.0);
        assert_eq!([0.3, 1.0, 6.0].map(round_up), [0.5, 1.0, 10.0]);
    }
}
