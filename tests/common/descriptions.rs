//! Small networks, at least one for every kind of layer and for each of its forms.
#![allow(dead_code, reason = "each test program uses its own part")]

use serde_json::{Value, json};
use sgt_host::network::{Description, InputShape, SeriesOrder};
use std::ops::Range;

pub(crate) const CLASSES: usize = 3;
pub(crate) const BATCH: usize = 4;

/// A network and the real steps of its samples; none where padding is not skipped.
pub(crate) struct Small {
    pub(crate) name: String,
    pub(crate) description: Description,
    pub(crate) lengths: Option<[usize; BATCH]>,
}

impl Small {
    /// As [`sgt_host::network::Samples::valid`].
    pub(crate) fn valid(&self) -> Vec<Range<usize>> {
        let lengths = self.lengths.iter().flatten();
        lengths.map(|&length| 0..length).collect()
    }

    /// Whether the logits have kinks, or bend as strongly as the statistics of a small batch do.
    pub(crate) fn is_rough(&self) -> bool {
        let rough = ["relu", "max-pool", "global-max-pool", "batch-norm"];
        rough.iter().any(|kind| self.has(kind)) || self.name.contains("max")
    }

    /// Whether the network holds a layer of a kind.
    pub(crate) fn has(&self, kind: &str) -> bool {
        let summary = self.description.summary().expect("a description that fits");
        summary.iter().any(|layer| layer.layer.kind() == kind)
    }
}

const IMAGE: InputShape = InputShape::image(2, 6, 5);
const SERIES: InputShape = InputShape::series(7, 4);
const TOKENS: InputShape = InputShape::tokens(6, 4);
const LENGTHS: [usize; BATCH] = [4, 7, 1, 5];

/// All of them.
pub(crate) fn small_networks() -> Vec<Small> {
    let mut networks = Vec::new();
    convolutions(&mut networks);
    normalisation(&mut networks);
    activations(&mut networks);
    pooling(&mut networks);
    vectors(&mut networks);
    recurrence(&mut networks);
    attention(&mut networks);
    residuals(&mut networks);
    networks
}

