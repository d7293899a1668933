//! Integer inference against a naive oracle, exactly; and what it refuses.

use sgt_core::network::{
    Activation, Convolution, Dense, Depthwise, Layer, Lstm, Network, Parameters, Quantized,
    Rescale, Shape, Window,
};
use sgt_core::{Error, Order, Pcg32, Random};

/// What [`Quantized`] borrows, and the weights as the oracle reads them: row after row.
#[derive(Default)]
struct Owned {
    packed: Vec<i8>,
    rows: Vec<Vec<i8>>,
    biases: Vec<i32>,
    rescales: Vec<Rescale>,
    activations: Vec<Activation>,
}

impl Owned {
    fn borrowed(&self) -> Quantized<'_> {
        Quantized {
            weights: &self.packed,
            biases: &self.biases,
            rescales: &self.rescales,
            activations: &self.activations,
        }
    }
}

/// Blocks of four rows, `[columns, 4]`, then single rows.
fn pack(matrix: &[i8], columns: usize) -> Vec<i8> {
    let rows: Vec<&[i8]> = matrix.chunks_exact(columns).collect();
    let mut packed = Vec::new();
    let mut blocks = rows.chunks_exact(4);
    for block in &mut blocks {
        for column in 0..columns {
            packed.extend(block.iter().map(|row| row[column]));
        }
    }
    packed.extend(blocks.remainder().concat());
    packed
}

/// Rows `[inputs, kernel]` as `[kernel, inputs]`.
fn tap_after_tap(matrix: &[i8], inputs: usize, kernel: usize) -> Vec<i8> {
    let rows = matrix.chunks_exact(inputs * kernel);
    let turned = rows.flat_map(|row| {
        (0..row.len()).map(move |place| row[place % inputs * kernel + place / inputs])
    });
    turned.collect()
}

fn activation(rng: &mut Pcg32) -> Activation {
    Activation {
        scale: 0.01 + rng.unit(),
        zero: (rng.below(256).cast_signed() - 128) as i8,
    }
}

fn rescale(rng: &mut Pcg32) -> Rescale {
    Rescale {
        multiplier: (rng.next_u32() >> 1).cast_signed(),
        shift: 30 + rng.below(14),
    }
}

fn byte(rng: &mut Pcg32) -> i8 {
    (rng.below(255).cast_signed() - 127) as i8
}

fn window(rng: &mut Pcg32, positions: usize) -> Window {
    let kernel = 1 + rng.below(3) as usize;
    let window = Window {
        kernel,
        stride: 1 + rng.below(2) as usize,
        padding: [
            rng.below(kernel as u32) as usize,
            rng.below(kernel as u32) as usize,
        ],
        dilation: 1,
    };
    if positions + window.padding[0] + window.padding[1] >= kernel {
        window
    } else {
        Window::new(1)
    }
}

/// A random table over a random window, with random integers.
fn case(rng: &mut Pcg32) -> (Shape, Vec<Layer>, Owned) {
    let below = |rng: &mut Pcg32, n: u32| 1 + rng.below(n) as usize;
    let input = Shape::series(below(rng, 9), below(rng, 5));
    let (mut positions, mut channels) = (input.positions, input.channels);
    let mut layers = Vec::new();
    let mut owned = Owned::default();
    owned.activations.push(activation(rng));
    let mut held = None;
    let depth = rng.below(6);
    for turn in 0..=depth {
        let last = turn == depth;
        let kind = if last { 8 } else { rng.below(9) };
        let before = *owned.activations.last().unwrap();
        let mut rows = 0;
        let layer = match kind {
            0 | 1 => {
                let window = window(rng, positions);
                rows = below(rng, 9);
                Layer::Convolution(Convolution {
                    outputs: rows,
                    window,
                })
            }
            2 => {
                rows = channels;
                Layer::Depthwise(Depthwise {
                    window: window(rng, positions),
                })
            }
            3 => Layer::MaxPool(window(rng, positions)),
            4 => Layer::AveragePool(window(rng, positions)),
            5 => Layer::Relu,
            6 => Layer::Flatten(if rng.below(2) == 0 {
                Order::ChannelsFirst
            } else {
                Order::ChannelsLast
            }),
            7 if held.is_none() => {
                held = Some((positions, channels));
                Layer::ResidualStart
            }
            _ if held.is_some() => {
                // A convolution that gives the shape back, then the sum.
                let (want, outputs) = held.take().unwrap();
                if want == positions {
                    let layer = Layer::Convolution(Convolution {
                        outputs,
                        window: Window::new(1),
                    });
                    add(rng, &mut owned, &layer, channels, outputs, before);
                    layers.push(layer);
                    channels = outputs;
                    Layer::ResidualAdd
                } else {
                    // No residual after all: the block's start goes.
                    let start = layers.iter().rposition(|it| *it == Layer::ResidualStart);
                    let start = start.unwrap();
                    layers.remove(start);
                    owned.activations.remove(start + 1);
                    owned.rows.remove(start);
                    Layer::Relu
                }
            }
            _ => Layer::GlobalAveragePool,
        };
        let before = *owned.activations.last().unwrap();
        add(rng, &mut owned, &layer, channels, rows, before);
        layers.push(layer);
        match layer {
            Layer::Convolution(own) => {
                positions = outputs(&own.window, positions);
                channels = own.outputs;
            }
            Layer::Depthwise(own) => positions = outputs(&own.window, positions),
            Layer::MaxPool(own) | Layer::AveragePool(own) => positions = outputs(&own, positions),
            Layer::Flatten(_) => (positions, channels) = (1, positions * channels),
            Layer::GlobalAveragePool => positions = 1,
            _ => {}
        }
    }
    let flatten = Layer::Flatten(Order::ChannelsFirst);
    let before = *owned.activations.last().unwrap();
    add(rng, &mut owned, &flatten, channels, 0, before);
    layers.push(flatten);
    channels *= positions;
    let rows = below(rng, 6);
    let dense = Layer::Dense(Dense { outputs: rows });
    add(rng, &mut owned, &dense, channels, rows, before);
    layers.push(dense);
    (input, layers, owned)
}

