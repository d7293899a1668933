//! A dfdx network as a [`Model`].

use super::tensors::{load_tensors, named_parameters};
use crate::model::{InputShape, Mode, Model, Parameters, Rescale};
use crate::nn::composed::{Matrix, device_error};
use crate::nn::layer::{Backend, NamedTensorVisitor, NamedTensors, TensorRole};
use crate::{Error, Result};
use dfdx::prelude::{Cpu, Gradients, Rank0, Shape, SumTo, Tape, Tensor, Trace, TryMul};
use std::sync::OnceLock;

/// A classifier of typed layers.
pub trait TapeNetwork<D: Backend>: NamedTensors<D> + Clone {
    /// What one sample looks like.
    fn input(&self) -> InputShape;

    /// The number of logits a sample.
    fn classes(&self) -> usize;

    /// Logits `[batch, classes]` of the batch `x`, `[batch, input().len()]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when a size doesn't fit, [`Error::Device`] when the device refuses.
    fn logits<T: Tape<f32, D>>(&self, x: Matrix<D, T>, mode: Mode) -> Result<Matrix<D, T>>;
}

/// A [`TapeNetwork`] behind the seam that regimes, attacks and attributions use.
///
/// The values live in [`Parameters`]; the network's tensors are set from them when they have
/// changed. Each backward pass runs the forward pass again, since dfdx's tape is used up by one.
#[derive(Clone, Debug)]
pub struct TapeModel<N, D = Cpu> {
    /// Says the sizes; its values are out of date once parameters have changed.
    template: N,
    device: D,
    parameters: Parameters,
    /// The network with the parameters' values; empty after a change.
    current: OnceLock<N>,
}

/// The batch of one forward pass and its logits.
#[derive(Clone, Debug, Default)]
pub struct TapePass {
    x: Vec<f32>,
    logits: Vec<f32>,
    mode: Option<Mode>,
}

impl<N: TapeNetwork<D>, D: Backend> TapeModel<N, D> {
    /// The model of `network`, whose tensors are on `device`.
    ///
    /// # Errors
    /// None today; a network may refuse to be walked.
    pub fn new(network: N, device: D) -> Result<Self> {
        Ok(Self {
            parameters: named_parameters(&network)?,
            template: network,
            device,
            current: OnceLock::new(),
        })
    }

    /// The network with the parameters' present values.
    ///
    /// # Errors
    /// None: the parameters have the network's names and shapes.
    pub fn network(&self) -> Result<&N> {
        if let Some(network) = self.current.get() {
            return Ok(network);
        }
        let mut network = self.template.clone();
        load_tensors(&mut network, &self.parameters)?;
        Ok(self.current.get_or_init(|| network))
    }

    fn batch(&self, values: &[f32]) -> Result<Matrix<D>> {
        let len = self.template.input().len();
        if values.is_empty() || !values.len().is_multiple_of(len) {
            return Err(Error::Shape {
                operation: "network",
                found: format!("x of {} values", values.len()),
                expected: format!("one or more samples of {len} values"),
            });
        }
        let shape = (values.len() / len, len);
        let x = self.device.try_tensor_from_vec(values.to_vec(), shape);
        x.map_err(device_error)
    }

    fn run<'p>(&self, mode: Mode, pass: &'p mut TapePass) -> Result<&'p [f32]> {
        pass.mode = None;
        let logits = self.network()?.logits(self.batch(&pass.x)?, mode)?;
        pass.logits = logits.as_vec();
        pass.mode = Some(mode);
        Ok(&pass.logits)
    }
}

