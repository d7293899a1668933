//! Elementwise activations.

use super::{Elementwise, Misfit, Rule};
use crate::Result;
use crate::kernel::activation::{
    Curve, curve_backward, curve_forward, relu_backward_in_place, relu_in_place,
};
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

                fn elementwise(&self) -> Option<Elementwise> {
                    Some(Function::$layer.in_pytorch())
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
    Relu,
    /// x · Φ(x) with the standard normal distribution function Φ (PyTorch's exact form).
    Gelu,
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function, 1 / (1 + e⁻ˣ).
    Sigmoid
}

impl Function {
    /// The smooth ones.
    fn curve(self) -> Option<Curve> {
        match self {
            Self::Relu => None,
            Self::Gelu => Some(Curve::Gelu),
            Self::Tanh => Some(Curve::Tanh),
            Self::Sigmoid => Some(Curve::Sigmoid),
        }
    }

    fn in_pytorch(self) -> Elementwise {
        let (class, keeps_zero) = match self {
            Self::Relu => ("nn.ReLU", true),
            Self::Gelu => ("nn.GELU", true),
            Self::Tanh => ("nn.Tanh", true),
            Self::Sigmoid => ("nn.Sigmoid", false),
        };
        Elementwise { class, keeps_zero }
    }
}

impl Operation for Function {
    type State = ();

    fn forward(&self, _call: &Call<'_>, x: &[f32], out: &mut Buffer, (): &mut ()) -> Result<Flow> {
        if let Some(curve) = self.curve() {
            curve_forward(curve, x, out.resize(x.len()))?;
        } else {
            out.copy_from(x);
            relu_in_place(out);
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
        match self.curve() {
            Some(curve) => curve_backward(curve, kept.x, kept.out, &mut dout)?,
            None => relu_backward_in_place(kept.out, &mut dout),
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
        [state, ()]: [&mut (); 2],
    ) -> Result<Buffer> {
        let mut slopes = pull.take(dout.len());
        slopes.fill(1.0);
        let slopes = self.backward(call, pair.kept(), slopes, true, pull, state)?;
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
