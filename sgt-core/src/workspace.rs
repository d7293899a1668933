//! Fixed-capacity owners of the buffers that the slice API borrows (feature `heapless`).

use crate::{Donors, Error, Masking, Random, mask_sample_small, mask_sample_small_len};
use heapless::Vec;

/// Buffers to mask samples of up to `N` values: 6 bytes a value, `4·N` for the masked sample and
/// `2·N` for the indices.
///
/// ```
/// use sgt_core::{Layout, Masking, Pcg32, Workspace};
/// let mut workspace = Workspace::<8>::new();
/// let masking = Masking::reference(Layout::flat(6)?);
/// let gradient = [0.3, -0.2, 0.0, 0.9, -0.5, 0.1];
/// let sample = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let masked = workspace.mask(&masking, &gradient, &sample, None, &mut Pcg32::new(1, 2))?;
/// assert_eq!(masked.indices, [1, 2, 4]);
/// assert_eq!(masked.values[3], 4.0);
/// # Ok::<(), sgt_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Workspace<const N: usize> {
    masked: Vec<f32, N>,
    indices: Vec<u16, N>,
}

/// What [`Workspace::mask`] made; it lives in the workspace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Masked<'w> {
    /// The masked sample `x̃`.
    pub values: &'w [f32],
    /// The replaced groups.
    pub indices: &'w [u16],
}

impl<const N: usize> Workspace<N> {
    /// Empty buffers.
    pub const fn new() -> Self {
        Self {
            masked: Vec::new(),
            indices: Vec::new(),
        }
    }

    /// [`mask_sample_small`] into this workspace.
    ///
    /// # Errors
    /// As [`mask_sample_small`], and [`Error::Capacity`] when the sample has more than `N` values.
    /// The workspace's former content is gone then.
    pub fn mask<R: Random>(
        &mut self,
        masking: &Masking,
        gradient: &[f32],
        sample: &[f32],
        donors: Option<Donors<'_>>,
        rng: &mut R,
    ) -> Result<Masked<'_>, Error> {
        let length = masking.layout.sample_len();
        let too_small = Error::Capacity {
            argument: "workspace",
            needed: length,
            capacity: N,
        };
        self.masked.resize(length, 0.0).map_err(|_| too_small)?;
        let room = mask_sample_small_len(masking);
        self.indices.resize(room, 0).map_err(|_| too_small)?;
        let indices = mask_sample_small(
            masking,
            gradient,
            sample,
            donors,
            rng,
            &mut self.indices,
            &mut self.masked,
        )?;
        Ok(Masked {
            values: &self.masked,
            indices,
        })
    }
}
