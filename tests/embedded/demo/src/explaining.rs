//! What the network says of the test windows, and why.

use crate::windows::{TEST, Worn, read};
use crate::{Digest, Print, largest};
use network::sgt_core::Error;
use network::sgt_core::network::Parameters;
use network::{
    CHANNELS, CLASSES, INFERENCE_LEN, INPUT_LEN, QUANTIZED_LEN, SALIENCY_LEN, STEPS, WEIGHTS,
    infer, infer_quantized, saliency,
};

/// Right answers over the test windows, in floats; `scratch` has at least [`INFERENCE_LEN`] values.
///
/// # Errors
/// As [`infer`].
pub fn right(
    parameters: Parameters<'_>,
    worn: Worn,
    scratch: &mut [f32],
    input: &mut [f32; INPUT_LEN],
) -> Result<usize, Error> {
    let mut logits = [0.0; CLASSES];
    let mut right = 0;
    for window in &TEST {
        read(window, worn, input);
        infer(parameters, input, scratch, &mut logits)?;
        right += usize::from(largest(&logits) == window.label);
    }
    Ok(right)
}

/// Of the exported weights.
#[inline(never)] // its memory is needed while it runs alone
fn right_as_exported(worn: Worn) -> Result<usize, Error> {
    let mut scratch = [0.0; INFERENCE_LEN];
    let mut input = [0.0; INPUT_LEN];
    let weights = Parameters::all(&WEIGHTS);
    right(weights, worn, &mut scratch, &mut input)
}

/// The same in integers, with a digest of all logits.
///
/// # Errors
/// As [`infer_quantized`].
#[inline(never)] // its memory is needed while it runs alone
pub fn right_in_integers() -> Result<(usize, Digest), Error> {
    let mut scratch = [0; QUANTIZED_LEN];
    let mut input = [0.0; INPUT_LEN];
    let mut logits = [0.0; CLASSES];
    let (mut right, mut digest) = (0, Digest::default());
    for window in &TEST {
        read(window, Worn::AsTrained, &mut input);
        infer_quantized(&input, &mut scratch, &mut logits)?;
        right += usize::from(largest(&logits) == window.label);
        digest.add(&logits);
    }
    Ok((right, digest))
}

/// The saliency of every test window: a digest, and for one window of each class the step and the
/// channel that decided most.
///
/// # Errors
/// As [`saliency`].
#[inline(never)] // its memory is needed while it runs alone
pub fn explain(print: Print<'_>) -> Result<(), Error> {
    let mut scratch = [0.0; SALIENCY_LEN];
    let mut input = [0.0; INPUT_LEN];
    let mut logits = [0.0; CLASSES];
    let mut map = [0.0; INPUT_LEN];
    let mut digest = Digest::default();
    let mut shown = [false; CLASSES];
    for window in &TEST {
        read(window, Worn::AsTrained, &mut input);
        let weights = Parameters::all(&WEIGHTS);
        saliency(
            weights,
            &input,
            window.label,
            &mut scratch,
            &mut logits,
            &mut map,
        )?;
        digest.add(&logits);
        digest.add(&map);
        if !core::mem::replace(&mut shown[window.label], true) {
            let mut most = 0;
            for place in 1..STEPS * CHANNELS {
                if map[place].abs() > map[most].abs() {
                    most = place;
                }
            }
            print(format_args!(
                "{}: decided most by channel {} at step {}",
                network::CLASS_NAMES[window.label],
                most % CHANNELS,
                most / CHANNELS
            ));
        }
    }
    print(format_args!(
        "saliency of {} windows {:016x}",
        TEST.len(),
        digest.0
    ));
    Ok(())
}

/// All of it.
///
/// # Errors
/// As [`right`], [`right_in_integers`] and [`explain`].
pub fn run(print: Print<'_>) -> Result<(), Error> {
    let all = TEST.len();
    let floats = right_as_exported(Worn::AsTrained)?;
    print(format_args!("floats: {floats} of {all} right"));
    let (integers, digest) = right_in_integers()?;
    print(format_args!(
        "integers: {integers} of {all} right, logits {:016x}",
        digest.0
    ));
    explain(print)?;
    let turned = right_as_exported(Worn::Turned)?;
    print(format_args!("sensor turned: {turned} of {all} right"));
    Ok(())
}
