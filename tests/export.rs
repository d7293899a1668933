//! Networks for PyTorch and ONNX: deterministic, whole, and refused where PyTorch has no such name.
//! What the exported networks compute is checked in PyTorch by `golden/check_export.py`, in ONNX
//! Runtime by `golden/check_onnx.py`.

use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use sgt_core::{Pcg32, Random};
use sgt_host::data::{Bounds, Normalization};
use sgt_host::export::{ExportFile, Target, export, write};
use sgt_host::network::layer::{
    AveragePool, BatchNorm, Convolution, Direction, Dropout, Embedding, EncodingForm, Flatten,
    FlattenOrder, Gelu, GlobalAveragePool, GlobalMaxPool, InputCellLstm, Layer, LayerNorm, Linear,
    Lstm, MaxPool, Padding, PositionalEncoding, Projections, Readout, Relu, Residual,
    SelfAttention, Sigmoid,
};
use sgt_host::network::{
    ClassifierPass, Description, InputShape, Mode, Model, Network, Samples, SeriesOrder,
};
use sgt_host::npy::{self, Array};
use sgt_host::run::Trained;
use sgt_host::weights::{Metadata, Weights, to_bytes};
use std::path::Path;

/// `description` with fresh weights, as if read from a file.
fn trained(description: &Description, bounds: Option<Bounds>) -> Trained {
    let network = Network::new(description, 1).unwrap();
    let channels = description.input.channels();
    let mean = (0..channels).map(|channel| channel as f32 / 3.0).collect();
    let metadata = Metadata {
        model: description.name.clone(),
        description: Some(description.clone()),
        input: description.input,
        classes: (0..network.classes())
            .map(|class| format!("\"{class}\"\\\n"))
            .collect(),
        normalization: Normalization::new(mean, vec![0.3; channels]).unwrap(),
        bounds,
        preprocessing: None,
        regime: "sgt".into(),
        seed: 1,
        version: "0.1.0".into(),
        binding: None,
    };
    let bytes = to_bytes(network.parameters(), Some(&metadata)).unwrap();
    let weights = Weights::parse(Path::new("w.safetensors"), &bytes).unwrap();
    Trained::from_weights(Path::new("w.safetensors"), &weights, None, &[]).unwrap()
}

fn files(description: &Description) -> sgt_host::Result<Vec<ExportFile>> {
    export(&trained(description, None), Target::Pytorch)
}

fn text(files: &[ExportFile]) -> String {
    let module = files.iter().find(|file| file.name == "network.py").unwrap();
    String::from_utf8(module.bytes.clone()).unwrap()
}

/// Layers of every kind, whether or not they fit; their names hold `number`.
fn candidates(number: usize) -> Vec<Layer> {
    let convolution = |path: &str, kernel: usize| Convolution::new(path, 4, kernel);
    let path = |last: &str| format!("stage.{number}.{last}");
    vec![
        Relu::default().into(),
        Gelu::default().into(),
        Sigmoid {
            name: path("sigmoid"),
        }
        .into(),
        convolution(&format!("conv{number}"), 3).into(),
        Convolution {
            padding: Padding::CAUSAL,
            dilation: 2.into(),
            weight_norm: true,
            ..convolution(&path("conv"), 2)
        }
        .into(),
        Convolution {
            padding: Padding::SAME,
            stride: 2.into(),
            bias: false,
            ..convolution(&path("same-conv"), 4)
        }
        .into(),
        BatchNorm::new(&path("norm")).into(),
        Dropout {
            name: String::new(),
            p: 0.1,
        }
        .into(),
        Linear::new(&path("class"), 5).into(),
        MaxPool::new(2).into(),
        GlobalAveragePool::default().into(),
        Flatten {
            order: FlattenOrder::ChannelsLast,
            ..Flatten::default()
        }
        .into(),
        Lstm {
            direction: Direction::Both,
            readout: Readout::All,
            ..Lstm::new(&path("lstm"), 3)
        }
        .into(),
        Lstm {
            direction: Direction::Reverse,
            layers: 2,
            readout: Readout::Attention,
            ..Lstm::new(&path("reverse"), 3)
        }
        .into(),
        InputCellLstm {
            readout: Readout::Max,
            ..InputCellLstm::new(&format!("cell-{number}"), 2)
        }
        .into(),
        GlobalMaxPool::default().into(),
        LayerNorm::new(&path("layer-norm")).into(),
        AveragePool {
            padding: 1.into(),
            ..AveragePool::new(3)
        }
        .into(),
        SelfAttention {
            causal: true,
            ..SelfAttention::new(&path("attention"), 1)
        }
        .into(),
        SelfAttention {
            dropout: 0.1,
            projections: Projections::Separate,
            ..SelfAttention::new(&path("separate"), 1)
        }
        .into(),
        PositionalEncoding {
            name: String::new(),
            scale: true,
            form: EncodingForm::Published,
        }
        .into(),
        Residual {
            body: vec![
                Convolution {
                    padding: Padding::SAME,
                    ..convolution(&path("body"), 3)
                }
                .into(),
                Relu::default().into(),
            ],
            shortcut: vec![convolution(&path("shortcut"), 1).into()],
            ..Residual::default()
        }
        .into(),
    ]
}

