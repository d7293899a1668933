//! The engine as one operation on dfdx's tape.

use super::network::device_error;
use crate::network::{Mode, Model, Network, NetworkPass};
use crate::{Error, Result};
use dfdx::nn::tensor_collection::{
    RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorRef,
};
use dfdx::prelude::{
    Cpu, CpuError, HasShape, PutTape, ReshapeTo, Shape, SplitTape, Tape, Tensor, TensorFromVec,
};
use std::convert::Infallible;
use std::sync::Arc;

type Gradients = dfdx::prelude::Gradients<f32, Cpu>;

/// Logits `[batch, classes]` of the batch `x`, `[batch, …]`, with the values of `parameters`: all of
/// the network's, in the order of [`Model::parameters`], instead of its own.
///
/// Forward and backward pass are the engine's. The tape gets the gradients of `x` and of
/// `parameters`.
///
/// # Errors
/// [`Error::Shape`] when `x` is no batch of samples or `parameters` is not as long as the network's.
pub fn run<S: Shape, T: Tape<f32, Cpu>>(
    network: &Network,
    parameters: &Tensor<(usize,), f32, Cpu>,
    x: Tensor<S, f32, Cpu, T>,
    mode: Mode,
) -> Result<Tensor<(usize, usize), f32, Cpu, T>> {
    let mut network = network.clone();
    let values = parameters.as_vec();
    let own = network.parameters_mut().values_mut();
    if values.len() != own.len() {
        return Err(Error::Shape {
            operation: "network on the tape",
            found: format!("{} parameters", values.len()),
            expected: format!("the network's {}", own.len()),
        });
    }
    own.copy_from_slice(&values);
    let batch = x.shape().num_elements() / network.input().len();
    let shape = (batch, network.classes());
    Ok(record(network, vec![leaf(parameters)], x, mode, shape)?.out)
}

/// A tensor that holds parameters: how many, and what adds to its gradient.
pub(super) struct Leaf {
    len: usize,
    add: Box<AddTo>,
}

/// Adds values to the gradient of a tensor.
type AddTo = dyn FnOnce(&mut Gradients, &[f32]) -> Result<(), CpuError>;

fn leaf<S: Shape>(tensor: &Tensor<S, f32, Cpu>) -> Leaf {
    let tensor = tensor.clone();
    Leaf {
        len: tensor.shape().num_elements(),
        add: Box::new(move |gradients, values| add(gradients, &tensor, values)),
    }
}

fn add<S: Shape>(
    gradients: &mut Gradients,
    tensor: &Tensor<S, f32, Cpu>,
    values: &[f32],
) -> Result<(), CpuError> {
    let sum = gradients.get_or_alloc_mut(tensor)?;
    sum.iter_mut()
        .zip(values)
        .for_each(|(sum, value)| *sum += value);
    Ok(())
}

/// The tensors of a collection, in order.
pub(super) fn leaves<W: TensorCollection<f32, Cpu>>(weights: &W) -> Vec<Leaf> {
    let mut leaves = Leaves(Vec::new());
    let Ok(_) = W::iter_tensors(&mut RecursiveWalker {
        m: weights,
        f: &mut leaves,
    });
    leaves.0
}

struct Leaves(Vec<Leaf>);

impl TensorVisitor<f32, Cpu> for Leaves {
    type Viewer = ViewTensorRef;
    type Err = Infallible;
    type E2 = f32;
    type D2 = Cpu;

    fn visit<S: Shape>(
        &mut self,
        _options: TensorOptions<S, f32, Cpu>,
        tensor: &Tensor<S, f32, Cpu>,
    ) -> Result<Option<Tensor<S, f32, Cpu>>, Infallible> {
        self.0.push(leaf(tensor));
        Ok(None)
    }
}

/// An operation on the tape.
pub(super) struct Recorded<S: Shape, T> {
    pub(super) out: Tensor<S, f32, Cpu, T>,
    /// The network that ran, its running statistics moved by a training pass.
    pub(super) network: Arc<Network>,
}

/// Runs `network`, whose values are those of `leaves`, and puts it on the tape of `x`.
pub(super) fn record<In: Shape, Out: Shape, T: Tape<f32, Cpu>>(
    mut network: Network,
    leaves: Vec<Leaf>,
    x: Tensor<In, f32, Cpu, T>,
    mode: Mode,
    shape: Out,
) -> Result<Recorded<Out, T>> {
    if x.shape().num_elements() == 0 {
        return Err(Error::Shape {
            operation: "network on the tape",
            found: "an empty batch".into(),
            expected: "one or more samples".into(),
        });
    }
    // A permuted tensor is put in order by an operation that is on the tape as well.
    let x = x.try_contiguous().map_err(device_error)?;
    let (x, mut tape) = x.split_tape();
    let mut pass = NetworkPass::default();
    let logits = network.forward(x.as_vec().as_slice(), mode, &mut pass)?;
    let out = x.device().try_tensor_from_vec(logits.to_vec(), shape);
    let out = out.map_err(device_error)?;
    network.absorb_statistics(&pass);
    let network = Arc::new(network);
    let (ran, recorded) = (Arc::clone(&network), out.clone());
    tape.add_backward_op(move |gradients| {
        let dout = gradients.get_or_alloc_mut(&recorded)?.to_vec();
        let mut dx = vec![0.0; x.shape().num_elements()];
        let mut gradient = vec![0.0; ran.parameters().values().len()];
        ran.backward(&mut pass, &dout, Some(&mut dx), Some(&mut gradient))
            .map_err(refused)?;
        add(gradients, &x, &dx)?;
        let mut rest = gradient.as_slice();
        for leaf in leaves {
            let (own, behind) = rest.split_at(leaf.len);
            (leaf.add)(gradients, own)?;
            rest = behind;
        }
        Ok(())
    });
    let out = out.put_tape(tape);
    Ok(Recorded { out, network })
}

/// The engine refuses lengths alone, which the types of tensors exclude; an empty batch remains.
pub(super) fn refused(_: Error) -> CpuError {
    CpuError::WrongNumElements
}
