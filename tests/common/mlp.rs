//! A two-layer `ReLU` network with exact gradients: slow, short, and independent of the crate's
//! own layers.

use sgt_core::{Bounds, Pcg32, Random};
use sgt_host::network::{InputShape, Mode, Model, Parameters, RESCALE_EPSILON, Rescaling, Samples};
use sgt_host::{Error, Result};
use std::ops::Range;

/// `W₂ · relu(W₁ x + b₁) + b₂`.
#[derive(Clone)]
pub struct Mlp {
    input: InputShape,
    hidden: usize,
    classes: usize,
    bounds: Option<Bounds>,
    parameters: Parameters,
    w1: Range<usize>,
    b1: Range<usize>,
    w2: Range<usize>,
    b2: Range<usize>,
}

#[derive(Default)]
pub struct MlpPass {
    x: Vec<f32>,
    before: Vec<f32>,
    logits: Vec<f32>,
    mode: Option<Mode>,
}

impl Mlp {
    /// Weights uniform in ±1/√(values read).
    pub fn random(input: InputShape, hidden: usize, classes: usize, seed: u64) -> Self {
        let mut mlp = Self::zeros(input, hidden, classes);
        let mut rng = Pcg32::new(seed, 0);
        let first = 1.0 / (input.len() as f32).sqrt();
        let second = 1.0 / (hidden as f32).sqrt();
        let split = mlp.b1.end;
        for (place, value) in mlp.parameters.values_mut().iter_mut().enumerate() {
            let bound = if place < split { first } else { second };
            *value = (2.0 * rng.unit() - 1.0) * bound;
        }
        mlp
    }

    /// Two classes: `f = (0, w · x + b)`, written as relu(w·x + b) − relu(−w·x − b).
    pub fn linear(input: InputShape, weights: &[f32], bias: f32) -> Self {
        let mut mlp = Self::zeros(input, 2, 2);
        let n = input.len();
        let values = mlp.parameters.values_mut();
        for (place, &w) in weights.iter().enumerate() {
            values[place] = w;
            values[n + place] = -w;
        }
        values[mlp.b1.start] = bias;
        values[mlp.b1.start + 1] = -bias;
        values[mlp.w2.start + 2] = 1.0;
        values[mlp.w2.start + 3] = -1.0;
        mlp
    }

    fn zeros(input: InputShape, hidden: usize, classes: usize) -> Self {
        let mut parameters = Parameters::new();
        let w1 = parameters.push("fc1.weight", [hidden, input.len()], true);
        let b1 = parameters.push("fc1.bias", [hidden], true);
        let w2 = parameters.push("fc2.weight", [classes, hidden], true);
        let b2 = parameters.push("fc2.bias", [classes], true);
        Self {
            input,
            hidden,
            classes,
            bounds: None,
            parameters,
            w1,
            b1,
            w2,
            b2,
        }
    }

    /// The same network for inputs that stay within `bounds`.
    pub fn within(self, bounds: Bounds) -> Self {
        Self {
            bounds: Some(bounds),
            ..self
        }
    }

    fn before(&self, x: &[f32]) -> Vec<f32> {
        let values = self.parameters.values();
        let (w1, b1) = (&values[self.w1.clone()], &values[self.b1.clone()]);
        let rows = w1.chunks_exact(self.input.len()).zip(b1);
        rows.map(|(row, b)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>())
            .collect()
    }

    /// Pulls one row back with the activation's slopes `slope`.
    fn pull(&self, dlogits: &[f32], slope: &[f32], dx: &mut [f32]) {
        let values = self.parameters.values();
        let (w1, w2) = (&values[self.w1.clone()], &values[self.w2.clone()]);
        dx.fill(0.0);
        for unit in 0..self.hidden {
            let up: f32 = (0..self.classes)
                .map(|class| dlogits[class] * w2[class * self.hidden + unit])
                .sum();
            let row = &w1[unit * self.input.len()..][..self.input.len()];
            for (dx, w) in dx.iter_mut().zip(row) {
                *dx += up * slope[unit] * w;
            }
        }
    }
}

impl Model for Mlp {
    type Pass = MlpPass;

