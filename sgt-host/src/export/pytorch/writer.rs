//! `forward`, line by line, and what it needs: modules, helper classes, the layout of activations.

use super::helpers::Helper;
use super::modules::Modules;
use super::python::{Expression, INDENT, commented};
use crate::Result;
use crate::network::layer::Layer;
use crate::network::{LayerSummary, Shape};
use std::collections::{BTreeMap, BTreeSet};

/// Which axis of a series lies behind the batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[batch, channels, steps]`: what convolutions, pooling and batch normalisation read.
    ChannelsFirst,
    /// `[batch, steps, channels]`: what everything else reads.
    StepsFirst,
}

/// What the variable `x` holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) shape: Shape,
    pub(super) layout: Layout,
    /// Which of [`Writer::lengths`] counts the real steps; none where padding is not skipped.
    pub(super) lengths: Option<usize>,
    /// Whether the padding may hold something else than zeros.
    pub(super) filled: bool,
}

/// The real steps of samples at one place of the network.
#[derive(Debug)]
struct Lengths {
    /// The variable that holds them.
    variable: String,
    /// Steps, padding included.
    steps: usize,
    /// The variable that tells which steps are padding, where it was needed.
    padding: Option<String>,
}

/// Writes the body of `forward`.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) modules: Modules,
    pub(super) helpers: BTreeSet<Helper>,
    pub(super) lines: Vec<String>,
    /// Statements of `__init__` behind those of the modules.
    pub(super) attachments: Vec<String>,
    /// The variable that layers read and write.
    pub(super) x: String,
    pub(super) state: State,
    lengths: Vec<Lengths>,
    /// Modules that got a name from their kind.
    named: BTreeMap<&'static str, usize>,
    /// The paths of layers whose own name is taken by another.
    renamed: BTreeSet<usize>,
    /// Steps for which there is a mask of later steps.
    causal: BTreeSet<usize>,
    residuals: usize,
}