fn outputs(window: &Window, positions: usize) -> usize {
    (positions + window.padding[0] + window.padding[1] - window.kernel) / window.stride + 1
}

/// Adds a layer's integers.
fn add(
    rng: &mut Pcg32,
    owned: &mut Owned,
    layer: &Layer,
    channels: usize,
    rows: usize,
    before: Activation,
) {
    let columns = match layer {
        Layer::Convolution(own) => channels * own.window.kernel,
        Layer::Depthwise(own) => own.window.kernel,
        Layer::Dense(_) => channels,
        _ => 0,
    };
    let matrix: Vec<i8> = (0..rows * columns).map(|_| byte(rng)).collect();
    if matches!(layer, Layer::Depthwise(_)) {
        owned.packed.extend(&matrix);
    } else if let Layer::Convolution(own) = layer {
        let turned = tap_after_tap(&matrix, channels, own.window.kernel);
        owned.packed.extend(pack(&turned, columns));
    } else if columns > 0 {
        owned.packed.extend(pack(&matrix, columns));
    }
    owned.rows.push(matrix);
    let biases = (0..rows).map(|_| rng.next_u32().cast_signed() >> 12);
    owned.biases.extend(biases);
    let count = match layer {
        Layer::AveragePool(_) | Layer::GlobalAveragePool => 1,
        Layer::ResidualAdd => 2,
        _ => rows,
    };
    for number in 0..count {
        let mut own = rescale(rng);
        if number == 1 && matches!(layer, Layer::ResidualAdd) {
            own.shift = owned.rescales.last().unwrap().shift;
        }
        owned.rescales.push(own);
    }
    owned
        .activations
        .push(if count > 0 { activation(rng) } else { before });
}

/// `⌊product / 2^shift + ½⌋ + zero` within 8 bits, in 128-bit integers.
fn rounded(product: i128, shift: u32, zero: i8) -> i8 {
    let half = 1_i128 << (shift - 1);
    let value = (product + half).div_euclid(1 << shift);
    (value + i128::from(zero)).clamp(-128, 127) as i8
}