    fn input(&self) -> InputShape {
        self.input
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    fn forward<'s, 'p>(
        &self,
        samples: impl Into<Samples<'s>>,
        mode: Mode,
        pass: &'p mut MlpPass,
    ) -> Result<&'p [f32]> {
        let Samples { x, .. } = samples.into();
        if x.is_empty() || !x.len().is_multiple_of(self.input.len()) {
            return Err(Error::Shape {
                operation: "mlp",
                found: format!("{} values", x.len()),
                expected: format!("a multiple of {}", self.input.len()),
            });
        }
        pass.x = x.to_vec();
        pass.mode = Some(mode);
        pass.before.clear();
        pass.logits.clear();
        let values = self.parameters.values();
        for x in x.chunks_exact(self.input.len()) {
            let before = self.before(x);
            let rows = values[self.w2.clone()].chunks_exact(self.hidden);
            for (row, b) in rows.zip(&values[self.b2.clone()]) {
                let sum: f32 = row.iter().zip(&before).map(|(w, h)| w * h.max(0.0)).sum();
                pass.logits.push(sum + b);
            }
            pass.before.extend(before);
        }
        Ok(&pass.logits)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut MlpPass) -> Result<&'p [f32]> {
        let x = std::mem::take(&mut pass.x);
        self.forward(&x, mode, pass)
    }

    fn backward(
        &self,
        pass: &mut MlpPass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        let n = self.input.len();
        let slopes: Vec<f32> = pass.before.iter().map(|&h| f32::from(h > 0.0)).collect();
        if let Some(dx) = dx {
            for (row, dx) in dx.chunks_exact_mut(n).enumerate() {
                let dlogits = &dlogits[row * self.classes..][..self.classes];
                self.pull(dlogits, &slopes[row * self.hidden..][..self.hidden], dx);
            }
        }
        if let Some(gradient) = gradient {
            assert_ne!(pass.mode, Some(Mode::InputGradient));
            let w2 = self.parameters.values()[self.w2.clone()].to_vec();
            for (row, x) in pass.x.chunks_exact(n).enumerate() {
                for class in 0..self.classes {
                    let d = dlogits[row * self.classes + class];
                    gradient[self.b2.start + class] += d;
                    for unit in 0..self.hidden {
                        let h = pass.before[row * self.hidden + unit];
                        gradient[self.w2.start + class * self.hidden + unit] += d * h.max(0.0);
                        if h > 0.0 {
                            let up = d * w2[class * self.hidden + unit];
                            gradient[self.b1.start + unit] += up;
                            for (place, x) in x.iter().enumerate() {
                                gradient[self.w1.start + unit * n + place] += up * x;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn multipliers(
        &self,
        Samples { x, .. }: Samples<'_>,
        reference: &[f32],
        dlogits: &[f32],
        _rules: Rescaling,
        dx: &mut [f32],
    ) -> Result<()> {
        let n = self.input.len();
        for (row, dx) in dx.chunks_exact_mut(n).enumerate() {
            let before = self.before(&x[row * n..][..n]);
            let reference = self.before(&reference[row * n..][..n]);
            let slope: Vec<f32> = before
                .iter()
                .zip(&reference)
                .map(|(&h, &r)| {
                    if (h - r).abs() < RESCALE_EPSILON {
                        f32::from(h > 0.0)
                    } else {
                        (h.max(0.0) - r.max(0.0)) / (h - r)
                    }
                })
                .collect();
            self.pull(&dlogits[row * self.classes..][..self.classes], &slope, dx);
        }
        Ok(())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }
}

/// The same network without `DeepLIFT`'s rule.
#[derive(Clone)]
pub struct WithoutRescale(pub Mlp);

impl Model for WithoutRescale {
    type Pass = MlpPass;

    fn input(&self) -> InputShape {
        self.0.input()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn bounds(&self) -> Option<Bounds> {
        self.0.bounds()
    }

    fn forward<'s, 'p>(
        &self,
        samples: impl Into<Samples<'s>>,
        mode: Mode,
        pass: &'p mut MlpPass,
    ) -> Result<&'p [f32]> {
        self.0.forward(samples, mode, pass)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut MlpPass) -> Result<&'p [f32]> {
        self.0.forward_again(mode, pass)
    }

    fn backward(
        &self,
        pass: &mut MlpPass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        self.0.backward(pass, dlogits, dx, gradient)
    }

    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.0.parameters_mut()
    }
}