impl Writer {
    /// Reserves the modules of all layers; `state` is what the first layer reads.
    pub(super) fn new(layers: &[LayerSummary<'_>], state: State) -> Result<Self> {
        let mut modules = Modules::default();
        let mut renamed = BTreeSet::new();
        let with_parameters = |summary: &LayerSummary<'_>| !summary.tensors.is_empty();
        for summary in layers.iter().filter(|summary| with_parameters(summary)) {
            modules.reserve(summary.layer.name())?;
        }
        // A name that no weight needs gives way.
        for (index, summary) in layers.iter().enumerate() {
            let name = summary.layer.name();
            let needless = !with_parameters(summary) && is_module(summary.layer);
            if needless && !name.is_empty() && modules.reserve(name).is_err() {
                renamed.insert(index);
            }
        }
        Ok(Self {
            modules,
            helpers: BTreeSet::new(),
            lines: Vec::new(),
            attachments: Vec::new(),
            x: "x".into(),
            state,
            lengths: Vec::new(),
            named: BTreeMap::new(),
            renamed,
            causal: BTreeSet::new(),
            residuals: 0,
        })
    }

    /// Adds `code` with a comment.
    pub(super) fn line(&mut self, code: &str, comment: &str) {
        self.lines.extend(commented(2 * INDENT, code, comment));
    }

    /// Writes `x = code`, which gives `shape`.
    pub(super) fn give(&mut self, code: &str, shape: Shape) {
        self.state.shape = shape;
        let code = format!("{} = {code}", self.x);
        let comment = self.axes();
        self.line(&code, &comment);
    }

    /// Writes `x, _ = code`, which gives `shape` first.
    pub(super) fn give_first(&mut self, code: &str, shape: Shape) {
        self.state.shape = shape;
        let code = format!("{}, _ = {code}", self.x);
        let comment = self.axes();
        self.line(&code, &comment);
    }

    /// The axes of `x`: `[batch, 32, 128]`.
    pub(super) fn axes(&self) -> String {
        match (self.state.shape, self.state.layout) {
            (Shape::Vector { features }, _) => format!("[batch, {features}]"),
            (Shape::Series { steps, channels }, Layout::StepsFirst) => {
                format!("[batch, {steps}, {channels}]")
            }
            (Shape::Series { steps, channels }, Layout::ChannelsFirst) => {
                format!("[batch, {channels}, {steps}]")
            }
            (
                Shape::Image {
                    height,
                    width,
                    channels,
                },
                _,
            ) => format!("[batch, {channels}, {height}, {width}]"),
        }
    }

    /// Turns a series to `layout`.
    pub(super) fn turn(&mut self, layout: Layout) {
        let shape = self.state.shape;
        if matches!(shape, Shape::Series { .. }) && self.state.layout != layout {
            self.state.layout = layout;
            self.give(&format!("{}.transpose(1, 2)", self.x), shape);
        }
    }

    /// The module of the layer with this place in the walk: says what it is, gives the expression
    /// for it.
    pub(super) fn module(&mut self, index: usize, layer: &Layer, module: Expression) -> String {
        let own = layer.name();
        let path = if own.is_empty() || self.renamed.contains(&index) {
            self.new_name(layer.kind())
        } else {
            own.to_string()
        };
        self.modules.define(&path, module);
        self.modules.access(&path)
    }

    /// Puts a module of our own inside that of a layer.
    pub(super) fn attach(&mut self, module: &str, name: &str, inner: &Expression) {
        let front = format!("{module}.{name} = ");
        inner.lay_out(2 * INDENT, &front, "", &mut self.attachments);
    }

    /// Applies the module to `x`.
    pub(super) fn apply(&mut self, module: &str, shape: Shape) {
        self.give(&format!("{module}({})", self.x), shape);
    }

    /// A name at the top that nothing has: the kind with a number.
    fn new_name(&mut self, kind: &'static str) -> String {
        let count = self.named.entry(kind).or_insert(0);
        loop {
            *count += 1;
            let name = format!("{}_{count}", kind.replace('-', "_"));
            if self.modules.is_free(&name) && self.modules.reserve(&name).is_ok() {
                return name;
            }
        }
    }

    /// The variable of the next residual block inside as many others.
    pub(super) fn enter_residual(&mut self) -> String {
        self.residuals += 1;
        match self.residuals {
            1 => "shortcut".into(),
            depth => format!("shortcut_{depth}"),
        }
    }

    pub(super) fn leave_residual(&mut self) {
        self.residuals -= 1;
    }

    /// Takes `variable` for the real steps of `x` from here on.
    pub(super) fn set_lengths(&mut self, variable: String, steps: usize) {
        self.state.lengths = Some(self.lengths.len());
        self.lengths.push(Lengths {
            variable,
            steps,
            padding: None,
        });
    }

    /// The variable with the real steps of `x`.
    pub(super) fn lengths(&self) -> Option<&str> {
        let lengths = self.state.lengths?;
        Some(&self.lengths[lengths].variable)
    }

    /// The variable that tells which steps of `x` are padding, `[batch, steps]`.
    pub(super) fn padding(&mut self) -> Option<String> {
        let place = self.state.lengths?;
        let own = &self.lengths[place];
        if let Some(padding) = &own.padding {
            return Some(padding.clone());
        }
        let padding = match place {
            0 => "padding".to_string(),
            _ => format!("padding_{}", place + 1),
        };
        let steps = own.steps;
        let code = format!(
            "{padding} = torch.arange({steps}, device=x.device) >= {}[:, None]",
            own.variable
        );
        self.lengths[place].padding = Some(padding.clone());
        self.line(&code, &format!("[batch, {steps}]"));
        Some(padding)
    }

    /// `x` with `value` in place of its padding; itself without padding.
    pub(super) fn padded_with(&mut self, value: &str) -> String {
        let x = self.x.clone();
        match self.padding() {
            None => x,
            Some(padding) => {
                let axes = match self.state.layout {
                    Layout::ChannelsFirst => "[:, None]",
                    Layout::StepsFirst => "[:, :, None]",
                };
                format!("{x}.masked_fill({padding}{axes}, {value})")
            }
        }
    }

    /// Makes the padding zero in front of a layer that looks at it.
    pub(super) fn clear_padding(&mut self) {
        let is_series = matches!(self.state.shape, Shape::Series { .. });
        if is_series && self.state.lengths.is_some() && self.state.filled {
            let cleared = self.padded_with("0.0");
            let code = format!("{} = {cleared}", self.x);
            self.line(&code, "zeros behind the real steps");
            self.state.filled = false;
        }
    }

    /// Counts the real steps behind windows that are `stride` apart; `steps` in all.
    pub(super) fn stride_lengths(&mut self, stride: usize, steps: usize) {
        let Some(place) = self.state.lengths else {
            return;
        };
        let before = &self.lengths[place];
        let (variable, steps_before) = (before.variable.clone(), before.steps);
        self.state.filled = true;
        if stride == 1 && steps == steps_before {
            return;
        }
        if stride == 1 && steps > steps_before {
            self.set_lengths(variable, steps);
            return;
        }
        let next = format!("lengths_{}", self.lengths.len() + 1);
        let windows = match stride {
            1 => variable,
            _ => format!("(({variable} + {}) // {stride})", stride - 1),
        };
        self.line(&format!("{next} = {windows}.clamp(max={steps})"), "");
        self.set_lengths(next, steps);
    }

    /// The mask of the steps that lie in the future of each, `[steps, steps]`.
    pub(super) fn later(&mut self, steps: usize) -> String {
        let name = format!("later_{steps}");
        if self.causal.insert(steps) {
            let code = format!(
                "{name} = torch.ones({steps}, {steps}, dtype=torch.bool, device=x.device).triu(1)"
            );
            self.line(&code, "");
        }
        name
    }
}

/// Whether a layer is a module of its own in Python.
fn is_module(layer: &Layer) -> bool {
    !matches!(
        layer,
        Layer::Flatten(_) | Layer::GlobalAveragePool(_) | Layer::Residual(_)
    )
}
