//! From single samples to windows that overlap.

use network::{CHANNELS, INPUT_LEN, STEPS};

/// The last [`STEPS`] samples of a sensor, in a ring.
pub struct Stream {
    ring: [[f32; CHANNELS]; STEPS],
    /// Where the next sample goes: the oldest one's place.
    next: usize,
    /// Samples until a window is due.
    wait: usize,
    hop: usize,
}

impl Stream {
    /// A window every `hop` samples, the first when the ring is full.
    pub const fn new(hop: usize) -> Self {
        Self {
            ring: [[0.0; CHANNELS]; STEPS],
            next: 0,
            wait: STEPS,
            hop,
        }
    }

    /// Takes one sample. Writes the window, oldest sample first, and gives `true` when one is due.
    pub fn push(&mut self, sample: [f32; CHANNELS], window: &mut [f32; INPUT_LEN]) -> bool {
        if let Some(place) = self.ring.get_mut(self.next) {
            *place = sample;
        }
        self.next = (self.next + 1) % STEPS;
        self.wait -= 1;
        if self.wait > 0 {
            return false;
        }
        self.wait = self.hop;
        let (newer, older) = self.ring.split_at(self.next);
        let samples = older.iter().chain(newer).flatten();
        for (value, sample) in window.iter_mut().zip(samples) {
            *value = *sample;
        }
        true
    }
}
