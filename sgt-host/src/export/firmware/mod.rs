//! Networks for microcontrollers, which run on `sgt-core`: no heap, no file system, no panic.
//!
//! | module | what it holds |
//! |---|---|
//! | `table` | a description with its weights as the core's table of layers |
//! | `golden` | windows and what the core makes of them, to the bit |
//! | `cost` | RAM, flash and instructions, use by use |
//! | `quantize` | a table in 8-bit integers |
//! | `c` | a folder for firmware in C, in Arduino's form |
//! | `rust` | a `no_std` crate |
//! | `core_crate` | the core's own sources, taken along |
//! | `text` | notation that languages share |

mod c;
mod core_crate;
mod cost;
mod golden;
mod quantize;
mod rust;
mod table;
mod text;

use super::{ExportFile, FirmwareOptions};
use crate::Result;
use crate::network::{InputShape, Model};
use crate::run::Trained;
use cost::Cost;
use golden::{Golden, Standardisation, goldens, masking};
use quantize::{Integers, quantize};
use sgt_core::Group;
use sgt_core::network::SaliencyGuided;
use table::Table;

pub use quantize::Calibration;

/// The folder of an export that holds the core.
const CORE: &str = "sgt-core";

/// A trained network as boards take it.
pub(super) struct Board {
    name: String,
    regime: String,
    version: String,
    table: Table,
    classes: Vec<String>,
    standardisation: Standardisation,
    /// What is masked together.
    group: Group,
    goldens: Vec<Golden>,
    cost: Cost,
    /// The same in 8-bit integers; `table` holds what they stand for then.
    integers: Option<Integers>,
}

/// A crate for firmware in Rust.
pub(super) fn rust_files(
    trained: &Trained,
    options: &FirmwareOptions<'_>,
) -> Result<Vec<ExportFile>> {
    let board = Board::new(trained, options)?;
    if let Some(core) = &options.core {
        return Ok(rust::files(&board, core));
    }
    let mut files = rust::files(&board, CORE);
    files.extend(core_crate::files(CORE));
    Ok(files)
}

/// A library for firmware in C.
pub(super) fn c_files(trained: &Trained, options: &FirmwareOptions<'_>) -> Result<Vec<ExportFile>> {
    let board = Board::new(trained, options)?;
    let mut files = c::files(&board);
    files.extend(core_crate::files(&format!("{}/{CORE}", c::RUST)));
    files.extend(core_crate::interface(&format!("{}/{CORE}/capi", c::RUST)));
    Ok(files)
}

impl Board {
    fn new(trained: &Trained, options: &FirmwareOptions<'_>) -> Result<Self> {
        let network = trained.model.network();
        let description = network.description();
        let mut table = Table::new(description, network.parameters())?;
        let metadata = &trained.metadata;
        let normalization = &metadata.normalization;
        let origin = normalization.origin();
        let mean = normalization.mean().iter().enumerate();
        let mean = mean.map(|(channel, &mean)| match origin.get(channel) {
            Some(origin) => (origin + f64::from(mean)) as f32,
            None => mean,
        });
        let standardisation = Standardisation {
            mean: mean.collect(),
            deviation: normalization.deviation().to_vec(),
        };
        let group = match description.input {
            InputShape::Series { .. } => Group::Cell,
            InputShape::Image { .. } | InputShape::Tokens { .. } => Group::Position,
        };
        let integers = match &options.quantize {
            None => None,
            Some(calibration) => {
                // Data with bounds are in their own units.
                let own_units = metadata.bounds.map(|_| &standardisation);
                Some(quantize(&mut table, calibration, own_units)?)
            }
        };
        let goldens = goldens(&table, &standardisation, group, integers.as_ref())?;
        let guided = SaliencyGuided::new(masking(&table, group)?);
        let mut cost = Cost::new(&table, &guided)?;
        if integers.is_some() {
            cost.add_integers();
        }
        Ok(Self {
            name: description.name.clone(),
            regime: one_line(&metadata.regime),
            version: one_line(&metadata.version),
            table,
            classes: trained.model.class_names().to_vec(),
            standardisation,
            group,
            goldens,
            cost,
            integers,
        })
    }

