//! Pooling against its definition.

use super::global::*;
use super::*;
use crate::kernel::dispatch::on_every_instruction_set;
use crate::kernel::levels::values;
use crate::kernel::oracle::{TOLERANCE, assert_close, bits, doubles};

/// Samples in a batch.
const BATCH: usize = 3;
/// Largest miss of completeness, as a share of the sum of the contributions' magnitudes: values that
/// are tied up to rounding count as equal.
const COMPLETENESS: f64 = 1e-5;

fn shapes() -> Vec<PoolShape> {
    let mut shapes = Vec::new();
    for channels in [1, 3, 16, 37] {
        let image = |window, stride, padding| PoolShape {
            stride,
            padding,
            ..PoolShape::image(channels, [7, 6], window)
        };
        shapes.extend([
            image([2, 2], [2, 2], [0, 0]),
            image([3, 2], [1, 2], [0, 1]),
            image([3, 3], [2, 2], [1, 1]),
            image([7, 6], [1, 1], [3, 3]),
            image([1, 2], [3, 3], [0, 0]),
            PoolShape::series(channels, 11, 3),
            PoolShape {
                stride: [1, 2],
                padding: [0, 2],
                ..PoolShape::series(channels, 11, 4)
            },
        ]);
    }
    shapes
}

/// The input places of an output place of one sample, in row order.
fn window(shape: &PoolShape, place: usize) -> Vec<usize> {
    let [_, columns] = shape.output();
    let [height, width] = shape.input.map(usize::cast_signed);
    let (channel, position) = (place % shape.channels, place / shape.channels);
    let mut places = Vec::new();
    for u in 0..shape.window[0] {
        for v in 0..shape.window[1] {
            let y = position / columns * shape.stride[0] + u;
            let x = position % columns * shape.stride[1] + v;
            let y = y.cast_signed() - shape.padding[0].cast_signed();
            let x = x.cast_signed() - shape.padding[1].cast_signed();
            if (0..height).contains(&y) && (0..width).contains(&x) {
                let position = (y * width + x).cast_unsigned();
                places.push(position * shape.channels + channel);
            }
        }
    }
    places
}

/// The place of the maximum: the first of the largest, a NaN being larger than any number.
fn place_of_maximum(x: &[f32], places: impl IntoIterator<Item = usize>) -> usize {
    let mut places = places.into_iter();
    let first = places.next().unwrap();
    places.fold(first, |best, place| {
        let is_larger = x[place] > x[best] || (x[place].is_nan() && !x[best].is_nan());
        if is_larger { place } else { best }
    })
}

/// Values with ties, and NaNs that come together in some windows.
fn awkward(len: usize) -> Vec<f32> {
    let rough = values(len, 1)
        .into_iter()
        .map(|value| (value * 4.0).round() / 4.0);
    let mut x: Vec<f32> = rough.collect();
    x.iter_mut().step_by(7).for_each(|x| *x = f32::NAN);
    x
}

#[test]
fn maxima_and_their_gradients_are_exact_on_every_instruction_set() {
    on_every_instruction_set(|arch| {
        for shape in shapes() {
            let (input, output) = (shape.input_len(), shape.output_len());
            let dout = values(BATCH * output, 2);
            for x in [values(BATCH * input, 3), awkward(BATCH * input)] {
                let mut expected = Vec::new();
                let mut expected_dx = vec![0.0; x.len()];
                for (index, d) in dout.iter().enumerate() {
                    let first = index / output * input;
                    let places = window(&shape, index % output);
                    let best = place_of_maximum(&x, places.into_iter().map(|at| first + at));
                    expected.push(x[best]);
                    expected_dx[best] += d;
                }
                let mut out = vec![0.5; dout.len()];
                let mut cache = MaxPoolCache::default();
                max_pool_forward(&shape, &x, &mut out, &mut cache).unwrap();
                assert_eq!(bits(&out), bits(&expected), "{arch:?}, {shape:?}");
                let mut dx = vec![f32::NAN; x.len()];
                let overwrite = InputGradient::Overwrite(&mut dx);
                max_pool_backward(&cache, &dout, overwrite).unwrap();
                assert_eq!(dx, expected_dx, "{arch:?}, {shape:?}");
                dx.fill(1.0);
                max_pool_backward(&cache, &dout, InputGradient::Add(&mut dx)).unwrap();
                assert_close("dx", &dx, 1.0, &doubles(&expected_dx), TOLERANCE);
            }
        }
    });
}

