//! The tensors of typed layers.

use crate::network::{Layer, Shape};
use dfdx::nn::modules::ZeroSizedModule;
use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorMut, ViewTensorRef,
};
use dfdx::prelude::{ConstShape, Device, Dtype, HasErr, HasShape, Shape as TensorShape, Tensor};
use sgt_core::Pcg32;
use std::convert::Infallible;

/// The compiler's proof that tensors can lie on dfdx's GPU device.
#[cfg(feature = "dfdx-cuda")]
const _: fn() = || {
    fn holds_tensors<D: Device<f32>>() {}
    holds_tensors::<dfdx::prelude::Cuda>();
};

/// The tensors of a layer that has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWeights;

impl ZeroSizedModule for NoWeights {}

/// Tensors whose roles the engine's own layer says.
pub(super) trait OfLayer {
    /// A layer with these tensors, and an input that it reads.
    fn layer() -> (Layer, Shape);
}

/// How dfdx resets a tensor.
type Reset<S, E, D> = fn(&mut Tensor<S, E, D>) -> Result<(), <D as HasErr>::Err>;

/// Whether optimizers update the tensor in field `name` of `W`, and how it is reset.
pub(super) fn options<W: OfLayer, S: ConstShape, E: Dtype, D: Device<E>>(
    name: &str,
    reset: Reset<S, E, D>,
) -> TensorOptions<S, E, D> {
    if role::<W>(name).trainable {
        TensorOptions::reset_with(reset)
    } else {
        TensorOptions::detached(reset)
    }
}

/// Fills the tensor in field `name` of `W` with the engine's start values, drawn from a seed of the
/// device's generator.
pub(super) fn reset<W: OfLayer, S: TensorShape, E: Dtype, D: Device<E>>(
    name: &str,
    tensor: &mut Tensor<S, E, D>,
) {
    let mut values = vec![0.0; tensor.shape().num_elements()];
    let mut random = Pcg32::new(tensor.device().random_u64(), 0);
    role::<W>(name).start.fill(&mut values, &[], &mut random);
    let values = values
        .into_iter()
        .map(|value| E::from_f32(value).unwrap_or_default());
    tensor.copy_from(&values.collect::<Vec<_>>());
}

/// What the engine's layer says of the tensor in field `name`.
fn role<W: OfLayer>(name: &str) -> crate::network::layer::Tensor {
    let (layer, input) = W::layer();
    let mut tensors = layer.rule().tensors(input).into_iter();
    let found = tensors.find(|tensor| tensor.suffix.replace('.', "_") == name);
    found.unwrap_or_else(|| unreachable!("{} has a tensor {name}", layer.kind()))
}

/// Makes the tensors of a layer, `of` the engine's layer that has them and an input that it reads.
/// Fields have the engine's names in the engine's order, with underscores for dots.
macro_rules! weights {
    (
        $(#[$doc:meta])*
        $weights:ident<$(const $size:ident),+> {
            $($(#[$field_doc:meta])* $field:ident: $shape:ty),+ $(,)?
        }
        of $layer:expr, $input:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $weights<
            $(const $size: usize,)+
            E: ::dfdx::prelude::Dtype = f32,
            D: ::dfdx::prelude::Storage<E> = ::dfdx::prelude::Cpu,
        > {
            $($(#[$field_doc])* pub $field: ::dfdx::prelude::Tensor<$shape, E, D>,)+
        }

        impl<$(const $size: usize,)+ E, D> $crate::typed::weights::OfLayer
            for $weights<$($size,)+ E, D>
        where
            E: ::dfdx::prelude::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            fn layer() -> ($crate::network::Layer, $crate::network::Shape) {
                ($layer.into(), $input)
            }
        }

        impl<$(const $size: usize,)+ E, D> ::dfdx::nn::tensor_collection::TensorCollection<E, D>
            for $weights<$($size,)+ E, D>
        where
            E: ::dfdx::prelude::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            type To<E2: ::dfdx::prelude::Dtype, D2: ::dfdx::prelude::Device<E2>> =
                $weights<$($size,)+ E2, D2>;

            fn iter_tensors<V: ::dfdx::nn::tensor_collection::ModuleVisitor<Self, E, D>>(
                visitor: &mut V,
            ) -> ::std::result::Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
                use $crate::typed::weights::{options, reset};
                visitor.visit_fields(
                    ($(Self::tensor(
                        stringify!($field),
                        |weights| &weights.$field,
                        |weights| &mut weights.$field,
                        options::<Self, _, E, D>(stringify!($field), |tensor| {
                            reset::<Self, _, E, D>(stringify!($field), tensor);
                            Ok(())
                        }),
                    ),)+),
                    |($($field,)+)| $weights { $($field),+ },
                )
            }
        }
    };
}
pub(super) use weights;

/// The values of all tensors, in order.
pub(super) fn values<W: TensorCollection<f32, D>, D: Device<f32>>(weights: &W) -> Vec<f32> {
    let mut values = Values(Vec::new());
    let Ok(_) = W::iter_tensors(&mut RecursiveWalker {
        m: weights,
        f: &mut values,
    });
    values.0
}

struct Values(Vec<f32>);

impl<D: Device<f32>> TensorVisitor<f32, D> for Values {
    type Viewer = ViewTensorRef;
    type Err = Infallible;
    type E2 = f32;
    type D2 = D;

    fn visit<S: TensorShape>(
        &mut self,
        _options: TensorOptions<S, f32, D>,
        tensor: &Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, Infallible> {
        self.0.extend(tensor.as_vec());
        Ok(None)
    }
}

/// Gives all tensors values, in order.
pub(super) fn set<W: TensorCollection<f32, D>, D: Device<f32>>(weights: &mut W, values: &[f32]) {
    write(weights, values, true);
}

/// [`set`] for the tensors alone that no optimizer updates.
pub(super) fn set_detached<W, D>(weights: &mut W, values: &[f32])
where
    W: TensorCollection<f32, D>,
    D: Device<f32>,
{
    write(weights, values, false);
}

fn write<W, D>(weights: &mut W, values: &[f32], trainable: bool)
where
    W: TensorCollection<f32, D>,
    D: Device<f32>,
{
    let mut write = Write {
        rest: values,
        trainable,
    };
    let Ok(_) = W::iter_tensors(&mut RecursiveWalker {
        m: weights,
        f: &mut write,
    });
}

struct Write<'a> {
    rest: &'a [f32],
    /// Whether trainable tensors are written too.
    trainable: bool,
}

impl<D: Device<f32>> TensorVisitor<f32, D> for Write<'_> {
    type Viewer = ViewTensorMut;
    type Err = Infallible;
    type E2 = f32;
    type D2 = D;

    fn visit<S: TensorShape>(
        &mut self,
        options: TensorOptions<S, f32, D>,
        tensor: &mut Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, Infallible> {
        let (own, rest) = self.rest.split_at(tensor.shape().num_elements());
        if self.trainable || !options.do_gradient_update {
            tensor.copy_from(own);
        }
        self.rest = rest;
        Ok(None)
    }
}
