//! Integer inference on any table of layers and any integers: refused with the logits untouched, or
//! logits that the last activation can hold, the same each time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sgt_core::network::{Activation, Layer, Network, Quantized, Rescale, Shape};
use sgt_core::{Pcg32, Random};
use sgt_fuzz::tables::{self, Choices};
use sgt_fuzz::{Bytes, UNTOUCHED, assert_untouched};

/// Values of the largest network that is run.
const LARGEST: usize = 1 << 14;

/// Rows of a layer's weights, and its rescalings.
fn counts(layer: &Layer, input: Shape) -> [usize; 2] {
    let rows = match layer {
        Layer::Dense(layer) => layer.outputs,
        Layer::Convolution(layer) => layer.outputs,
        Layer::Depthwise(_) => input.channels,
        _ => 0,
    };
    let rescales = match layer {
        Layer::AveragePool(_) | Layer::GlobalAveragePool => 1,
        Layer::ResidualAdd => 2,
        _ => rows,
    };
    [rows, rescales]
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let choices = std::iter::from_fn(|| Some(u32::from(bytes.byte())));
    let (input, layers) = Choices(choices).table();
    let Ok(network) = Network::new(input, &layers) else {
        return;
    };
    let Some(shapes) = tables::shapes(input, &layers) else {
        return;
    };
    if network.quantized_len().max(network.parameter_len()) > LARGEST {
        return;
    }
    let pairs = layers.iter().zip(&shapes);
    let [rows, rescales] = pairs.fold([0; 2], |[rows, rescales], (layer, &shape)| {
        let [own, scales] = counts(layer, shape);
        [rows + own, rescales + scales]
    });
    // Mostly sound: what is refused at once shows little.
    let multipliers = [1 << 30, i32::MAX, 0, 1, -1, i32::MIN];
    let rescale = Rescale {
        multiplier: multipliers[if bytes.below(8) == 0 {
            bytes.below(6)
        } else {
            bytes.below(4)
        }],
        shift: if bytes.below(16) == 0 {
            bytes.word()
        } else {
            1 + bytes.below(62) as u32
        },
    };
    let scale = if bytes.below(8) == 0 {
        bytes.float()
    } else {
        1.0 / 64.0
    };
    let activation = Activation {
        scale,
        zero: bytes.byte().cast_signed(),
    };
    let mut drawn = Pcg32::new(u64::from(bytes.word()), 0);
    let largest = if bytes.flag() {
        i32::MAX
    } else {
        (1 << 30) - 1
    };
    let count = bytes.length(network.parameter_len().saturating_sub(rows));
    let weights: Vec<i8> = (0..count).map(|_| drawn.next_u32() as i8).collect();
    let count = bytes.length(rows);
    let biases: Vec<i32> = (0..count)
        .map(|_| (drawn.next_u32() as i32).clamp(-largest, largest))
        .collect();
    let quantized = Quantized {
        weights: &weights,
        biases: &biases,
        rescales: &vec![rescale; bytes.length(rescales)],
        activations: &vec![activation; bytes.length(layers.len() + 1)],
    };
    let x: Vec<f32> = (0..bytes.length(network.input_len()))
        .map(|_| drawn.unit() * 8.0 - 4.0)
        .collect();
    let mut scratch = vec![0_i8; bytes.length(network.quantized_len())];
    let mut logits = vec![UNTOUCHED; bytes.length(network.classes())];
    let found = network.infer_quantized(&quantized, &x, &mut scratch, &mut logits);
    if found.is_err() {
        assert_untouched(&logits);
        return;
    }
    let zero = f32::from(activation.zero);
    let ends = [-128.0, 127.0].map(|end: f32| (end - zero) * activation.scale);
    for logit in &logits {
        assert!(
            (ends[0]..=ends[1]).contains(logit),
            "{logit} outside {ends:?}"
        );
    }
    let mut again = vec![UNTOUCHED; logits.len()];
    scratch.fill(i8::MAX);
    network
        .infer_quantized(&quantized, &x, &mut scratch, &mut again)
        .expect("the same arguments");
    assert_eq!(logits, again);
});