#[test]
fn means_and_their_gradients_agree_with_the_definition_on_every_instruction_set() {
    on_every_instruction_set(|arch| {
        for shape in shapes() {
            let name = format!("{arch:?}, {shape:?}");
            let (input, output) = (shape.input_len(), shape.output_len());
            let x = values(BATCH * input, 1);
            let dout = values(BATCH * output, 2);
            let area = (shape.window[0] * shape.window[1]) as f64;
            let mut expected = vec![0.0; dout.len()];
            let mut expected_dx = vec![0.0; x.len()];
            for (index, d) in dout.iter().enumerate() {
                for at in window(&shape, index % output) {
                    let at = index / output * input + at;
                    expected[index] += f64::from(x[at]) / area;
                    expected_dx[at] += f64::from(*d) / area;
                }
            }
            let mut out = vec![f32::NAN; dout.len()];
            average_pool_forward(&shape, &x, &mut out).unwrap();
            assert_close(&name, &out, 0.0, &expected, TOLERANCE);
            let mut dx = vec![f32::NAN; x.len()];
            average_pool_backward(&shape, &dout, InputGradient::Overwrite(&mut dx)).unwrap();
            assert_close(&name, &dx, 0.0, &expected_dx, TOLERANCE);
            dx.fill(1.0);
            average_pool_backward(&shape, &dout, InputGradient::Add(&mut dx)).unwrap();
            assert_close(&name, &dx, 1.0, &expected_dx, TOLERANCE);
        }
    });
}

/// The shape of a global pool, and lengths or none.
fn global_cases() -> Vec<(GlobalPoolShape, Option<Vec<usize>>)> {
    let mut cases = Vec::new();
    for (positions, channels) in [(1, 1), (5, 3), (9, 16), (4, 37)] {
        let shape = GlobalPoolShape {
            positions,
            channels,
        };
        let lengths = (0..BATCH).map(|sample| sample * 3 % positions + 1);
        cases.extend([(shape, None), (shape, Some(lengths.collect()))]);
    }
    cases
}

/// Calls `visit(sample, its channel's places in front of its length, its output's place)`.
fn for_each_channel(
    shape: &GlobalPoolShape,
    lengths: Option<&[usize]>,
    mut visit: impl FnMut(&mut dyn Iterator<Item = usize>, usize),
) {
    for sample in 0..BATCH {
        let length = lengths.map_or(shape.positions, |lengths| lengths[sample]);
        for channel in 0..shape.channels {
            let first = sample * shape.input_len() + channel;
            let mut places = (0..length).map(|position| first + position * shape.channels);
            visit(&mut places, sample * shape.channels + channel);
        }
    }
}

/// NaN behind the real positions.
fn spoil(shape: &GlobalPoolShape, lengths: Option<&[usize]>, x: &mut [f32]) {
    let samples = x.chunks_exact_mut(shape.input_len());
    for (x, length) in samples.zip(lengths.unwrap_or(&[])) {
        x[length * shape.channels..].fill(f32::NAN);
    }
}

