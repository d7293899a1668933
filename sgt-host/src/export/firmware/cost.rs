//! What a network costs on a board, mode by mode.

use super::table::Table;
use crate::Result;
use sgt_core::network::{Layer, Network, SaliencyGuided};

/// Bytes of a value.
const VALUE: usize = size_of::<f32>();
/// Bytes of a group's number in the masking's scratch.
const INDEX: usize = size_of::<u16>();
/// Bytes of a layer in a table of a 32-bit processor: its kind and six sizes.
const LAYER: usize = 28;

/// One way to use a network.
pub(super) struct Mode {
    pub(super) name: &'static str,
    /// Bytes of the caller's buffers: scratch, window and results; with training, the trained
    /// parameters and their gradient.
    pub(super) ram: usize,
    /// Instructions of one call on a Cortex-M4F at opt-level 3.
    pub(super) instructions: usize,
}

/// Sizes of the caller's buffers, in values (integers: in bytes).
pub(super) struct Lens {
    pub(super) inference: usize,
    pub(super) saliency: usize,
    pub(super) sgt: usize,
    pub(super) indices: usize,
    pub(super) last_layer: usize,
    pub(super) quantized: usize,
}

/// What a network costs.
pub(super) struct Cost {
    pub(super) lens: Lens,
    /// Bytes of weights and table in flash, beside the code.
    pub(super) flash: usize,
    pub(super) products: usize,
    pub(super) parameters: usize,
    /// Bytes of an inference in integers: scratch, window, logits.
    pub(super) quantized: usize,
    pub(super) modes: Vec<Mode>,
}

/// Instructions for ten products of an inference on an emulated Cortex-M4F at opt-level 3, for a
/// network of two convolutions with pooling (`tests/embedded/budgets.toml`).
const INFER: usize = 51;
const QUANTIZED: usize = 46;
const SALIENCY: usize = 114;
const STANDARD_STEP: usize = 148;
const SGT_STEP: usize = 437;
const TEN: usize = 10;

/// Processor cycles for ten instructions: loads take two, branches two to four.
pub(super) const CYCLES_OF_TEN: usize = 14;

impl Cost {
    pub(super) fn new(table: &Table, guided: &SaliencyGuided) -> Result<Self> {
        let layers = table.layers();
        let network = Network::new(table.input, &layers)?;
        let (input, classes) = (network.input_len(), network.classes());
        let products = network.products();
        let instructions = |of_ten: usize| products / TEN * of_ten;
        let last = network.trained_len(1);
        let step = |scratch: usize, trained: usize, indices: usize| {
            VALUE * (scratch + input + 2 * trained) + INDEX * indices
        };
        let masked = guided.indices_len();
        let (standard, sgt) = (network.standard_len(), network.sgt_len());
        let all = network.parameter_len();
        Ok(Self {
            lens: Lens {
                inference: network.inference_len(),
                saliency: network.saliency_len(),
                sgt,
                indices: masked,
                last_layer: last,
                quantized: network.quantized_len(),
            },
            flash: VALUE * all + LAYER * layers.len(),
            products,
            parameters: all,
            quantized: network.quantized_len() + VALUE * (input + classes),
            modes: vec![
                Mode {
                    name: "inference",
                    ram: VALUE * (network.inference_len() + input + classes),
                    instructions: instructions(INFER),
                },
                Mode {
                    name: "saliency",
                    ram: VALUE * (network.saliency_len() + 2 * input + classes),
                    instructions: instructions(SALIENCY),
                },
                Mode {
                    name: "plain step, last layer",
                    ram: step(standard, last, 0),
                    instructions: instructions(INFER),
                },
                Mode {
                    name: "plain step, all layers",
                    ram: step(standard, all, 0),
                    instructions: instructions(STANDARD_STEP),
                },
                Mode {
                    name: "SGT step, last layer",
                    ram: step(sgt, last, masked),
                    instructions: instructions(SALIENCY + 2 * INFER),
                },
                Mode {
                    name: "SGT step, all layers",
                    ram: step(sgt, all, masked),
                    instructions: instructions(SGT_STEP),
                },
            ],
        })
    }

    /// Adds inference in integers, behind that in floats.
    pub(super) fn add_integers(&mut self) {
        let mode = Mode {
            name: "inference in integers",
            ram: self.quantized,
            instructions: self.products / TEN * QUANTIZED,
        };
        self.modes.insert(1, mode);
    }

    /// A table in Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut lines = vec![
            "| use | RAM, bytes | instructions, about | cycles, about |".to_string(),
            "| --- | ---: | ---: | ---: |".to_string(),
        ];
        for mode in &self.modes {
            lines.push(format!(
                "| {} | {} | {} | {} |",
                mode.name,
                mode.ram,
                mode.instructions,
                mode.instructions / TEN * CYCLES_OF_TEN
            ));
        }
        lines.join("\n")
    }
}

/// Whether anything of the table is a residual, recurrent or depthwise layer, whose instructions the
/// estimate does not know.
pub(super) fn is_estimated_well(table: &Table) -> bool {
    !table.rows.iter().any(|row| {
        matches!(
            row.layer,
            Layer::Lstm(_) | Layer::Depthwise(_) | Layer::ResidualStart
        )
    })
}