/// Layer by layer over `[positions][channels]`, in the order of the formulas.
fn oracle(input: Shape, layers: &[Layer], owned: &Owned, x: &[f32]) -> Vec<f32> {
    let first = owned.activations[0];
    let quantized = |value: f32| {
        let place = value / first.scale + (f32::from(first.zero) + 128.0) + 0.5;
        (place.floor().clamp(0.0, 255.0) as i32 - 128) as i8
    };
    let mut positions = input.positions;
    let mut channels = input.channels;
    let mut values: Vec<i8> = x.iter().map(|&value| quantized(value)).collect();
    let (mut biases, mut rescales) = (owned.biases.iter(), owned.rescales.iter());
    let mut held = (Vec::new(), first);
    for (number, layer) in layers.iter().enumerate() {
        let (from, to) = (owned.activations[number], owned.activations[number + 1]);
        let at = |position: isize, channel: usize| match usize::try_from(position) {
            Ok(position) if position < positions => values[position * channels + channel],
            _ => from.zero,
        };
        let matrix = &owned.rows[number];
        let mut rows = |rows: usize, steps: usize, sum: &dyn Fn(usize, usize) -> i128| {
            let biases: Vec<i32> = biases.by_ref().take(rows).copied().collect();
            let rescales: Vec<Rescale> = rescales.by_ref().take(rows).copied().collect();
            let each = (0..steps * rows).map(|place| {
                let (step, row) = (place / rows, place % rows);
                let total = sum(step, row) + i128::from(biases[row]);
                let rescale = rescales[row];
                rounded(
                    total * i128::from(rescale.multiplier),
                    rescale.shift,
                    to.zero,
                )
            });
            each.collect::<Vec<i8>>()
        };
        let start = |window: &Window, step: usize| {
            (step * window.stride).cast_signed() - window.padding[0].cast_signed()
        };
        values = match layer {
            Layer::Convolution(own) => {
                let kernel = own.window.kernel;
                let steps = outputs(&own.window, positions);
                let out = rows(own.outputs, steps, &|step, row| {
                    let mut sum = 0;
                    for channel in 0..channels {
                        for tap in 0..kernel {
                            let weight = matrix[(row * channels + channel) * kernel + tap];
                            let x = at(start(&own.window, step) + tap.cast_signed(), channel);
                            sum += i128::from(weight) * i128::from(x);
                        }
                    }
                    sum
                });
                (positions, channels) = (steps, own.outputs);
                out
            }
            Layer::Depthwise(own) => {
                let kernel = own.window.kernel;
                let steps = outputs(&own.window, positions);
                let out = rows(channels, steps, &|step, row| {
                    let taps = (0..kernel).map(|tap| {
                        let x = at(start(&own.window, step) + tap.cast_signed(), row);
                        i128::from(matrix[row * kernel + tap]) * i128::from(x)
                    });
                    taps.sum()
                });
                positions = steps;
                out
            }
            Layer::Dense(own) => {
                let out = rows(own.outputs, 1, &|_, row| {
                    let columns = (0..channels).map(|channel| {
                        let weight = matrix[row * channels + channel];
                        i128::from(weight) * i128::from(values[channel])
                    });
                    columns.sum()
                });
                channels = own.outputs;
                out
            }
            Layer::MaxPool(window) => {
                let steps = outputs(window, positions);
                let out = (0..steps * channels).map(|place| {
                    let (step, channel) = (place / channels, place % channels);
                    let taps =
                        (0..window.kernel).map(|tap| start(window, step) + tap.cast_signed());
                    let inside = taps.filter(|&p| p >= 0 && (p as usize) < positions);
                    inside.map(|p| at(p, channel)).max().unwrap()
                });
                let out = out.collect();
                positions = steps;
                out
            }
            Layer::AveragePool(_) | Layer::GlobalAveragePool => {
                let window = match layer {
                    Layer::AveragePool(window) => *window,
                    _ => Window::new(positions),
                };
                let steps = outputs(&window, positions);
                let rescale = *rescales.next().unwrap();
                let out = (0..steps * channels).map(|place| {
                    let (step, channel) = (place / channels, place % channels);
                    let taps =
                        (0..window.kernel).map(|tap| start(&window, step) + tap.cast_signed());
                    let terms = taps.map(|p| i128::from(at(p, channel)) - i128::from(from.zero));
                    let sum: i128 = terms.sum();
                    rounded(sum * i128::from(rescale.multiplier), rescale.shift, to.zero)
                });
                let out = out.collect();
                positions = steps;
                out
            }
            Layer::Relu => values.iter().map(|&q| q.max(to.zero)).collect(),
            Layer::Flatten(order) => {
                let out = match order {
                    Order::ChannelsLast => values.clone(),
                    Order::ChannelsFirst => (0..channels * positions)
                        .map(|place| values[place % positions * channels + place / positions])
                        .collect(),
                };
                (positions, channels) = (1, positions * channels);
                out
            }
            Layer::ResidualStart => {
                held = (values.clone(), from);
                values
            }
            Layer::ResidualAdd => {
                let (a, b) = (*rescales.next().unwrap(), *rescales.next().unwrap());
                let pairs = values.iter().zip(&held.0);
                pairs
                    .map(|(&q, &p)| {
                        let through = i128::from(q) - i128::from(from.zero);
                        let around = i128::from(p) - i128::from(held.1.zero);
                        let sum =
                            through * i128::from(a.multiplier) + around * i128::from(b.multiplier);
                        rounded(sum, a.shift, to.zero)
                    })
                    .collect()
            }
            other => panic!("{other:?}"),
        };
    }
    let last = *owned.activations.last().unwrap();
    let number = |q: i8| (i32::from(q) - i32::from(last.zero)) as f32 * last.scale;
    values.into_iter().map(number).collect()
}

