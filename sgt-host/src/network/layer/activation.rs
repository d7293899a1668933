//! Elementwise activations.

use super::{Misfit, Rule};
use crate::Result;
use crate::kernel::activation::{relu_backward_in_place, relu_in_place};
use crate::kernel::buffer::Buffer;
use crate::network::engine::{Call, Flow, Kept, Operation, Pair, Place, Pull};
use crate::network::{RESCALE_EPSILON, Shape};
use serde::{Deserialize, Serialize};

/// Makes a layer that applies `Function` to every value.
macro_rules! activations {
    ($($(#[$doc:meta])* $layer:ident),+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(rename_all = "kebab-case", deny_unknown_fields)]
            pub struct $layer {
                /// Its name; not needed.
                #[serde(default, skip_serializing_if = "String::is_empty")]
                pub name: String,
            }

            impl Rule for $layer {
                fn output(&self, input: Shape) -> Result<Shape, Misfit> {
                    Ok(input)
                }

                fn lower(&self, place: &mut Place<'_, '_>) {
                    place.push(Function::$layer);
                }
            }
        )+

        #[derive(Clone, Copy, Debug)]
        enum Function {
            $($layer),+
        }
    };
}

activations! {
    /// max(x, 0); its derivative at 0 is 0.
    Relu
}

impl Operation for Function {
    type State = ();

    fn forward(&self, _call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        out.copy_from(x);
        match self {
            Self::Relu => relu_in_place(out),
        }
        Ok(Flow::Written)
    }

    fn backward(
        &self,
        _call: &Call<'_>,
        kept: Kept<'_>,
        mut dout: Buffer,
        _wanted: bool,
        _pull: &mut Pull<'_>,
        (): &mut (),
    ) -> Result<Option<Buffer>> {
        match self {
            Self::Relu => relu_backward_in_place(kept.out, &mut dout),
        }
        Ok(Some(dout))
    }

    /// Δ output / Δ input, and the derivative at x where Δ input is nothing.
    fn multipliers(
        &self,
        call: &Call<'_>,
        pair: Pair<'_>,
        dout: Buffer,
        pull: &mut Pull<'_>,
        [state, _]: [&mut (); 2],
    ) -> Result<Buffer> {
        let mut slopes = pull.take(dout.len());
        slopes.fill(1.0);
        let kept = Kept {
            x: pair.x,
            out: pair.out,
        };
        let slopes = self.backward(call, kept, slopes, true, pull, state)?;
        let mut dout = dout;
        let inputs = pair.x.iter().zip(pair.reference);
        let outputs = pair.out.iter().zip(pair.reference_out);
        let places = inputs
            .zip(outputs)
            .zip(slopes.iter().flat_map(|s| s.iter()));
        for (d, (((x, reference), (out, reference_out)), slope)) in dout.iter_mut().zip(places) {
            let change = x - reference;
            *d *= if change.abs() < RESCALE_EPSILON {
                *slope
            } else {
                (out - reference_out) / change
            };
        }
        if let Some(slopes) = slopes {
            pull.spare(slopes);
        }
        Ok(dout)
    }
}
