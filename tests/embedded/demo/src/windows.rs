//! The recordings: 40 windows to learn from and 40 to test on, four activities at a wrist.

use network::{CHANNELS, INPUT_LEN, STEPS};

/// One recording.
pub struct Window {
    /// Its activity.
    pub label: usize,
    /// Acceleration and angular velocity, `[steps, channels]`, as the sensor gave them.
    pub values: [f32; INPUT_LEN],
}

include!(concat!(env!("OUT_DIR"), "/windows.rs"));

/// How a sensor is worn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Worn {
    /// As in the training data.
    AsTrained,
    /// A quarter turn about its z axis: x is what was y, y is what was −x, for acceleration and
    /// angular velocity alike.
    Turned,
}

/// A recording as the network reads it: turned, then standardised.
pub fn read(window: &Window, worn: Worn, input: &mut [f32; INPUT_LEN]) {
    *input = window.values;
    if worn == Worn::Turned {
        const AXES: usize = 3;
        for step in 0..STEPS {
            for sensor in 0..CHANNELS / AXES {
                let x = step * CHANNELS + sensor * AXES;
                (input[x], input[x + 1]) = (input[x + 1], -input[x]);
            }
        }
    }
    // Of a window of this length nothing is refused.
    let _ = network::standardize(input);
}
