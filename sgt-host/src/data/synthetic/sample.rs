//! One generated series with its truth.

/// A series `[channels, steps]`, and which of its cells carry the class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) steps: usize,
    /// `[channels, steps]`.
    pub(super) values: Vec<f64>,
    /// `[channels, steps]`.
    pub(super) truth: Vec<bool>,
    pub(super) label: usize,
    /// The class at every step, in sets that have one.
    pub(super) step_labels: Vec<usize>,
    /// Whether the published evaluation scores it.
    pub(super) is_scored: bool,
}

impl Sample {
    /// Channel after channel, nothing true.
    pub(super) fn new(steps: usize, values: Vec<f64>, label: usize) -> Self {
        Self {
            steps,
            truth: vec![false; values.len()],
            values,
            label,
            step_labels: Vec::new(),
            is_scored: true,
        }
    }

    pub(super) fn place(&self, step: usize, channel: usize) -> usize {
        channel * self.steps + step
    }

    /// Overwrites a true cell.
    pub(super) fn write(&mut self, step: usize, channel: usize, value: f64) {
        let place = self.place(step, channel);
        self.values[place] = value;
        self.truth[place] = true;
    }

    /// Adds to a true cell.
    pub(super) fn add(&mut self, step: usize, channel: usize, value: f64) {
        let place = self.place(step, channel);
        self.values[place] += value;
        self.truth[place] = true;
    }
}
