//! A network as a PyTorch module in Python, with its state dict.
//!
//! | module | what it holds |
//! |---|---|
//! | `layers` | what each layer is in PyTorch |
//! | `writer` | `forward`, line by line |
//! | `modules` | the tree of modules under PyTorch's paths |
//! | `helpers` | modules that PyTorch does not have |
//! | `python` | Python's notation |

mod helpers;
mod layers;
mod modules;
mod python;
mod writer;

use super::ExportFile;
use crate::data::{Bounds, Normalization};
use crate::network::layer::Layer;
use crate::network::{Description, InputShape, Model, Shape};
use crate::run::{Record, Trained};
use crate::weights::{Metadata, to_state_dict};
use crate::{Result, network};
use helpers::Helper;
use network::LayerSummary;
use python::{INDENT, call, filled, mentions, number, string, wrapped};
use writer::{Layout, State, Writer};

/// The module's file.
const MODULE: &str = "network.py";
/// The weights' file.
const WEIGHTS: &str = "weights.safetensors";

/// `network.py` and `weights.safetensors`.
pub(super) fn files(trained: &Trained) -> Result<Vec<ExportFile>> {
    let description = trained.model.network().description();
    let summaries = description.summary()?;
    let module = module(description, &trained.metadata, &summaries)?;
    let norms = summaries.iter().map(|summary| summary.layer);
    let norms = norms.filter(|layer| matches!(layer, Layer::BatchNorm(_)));
    let norms: Vec<&str> = norms.map(Layer::name).collect();
    // The header names the network for `sgt` itself.
    let metadata = Metadata {
        description: Some(description.clone()),
        ..trained.metadata.clone()
    };
    Ok(vec![
        ExportFile {
            name: MODULE.into(),
            bytes: module.into_bytes(),
        },
        ExportFile {
            name: WEIGHTS.into(),
            bytes: to_state_dict(trained.model.parameters(), &metadata, &norms)?,
        },
    ])
}

