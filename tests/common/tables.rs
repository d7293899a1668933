//! Random tables of layers for the core's network, and a naive network in `f64` to hold it to:
//! every layer as its formula is written, on nested loops.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses its own part"
)]

use sgt_core::Order;
use sgt_core::network::{Convolution, Dense, Depthwise, Layer, Lstm, Shape, Window};

/// Numbers that decide what is built; used up from the front, then zeros. Shrinking them gives
/// smaller tables.
pub struct Choices<I>(pub I);

impl<I: Iterator<Item = u32>> Choices<I> {
    /// Below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.next().unwrap_or(0) as usize % bound
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == chance - 1
    }

    /// From 1 to `most`; now and then a size without sense.
    fn size(&mut self, most: usize) -> usize {
        if self.one_in(100) {
            return [0, 1 << 20, usize::MAX / 2, usize::MAX][self.below(4)];
        }
        1 + self.below(most)
    }

    fn window(&mut self) -> Window {
        let kernel = self.size(5);
        let mut window = match self.below(3) {
            0 => Window::new(kernel),
            1 => Window::same(kernel),
            _ => Window::side_by_side(kernel),
        };
        if self.one_in(3) {
            window.stride = self.size(3);
        }
        if self.one_in(3) {
            window.padding = [self.below(4), self.below(4)];
        }
        if self.one_in(4) {
            window.dilation = self.size(3);
        }
        window
    }

    fn layer(&mut self, is_vector: bool) -> Layer {
        if is_vector && !self.one_in(5) {
            return match self.below(3) {
                0 => Layer::Relu,
                _ => Layer::Dense(Dense {
                    outputs: self.size(9),
                }),
            };
        }
        match self.below(16) {
            0 => Layer::Dense(Dense {
                outputs: self.size(9),
            }),
            1..5 => Layer::Convolution(Convolution {
                outputs: self.size(7),
                window: self.window(),
            }),
            5 => Layer::Depthwise(Depthwise {
                window: self.window(),
            }),
            6 => Layer::MaxPool(Window {
                dilation: 1,
                ..self.window()
            }),
            7 => Layer::AveragePool(self.window()),
            8 => Layer::GlobalAveragePool,
            9..12 => Layer::Relu,
            12 => Layer::Flatten(Order::ChannelsFirst),
            13 => Layer::Flatten(Order::ChannelsLast),
            14 => Layer::ResidualAdd,
            _ => Layer::Lstm(Lstm {
                hidden: self.size(5),
            }),
        }
    }

    /// A table that is often valid, and the shape that it reads.
    pub fn table(&mut self) -> (Shape, Vec<Layer>) {
        let input = Shape::series(self.size(12), self.size(6));
        let mut layers = Vec::new();
        for _ in 0..self.below(7) {
            let is_vector = shapes(input, &layers)
                .and_then(|shapes| shapes.last().copied())
                .is_some_and(|shape| shape.positions == 1);
            if self.one_in(5) {
                layers.push(Layer::ResidualStart);
                if !self.one_in(10) {
                    let inner = shapes(input, &layers).and_then(|shapes| shapes.last().copied());
                    let window = Window::same(1 + self.below(4));
                    layers.push(Layer::Convolution(Convolution {
                        outputs: inner.map_or(1, |shape| shape.channels),
                        window,
                    }));
                    if self.one_in(2) {
                        layers.push(Layer::Relu);
                    }
                    layers.push(Layer::ResidualAdd);
                }
            } else {
                let layer = self.layer(is_vector);
                layers.push(layer);
            }
        }
        if !self.one_in(10) {
            layers.push(match self.below(4) {
                0 => Layer::GlobalAveragePool,
                1 => Layer::Lstm(Lstm {
                    hidden: self.size(5),
                }),
                2 => Layer::Flatten(Order::ChannelsLast),
                _ => Layer::Flatten(Order::ChannelsFirst),
            });
            layers.push(Layer::Dense(Dense {
                outputs: 1 + self.below(6),
            }));
        }
        (input, layers)
    }
}

/// Above it a table is not run.
const LARGEST: i128 = 1 << 16;