/// A network that takes from the candidates, in the order of `dice`, what fits.
fn description(input: InputShape, skip_padding: bool, dice: &[usize]) -> Description {
    let whole = |description: &Description| description.clone().flatten().linear("out", 3);
    let mut description = Description {
        skip_padding,
        ..Description::new(input)
    };
    if let (InputShape::Tokens { dim, .. }, true) = (input, dice.len() > 3) {
        description = description.layer(Embedding {
            name: "words".into(),
            vocabulary: 9,
            dim,
        });
    }
    for (number, die) in dice.iter().enumerate() {
        let mut candidates = candidates(number);
        let longer = description
            .clone()
            .layer(candidates.swap_remove(die % candidates.len()));
        if whole(&longer).summary().is_ok() {
            description = longer;
        }
    }
    whole(&description)
}

fn input() -> impl Strategy<Value = InputShape> {
    prop_oneof![
        Just(InputShape::image(2, 9, 8)),
        Just(InputShape::series(12, 3)),
        Just(InputShape::series(12, 3).ordered(SeriesOrder::ChannelsFirst)),
        Just(InputShape::tokens(7, 4)),
    ]
}

/// The fields of a protocol buffer whose contents are bytes, by their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint(message: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let (&byte, rest) = message.split_first().unwrap();
            *message = rest;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        match key & 7 {
            0 => drop(varint(&mut message)),
            1 => message = &message[8..],
            5 => message = &message[4..],
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (content, rest) = message.split_at(length);
                found.push((key >> 3, content));
                message = rest;
            }
            wire => panic!("wire type {wire}"),
        }
    }
    found
}

