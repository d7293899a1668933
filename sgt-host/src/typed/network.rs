//! Typed networks: what they are, and their tensors.

use super::chain::Chain;
use super::input::{BatchOf, Input};
use super::message::Message;
use super::{naming, tape, weights};
use crate::network::{Classifier, Description, Mode, Model, Network};
use crate::{Error, Result};
use dfdx::nn::modules::BuildModule;
use dfdx::nn::tensor_collection::{
    ModuleVisitor, RecursiveWalker, TensorCollection, TensorOptions, TensorVisitor, ViewTensorRef,
};
use dfdx::prelude::{
    Const, Cpu, CpuError, Device, Dtype, HasShape, Module, ModuleMut, RandomU64, Shape, Tape,
    Tensor,
};
use std::any::Any;
use std::convert::Infallible;

/// A whole network: a chain of layers that ends in the logits of `CLASSES` classes.
#[derive(Clone, Debug)]
pub struct Architecture<A, const CLASSES: usize> {
    chain: A,
    name: Option<String>,
    skip_padding: bool,
}

/// Refuses another number of logits than of classes.
pub(super) const fn check_classes<A: Chain, const CLASSES: usize>() {
    if A::SHAPE.len() != CLASSES {
        Message::of("classify")
            .number(CLASSES)
            .text(" classes, but the layer before gives ")
            .shape(A::SHAPE)
            .refuse();
    }
}

impl<A: Chain, const CLASSES: usize> Architecture<A, CLASSES> {
    pub(super) const fn new(chain: A) -> Self {
        Self {
            chain,
            name: None,
            skip_padding: false,
        }
    }

    /// The same network under a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same network, to which steps behind a sample's real ones change nothing:
    /// [`Description::skip_padding`].
    #[must_use]
    pub fn skip_padding(mut self) -> Self {
        self.skip_padding = true;
        self
    }

    /// The network as data.
    ///
    /// Layers with parameters that [`Then::named`](super::Then::named) gave no name are named by
    /// their kind, as PyTorch programs usually name them: `conv`, `bn`, `norm`, `fc`, `embedding`,
    /// `lstm`, `self_attn`, numbered from 1 where there are several of a kind (`conv1`, `conv2`).
    pub fn describe(&self) -> Description {
        let mut description = Description::new(A::Input::INPUT);
        self.chain.layers(&mut description.layers);
        naming::name(&mut description.layers);
        description.skip_padding = self.skip_padding;
        match &self.name {
            Some(name) => description.named(name),
            None => description,
        }
    }

    /// The network on dfdx's CPU, with the start values that [`Network::new`] draws from `seed`.
    ///
    /// # Errors
    /// As [`Description::summary`], for what types cannot say: names, and probabilities.
    pub fn build(&self, seed: u64) -> Result<TypedNetwork<A, CLASSES>> {
        self.build_on(&Cpu::default(), seed)
    }

    /// [`Architecture::build`] with the tensors on `device`.
    ///
    /// # Errors
    /// As [`Architecture::build`]; [`Error::Device`] when the device refuses.
    pub fn build_on<D: Device<f32>>(
        &self,
        device: &D,
        seed: u64,
    ) -> Result<TypedNetwork<A, CLASSES, D>> {
        TypedNetwork::of_engine(Network::new(&self.describe(), seed)?, device)
    }
}

/// A network whose shapes the compiler has checked, with its parameters as dfdx tensors on `D`.
///
/// It computes nothing itself. It hands its parameters to the engine ([`TypedNetwork::to_engine`],
/// [`TypedNetwork::classifier`]), where it is trained under every regime, and takes them back
/// ([`TypedNetwork::load`]). As a dfdx [`Module`] it runs the engine's forward and backward pass as
/// one operation on the tape, so that it can stand beside dfdx's own layers; [`Module::forward`] is
/// in evaluation mode, [`ModuleMut::forward_mut`] in training mode.
///
/// dfdx's optimizers, counts and resets take it as a [`TensorCollection`].
#[derive(Clone, Debug)]
pub struct TypedNetwork<A: Chain, const CLASSES: usize, D: Device<f32> = Cpu> {
    /// Has the names and the operations; its values are out of date.
    engine: Network,
    weights: A::Weights<f32, D>,
}