    /// The network's name as a part of identifiers.
    fn identifier(&self, separator: char) -> String {
        text::identifier(&self.name, separator)
    }

    fn title(&self) -> String {
        format!("{} on a board", self.identifier('-'))
    }

    fn summary(&self) -> String {
        format!(
            "The network `{}` with the weights of a {} run (sgt {}): {} steps of {} channels to {} \
             classes.",
            self.identifier('-'),
            self.regime,
            self.version,
            self.table.input.positions,
            self.table.input.channels,
            self.classes.len()
        )
    }

    /// What an engineer must know, in Markdown.
    fn facts(&self) -> String {
        let cost = &self.cost;
        let mut text = format!(
            "A window is `[steps, channels]`, position after position, as a sensor gives them, in the \
             units of the training data; it is standardised in front of everything else. No heap, no \
             file system, no panic: every buffer is the caller's, of a size known to the compiler.\n\n\
             Flash: {} bytes of weights and table ({} parameters). The code of an inference takes about \
             4 KiB on a Cortex-M4F, with saliency 9, with saliency-guided training 19 (optimised for \
             size, for convolutions, pooling and dense layers). An inference takes {} \
             multiplications.\n\n{}\n\n\
             RAM holds the window, results and scratch (calls may share it), in training also the \
             trained parameters and their gradient; the stack comes on top (under 1.5 KiB). \
             Instructions are estimated from counts on an emulated Cortex-M4F at opt-level 3; cycles \
             assume 1.4 an instruction. Without a floating-point unit expect about thirty times as \
             many, in integers six times.",
            cost.flash,
            cost.parameters,
            cost.products,
            cost.markdown()
        );
        if !cost::is_estimated_well(&self.table) {
            text.push_str(
                " The counts are of a network of convolutions, pooling and a dense layer: layers of \
                 other kinds cost more a multiplication.",
            );
        }
        if let Some(integers) = &self.integers {
            text.push_str("\n\n");
            text.push_str(&self.integer_facts(integers));
        }
        text
    }

    /// What 8-bit integers save and cost, in Markdown.
    fn integer_facts(&self, integers: &Integers) -> String {
        let mut lines = vec![
            format!(
                "## In 8-bit integers\n\n{} bytes of flash instead of {}. Weights have a scale an output channel, activations one each, from \
                 training data; every sum is exact and is rounded once, so that all machines give the \
                 same integers. Saliency and training use the numbers that the integers stand for, \
                 which are linked only where they are used. Right answers on the test data:",
                integers.bytes(),
                self.cost.flash
            ),
            String::new(),
            "| class | windows | 32-bit floats | 8-bit integers |".into(),
            "| --- | ---: | ---: | ---: |".into(),
        ];
        let percent = |right: usize, all: usize| match all {
            0 => "–".to_string(),
            all => format!("{:.1} %", 100.0 * right as f64 / all as f64),
        };
        let row = |name: &str, all: usize, numbers: usize, integers: usize| {
            format!(
                "| {name} | {all} | {} | {} |",
                percent(numbers, all),
                percent(integers, all)
            )
        };
        for (name, class) in self.classes.iter().zip(&integers.accuracy) {
            let name = one_line(name);
            lines.push(row(&name, class.all, class.numbers, class.integers));
        }
        let sum = |of: fn(&quantize::ClassAccuracy) -> usize| -> usize {
            integers.accuracy.iter().map(of).sum()
        };
        lines.push(row(
            "all",
            sum(|class| class.all),
            sum(|class| class.numbers),
            sum(|class| class.integers),
        ));
        lines.join("\n")
    }
}

/// Text of a stranger's file for a comment.
fn one_line(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " .,_+-".contains(c);
    text.chars().filter(|&c| plain(c)).collect()
}