/// The shapes in front of each layer and behind the last; `None` where a layer does not fit.
pub fn shapes(input: Shape, layers: &[Layer]) -> Option<Vec<Shape>> {
    let is_sound = |shape: Shape| {
        let len = (shape.positions as i128).saturating_mul(shape.channels as i128);
        (1..LARGEST).contains(&len)
    };
    if !is_sound(input) {
        return None;
    }
    let mut shapes = vec![input];
    let mut residual: Option<(usize, Shape)> = None;
    for (number, layer) in layers.iter().enumerate() {
        let shape = *shapes.last().unwrap();
        let window = |window: &Window| {
            let padded =
                shape.positions as i128 + window.padding[0] as i128 + window.padding[1] as i128;
            let reach = (window.dilation as i128).saturating_mul(window.kernel as i128 - 1);
            let reach = reach.saturating_add(1);
            let is_sound = window.kernel > 0
                && window.stride > 0
                && (1..=padded).contains(&(window.dilation as i128))
                && padded <= usize::MAX as i128 / 2;
            (is_sound && reach <= padded)
                .then(|| ((padded - reach) / window.stride as i128 + 1) as usize)
        };
        let pool = |it: &Window| {
            (it.padding[0] < it.kernel && it.padding[1] < it.kernel && it.dilation == 1)
                .then_some(it)
                .and_then(window)
        };
        let next = match layer {
            Layer::Dense(dense) => {
                (shape.positions == 1 && dense.outputs > 0).then(|| Shape::vector(dense.outputs))
            }
            Layer::Convolution(layer) => window(&layer.window)
                .filter(|_| layer.outputs > 0)
                .map(|steps| Shape::series(steps, layer.outputs)),
            Layer::Depthwise(layer) => {
                window(&layer.window).map(|steps| Shape::series(steps, shape.channels))
            }
            Layer::MaxPool(it) | Layer::AveragePool(it) => {
                pool(it).map(|steps| Shape::series(steps, shape.channels))
            }
            Layer::GlobalAveragePool => Some(Shape::vector(shape.channels)),
            Layer::Flatten(_) => Some(Shape::vector(shape.positions * shape.channels)),
            Layer::Lstm(layer) => (layer.hidden > 0).then(|| Shape::vector(layer.hidden)),
            Layer::ResidualStart => {
                let is_first = residual.replace((number, shape)).is_none();
                is_first.then_some(shape)
            }
            Layer::ResidualAdd => residual
                .take()
                .filter(|&(start, before)| {
                    let inside = &layers[start + 1..number];
                    before == shape
                        && inside
                            .iter()
                            .any(|layer| *layer != Layer::Flatten(Order::ChannelsLast))
                })
                .map(|_| shape),
            _ => Some(shape),
        }?;
        if !is_sound(next) {
            return None;
        }
        shapes.push(next);
    }
    residual.is_none().then_some(shapes)
}

/// True when some kernel is so large that sizes pass counting.
pub fn is_huge(layers: &[Layer]) -> bool {
    const HUGE: usize = 1 << 40;
    layers.iter().any(|layer| match layer {
        Layer::Convolution(layer) => layer.window.kernel > HUGE,
        Layer::Depthwise(layer) => layer.window.kernel > HUGE,
        Layer::MaxPool(window) | Layer::AveragePool(window) => window.kernel > HUGE,
        _ => false,
    })
}

/// True when the network must be accepted and is small enough to run.
pub fn fits(input: Shape, layers: &[Layer]) -> bool {
    !layers.is_empty()
        && shapes(input, layers)
            .and_then(|shapes| shapes.last().copied())
            .is_some_and(|last| last.positions == 1)
}