impl<A: Chain, const CLASSES: usize, D: Device<f32>> TypedNetwork<A, CLASSES, D> {
    fn of_engine(engine: Network, device: &D) -> Result<Self> {
        let weights = BuildModule::try_build(device).map_err(device_error::<D::Err>)?;
        let mut network = Self { engine, weights };
        weights::set(&mut network.weights, network.engine.parameters().values());
        Ok(network)
    }

    /// The network as data.
    pub fn description(&self) -> &Description {
        self.engine.description()
    }

    /// The tensors of all layers.
    pub fn weights(&self) -> &A::Weights<f32, D> {
        &self.weights
    }

    /// The same, to be changed.
    pub fn weights_mut(&mut self) -> &mut A::Weights<f32, D> {
        &mut self.weights
    }

    /// The tensor with PyTorch's `name`, `fc1.weight` for example. It shares its identity with the
    /// network's, so that dfdx's gradients have its gradient.
    ///
    /// # Errors
    /// [`Error::Argument`] when the network has no such tensor, or one of another shape than `S`.
    pub fn tensor<S: Shape>(&self, name: &str) -> Result<Tensor<S, f32, D>> {
        let entries = self.engine.parameters().entries();
        let mut search = Search {
            before: entries.iter().position(|entry| entry.name == name),
            found: None,
        };
        let Ok(_) = A::Weights::iter_tensors(&mut RecursiveWalker {
            m: &self.weights,
            f: &mut search,
        });
        search.found.ok_or_else(|| Error::Argument {
            argument: "tensor".into(),
            found: format!("{name} as {}", std::any::type_name::<S>()),
            expected: "the name and the shape of a tensor of this network".into(),
        })
    }

    /// The engine's network with these parameters.
    pub fn to_engine(&self) -> Network {
        let mut network = self.engine.clone();
        let values = weights::values(&self.weights);
        network
            .parameters_mut()
            .values_mut()
            .copy_from_slice(&values);
        network
    }

    /// Takes the parameters of `network`, by name.
    ///
    /// # Errors
    /// [`Error::Argument`] that names a tensor which `network` lacks, or has in another shape;
    /// nothing is changed then.
    pub fn load(&mut self, network: &Network) -> Result<()> {
        let mut values = Vec::new();
        let theirs = network.parameters();
        for own in self.engine.parameters().entries() {
            let mut entries = theirs.entries().iter();
            let entry = entries.find(|entry| entry.name == own.name);
            let found = match entry {
                Some(entry) if entry.shape == own.shape => {
                    values.extend_from_slice(&theirs.values()[entry.range.clone()]);
                    continue;
                }
                Some(entry) => format!("{} of shape {:?}", own.name, entry.shape),
                None => format!("no tensor {}", own.name),
            };
            return Err(Error::Argument {
                argument: "network".into(),
                found,
                expected: format!("{} of shape {:?}", own.name, own.shape),
            });
        }
        weights::set(&mut self.weights, &values);
        Ok(())
    }

    /// The engine's network with these parameters, as a classifier of the classes `names`.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is one name for each class.
    pub fn classifier(&self, names: Vec<String>) -> Result<Classifier> {
        Classifier::new(self.to_engine(), names)
    }

    /// The network with its tensors on another device.
    ///
    /// # Errors
    /// [`Error::Device`] when the device refuses.
    pub fn to_device<D2: Device<f32>>(&self, device: &D2) -> Result<TypedNetwork<A, CLASSES, D2>> {
        TypedNetwork::of_engine(self.to_engine(), device)
    }
}

/// Logits of a batch of `B`.
pub type Logits<B, const CLASSES: usize, T> = Tensor<(B, Const<CLASSES>), f32, Cpu, T>;