/// The text of `network.py`.
fn module(
    description: &Description,
    metadata: &Metadata,
    summaries: &[LayerSummary<'_>],
) -> Result<String> {
    let (mut writer, buffers) = forward(description, metadata, summaries)?;
    if writer.modules.has_group() {
        writer.helpers.insert(Helper::Group);
    }
    let mut code = vec!["# The classes, in the order of the logits.".to_string()];
    let classes: Vec<String> = metadata.classes.iter().map(|name| string(name)).collect();
    code.extend(filled(0, "CLASSES = [", &classes, "]"));
    code.push("# The least and the greatest value that an input may take.".into());
    code.push(match metadata.bounds {
        Some(Bounds { low, high }) => format!("BOUNDS = ({}, {})", number(low), number(high)),
        None => "BOUNDS = None".into(),
    });
    code.extend(blank_lines());
    code.push("class Network(nn.Module):".into());
    code.push(format!(
        "    \"\"\"From {} to logits.\"\"\"",
        description.input
    ));
    code.push(String::new());
    code.push("    def __init__(self):".into());
    code.push("        super().__init__()".into());
    code.extend(buffers);
    code.extend(writer.modules.statements());
    code.extend(writer.attachments);
    code.push(String::new());
    let arguments = if skips_padding(description) {
        ", lengths=None"
    } else {
        ""
    };
    code.push(format!("    def forward(self, x{arguments}):"));
    code.extend(writer.lines);
    code.push("        return x".into());
    code.extend(blank_lines());
    code.extend(LOAD.lines().map(str::to_string));
    for helper in writer.helpers {
        code.extend(blank_lines());
        code.extend(helper.code().lines().map(str::to_string));
    }
    let code = code.join("\n") + "\n";
    Ok(format!(
        "{}\n{}\n{code}",
        docstring(description, metadata),
        imports(&code)
    ))
}

/// Whether `forward` is told the real steps of samples.
fn skips_padding(description: &Description) -> bool {
    description.skip_padding && !matches!(description.input, InputShape::Image { .. })
}

/// Two empty lines.
fn blank_lines() -> [String; 2] {
    [String::new(), String::new()]
}

const LOAD: &str = r#"def load(path=Path(__file__).with_name("weights.safetensors")):
    """The network in evaluation mode, with the weights of a file."""
    network = Network()
    network.load_state_dict(load_file(path), strict=True)
    return network.eval()
"#;

fn imports(code: &str) -> String {
    let mut imports = String::new();
    if mentions(code, "math") {
        imports.push_str("import math\n");
    }
    imports.push_str("from pathlib import Path\n\n");
    if mentions(code, "torch") {
        imports.push_str("import torch\n");
    }
    if mentions(code, "F") {
        imports.push_str("import torch.nn.functional as F\n");
    }
    imports.push_str("from safetensors.torch import load_file\nfrom torch import nn\n");
    if code.contains("pack_padded_sequence") {
        imports
            .push_str("from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence\n");
    }
    imports
}

/// The batch as files hold it: its axes, and what they are.
fn axes(input: InputShape) -> (String, &'static str) {
    match input {
        InputShape::Image {
            channels,
            height,
            width,
        } => (
            format!("[batch, {channels}, {height}, {width}]"),
            "channels, rows, columns",
        ),
        InputShape::Series {
            steps, channels, ..
        } => (
            format!("[batch, {channels}, {steps}]"),
            "channels, then steps",
        ),
        InputShape::Tokens { tokens, dim } => (
            format!("[batch, {tokens}, {dim}]"),
            "tokens, then the values of each",
        ),
    }
}

/// What the file is and how it is used.
fn docstring(description: &Description, metadata: &Metadata) -> String {
    let classes = metadata.classes.len();
    let counted = if classes == 1 { "class" } else { "classes" };
    let mut lines = vec![
        format!(
            "\"\"\"{}: {} to {classes} {counted}, in PyTorch.",
            description.name, description.input
        ),
        String::new(),
        "    from network import load".into(),
        "    network = load()  # the weights beside this file, evaluation mode".into(),
        format!("    logits = network(x)  # [batch, {classes}]"),
        String::new(),
    ];
    let (shape, order) = axes(description.input);
    let mut x = format!(
        "x is {shape}, float32: {order}, in the data's own units, as in the files that `sgt \
         predict` reads."
    );
    if !metadata.normalization.is_identity() {
        x.push_str(" It is standardised inside.");
    }
    lines.extend(wrapped(0, &x));
    if let Some(Layer::Embedding(_)) = description.layers.first() {
        lines.extend(wrapped(
            0,
            "In its place the numbers of the tokens, int64 [batch, tokens], may be given.",
        ));
    }
    if skips_padding(description) {
        lines.extend(wrapped(
            0,
            "lengths [batch], int64, counts each sample's real steps; those behind them are padding \
             and change nothing. Without it all steps are real.",
        ));
    }
    lines.push(String::new());
    lines.push(format!(
        "Written by sgt {}; needs torch and safetensors.",
        Record::VERSION
    ));
    lines.push("\"\"\"".into());
    lines.join("\n") + "\n"
}

/// The lines of `forward`, and those of `__init__` that hold the normalisation.
fn forward(
    description: &Description,
    metadata: &Metadata,
    summaries: &[LayerSummary<'_>],
) -> Result<(Writer, Vec<String>)> {
    let input = description.input;
    let layout = match input {
        InputShape::Tokens { .. } => Layout::StepsFirst,
        InputShape::Series { .. } | InputShape::Image { .. } => Layout::ChannelsFirst,
    };
    let start = State {
        shape: Shape::of_input(input),
        layout,
        lengths: None,
        filled: true,
    };
    let mut writer = Writer::new(summaries, start)?;
    if skips_padding(description) {
        let steps = input.positions();
        writer.line("if lengths is None:", "");
        let all = format!("    lengths = torch.full((len(x),), {steps}, device=x.device)");
        writer.line(&all, "");
        writer.set_lengths("lengths".into(), steps);
    }
    if let Some((index, summary)) = summaries.iter().enumerate().next()
        && let Layer::Embedding(own) = summary.layer
    {
        let table = call("nn.Embedding").with(own.vocabulary).with(own.dim);
        let table = writer.module(index, summary.layer, table);
        let comment = writer.axes();
        writer.line("if not x.is_floating_point():", "");
        writer.line(&format!("    x = {table}(x)"), &comment);
    }
    let buffers = normalise(&mut writer, &metadata.normalization, input);
    let mut walk = summaries.iter().enumerate();
    writer.layers(&description.layers, &mut walk)?;
    Ok((writer, buffers))
}

/// Standardises `x`; gives the lines of `__init__` that hold the numbers.
fn normalise(writer: &mut Writer, normalization: &Normalization, input: InputShape) -> Vec<String> {
    if normalization.is_identity() {
        return Vec::new();
    }
    let axes = match input {
        InputShape::Image { .. } => "1, -1, 1, 1",
        InputShape::Series { .. } => "1, -1, 1",
        InputShape::Tokens { .. } => "1, 1, -1",
    };
    let mut lines =
        vec!["        # The training data's mean and deviation; no part of the state dict.".into()];
    let mut buffers = Vec::new();
    // Values far from 0 are centred in double precision.
    let origin = normalization.origin();
    let mean = normalization.mean().iter().enumerate();
    let mean = mean.map(|(channel, &mean)| match origin.get(channel) {
        Some(origin) => format!("{:?}", origin + f64::from(mean)),
        None => number(mean),
    });
    let deviation = normalization.deviation().iter();
    let double = if origin.is_empty() {
        ""
    } else {
        ", dtype=torch.float64"
    };
    for (name, values) in [
        ("input_mean", mean.collect::<Vec<_>>()),
        (
            "input_deviation",
            deviation.map(|&value| number(value)).collect(),
        ),
    ] {
        let open = format!("{name} = torch.tensor([");
        let close = format!("]{double}).view({axes})");
        lines.extend(filled(2 * INDENT, &open, &values, &close));
        let mut buffer = name.to_string();
        while !writer.modules.is_free(&buffer) {
            buffer.push('_');
        }
        lines.push(format!(
            "        self.register_buffer(\"{buffer}\", {name}, persistent=False)"
        ));
        buffers.push(buffer);
    }
    let shape = writer.state.shape;
    writer.give(
        &if origin.is_empty() {
            format!("(x - self.{}) / self.{}", buffers[0], buffers[1])
        } else {
            format!("((x - self.{}) / self.{}).float()", buffers[0], buffers[1])
        },
        shape,
    );
    lines
}