/// The texts of the fields `number`.
fn texts(message: &[u8], number: u64) -> Vec<String> {
    let own = fields(message)
        .into_iter()
        .filter(|(found, _)| *found == number);
    own.map(|(_, content)| String::from_utf8(content.to_vec()).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_value_of_an_onnx_model_is_made_once_before_it_is_read(
        input in input(),
        skip_padding: bool,
        dice in prop::collection::vec(0_usize..1000, 0..9),
    ) {
        let network = trained(&description(input, skip_padding, &dice), None);
        let files = export(&network, Target::Onnx).unwrap();
        prop_assert_eq!(&files, &export(&network, Target::Onnx).unwrap());
        prop_assert_eq!(&files[0].name, "network.onnx");
        let model = fields(&files[0].bytes);
        let [graph] = model.iter().filter(|(field, _)| *field == 7).collect::<Vec<_>>()[..] else {
            panic!("one graph");
        };
        let parts = fields(graph.1);
        let part = |number: u64| parts.iter().filter(move |(field, _)| *field == number);
        let mut known: Vec<String> = part(5).flat_map(|(_, tensor)| texts(tensor, 8)).collect();
        known.extend(part(11).flat_map(|(_, value)| texts(value, 1)));
        let inputs = known.iter().filter(|name| ["input", "lengths"].contains(&name.as_str()));
        let is_image = matches!(input, InputShape::Image { .. });
        prop_assert_eq!(inputs.count(), 1 + usize::from(skip_padding && !is_image));
        for (_, node) in part(1) {
            for read in texts(node, 1) {
                prop_assert!(read.is_empty() || known.contains(&read), "{read} is of nobody");
            }
            for made in texts(node, 2) {
                prop_assert!(!known.contains(&made), "{made} is made twice");
                known.push(made);
            }
        }
        let outputs: Vec<String> = part(12).flat_map(|(_, value)| texts(value, 1)).collect();
        prop_assert_eq!(&outputs, &["logits"]);
        prop_assert!(known.contains(&outputs[0]));
        // Every parameter is there, weights as they are or turned.
        let bytes: usize = part(5)
            .flat_map(|(_, tensor)| fields(tensor))
            .filter(|(field, _)| *field == 9)
            .map(|(_, content)| content.len())
            .sum();
        let embedded = network.model.network().description().layers.first();
        let embedded = embedded.is_some_and(|layer| layer.kind() == "embedding");
        let least = 4 * network.model.parameters().values().len();
        prop_assert!(embedded || bytes + 4 * 4096 >= least, "{bytes} of {least}");
    }

    #[test]
    fn exports_are_deterministic_and_whole(
        input in input(),
        skip_padding: bool,
        dice in prop::collection::vec(0_usize..1000, 0..9),
    ) {
        let description = description(input, skip_padding, &dice);
        let network = trained(&description, Some(Bounds { low: -1.0, high: 0.5 }));
        let files = export(&network, Target::Pytorch).unwrap();
        prop_assert_eq!(&files, &export(&network, Target::Pytorch).unwrap());

        let module = text(&files);
        prop_assert!(module.contains("BOUNDS = (-1.0, 0.5)"));
        prop_assert!(!module.contains("nn.Identity()"), "a module is missing: {module}");
        prop_assert!(module.lines().all(|line| line.trim_end() == line));
        let weights = files.iter().find(|file| file.name == "weights.safetensors").unwrap();
        let tensors = SafeTensors::deserialize(&weights.bytes).unwrap();
        let mut counters = tensors.len();
        for entry in network.model.parameters().entries() {
            let tensor = tensors.tensor(&entry.name).unwrap();
            prop_assert_eq!(tensor.shape(), &entry.shape[..]);
            counters -= 1;
        }
        let layers = description.summary().unwrap();
        for summary in layers.iter().filter(|summary| summary.parameter_count() > 0) {
            for part in summary.layer.name().split('.') {
                let is_number = part.chars().all(|c| c.is_ascii_digit());
                prop_assert!(is_number || module.contains(part), "{part}: {module}");
            }
        }
        let norms = layers.iter().filter(|summary| summary.layer.kind() == "batch-norm");
        for norm in norms {
            let name = format!("{}.num_batches_tracked", norm.layer.name());
            let counter = tensors.tensor(&name).unwrap();
            prop_assert_eq!((counter.dtype(), counter.shape()), (Dtype::I64, &[][..]));
            counters -= 1;
        }
        prop_assert_eq!(counters, 0, "tensors of nobody");
    }
}

#[test]
fn the_code_reads_as_written_by_hand() {
    let description = Description::new(InputShape::series(50, 9))
        .named("sensor")
        .convolution("conv1", 32, 5)
        .batch_norm("stage.0.norm")
        .relu()
        .lstm("rnn", 8)
        .linear("stage.1", 2);
    let module = text(&files(&description).unwrap());
    let forward = module.split("    def forward(self, x):\n").nth(1).unwrap();
    let forward = forward.split("\n\n").next().unwrap();
    assert_eq!(
        forward,
        "        x = (x - self.input_mean) / self.input_deviation  # [batch, 9, 50]
        x = self.conv1(x)  # [batch, 32, 46]
        x = self.stage[0].norm(x)  # [batch, 32, 46]
        x = self.relu_1(x)  # [batch, 32, 46]
        x = x.transpose(1, 2)  # [batch, 46, 32]
        x, _ = self.rnn(x)  # [batch, 46, 8]
        x = x[:, -1]  # [batch, 8]
        x = self.stage[1](x)  # [batch, 2]
        return x"
    );
    for line in [
        "        self.conv1 = nn.Conv1d(9, 32, 5)",
        "        self.stage = nn.ModuleList([Group(norm=nn.BatchNorm1d(32)), nn.Linear(8, 2)])",
        "        self.rnn = nn.LSTM(32, 8, batch_first=True)",
        "        self.relu_1 = nn.ReLU()",
        "class Group(nn.Module):",
        r#"CLASSES = ["\"0\"\\\U0000000a", "\"1\"\\\U0000000a"]"#,
        "BOUNDS = None",
    ] {
        assert!(
            module.lines().any(|found| found == line),
            "{line}: {module}"
        );
    }
}

#[test]
fn names_that_pytorch_cannot_have_are_refused() {
    let named = |names: &[&str]| {
        let start = Description::new(InputShape::series(3, 2)).flatten();
        let layers = names
            .iter()
            .fold(start, |description, name| description.linear(name, 2));
        files(&layers).map(|files| text(&files))
    };
    for (names, expected) in [
        (
            &["a..b"][..],
            "layer a..b: found an empty part of its name, expected parts between dots",
        ),
        (
            &["fc.forward"],
            "layer fc.forward: found the part forward of its name, expected a name that PyTorch's \
             modules do not use themselves",
        ),
        (
            &["fc", "fc.inner"],
            "layer fc.inner: found another layer on its way, expected layers of which none is a \
             part of another",
        ),
        (
            &["fc.inner", "fc"],
            "layer fc: found another layer on its way, expected layers of which none is a part of \
             another",
        ),
    ] {
        assert_eq!(named(names).unwrap_err().to_string(), expected);
    }
    // What is no attribute in Python is a module all the same.
    let module = named(&["class", "0", "a-b.x", "input_mean", "__fc"]).unwrap();
    for line in [
        r#"        self.add_module("class", nn.Linear(6, 2))"#,
        r#"        self.add_module("0", nn.Linear(2, 2))"#,
        r#"        self.add_module("a-b", Group(x=nn.Linear(2, 2)))"#,
        r#"        self.add_module("__fc", nn.Linear(2, 2))"#,
        r#"        x = self.get_submodule("a-b.x")(x)  # [batch, 2]"#,
        "        x = (x - self.input_mean_) / self.input_deviation  # [batch, 2, 3]",
    ] {
        assert!(
            module.lines().any(|found| found == line),
            "{line}: {module}"
        );
    }
}

#[test]
fn nothing_is_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new");
    let description = Description::new(InputShape::series(3, 2))
        .flatten()
        .linear("fc", 2);
    let files = files(&description).unwrap();
    let paths = write(&folder, &files, false).unwrap();
    assert_eq!(paths.len(), 2);
    std::fs::remove_file(folder.join("network.py")).unwrap();
    let error = write(&folder, &files, false).unwrap_err().to_string();
    assert!(
        error.contains("weights.safetensors") && error.contains("--overwrite"),
        "{error}"
    );
    assert!(!folder.join("network.py").exists());
    write(&folder, &files, true).unwrap();
    assert!(folder.join("network.py").exists());
}