#[test]
fn global_pools_agree_with_the_definition_on_every_instruction_set() {
    on_every_instruction_set(|arch| {
        for (shape, lengths) in global_cases() {
            let name = format!("{arch:?}, {shape:?}, lengths {lengths:?}");
            let lengths = lengths.as_deref();
            let len = BATCH * shape.input_len();
            let dout = values(BATCH * shape.channels, 2);
            let mut x = values(len, 1);
            spoil(&shape, lengths, &mut x);
            let mut expected = vec![0.0; dout.len()];
            let mut expected_dx = vec![0.0; len];
            for_each_channel(&shape, lengths, |places, out| {
                // The order and the roundings are promised.
                let places: Vec<usize> = places.collect();
                let share = 1.0 / places.len() as f32;
                let sum = places.iter().fold(0.0, |sum, &at| sum + x[at]);
                expected[out] = sum * share;
                for &at in &places {
                    expected_dx[at] = dout[out] * share;
                }
            });
            let mut out = vec![f32::NAN; dout.len()];
            global_average_pool_forward(&shape, &x, lengths, &mut out).unwrap();
            assert_eq!(bits(&out), bits(&expected), "{name}");
            let mut dx = vec![f32::NAN; len];
            let overwrite = InputGradient::Overwrite(&mut dx);
            global_average_pool_backward(&shape, lengths, &dout, overwrite).unwrap();
            assert_eq!(bits(&dx), bits(&expected_dx), "{name}");
            dx.fill(1.0);
            let add = InputGradient::Add(&mut dx);
            global_average_pool_backward(&shape, lengths, &dout, add).unwrap();
            assert_close(&name, &dx, 1.0, &doubles(&expected_dx), TOLERANCE);

            for mut x in [values(len, 3), awkward(len)] {
                spoil(&shape, lengths, &mut x);
                expected_dx.fill(0.0);
                for_each_channel(&shape, lengths, |places, out| {
                    let best = place_of_maximum(&x, places);
                    expected[out] = x[best];
                    expected_dx[best] = dout[out];
                });
                let mut cache = GlobalMaxPoolCache::default();
                global_max_pool_forward(&shape, &x, lengths, &mut out, &mut cache).unwrap();
                assert_eq!(bits(&out), bits(&expected), "{name}");
                let overwrite = InputGradient::Overwrite(&mut dx);
                global_max_pool_backward(&cache, &dout, overwrite).unwrap();
                assert_eq!(dx, expected_dx, "{name}");
                dx.fill(1.0);
                global_max_pool_backward(&cache, &dout, InputGradient::Add(&mut dx)).unwrap();
                assert_close(&name, &dx, 1.0, &doubles(&expected_dx), TOLERANCE);
            }
        }
    });
}

/// Asserts that multipliers explain the change of `Σ dout · out`.
fn assert_complete(name: &str, multipliers: &[f32], x: &[f32], reference: &[f32], change: f64) {
    let pairs = multipliers.iter().zip(x).zip(reference);
    let contributions = pairs.filter(|((m, _), _)| **m != 0.0);
    let contributions = contributions.map(|((&m, &x), &x0)| f64::from(m) * f64::from(x - x0));
    let contributions: Vec<f64> = contributions.collect();
    let size: f64 = contributions.iter().map(|value| value.abs()).sum();
    let sum: f64 = contributions.iter().sum();
    assert!(
        (sum - change).abs() <= COMPLETENESS * size.max(change.abs()),
        "{name}: {sum}, expected {change}"
    );
}

fn change(dout: &[f32], out: &[f32], of_reference: &[f32]) -> f64 {
    let pairs = dout.iter().zip(out).zip(of_reference);
    pairs
        .map(|((&d, &out), &out0)| f64::from(d) * f64::from(out - out0))
        .sum()
}

