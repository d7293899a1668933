//! Three hidden states, in each of which another channel decides the class at every step (the
//! "switch-feature" set of Tonekaboni et al., FIT, 2020).

use super::draw::Draw;
use super::gaussian_process::{Kernel, Process};
use super::hidden_state::bernoulli;
use super::sample::Sample;

/// States, and channels.
pub(super) const CHANNELS: usize = 3;
const TRANSITIONS: [[f64; CHANNELS]; CHANNELS] =
    [[0.95, 0.02, 0.03], [0.02, 0.95, 0.03], [0.03, 0.02, 0.95]];
const MEANS: [[f64; CHANNELS]; CHANNELS] = [[0.8, -0.5, -0.2], [0.0, -1.0, 0.0], [-0.2, -0.2, 0.8]];
pub(super) const KERNEL: Kernel = Kernel::SquaredExponential {
    variance: 0.1,
    length: 0.2,
};
/// Time between two steps. As published it is five lengths of the kernel, which leaves white noise.
const STEP: f64 = 0.1;
const STEP_PUBLISHED: f64 = 1.0;

/// The sample's class is that of its last step, and so is its truth: one cell. As published the
/// truth has a cell at every step, for as many outputs, and no series starts in the third state.
pub(super) fn sample(steps: usize, as_published: bool, draw: &mut Draw) -> Sample {
    let mut sample = Sample::new(steps, vec![0.0; steps * CHANNELS], 0);
    let mut state = if as_published {
        usize::from(draw.happens(1.0 / 3.0))
    } else {
        draw.integer(0..CHANNELS)
    };
    let spacing = if as_published { STEP_PUBLISHED } else { STEP };
    let mut first = 0;
    while first < steps {
        let mut end = first + 1;
        let mut next = transition(state, draw);
        while end < steps && next == state {
            end += 1;
            next = transition(state, draw);
        }
        let times: Vec<f64> = (0..end - first).map(|step| step as f64 * spacing).collect();
        let process = Process::new(KERNEL, &times);
        for (channel, mean) in MEANS[state].into_iter().enumerate() {
            for (step, value) in (first..).zip(process.draw(draw)) {
                let place = sample.place(step, channel);
                sample.values[place] = mean + value;
            }
        }
        for step in first..end {
            let place = sample.place(step, state);
            let class = bernoulli(sample.values[place], draw);
            sample.step_labels.push(class);
            sample.truth[place] = as_published || step + 1 == steps;
        }
        (first, state) = (end, next);
    }
    sample.label = sample.step_labels.last().copied().unwrap_or_default();
    sample
}

fn transition(state: usize, draw: &mut Draw) -> usize {
    let place = draw.unit();
    let row = TRANSITIONS[state];
    if place < row[0] {
        0
    } else {
        1 + usize::from(place >= row[0] + row[1])
    }
}