/// Names the folder for the cases of the next test.
const FOLDER_VARIABLE: &str = "SGT_EXPORT_CASES";

/// Random networks, exported, with samples as files hold them and the engine's logits: a folder
/// each, for `golden/check_export.py` and `golden/check_onnx.py` to compare. Where padding is skipped, with padded samples.
#[test]
#[ignore = "writes into the folder SGT_EXPORT_CASES"]
fn random_networks_for_other_programs() {
    const CASES: usize = 200;
    const SAMPLES: usize = 3;
    const DEEPEST: u32 = 10;
    let folder = std::env::var_os(FOLDER_VARIABLE).expect(FOLDER_VARIABLE);
    let mut random = Pcg32::new(0, 0);
    for case in 0..CASES {
        let inputs = [
            InputShape::image(2, 9, 8),
            InputShape::series(12, 3),
            InputShape::series(12, 3).ordered(SeriesOrder::ChannelsFirst),
            InputShape::tokens(7, 4),
        ];
        let input = inputs[random.below(inputs.len() as u32) as usize];
        let is_image = matches!(input, InputShape::Image { .. });
        let skip_padding = !is_image && random.below(2) == 0;
        let dice: Vec<usize> = (0..random.below(DEEPEST))
            .map(|_| random.below(1000) as usize)
            .collect();
        let network = trained(&description(input, skip_padding, &dice), None);
        let mut shape = network.file_dims();
        shape.insert(0, SAMPLES);
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| random.standard_normal()).collect();
        let array = Array {
            shape: shape.clone(),
            values: values.clone(),
        };
        let x = network.samples(Path::new("x.npy"), array).unwrap();
        let steps = input.positions();
        let lengths: Vec<usize> = (0..SAMPLES)
            .map(|_| 1 + random.below(steps as u32) as usize)
            .collect();
        let valid: Vec<_> = lengths.iter().map(|&length| 0..length).collect();
        let samples = Samples {
            x: &x,
            valid: if skip_padding { &valid } else { &[] },
        };
        let mut pass = ClassifierPass::default();
        let logits = network.model.forward(samples, Mode::Evaluation, &mut pass);
        let logits = logits.unwrap().to_vec();

        let folder = Path::new(&folder).join(format!("random-{case}"));
        for target in [Target::Pytorch, Target::Onnx] {
            write(&folder, &export(&network, target).unwrap(), true).unwrap();
        }
        let file = |name: &str| folder.join(name);
        npy::write(&file("x.npy"), &shape, &values).unwrap();
        npy::write(&file("y.npy"), &[SAMPLES, logits.len() / SAMPLES], &logits).unwrap();
        if skip_padding {
            let lengths: Vec<f32> = lengths.iter().map(|&length| length as f32).collect();
            npy::write(&file("lengths.npy"), &[SAMPLES], &lengths).unwrap();
        }
    }
}
