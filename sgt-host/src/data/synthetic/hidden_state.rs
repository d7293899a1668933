//! Two hidden states, each with a channel that decides the class at every step (the "state" set of
//! Tonekaboni et al., FIT, 2020, as in Crabbé, van der Schaar, Dynamask, 2021).

use super::draw::Draw;
use super::sample::Sample;

pub(super) const CHANNELS: usize = 3;
/// From state 0 to 1.
const LEAVE_FIRST: f64 = 0.05;
/// Of staying in state 1, at first; it falls by a share of the steps that the state has lasted.
const STAY_SECOND: f64 = 0.95;
const TIRING: f64 = 1.0 / 500.0;
const MEANS: [[f64; CHANNELS]; 2] = [[0.1, 1.6, 0.5], [-0.1, -0.4, -1.5]];
/// Variance of each channel, and covariance of channel 0 with the state's important one.
const VARIANCE: f64 = 0.801;
const COVARIANCE: f64 = 0.01;
/// The class is 1 with probability `sigmoid(this · important value)`.
const STEEPNESS: f64 = 2.0;

/// The channel that decides in a state.
pub(super) const fn important(state: usize) -> usize {
    1 + state
}

/// The sample's class is that of its last step, and so is its truth: one cell. As published the
/// truth has a cell at every step, for as many outputs.
pub(super) fn sample(steps: usize, as_published: bool, draw: &mut Draw) -> Sample {
    let mut sample = Sample::new(steps, vec![0.0; steps * CHANNELS], 0);
    let mut state = usize::from(draw.happens(0.5));
    let mut since = 0;
    for step in 0..steps {
        if step > 0 {
            let second = match state {
                0 => LEAVE_FIRST,
                _ => STAY_SECOND - f64::from(since) * TIRING,
            };
            let next = usize::from(draw.happens(second));
            since = if next == state { since + 1 } else { 0 };
            state = next;
        }
        let important = important(state);
        let normal: [f64; CHANNELS] = std::array::from_fn(|_| draw.normal(0.0, 1.0));
        let deviation = VARIANCE.sqrt();
        for channel in 0..CHANNELS {
            let mut value = deviation * normal[channel];
            if channel == important {
                let shared = COVARIANCE / VARIANCE;
                let own = (1.0 - shared * shared).sqrt();
                value = deviation * (shared * normal[0] + own * normal[channel]);
            }
            let place = sample.place(step, channel);
            sample.values[place] = MEANS[state][channel] + value;
        }
        let place = sample.place(step, important);
        let class = bernoulli(STEEPNESS * sample.values[place], draw);
        sample.step_labels.push(class);
        if as_published || step + 1 == steps {
            sample.truth[place] = true;
        }
    }
    sample.label = sample.step_labels.last().copied().unwrap_or_default();
    sample
}

/// 1 with probability `sigmoid(logit)`.
pub(super) fn bernoulli(logit: f64, draw: &mut Draw) -> usize {
    usize::from(draw.happens(1.0 / (1.0 + (-logit).exp())))
}
