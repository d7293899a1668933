//! Between dfdx's tensors and [`Parameters`], by name.

use crate::model::Parameters;
use crate::nn::layer::{NamedTensorVisitor, NamedTensors, TensorRole};
use crate::{Error, Result};
use dfdx::prelude::{Device, Shape, Tensor};

/// All tensors of a network, with `PyTorch`'s names and shapes.
///
/// # Errors
/// None.
pub fn named_parameters<N, D>(network: &N) -> Result<Parameters>
where
    N: NamedTensors<D> + Clone,
    D: Device<f32>,
{
    let mut collect = Collect(Parameters::new());
    // Visitors may write; a clone shares the values until one does.
    network.clone().visit_tensors("", &mut collect)?;
    Ok(collect.0)
}

/// Sets all tensors of a network to the values that `parameters` has under their names; other
/// values are left out.
///
/// # Errors
/// [`Error::Argument`] naming a tensor that `parameters` lacks, [`Error::Shape`] naming both
/// shapes of one that differs. The network may then be partly set.
pub fn load_tensors<N, D>(network: &mut N, parameters: &Parameters) -> Result<()>
where
    N: NamedTensors<D>,
    D: Device<f32>,
{
    network.visit_tensors("", &mut Load(parameters))
}

struct Collect(Parameters);

impl<D: Device<f32>> NamedTensorVisitor<D> for Collect {
    fn visit<S: Shape>(&mut self, role: &TensorRole, tensor: &mut Tensor<S, f32, D>) -> Result<()> {
        let range = self
            .0
            .push(role.name.as_str(), role.shape.clone(), role.trainable);
        self.0.values_mut()[range].copy_from_slice(&tensor.as_vec());
        Ok(())
    }
}

struct Load<'a>(&'a Parameters);

impl<D: Device<f32>> NamedTensorVisitor<D> for Load<'_> {
    fn visit<S: Shape>(&mut self, role: &TensorRole, tensor: &mut Tensor<S, f32, D>) -> Result<()> {
        let entries = self.0.entries();
        let entry = entries.iter().find(|entry| entry.name == role.name);
        let entry = entry.ok_or_else(|| Error::Argument {
            argument: "parameters".into(),
            found: format!("no tensor {}", role.name),
            expected: format!("one of shape {:?}", role.shape),
        })?;
        if entry.shape != role.shape {
            return Err(Error::Shape {
                operation: "load parameters",
                found: format!("{} {:?}", role.name, entry.shape),
                expected: format!("{:?}", role.shape),
            });
        }
        tensor.copy_from(&self.0.values()[entry.range.clone()]);
        Ok(())
    }
}
