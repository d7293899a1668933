//! From a sensor's units to those that a network reads.

use super::rows::rows_mut;
use crate::{Error, math};

/// `z = (x − mean) / deviation`, channel by channel, over a window `[positions, channels]`.
///
/// `mean` and `deviation` have one value a channel: those of the training data. What is no number
/// then is refused by the inference.
///
/// # Errors
/// [`Error::Empty`] for no channels, [`Error::Length`] naming `deviation` or, where it is no whole
/// number of positions, `window`, which is untouched then.
///
/// ```
/// use sgt_core::network::standardize;
/// let mut window = [1.0, 10.0, 3.0, 30.0]; // two positions of two channels
/// standardize(&mut window, &[2.0, 20.0], &[1.0, 5.0])?;
/// assert_eq!(window, [-1.0, -2.0, 1.0, 2.0]);
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn standardize(window: &mut [f32], mean: &[f32], deviation: &[f32]) -> Result<(), Error> {
    let channels = mean.len();
    if channels == 0 {
        return Err(Error::Empty { argument: "mean" });
    }
    math::check_length("deviation", channels, deviation.len())?;
    let found = window.len();
    let left = found % channels;
    math::check_length("window", found - left, found)?;
    for position in rows_mut(window, channels) {
        for ((x, mean), deviation) in position.iter_mut().zip(mean).zip(deviation) {
            *x = (*x - mean) / deviation;
        }
    }
    Ok(())
}