/// `layers`, and behind them what makes logits of their output.
fn small(name: &str, input: InputShape, layers: &Value, lengths: Option<[usize; BATCH]>) -> Small {
    let text = json!({
        "name": name.replace([' ', ','], "-"),
        "input": input,
        "skip-padding": lengths.is_some(),
        "layers": layers,
    });
    let description: Description =
        serde_json::from_value(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let direct = description.clone().linear("fc", CLASSES);
    let description = if direct.summary().is_ok() {
        direct
    } else {
        description.flatten().linear("fc", CLASSES)
    };
    if let Err(error) = description.summary() {
        panic!("{name}: {error}");
    }
    Small {
        name: name.into(),
        description,
        lengths,
    }
}

fn convolutions(networks: &mut Vec<Small>) {
    let mut over = |name: &str, input, fields: Value| {
        let mut layer =
            json!({ "kind": "convolution", "name": "conv", "channels": 4, "kernel": 3 });
        if let (Value::Object(layer), Value::Object(fields)) = (&mut layer, fields) {
            layer.extend(fields);
        }
        networks.push(small(name, input, &json!([layer]), None));
    };
    over("convolution of a series", SERIES, json!({}));
    let first = SERIES.ordered(SeriesOrder::ChannelsFirst);
    let fields = json!({ "stride": 2, "padding": 2 });
    over("convolution with stride and padding", first, fields);
    let fields = json!({ "padding": "causal", "dilation": 2 });
    over("causal convolution with dilation", SERIES, fields);
    let fields = json!({ "padding": "same", "kernel": 4 });
    over("convolution of the same length", SERIES, fields);
    over("convolution in groups", SERIES, json!({ "groups": 2 }));
    let fields = json!({ "groups": 4, "channels": 8, "bias": false });
    over("depthwise convolution", SERIES, fields);
    let fields = json!({ "weight-norm": true });
    over("convolution with weight norm", SERIES, fields);
    over("convolution of an image", IMAGE, json!({}));
    let fields =
        json!({ "kernel": [2, 3], "stride": [2, 1], "padding": [1, 2], "dilation": [2, 1] });
    over("convolution with pairs", IMAGE, fields);
    let fields = json!({ "groups": 2, "padding": 1 });
    over("convolution of an image in groups", IMAGE, fields);
    let fields = json!({ "weight-norm": true, "bias": false, "padding": "same" });
    over("convolution of an image with weight norm", IMAGE, fields);
    let chain = json!([
        { "kind": "convolution", "name": "conv", "channels": 4, "kernel": 3, "padding": 1 },
        { "kind": "relu" },
        { "kind": "max-pool", "window": 2 },
    ]);
    networks.push(small("convolution, relu, max-pool", IMAGE, &chain, None));
}

fn normalisation(networks: &mut Vec<Small>) {
    let norm = json!({ "kind": "batch-norm", "name": "norm" });
    networks.push(small("batch-norm of an image", IMAGE, &json!([norm]), None));
    networks.push(small(
        "batch-norm of a series",
        SERIES,
        &json!([norm]),
        None,
    ));
    let vector =
        json!([{ "kind": "flatten" }, { "kind": "linear", "name": "fc1", "outputs": 6 }, norm]);
    networks.push(small("batch-norm of a vector", SERIES, &vector, None));
    for form in ["standard", "unbiased"] {
        let norm = json!([{ "kind": "layer-norm", "name": "norm", "form": form }]);
        let name = format!("{form} layer-norm");
        networks.push(small(&format!("{name} of a series"), SERIES, &norm, None));
        let vector = json!([{ "kind": "flatten" }, norm[0]]);
        networks.push(small(&format!("{name} of a vector"), SERIES, &vector, None));
    }
}

fn activations(networks: &mut Vec<Small>) {
    for kind in ["relu", "gelu", "tanh", "sigmoid"] {
        let layers = json!([{ "kind": "linear", "name": "steps", "outputs": 5 }, { "kind": kind }]);
        networks.push(small(kind, SERIES, &layers, None));
    }
}

fn pooling(networks: &mut Vec<Small>) {
    for kind in ["max-pool", "average-pool"] {
        let overlap = json!([{ "kind": kind, "window": 3, "stride": 2, "padding": 1 }]);
        let name = format!("{kind} of a series");
        networks.push(small(&name, SERIES, &overlap, None));
        let pairs =
            json!([{ "kind": kind, "window": [2, 3], "stride": [1, 2], "padding": [1, 1] }]);
        networks.push(small(&format!("{kind} of an image"), IMAGE, &pairs, None));
        let side_by_side = json!([{ "kind": kind, "window": 2 }]);
        let name = format!("{kind} side by side");
        networks.push(small(&name, IMAGE, &side_by_side, None));
    }
    for kind in ["global-average-pool", "global-max-pool"] {
        let layers = json!([{ "kind": kind }]);
        networks.push(small(&format!("{kind} of an image"), IMAGE, &layers, None));
        networks.push(small(&format!("{kind} of a series"), SERIES, &layers, None));
        let name = format!("{kind} of real steps");
        networks.push(small(&name, SERIES, &layers, Some(LENGTHS)));
    }
}

fn vectors(networks: &mut Vec<Small>) {
    let dropout = json!([{ "kind": "dropout", "p": 0.4 }]);
    networks.push(small("dropout", SERIES, &dropout, None));
    for order in ["channels-first", "channels-last"] {
        let flatten = json!([{ "kind": "flatten", "order": order }]);
        let name = format!("flatten {order}");
        networks.push(small(&name, IMAGE, &flatten, None));
    }
    let steps = json!([{ "kind": "linear", "name": "steps", "outputs": 5, "bias": false }]);
    networks.push(small("linear at every step", SERIES, &steps, None));
    let embedding =
        json!([{ "kind": "embedding", "name": "embedding", "vocabulary": 7, "dim": 4 }]);
    networks.push(small("embedding", TOKENS, &embedding, None));
}

fn recurrence(networks: &mut Vec<Small>) {
    let mut recurrent = |name: &str, layer: Value, lengths| {
        networks.push(small(name, SERIES, &json!([layer]), lengths));
    };
    let lstm = |layers: usize, direction: &str, readout: &str| {
        json!({
            "kind": "lstm",
            "name": "lstm",
            "hidden": 3,
            "layers": layers,
            "direction": direction,
            "readout": readout,
        })
    };
    let one = json!({ "kind": "lstm", "name": "lstm", "hidden": 5 });
    recurrent("lstm", one.clone(), None);
    recurrent("lstm of real steps", one, Some(LENGTHS));
    for direction in ["reverse", "both"] {
        for readout in ["last", "all"] {
            let mut layer = lstm(1, direction, readout);
            if let Value::Object(fields) = &mut layer {
                fields.remove("layers");
            }
            recurrent(&format!("lstm {direction} {readout}"), layer, None);
        }
    }
    recurrent("deep lstm", lstm(2, "both", "last"), None);
    for readout in ["mean", "max", "attention"] {
        recurrent(&format!("lstm {readout}"), lstm(1, "both", readout), None);
        let name = format!("deep lstm {readout} of real steps");
        recurrent(&name, lstm(2, "both", readout), Some(LENGTHS));
    }
    for readout in ["last", "all", "attention"] {
        let layer = json!({
            "kind": "input-cell-lstm",
            "name": "rnn",
            "hidden": 3,
            "hops": 2,
            "attention-width": 4,
            "readout": readout,
        });
        recurrent(&format!("input-cell-lstm {readout}"), layer.clone(), None);
        let name = format!("input-cell-lstm {readout} of real steps");
        recurrent(&name, layer, Some(LENGTHS));
    }
}

fn attention(networks: &mut Vec<Small>) {
    for form in ["standard", "published"] {
        let layers = json!([
            { "kind": "positional-encoding", "form": form, "scale": true },
            { "kind": "tanh" },
        ]);
        let name = format!("{form} positional-encoding");
        networks.push(small(&name, SERIES, &layers, None));
    }
    for projections in ["packed", "separate"] {
        for causal in [false, true] {
            let layer = json!([{
                "kind": "self-attention",
                "name": "attention",
                "heads": 2,
                "causal": causal,
                "projections": projections,
                "dropout": 0.3,
            }]);
            let name = format!("{projections} self-attention, causal {causal}");
            networks.push(small(&name, SERIES, &layer, None));
            let name = format!("{name}, of real steps");
            let pooled = json!([layer[0], { "kind": "global-average-pool" }]);
            networks.push(small(&name, SERIES, &pooled, Some(LENGTHS)));
        }
    }
}

fn residuals(networks: &mut Vec<Small>) {
    let conv = |name: &str| json!({ "kind": "convolution", "name": name, "channels": 4, "kernel": 3, "padding": 1 });
    let identity =
        json!([{ "kind": "residual", "body": [conv("conv1"), { "kind": "relu" }, conv("conv2")] }]);
    networks.push(small("residual", SERIES, &identity, None));
    let norm = |name: &str| json!({ "kind": "batch-norm", "name": name });
    let projection = json!([
        {
            "kind": "residual",
            "body": [
                conv("conv1"),
                { "kind": "dropout", "p": 0.3 },
                { "kind": "residual", "body": [conv("conv2"), norm("bn2")] },
            ],
            "shortcut": [
                { "kind": "convolution", "name": "skip", "channels": 4, "kernel": 1 },
                norm("bn3"),
                { "kind": "dropout", "p": 0.3 },
            ],
        },
        { "kind": "relu" },
    ]);
    networks.push(small("residual with shortcut", IMAGE, &projection, None));
}
