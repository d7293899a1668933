//! Walking a model's tensors by name, whatever knows their sizes.
//!
//! dfdx's `TensorCollection` can only describe tensors of constant shape. Layers of any size
//! implement [`NamedTensors`] too, with the same names and order.

use crate::Result;
use dfdx::prelude::{Device, Dtype, HasShape, Shape, Tensor};

/// A layer or model whose tensors have `PyTorch`'s names.
pub trait NamedTensors<D: Device<f32>> {
    /// Calls `visitor` with every tensor; names are `prefix.field`.
    ///
    /// # Errors
    /// The first that `visitor` returns.
    fn visit_tensors<V: NamedTensorVisitor<D>>(
        &mut self,
        prefix: &str,
        visitor: &mut V,
    ) -> Result<()>;
}

/// How a tensor looks to `PyTorch` and to optimizers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRole {
    /// `PyTorch`'s name, `conv1.weight` for example.
    pub name: String,
    /// `PyTorch`'s shape. The same values in the same order may have one more axis in dfdx:
    /// `[4 · hidden, inputs]` is `[4, hidden, inputs]` there, since constant sizes cannot be
    /// multiplied.
    pub shape: Vec<usize>,
    /// False for running statistics.
    pub trainable: bool,
}

impl TensorRole {
    /// The role of a tensor of dfdx's shape `shape`, whose first two axes are one for `PyTorch`
    /// when they are `joined`.
    pub(crate) fn new(name: String, shape: &[usize], trainable: bool, joined: bool) -> Self {
        let shape = match shape {
            [first, second, rest @ ..] if joined => [&[first * second], rest].concat(),
            _ => shape.to_vec(),
        };
        Self {
            name,
            shape,
            trainable,
        }
    }
}

/// What is done with each tensor of a model.
pub trait NamedTensorVisitor<D: Device<f32>> {
    /// Takes one tensor.
    ///
    /// # Errors
    /// As the visitor sees fit; the walk then ends.
    fn visit<S: Shape>(&mut self, role: &TensorRole, tensor: &mut Tensor<S, f32, D>) -> Result<()>;
}

/// `prefix.name`, or `name` at the top.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// Fills `tensor` evenly from `[-bound, bound]`, seeded by the device's generator.
pub(crate) fn fill_uniform<S: Shape, E: Dtype, D: Device<E>>(
    tensor: &mut Tensor<S, E, D>,
    bound: f64,
) {
    let mut state = tensor.device().random_u64();
    let mut next = || {
        // SplitMix64: enough for initial weights, and needs no crate.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        E::from_f64((2.0 * unit - 1.0) * bound).unwrap_or_default()
    };
    let values: Vec<E> = (0..tensor.shape().num_elements()).map(|_| next()).collect();
    tensor.copy_from(&values);
}

/// `1 / √fan_in`: the bound of `PyTorch`'s default weights and biases.
pub(crate) fn fan_in_bound(fan_in: usize) -> f64 {
    1.0 / (fan_in as f64).sqrt()
}