impl<N, D> Model for TapeModel<N, D>
where
    N: TapeNetwork<D> + Send + Sync,
    D: Backend + Send + Sync,
{
    type Pass = TapePass;

    fn input(&self) -> InputShape {
        self.template.input()
    }

    fn classes(&self) -> usize {
        self.template.classes()
    }

    fn forward<'p>(&self, x: &[f32], mode: Mode, pass: &'p mut TapePass) -> Result<&'p [f32]> {
        pass.x.clear();
        pass.x.extend_from_slice(x);
        self.run(mode, pass)
    }

    fn forward_again<'p>(&self, mode: Mode, pass: &'p mut TapePass) -> Result<&'p [f32]> {
        if pass.mode.is_none() {
            return Err(no_pass("forward again"));
        }
        self.run(mode, pass)
    }

    fn backward(
        &self,
        pass: &mut TapePass,
        dlogits: &[f32],
        dx: Option<&mut [f32]>,
        gradient: Option<&mut [f32]>,
    ) -> Result<()> {
        let mode = pass.mode.ok_or_else(|| no_pass("backward"))?;
        let values = self.parameters.values().len();
        expect_len("dlogits", dlogits.len(), pass.logits.len())?;
        if let Some(dx) = &dx {
            expect_len("dx", dx.len(), pass.x.len())?;
        }
        let mode = match (&gradient, mode) {
            (Some(_), Mode::InputGradient) => {
                return Err(Error::Shape {
                    operation: "backward",
                    found: "a pass for the input's gradient alone".into(),
                    expected: "a training or evaluation pass, to have weight gradients".into(),
                });
            }
            (Some(gradient), mode) => {
                expect_len("gradient", gradient.len(), values)?;
                mode
            }
            (None, Mode::Evaluation) => Mode::InputGradient,
            (None, mode) => mode,
        };
        let network = self.network()?;
        let x = self.batch(&pass.x)?;
        let logits = network.logits(x.leaky_trace(), mode)?;
        let shape = (x_rows(&x), self.classes());
        let cotangent = self.device.try_tensor_from_vec(dlogits.to_vec(), shape);
        let product = logits.try_mul(cotangent.map_err(device_error)?);
        let sum = product.map_err(device_error)?.try_sum::<Rank0, _>();
        let mut gradients = backward_of(sum.map_err(device_error)?)?;
        if let Some(dx) = dx {
            gradients.try_alloc_for(&x).map_err(device_error)?;
            dx.copy_from_slice(&gradients.get(&x).as_vec());
        }
        if let Some(gradient) = gradient {
            let mut add = AddGradients {
                gradients: &mut gradients,
                sum: gradient,
            };
            network.clone().visit_tensors("", &mut add)?;
        }
        Ok(())
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut Parameters {
        self.current.take();
        &mut self.parameters
    }
}

/// Every attribution but `DeepLIFT`, whose rule needs to see the layers.
impl<N, D> Rescale for TapeModel<N, D>
where
    N: TapeNetwork<D> + Send + Sync,
    D: Backend + Send + Sync,
{
}

fn x_rows<D: Backend>(x: &Matrix<D>) -> usize {
    use dfdx::prelude::HasShape;
    x.shape().0
}

fn backward_of<D: Backend>(
    loss: Tensor<Rank0, f32, D, dfdx::prelude::OwnedTape<f32, D>>,
) -> Result<Gradients<f32, D>> {
    use dfdx::prelude::Backward;
    loss.try_backward().map_err(device_error)
}

fn no_pass(operation: &'static str) -> Error {
    Error::Shape {
        operation,
        found: "a pass without activations".into(),
        expected: "a forward pass of this network".into(),
    }
}

fn expect_len(name: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Shape {
        operation: "backward",
        found: format!("{name} of {found} values"),
        expected: format!("{expected} values"),
    })
}

/// Adds the gradients of a network's tensors to a flat buffer in the order of its walk.
struct AddGradients<'a, D: Backend> {
    gradients: &'a mut Gradients<f32, D>,
    sum: &'a mut [f32],
}

impl<D: Backend> NamedTensorVisitor<D> for AddGradients<'_, D> {
    fn visit<S: Shape>(&mut self, role: &TensorRole, tensor: &mut Tensor<S, f32, D>) -> Result<()> {
        let len = role.shape.iter().product();
        let (head, tail) = std::mem::take(&mut self.sum).split_at_mut(len);
        self.sum = tail;
        if role.trainable {
            let allocated = self.gradients.try_alloc_for(tensor);
            allocated.map_err(device_error)?;
            let gradient = self.gradients.get(tensor).as_vec();
            for (sum, value) in head.iter_mut().zip(gradient) {
                *sum += value;
            }
        }
        Ok(())
    }
}