#[test]
fn integers_are_those_of_a_naive_oracle() {
    const CASES: usize = 2_000;
    let mut rng = Pcg32::new(15, 0);
    let mut distinct = std::collections::HashSet::new();
    for number in 0..CASES {
        let (input, layers, owned) = case(&mut rng);
        let network = Network::new(input, &layers);
        let network = network.unwrap_or_else(|error| panic!("{number}: {error}: {layers:?}"));
        let x: Vec<f32> = (0..network.input_len())
            .map(|_| 30.0 * rng.standard_normal())
            .collect();
        let mut logits = vec![0.0; network.classes()];
        let mut scratch = vec![0; network.quantized_len()];
        network
            .infer_quantized(&owned.borrowed(), &x, &mut scratch, &mut logits)
            .unwrap_or_else(|error| panic!("{number}: {error}: {layers:?}"));
        let expected = oracle(input, &layers, &owned, &x);
        assert_eq!(logits, expected, "{number}: {layers:?}");
        distinct.extend(logits.iter().map(|logit| logit.to_bits()));
    }
    // Not all at the ends of their range.
    assert!(distinct.len() > CASES, "{}", distinct.len());
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_written() {
    let mut rng = Pcg32::new(15, 1);
    let (input, layers, owned) = case(&mut rng);
    let network = Network::new(input, &layers).unwrap();
    let x = vec![0.5; network.input_len()];
    let call = |quantized: &Quantized<'_>, x: &[f32], scratch: usize| {
        let mut logits = vec![7.0; network.classes()];
        let done = network.infer_quantized(quantized, x, &mut vec![0; scratch], &mut logits);
        assert!(done.is_ok() || logits.iter().all(|&logit| logit == 7.0));
        done.map_err(|error| error.to_string())
    };
    let (whole, enough) = (owned.borrowed(), network.quantized_len());
    assert_eq!(call(&whole, &x, enough), Ok(()));
    let short = call(&whole, &x, enough - 1).unwrap_err();
    assert!(short.starts_with("scratch: "), "{short}");
    let mut nan = x.clone();
    nan[0] = f32::NAN;
    assert!(
        call(&whole, &nan, enough)
            .unwrap_err()
            .starts_with("input: NaN")
    );
    let weights = &owned.packed[1..];
    let found = call(&Quantized { weights, ..whole }, &x, enough).unwrap_err();
    assert!(found.starts_with("weights: "), "{found}");
    let mut biases = owned.biases.clone();
    biases[0] = 1 << 30;
    let large = Quantized {
        biases: &biases,
        ..whole
    };
    assert_eq!(
        call(&large, &x, enough).unwrap_err(),
        "biases: outside its domain"
    );
    let mut rescales = owned.rescales.clone();
    for broken in [
        Rescale {
            multiplier: -1,
            shift: 31,
        },
        Rescale {
            multiplier: 1,
            shift: 0,
        },
        Rescale {
            multiplier: 1,
            shift: 63,
        },
    ] {
        rescales[0] = broken;
        let broken = Quantized {
            rescales: &rescales,
            ..whole
        };
        assert_eq!(
            call(&broken, &x, enough).unwrap_err(),
            "rescales: outside its domain"
        );
    }
    let mut activations = owned.activations.clone();
    activations[0].scale = 0.0;
    let broken = Quantized {
        activations: &activations,
        ..whole
    };
    assert_eq!(
        call(&broken, &x, enough).unwrap_err(),
        "activations: outside its domain"
    );

    let recurrent = [Layer::Lstm(Lstm { hidden: 2 })];
    let recurrent = Network::new(input, &recurrent).unwrap();
    let mut scratch = vec![0; recurrent.quantized_len()];
    let done = recurrent.infer_quantized(&whole, &x, &mut scratch, &mut [0.0; 2]);
    assert_eq!(done, Err(Error::Unsupported { argument: "layers" }));
}

#[test]
fn every_layer_is_shown() {
    let layers = [
        Layer::Convolution(Convolution {
            outputs: 1,
            window: Window::new(1),
        }),
        Layer::Relu,
        Layer::GlobalAveragePool,
    ];
    let network = Network::new(Shape::series(2, 1), &layers).unwrap();
    let mut seen = Vec::new();
    let mut tape = vec![0.0; network.saliency_len()];
    network
        .observe(
            Parameters::all(&[1.0, 0.0]),
            &[-1.0, 2.0],
            &mut tape,
            &mut |layer, values| seen.push((layer, values.to_vec())),
        )
        .unwrap();
    assert_eq!(
        seen,
        [(0, vec![-1.0, 2.0]), (1, vec![0.0, 2.0]), (2, vec![1.0])]
    );
}
