//! The golden files' networks once more, naive and in `f64`: they give the logits of masked samples,
//! which the files do not hold.
#![allow(dead_code, unreachable_pub)] // every test binary uses its own part

use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// A safetensors file's tensors by name.
pub struct Tensors(Vec<u8>);

impl Tensors {
    /// `tests/golden/NAME.KIND.safetensors`.
    pub fn golden(name: &str, kind: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let path = folder.join(format!("{name}.{kind}.safetensors"));
        Self(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    fn view<T>(&self, name: &str, dtype: Dtype, convert: impl Fn(&[u8]) -> Vec<T>) -> Vec<T> {
        let tensors = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        let tensor = tensors.tensor(name).expect(name);
        assert_eq!(tensor.dtype(), dtype, "{name}");
        convert(tensor.data())
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.view(name, Dtype::F32, |bytes| {
            let (values, []) = bytes.as_chunks::<4>() else {
                panic!("{name}: a broken value")
            };
            values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect()
        })
    }

    pub fn wide(&self, name: &str) -> Vec<f64> {
        self.floats(name).into_iter().map(f64::from).collect()
    }

    pub fn labels(&self, name: &str) -> Vec<usize> {
        self.view(name, Dtype::I64, |bytes| {
            let (values, []) = bytes.as_chunks::<8>() else {
                panic!("{name}: a broken value")
            };
            let labels = values.iter().map(|&value| i64::from_le_bytes(value));
            labels
                .map(|label| usize::try_from(label).expect("a label"))
                .collect()
        })
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        let tensors = SafeTensors::deserialize(&self.0).expect("a safetensors file");
        tensors.tensor(name).expect(name).shape().to_vec()
    }
}

/// `W x + b`, with `W` of shape `[out, in]`.
fn linear(weights: &Tensors, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = weights.wide(&format!("{name}.weight"));
    let bias = weights.wide(&format!("{name}.bias"));
    let rows = weight.chunks_exact(x.len()).zip(bias);
    rows.map(|(row, bias)| bias + dot(row, x)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn relu(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().map(|value| value.max(0.0)).collect()
}

/// A 3×3 convolution without padding of `[channels, side, side]`.
fn convolution(weights: &Tensors, name: &str, x: &[f64], side: usize) -> Vec<f64> {
    const K: usize = 3;
    let weight = weights.wide(&format!("{name}.weight"));
    let bias = weights.wide(&format!("{name}.bias"));
    let channels = x.len() / (side * side);
    let smaller = side - K + 1;
    let mut out = Vec::new();
    for (filter, bias) in weight.chunks_exact(channels * K * K).zip(bias) {
        for row in 0..smaller {
            for column in 0..smaller {
                let mut sum = bias;
                for channel in 0..channels {
                    for i in 0..K {
                        let start = (channel * side + row + i) * side + column;
                        sum += dot(&filter[(channel * K + i) * K..][..K], &x[start..start + K]);
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn max_pool(x: &[f64], side: usize) -> Vec<f64> {
    let half = side / 2;
    let mut out = Vec::new();
    for plane in x.chunks_exact(side * side) {
        for row in 0..half {
            for column in 0..half {
                let at = |i: usize, j: usize| plane[(2 * row + i) * side + 2 * column + j];
                out.push(at(0, 0).max(at(0, 1)).max(at(1, 0)).max(at(1, 1)));
            }
        }
    }
    out
}

/// The logits of one image of `side × side` pixels.
pub fn cnn(weights: &Tensors, x: &[f64], side: usize) -> Vec<f64> {
    let x = relu(convolution(weights, "conv1", x, side));
    let x = relu(convolution(weights, "conv2", &x, side - 2));
    let x = max_pool(&x, side - 4);
    let x = relu(linear(weights, "fc1", &x));
    linear(weights, "fc2", &x)
}

/// The last hidden state of an LSTM over the steps, gates in the order i, f, g, o.
fn lstm<'s>(
    weights: &Tensors,
    direction: &str,
    steps: impl Iterator<Item = &'s [f64]>,
) -> Vec<f64> {
    let get = |name: &str| weights.wide(&format!("lstm.{name}_l0{direction}"));
    let (w_ih, w_hh) = (get("weight_ih"), get("weight_hh"));
    let (b_ih, b_hh) = (get("bias_ih"), get("bias_hh"));
    let hidden = b_ih.len() / 4;
    let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for x in steps {
        let gate = |row: usize| {
            b_ih[row]
                + b_hh[row]
                + dot(&w_ih[row * x.len()..][..x.len()], x)
                + dot(&w_hh[row * hidden..][..hidden], &h)
        };
        let gates: Vec<f64> = (0..4 * hidden).map(gate).collect();
        for unit in 0..hidden {
            let of = |gate: usize| gates[gate * hidden + unit];
            c[unit] = sigmoid(of(1)) * c[unit] + sigmoid(of(0)) * of(2).tanh();
            h[unit] = sigmoid(of(3)) * c[unit].tanh();
        }
    }
    h
}

/// The logits of one series `[time, channels]`: LSTM, last step, fully connected.
pub fn sensor(weights: &Tensors, x: &[f64], channels: usize) -> Vec<f64> {
    linear(weights, "fc", &lstm(weights, "", x.chunks_exact(channels)))
}

/// The logits of one text `[tokens, dim]`: both last states, fully connected.
pub fn text(weights: &Tensors, x: &[f64], dim: usize) -> Vec<f64> {
    let forward = lstm(weights, "", x.chunks_exact(dim));
    let backward = lstm(weights, "_reverse", x.chunks_exact(dim).rev());
    linear(weights, "fc", &[forward, backward].concat())
}
