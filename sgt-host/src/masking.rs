//! The core's masking call in the vectors of the instruction set in use.

use sgt_core::{Donors, Error, Masking, Random, Selected};

/// [`sgt_core::mask_sample`], compiled for several vector units and chosen when it is called.
///
/// Arguments, results and errors are the core's, bit for bit: no operation is contracted or
/// reordered, only more lanes are computed at a time.
///
/// # Errors
/// As [`sgt_core::mask_sample`].
///
/// ```
/// use sgt_core::{Layout, Masking, Pcg32};
/// let masking = Masking::reference(Layout::flat(4)?);
/// let (gradient, x) = ([0.1, -0.3, 0.2, -0.1], [1.0, 2.0, 3.0, 4.0]);
/// let (mut scratch, mut masked) = ([0; 4], [0.0; 4]);
/// let rng = &mut Pcg32::new(7, 0);
/// let selected =
///     sgt_host::masking::mask_sample(&masking, &gradient, &x, None, rng, &mut scratch, &mut masked)?;
/// assert!(selected.iter().eq([1, 3]));
/// # Ok::<(), sgt_core::Error>(())
/// ```
pub fn mask_sample<'s, R: Random>(
    masking: &Masking,
    gradient: &[f32],
    sample: &[f32],
    donors: Option<Donors<'_>>,
    rng: &mut R,
    scratch: &'s mut [u32],
    out: &mut [f32],
) -> Result<Selected<'s>, Error> {
    crate::instructions::current().dispatch(Call {
        masking,
        gradient,
        sample,
        donors,
        rng,
        scratch,
        out,
    })
}

struct Call<'a, 's, R> {
    masking: &'a Masking,
    gradient: &'a [f32],
    sample: &'a [f32],
    donors: Option<Donors<'a>>,
    rng: &'a mut R,
    scratch: &'s mut [u32],
    out: &'a mut [f32],
}

impl<'s, R: Random> pulp::WithSimd for Call<'_, 's, R> {
    type Output = Result<Selected<'s>, Error>;

    // Must be inlined into the caller that enables the vector unit.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Self::Output {
        sgt_core::mask_sample(
            self.masking,
            self.gradient,
            self.sample,
            self.donors,
            self.rng,
            self.scratch,
            self.out,
        )
    }
}
