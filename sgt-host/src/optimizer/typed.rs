//! Steps over dfdx models.

use super::Optimizer;
use crate::Result;
use crate::nn::composed::device_error;
use crate::nn::layer::{NamedTensorVisitor, NamedTensors, TensorRole};
use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorMut, ViewTensorRef,
};
use dfdx::prelude::{Device, Gradients, HasShape, Shape, Tensor};

impl Optimizer {
    /// As [`Optimizer::step`], over the trainable tensors of a dfdx model in the order its
    /// `TensorCollection` visits them; the parameter count is its `num_trainable_params()`.
    ///
    /// A tensor without a gradient gets one of zeros. Values and gradients are copied to the
    /// host and back, whatever the device.
    ///
    /// # Errors
    /// As [`Optimizer::step`]; [`crate::Error::Device`] when the device refuses memory.
    pub fn step_typed<M, D>(
        &mut self,
        model: &mut M,
        gradients: &mut Gradients<f32, D>,
    ) -> Result<f64>
    where
        M: TensorCollection<f32, D>,
        D: Device<f32>,
    {
        let mut gather = Gather {
            gradients,
            values: Vec::with_capacity(self.parameter_count()),
            gradient: Vec::with_capacity(self.parameter_count()),
        };
        M::iter_tensors(&mut RecursiveWalker {
            m: &*model,
            f: &mut gather,
        })
        .map_err(device_error)?;
        let (mut values, gradient) = (gather.values, gather.gradient);
        let norm = self.step(&mut values, &gradient)?;
        let mut scatter = Scatter { values: &values };
        M::iter_tensors(&mut RecursiveWalker {
            m: model,
            f: &mut scatter,
        })
        .map_err(device_error::<D::Err>)?;
        Ok(norm)
    }

    /// As [`Optimizer::step_typed`], over the trainable tensors of layers whose sizes only the
    /// data tells: dfdx's `TensorCollection` has no place for those.
    ///
    /// # Errors
    /// As [`Optimizer::step_typed`].
    pub fn step_named<N, D>(
        &mut self,
        model: &mut N,
        gradients: &mut Gradients<f32, D>,
    ) -> Result<f64>
    where
        N: NamedTensors<D>,
        D: Device<f32>,
    {
        let mut gather = Gather {
            gradients,
            values: Vec::with_capacity(self.parameter_count()),
            gradient: Vec::with_capacity(self.parameter_count()),
        };
        model.visit_tensors("", &mut gather)?;
        let (mut values, gradient) = (gather.values, gather.gradient);
        let norm = self.step(&mut values, &gradient)?;
        model.visit_tensors("", &mut Scatter { values: &values })?;
        Ok(norm)
    }
}

/// Copies values and gradients out of a model.
struct Gather<'a, D: Device<f32>> {
    gradients: &'a mut Gradients<f32, D>,
    values: Vec<f32>,
    gradient: Vec<f32>,
}

impl<D: Device<f32>> Gather<'_, D> {
    fn take<S: Shape>(&mut self, tensor: &Tensor<S, f32, D>) -> Result<(), D::Err> {
        self.gradients.try_alloc_for(tensor)?;
        self.gradient.extend(self.gradients.get(tensor).as_vec());
        self.values.extend(tensor.as_vec());
        Ok(())
    }
}

impl<D: Device<f32>> NamedTensorVisitor<D> for Gather<'_, D> {
    fn visit<S: Shape>(&mut self, role: &TensorRole, tensor: &mut Tensor<S, f32, D>) -> Result<()> {
        if role.trainable {
            self.take(tensor).map_err(device_error)?;
        }
        Ok(())
    }
}

impl<D: Device<f32>> TensorVisitor<f32, D> for Gather<'_, D> {
    type Viewer = ViewTensorRef;
    type Err = D::Err;
    type E2 = f32;
    type D2 = D;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, f32, D>,
        tensor: &Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, D::Err> {
        if options.do_gradient_update {
            self.take(tensor)?;
        }
        Ok(None)
    }
}

/// Copies values back into a model.
struct Scatter<'a> {
    values: &'a [f32],
}

impl Scatter<'_> {
    fn give<S: Shape, D: Device<f32>>(&mut self, tensor: &mut Tensor<S, f32, D>) {
        let (head, tail) = self.values.split_at(tensor.shape().num_elements());
        tensor.copy_from(head);
        self.values = tail;
    }
}

impl<D: Device<f32>> NamedTensorVisitor<D> for Scatter<'_> {
    fn visit<S: Shape>(&mut self, role: &TensorRole, tensor: &mut Tensor<S, f32, D>) -> Result<()> {
        if role.trainable {
            self.give(tensor);
        }
        Ok(())
    }
}

impl<D: Device<f32>> TensorVisitor<f32, D> for Scatter<'_> {
    type Viewer = ViewTensorMut;
    type Err = D::Err;
    type E2 = f32;
    type D2 = D;

    fn visit<S: Shape>(
        &mut self,
        options: TensorOptions<S, f32, D>,
        tensor: &mut Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, D::Err> {
        if options.do_gradient_update {
            self.give(tensor);
        }
        Ok(None)
    }
}