impl<A: Chain, const CLASSES: usize> TypedNetwork<A, CLASSES> {
    /// Logits of a batch, in evaluation mode. The parameters are copied to the engine at every call:
    /// for many batches take [`TypedNetwork::to_engine`] once.
    ///
    /// # Errors
    /// [`Error::Shape`] on an empty batch.
    pub fn logits<S, T>(&self, x: Tensor<S, f32, Cpu, T>) -> Result<Logits<S::Batch, CLASSES, T>>
    where
        S: BatchOf<A::Input>,
        T: Tape<f32, Cpu>,
    {
        Ok(self.run(x, Mode::Evaluation)?.out)
    }

    fn run<S, T>(
        &self,
        x: Tensor<S, f32, Cpu, T>,
        mode: Mode,
    ) -> Result<tape::Recorded<(S::Batch, Const<CLASSES>), T>>
    where
        S: BatchOf<A::Input>,
        T: Tape<f32, Cpu>,
    {
        let leaves = tape::leaves(&self.weights);
        let shape = (x.shape().batch(), Const);
        tape::record(self.to_engine(), leaves, x, mode, shape)
    }
}

impl<A: Chain, const CLASSES: usize, S, T> Module<Tensor<S, f32, Cpu, T>>
    for TypedNetwork<A, CLASSES>
where
    S: BatchOf<A::Input>,
    T: Tape<f32, Cpu>,
{
    type Output = Logits<S::Batch, CLASSES, T>;
    type Error = CpuError;

    fn try_forward(&self, x: Tensor<S, f32, Cpu, T>) -> Result<Self::Output, CpuError> {
        self.logits(x).map_err(tape::refused)
    }
}

impl<A: Chain, const CLASSES: usize, S, T> ModuleMut<Tensor<S, f32, Cpu, T>>
    for TypedNetwork<A, CLASSES>
where
    S: BatchOf<A::Input>,
    T: Tape<f32, Cpu>,
{
    type Output = Logits<S::Batch, CLASSES, T>;
    type Error = CpuError;

    /// Draws dropout masks from the generator of x's device, and moves running statistics.
    fn try_forward_mut(&mut self, x: Tensor<S, f32, Cpu, T>) -> Result<Self::Output, CpuError> {
        let seed = x.device().random_u64();
        let recorded = self
            .run(x, Mode::Training { seed })
            .map_err(tape::refused)?;
        weights::set_detached(&mut self.weights, recorded.network.parameters().values());
        Ok(recorded.out)
    }
}

/// As the collection of its [`TypedNetwork::weights`]; built on another device by dfdx's functions
/// it is those alone. [`TypedNetwork::to_device`] moves all of it.
impl<A: Chain, const CLASSES: usize, D: Device<f32>> TensorCollection<f32, D>
    for TypedNetwork<A, CLASSES, D>
{
    type To<E2: Dtype, D2: Device<E2>> =
        <A::Weights<f32, D> as TensorCollection<f32, D>>::To<E2, D2>;

    fn iter_tensors<V: ModuleVisitor<Self, f32, D>>(
        visitor: &mut V,
    ) -> Result<Option<Self::To<V::E2, V::D2>>, V::Err> {
        visitor.visit_fields(
            Self::module(
                "weights",
                |network| &network.weights,
                |network| &mut network.weights,
            ),
            |weights| weights,
        )
    }
}

/// Looks for the tensor behind `before` others.
struct Search<S: Shape, D: Device<f32>> {
    before: Option<usize>,
    found: Option<Tensor<S, f32, D>>,
}

impl<Wanted: Shape, D: Device<f32>> TensorVisitor<f32, D> for Search<Wanted, D> {
    type Viewer = ViewTensorRef;
    type Err = Infallible;
    type E2 = f32;
    type D2 = D;

    fn visit<S: Shape>(
        &mut self,
        _options: TensorOptions<S, f32, D>,
        tensor: &Tensor<S, f32, D>,
    ) -> Result<Option<Tensor<S, f32, D>>, Infallible> {
        if self.before == Some(0) {
            self.found = (tensor as &dyn Any).downcast_ref().cloned();
        }
        self.before = self.before.and_then(|before| before.checked_sub(1));
        Ok(None)
    }
}

/// A device's refusal.
pub(super) fn device_error<E: std::fmt::Debug>(error: E) -> Error {
    Error::Device(format!("{error:?}"))
}