/// The logits of a table that [`fits`].
pub fn logits(input: Shape, layers: &[Layer], parameters: &[f64], x: &[f64]) -> Vec<f64> {
    let mut shape = input;
    let mut x = x.to_vec();
    let mut parameters = parameters;
    let mut skip = Vec::new();
    let mut take = |count: usize| {
        let (front, rest) = parameters.split_at(count);
        parameters = rest;
        front
    };
    for (number, layer) in layers.iter().enumerate() {
        let output = shapes(input, layers).unwrap()[number + 1];
        // Nothing outside the series.
        let tap = |window: &Window, step: usize, tap: usize| {
            let ahead = step * window.stride + tap * window.dilation;
            ahead
                .checked_sub(window.padding[0])
                .filter(|&position| position < shape.positions)
        };
        let at = |position: usize, channel: usize| x[position * shape.channels + channel];
        let each = |value: &dyn Fn(usize, usize) -> f64| {
            let places = (0..output.positions)
                .flat_map(|step| (0..output.channels).map(move |channel| (step, channel)));
            places
                .map(|(step, channel)| value(step, channel))
                .collect::<Vec<_>>()
        };
        let channels = shape.channels;
        let next = match layer {
            Layer::Dense(dense) => {
                let weights = take(dense.outputs * channels);
                let bias = take(dense.outputs);
                each(&|_, o| {
                    let products = (0..channels).map(|i| weights[o * channels + i] * x[i]);
                    bias[o] + products.sum::<f64>()
                })
            }
            Layer::Convolution(layer) => {
                let kernel = layer.window.kernel;
                let weights = take(layer.outputs * channels * kernel);
                let bias = take(layer.outputs);
                each(&|t, o| {
                    let mut sum = bias[o];
                    for k in 0..kernel {
                        for i in 0..channels {
                            if let Some(position) = tap(&layer.window, t, k) {
                                sum += weights[(o * channels + i) * kernel + k] * at(position, i);
                            }
                        }
                    }
                    sum
                })
            }
            Layer::Depthwise(layer) => {
                let kernel = layer.window.kernel;
                let weights = take(channels * kernel);
                let bias = take(channels);
                each(&|t, c| {
                    let mut sum = bias[c];
                    for k in 0..kernel {
                        if let Some(position) = tap(&layer.window, t, k) {
                            sum += weights[c * kernel + k] * at(position, c);
                        }
                    }
                    sum
                })
            }
            Layer::MaxPool(window) => each(&|t, c| {
                let taps = (0..window.kernel).filter_map(|k| tap(window, t, k));
                taps.map(|position| at(position, c))
                    .fold(f64::NEG_INFINITY, f64::max)
            }),
            Layer::AveragePool(window) => each(&|t, c| {
                let taps = (0..window.kernel).filter_map(|k| tap(window, t, k));
                taps.map(|position| at(position, c)).sum::<f64>() / window.kernel as f64
            }),
            Layer::GlobalAveragePool => each(&|_, c| {
                let steps = 0..shape.positions;
                steps.map(|position| at(position, c)).sum::<f64>() / shape.positions as f64
            }),
            Layer::Relu => x.iter().map(|x| x.max(0.0)).collect(),
            Layer::Flatten(Order::ChannelsFirst) => {
                each(&|_, place| at(place % shape.positions, place / shape.positions))
            }
            Layer::ResidualStart => {
                skip.clone_from(&x);
                x.clone()
            }
            Layer::ResidualAdd => x.iter().zip(&skip).map(|(x, skip)| x + skip).collect(),
            Layer::Lstm(layer) => {
                let gates = 4 * layer.hidden;
                let (ih, hh) = (take(gates * channels), take(gates * layer.hidden));
                let (bias_ih, bias_hh) = (take(gates), take(gates));
                lstm(&x, channels, layer.hidden, [ih, hh, bias_ih, bias_hh])
            }
            _ => x.clone(),
        };
        shape = output;
        x = next;
    }
    x
}

fn lstm(
    x: &[f64],
    inputs: usize,
    hidden: usize,
    [ih, hh, bias_ih, bias_hh]: [&[f64]; 4],
) -> Vec<f64> {
    let (mut h, mut c) = (vec![0.0; hidden], vec![0.0; hidden]);
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for x in x.chunks(inputs) {
        let gate = |kind: usize, unit: usize| {
            let row = kind * hidden + unit;
            let of_input: f64 = (0..inputs).map(|i| ih[row * inputs + i] * x[i]).sum();
            let of_state: f64 = (0..hidden).map(|u| hh[row * hidden + u] * h[u]).sum();
            bias_ih[row] + bias_hh[row] + of_input + of_state
        };
        let states: Vec<(f64, f64)> = (0..hidden)
            .map(|unit| {
                let [i, f, o] = [0, 1, 3].map(|kind| sigmoid(gate(kind, unit)));
                let c = f * c[unit] + i * gate(2, unit).tanh();
                (c, o * c.tanh())
            })
            .collect();
        (c, h) = states.into_iter().unzip();
    }
    h
}