#[test]
fn multipliers_are_complete() {
    for shape in shapes() {
        let len = shape.input_len();
        let x = values(len, 1);
        let dout = values(shape.output_len(), 2);
        let mut cache = MaxPoolCache::default();
        let mut some = values(len, 3);
        some.iter_mut()
            .zip(&x)
            .step_by(3)
            .for_each(|(some, x)| *some = *x);
        let constant = vec![-0.25; len];
        for reference in [&some, &constant] {
            let maxima = [&x, reference].map(|x| {
                let mut out = vec![0.0; dout.len()];
                max_pool_forward(&shape, x, &mut out, &mut MaxPoolCache::default()).unwrap();
                out
            });
            let mut dx = vec![f32::NAN; len];
            let overwrite = InputGradient::Overwrite(&mut dx);
            max_pool_multipliers(&shape, &x, reference, &dout, overwrite).unwrap();
            let change = change(&dout, &maxima[0], &maxima[1]);
            assert_complete(&format!("{shape:?}"), &dx, &x, reference, change);
            let mut added = vec![1.0; len];
            let add = InputGradient::Add(&mut added);
            max_pool_multipliers(&shape, &x, reference, &dout, add).unwrap();
            assert_close("added", &added, 1.0, &doubles(&dx), TOLERANCE);
        }
        // Against itself, and against a constant baseline, the gradient.
        let mut out = vec![0.0; dout.len()];
        max_pool_forward(&shape, &x, &mut out, &mut cache).unwrap();
        let mut gradient = vec![0.0; len];
        max_pool_backward(&cache, &dout, InputGradient::Overwrite(&mut gradient)).unwrap();
        for reference in [&x, &constant] {
            let mut dx = vec![f32::NAN; len];
            let overwrite = InputGradient::Overwrite(&mut dx);
            max_pool_multipliers(&shape, &x, reference, &dout, overwrite).unwrap();
            assert_close("gradient", &dx, 0.0, &doubles(&gradient), TOLERANCE);
        }
    }
}

#[test]
fn multipliers_of_a_global_maximum_are_complete() {
    for (shape, lengths) in global_cases() {
        let lengths = lengths.as_deref();
        let len = BATCH * shape.input_len();
        let (mut x, mut reference) = (values(len, 1), values(len, 3));
        spoil(&shape, lengths, &mut x);
        spoil(&shape, lengths, &mut reference);
        let dout = values(BATCH * shape.channels, 2);
        let maxima = [&x, &reference].map(|x| {
            let mut out = vec![0.0; dout.len()];
            let cache = &mut GlobalMaxPoolCache::default();
            global_max_pool_forward(&shape, x, lengths, &mut out, cache).unwrap();
            out
        });
        let mut dx = vec![f32::NAN; len];
        let overwrite = InputGradient::Overwrite(&mut dx);
        global_max_pool_multipliers(&shape, &x, &reference, lengths, &dout, overwrite).unwrap();
        let change = change(&dout, &maxima[0], &maxima[1]);
        assert_complete(
            &format!("{shape:?}, {lengths:?}"),
            &dx,
            &x,
            &reference,
            change,
        );
        assert!(dx.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let shape = PoolShape::series(2, 5, 2);
    let mut cache = MaxPoolCache::default();
    let refuse = |result: Result<()>, expected: &str| {
        assert_eq!(result.expect_err(expected).to_string(), expected);
    };
    refuse(
        max_pool_backward(&cache, &[0.0; 4], InputGradient::Skip),
        "max pool backward: found shape no forward pass, expected a cache that a forward pass filled",
    );
    refuse(
        max_pool_forward(&shape, &[0.0; 9], &mut [0.0; 4], &mut cache),
        "max pool: found shape x of 9 values, expected one or more samples of 10 values",
    );
    let padded = PoolShape {
        padding: [0, 2],
        ..shape
    };
    refuse(
        average_pool_forward(&padded, &[0.0; 10], &mut [0.0; 8]),
        "pooling: found shape 2 channels of [1, 5], window [1, 2], stride [1, 2], padding [0, 2], \
         expected positive sizes, a window of less than 65536 values inside the padded input, padding \
         of at most half a window",
    );
    assert!(PoolShape::series(2, 5, 6).check().is_err());
    let shape = GlobalPoolShape {
        positions: 5,
        channels: 2,
    };
    refuse(
        global_average_pool_forward(&shape, &[0.0; 10], Some(&[6]), &mut [0.0; 2]),
        "lengths: found 6, expected from 1 to 5 steps",
    );
}
