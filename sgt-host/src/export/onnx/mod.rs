//! A network as an ONNX model: one file, `network.onnx`.
//!
//! The input `input` is a batch as files hold it, in the data's own units, `[batch, channels, steps]`,
//! `[batch, channels, rows, columns]` or `[batch, tokens, values]`; standardisation is inside. Networks
//! that skip padding have a second input `lengths`, `[batch]` of whole numbers, the real steps of each
//! sample. The output `logits` is `[batch, classes]`. The batch is free, the other axes are those that
//! the network was built for.
//!
//! | module | what it holds |
//! |---|---|
//! | `layers` | what each layer is in ONNX |
//! | `writer` | the axes and the padding of the value at hand |
//! | `graph` | nodes, tensors and the file |

mod graph;
mod layers;
mod writer;

use super::ExportFile;
use crate::Result;
use crate::network::{InputShape, Model, Shape};
use crate::run::{Record, Trained};
use graph::{Axis, Element, Graph};
use writer::{Layout, State, Writer};

const FILE: &str = "network.onnx";
const INPUT: &str = "input";
const LENGTHS: &str = "lengths";
const LOGITS: &str = "logits";
const BATCH: Axis = Axis::Free("batch");

/// `network.onnx`.
pub(super) fn files(trained: &Trained) -> Result<Vec<ExportFile>> {
    let network = trained.model.network();
    let description = network.description();
    let summaries = description.summary()?;
    let (axes, layout) = match description.input {
        InputShape::Image {
            channels,
            height,
            width,
        } => (vec![channels, height, width], Layout::ChannelsFirst),
        InputShape::Series {
            steps, channels, ..
        } => (vec![channels, steps], Layout::ChannelsFirst),
        InputShape::Tokens { tokens, dim } => (vec![tokens, dim], Layout::StepsFirst),
    };
    let mut graph = Graph::default();
    let mut described = vec![BATCH];
    described.extend(axes.iter().map(|&axis| Axis::Size(axis)));
    graph.input(INPUT, Element::Float, &described);
    let skips = description.skip_padding && !matches!(description.input, InputShape::Image { .. });
    if skips {
        graph.input(LENGTHS, Element::Int64, &[BATCH]);
    }
    let state = State {
        shape: Shape::of_input(description.input),
        layout,
        lengths: None,
        filled: true,
    };
    let mut writer = Writer::new(graph, network.parameters(), INPUT, state);
    if skips {
        writer.set_lengths(LENGTHS.into(), description.input.positions());
    }
    normalise(&mut writer, trained, layout);
    let mut walk = summaries.iter();
    writer.layers(&description.layers, &mut walk)?;
    let last = writer.x.clone();
    let mut graph = writer.graph;
    graph.push("Identity", &[&last], &[LOGITS], &[]);
    let classes = trained.model.class_names();
    graph.output(LOGITS, &[BATCH, Axis::Size(classes.len())]);
    let metadata = &trained.metadata;
    let json = |value: serde_json::Value| value.to_string();
    let mut pairs = vec![
        ("classes", json(serde_json::json!(classes))),
        ("regime", metadata.regime.clone()),
        ("seed", metadata.seed.to_string()),
    ];
    if let Some(bounds) = metadata.bounds {
        pairs.push(("bounds", json(serde_json::json!([bounds.low, bounds.high]))));
    }
    let channels = metadata.preprocessing.as_ref().map(|own| &own.channels);
    if let Some(channels) = channels.filter(|channels| !channels.is_empty()) {
        pairs.push(("channels", json(serde_json::json!(channels))));
    }
    Ok(vec![ExportFile {
        name: FILE.into(),
        bytes: graph.into_model(&description.name, Record::VERSION, &pairs),
    }])
}

/// `(x − mean) / deviation`, a channel at a time. Values far from 0 are centred in double precision.
fn normalise(writer: &mut Writer<'_>, trained: &Trained, layout: Layout) {
    let normalization = &trained.metadata.normalization;
    if normalization.is_identity() {
        return;
    }
    let channels = normalization.mean().len();
    let shape = match (writer.state.shape, layout) {
        (Shape::Image { .. }, _) => vec![channels, 1, 1],
        (_, Layout::ChannelsFirst) => vec![channels, 1],
        (_, Layout::StepsFirst) => vec![channels],
    };
    let origin = normalization.origin();
    let mut x = writer.x.clone();
    if origin.is_empty() {
        let mean = writer.graph.floats(&shape, normalization.mean());
        x = writer.both("Sub", &x, &mean);
    } else {
        let mean = normalization.mean().iter().zip(origin);
        let mean: Vec<f64> = mean
            .map(|(&mean, origin)| origin + f64::from(mean))
            .collect();
        let mean = writer.graph.doubles(&shape, &mean);
        x = writer.cast(&x, Element::Double);
        x = writer.both("Sub", &x, &mean);
        x = writer.cast(&x, Element::Float);
    }
    let deviation = writer.graph.floats(&shape, normalization.deviation());
    writer.x = writer.both("Div", &x, &deviation);
}