/// Implements [`NamedTensors`] for sizes of any kind and dfdx's `TensorCollection` for constant
/// ones, for a layer whose fields are tensors. `trained` tensors are updated by optimizers, as are
/// `joined` ones, whose first two axes are one for `PyTorch`; `kept` ones are running statistics.
/// Each says how it is reset. `copied` fields are constants.
macro_rules! layer_tensors {
    (
        $layer:ident [$($dim:ident: $bound:ident),*]
        const [$($const_dim:ident: $const_bound:ident $(+ $more:ident)*),*]
        tensors { $($kind:ident $field:ident: $reset:expr;)* }
        copied { $($copied:ident),* }
    ) => {
        impl<$($dim: $bound,)* D> $crate::nn::layer::NamedTensors<D> for $layer<$($dim,)* f32, D>
        where
            D: ::dfdx::prelude::Device<f32>,
        {
            fn visit_tensors<Visitor: $crate::nn::layer::NamedTensorVisitor<D>>(
                &mut self,
                prefix: &str,
                visitor: &mut Visitor,
            ) -> $crate::Result<()> {
                $(
                    let [trainable, joined] = layer_tensors!(@role $kind);
                    let role = $crate::nn::layer::TensorRole::new(
                        $crate::nn::layer::named::join(prefix, stringify!($field)),
                        ::dfdx::prelude::Shape::concrete(
                            ::dfdx::prelude::HasShape::shape(&self.$field),
                        )
                        .as_ref(),
                        trainable,
                        joined,
                    );
                    visitor.visit(&role, &mut self.$field)?;
                )*
                Ok(())
            }
        }

        impl<$($const_dim: $const_bound $(+ $more)*,)* E, D>
            ::dfdx::nn::tensor_collection::TensorCollection<E, D> for $layer<$($const_dim,)* E, D>
        where
            E: ::dfdx::prelude::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            type To<E2: ::dfdx::prelude::Dtype, D2: ::dfdx::prelude::Device<E2>> =
                $layer<$($const_dim,)* E2, D2>;

            fn iter_tensors<Visitor: ::dfdx::nn::tensor_collection::ModuleVisitor<Self, E, D>>(
                visitor: &mut Visitor,
            ) -> ::std::result::Result<
                Option<Self::To<Visitor::E2, Visitor::D2>>,
                Visitor::Err,
            > {
                visitor.visit_fields(
                    layer_tensors!(@fields $($kind $field: $reset;)*),
                    |layer_tensors!(@pattern $($field)*)| $layer {
                        $($field,)*
                        $($copied: Default::default(),)*
                    },
                )
            }
        }
    };
    // Pairs of pairs, since dfdx takes tuples of at most six fields.
    (@fields) => { () };
    (@fields $kind:ident $field:ident: $reset:expr; $($rest:tt)*) => {
        (
            Self::tensor(
                stringify!($field),
                |layer| &layer.$field,
                |layer| &mut layer.$field,
                layer_tensors!(@options $kind, $reset),
            ),
            layer_tensors!(@fields $($rest)*),
        )
    };
    (@pattern) => { () };
    (@pattern $field:ident $($rest:ident)*) => { ($field, layer_tensors!(@pattern $($rest)*)) };
    (@role trained) => { [true, false] };
    (@role joined) => { [true, true] };
    (@role kept) => { [false, false] };
    (@options joined, $reset:expr) => { layer_tensors!(@options trained, $reset) };
    (@options trained, $reset:expr) => {
        ::dfdx::nn::tensor_collection::TensorOptions::reset_with($reset)
    };
    (@options kept, $reset:expr) => {
        ::dfdx::nn::tensor_collection::TensorOptions::detached($reset)
    };
}

/// As [`layer_tensors`], for a model whose fields are layers.
macro_rules! module_tensors {
    (
        $model:ident [$($dim:ident: $bound:ident),*]
        const [$($const_dim:ident: $const_bound:ident $(+ $more:ident)*),*]
        modules { $($field:ident $(as $name:literal)?),* }
        copied { $($copied:ident),* }
    ) => {
        impl<$($dim: $bound,)* D> $crate::nn::layer::NamedTensors<D> for $model<$($dim,)* f32, D>
        where
            D: ::dfdx::prelude::Device<f32>,
        {
            fn visit_tensors<Visitor: $crate::nn::layer::NamedTensorVisitor<D>>(
                &mut self,
                prefix: &str,
                visitor: &mut Visitor,
            ) -> $crate::Result<()> {
                $(self.$field.visit_tensors(
                    &$crate::nn::layer::named::join(
                        prefix,
                        module_tensors!(@name $field $($name)?),
                    ),
                    visitor,
                )?;)*
                Ok(())
            }
        }

        impl<$($const_dim: $const_bound $(+ $more)*,)* E, D>
            ::dfdx::nn::tensor_collection::TensorCollection<E, D> for $model<$($const_dim,)* E, D>
        where
            E: ::dfdx::prelude::Dtype,
            D: ::dfdx::prelude::Device<E>,
        {
            type To<E2: ::dfdx::prelude::Dtype, D2: ::dfdx::prelude::Device<E2>> =
                $model<$($const_dim,)* E2, D2>;

            fn iter_tensors<Visitor: ::dfdx::nn::tensor_collection::ModuleVisitor<Self, E, D>>(
                visitor: &mut Visitor,
            ) -> ::std::result::Result<
                Option<Self::To<Visitor::E2, Visitor::D2>>,
                Visitor::Err,
            > {
                visitor.visit_fields(
                    ($(Self::module(
                        module_tensors!(@name $field $($name)?),
                        |model| &model.$field,
                        |model| &mut model.$field,
                    ),)*),
                    |($($field,)*)| $model {
                        $($field,)*
                        $($copied: Default::default(),)*
                    },
                )
            }
        }
    };
    (@name $field:ident $name:literal) => { $name };
    (@name $field:ident) => { stringify!($field) };
}

pub(crate) use {layer_tensors, module_tensors};
