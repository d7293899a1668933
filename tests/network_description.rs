//! Descriptions as strangers write them: what is refused says why and costs nothing, and what is
//! taken trains, reads back, and gives the same bits on any number of threads.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use sgt_core::{Pcg32, Random};
use sgt_host::config::{DataKind, Regime, RunConfig};
use sgt_host::data::{Dataset, Normalization};
use sgt_host::network::{
    Classifier, Description, Gaps, InputShape, Layer, Mode, Model, Network, NetworkPass,
    SeriesOrder,
};
use sgt_host::run::Trained;
use sgt_host::train::{Event, Trainer, TrainingData};
use sgt_host::weights::{Metadata, save};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Samples of a training step.
const BATCH: usize = 4;
/// What stands for the file's name in errors.
const ORIGIN: &str = "net.toml";

/// Numbers that decide what is built; used up from the front, then zeros. Shrinking them gives
/// smaller networks.
struct Choices(std::vec::IntoIter<u32>);

impl Choices {
    /// Below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0.next().unwrap_or(0) as usize % bound
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == chance - 1
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// From 1 to 4; at times a size without sense.
    fn size(&mut self) -> u64 {
        if self.one_in(40) {
            return self.of(&[0, 1 << 29, 1 << 40, i64::MAX as u64]);
        }
        1 + self.below(4) as u64
    }

    /// A size for both axes or, of images, at times one for each.
    fn pair(&mut self, image: bool) -> Value {
        if self.one_in(if image { 3 } else { 60 }) {
            return json!([self.size(), self.size()]);
        }
        json!(self.size())
    }
}

/// What stands in front of the next layer.
#[derive(Clone, Copy, PartialEq)]
enum Front {
    Image,
    Series,
    Vector,
}

struct Builder {
    choices: Choices,
    names: usize,
}

impl Builder {
    fn description(&mut self) -> Value {
        let (input, front) = match self.choices.below(3) {
            0 => (
                json!({
                    "kind": "image",
                    "channels": self.choices.size(),
                    "height": 2 + self.choices.below(6),
                    "width": 2 + self.choices.below(6),
                }),
                Front::Image,
            ),
            1 => (
                json!({
                    "kind": "series",
                    "steps": 2 + self.choices.below(8),
                    "channels": self.choices.size(),
                    "order": self.choices.of(&["steps-first", "channels-first"]),
                }),
                Front::Series,
            ),
            _ => (
                json!({
                    "kind": "tokens",
                    "tokens": 2 + self.choices.below(6),
                    "dim": self.choices.size(),
                }),
                Front::Series,
            ),
        };
        let (mut layers, front) = self.layers(front, 0);
        if !self.choices.one_in(10) {
            if front != Front::Vector {
                layers.push(json!({ "kind": "flatten" }));
            }
            let outputs = 2 + self.choices.below(3);
            layers.push(json!({ "kind": "linear", "name": self.name(), "outputs": outputs }));
        }
        json!({
            "name": "random",
            "input": input,
            "skip-padding": self.choices.one_in(3),
            "layers": layers,
        })
    }

    /// Unique but for a few.
    fn name(&mut self) -> String {
        self.names += 1;
        match self.choices.below(40) {
            38 => "a name".into(),
            39 => "layer1".into(),
            _ => format!("layer{}", self.names),
        }
    }

    fn layers(&mut self, mut front: Front, depth: usize) -> (Vec<Value>, Front) {
        let mut layers = Vec::new();
        for _ in 0..self.choices.below(5) {
            let (layer, behind) = self.layer(front, depth);
            layers.push(layer);
            front = behind;
        }
        (layers, front)
    }

    fn kind(&mut self, front: Front, depth: usize) -> &'static str {
        const ANYWHERE: &[&str] = &[
            "linear",
            "relu",
            "gelu",
            "tanh",
            "sigmoid",
            "dropout",
            "batch-norm",
            "layer-norm",
        ];
        const POSITIONS: &[&str] = &[
            "convolution",
            "max-pool",
            "average-pool",
            "global-average-pool",
            "global-max-pool",
            "flatten",
        ];
        const STEPS: &[&str] = &[
            "lstm",
            "input-cell-lstm",
            "positional-encoding",
            "self-attention",
        ];
        if self.choices.one_in(30) {
            return self.choices.of(Layer::KINDS);
        }
        let mut known = ANYWHERE.to_vec();
        if front != Front::Vector {
            known.extend(POSITIONS);
        }
        if front == Front::Series {
            known.extend(STEPS);
        }
        if depth < 3 {
            known.push("residual");
        }
        known.retain(|kind| Layer::KINDS.contains(kind));
        self.choices.of(&known)
    }

    fn layer(&mut self, front: Front, depth: usize) -> (Value, Front) {
        let kind = self.kind(front, depth);
        let image = front == Front::Image;
        let mut fields = Map::new();
        let mut behind = front;
        fields.insert("kind".into(), kind.into());
        let mut set = |key: &str, value: Value| {
            fields.insert(key.into(), value);
        };
        let named = [
            "linear",
            "batch-norm",
            "layer-norm",
            "convolution",
            "embedding",
        ];
        let recurrent = ["lstm", "input-cell-lstm", "self-attention"];
        if named.contains(&kind) || recurrent.contains(&kind) {
            set("name", self.name().into());
        }
        match kind {
            "linear" => set("outputs", self.choices.size().into()),
            "embedding" => {
                set("vocabulary", self.choices.size().into());
                set("dim", self.choices.size().into());
            }
            "dropout" => set("p", self.choices.of(&[0.0, 0.25, 0.5, 0.9, 1.0]).into()),
            "layer-norm" => set("form", self.choices.of(&["standard", "unbiased"]).into()),
            "convolution" => {
                set("channels", self.choices.size().into());
                set("kernel", self.choices.pair(image));
                set("stride", self.choices.pair(image));
                let padding = match self.choices.below(4) {
                    0 => "same".into(),
                    1 => "causal".into(),
                    _ => self.choices.pair(image),
                };
                set("padding", padding);
                if self.choices.one_in(3) {
                    set("dilation", self.choices.pair(image));
                }
                if self.choices.one_in(4) {
                    set("groups", self.choices.size().into());
                }
                set("bias", self.choices.one_in(2).into());
                set("weight-norm", self.choices.one_in(3).into());
            }
            "max-pool" | "average-pool" => {
                set("window", self.choices.pair(image));
                if self.choices.one_in(2) {
                    set("stride", self.choices.pair(image));
                }
                if self.choices.one_in(3) {
                    set("padding", self.choices.pair(image));
                }
            }
            "global-average-pool" | "global-max-pool" => behind = Front::Vector,
            "flatten" => {
                set(
                    "order",
                    self.choices.of(&["channels-first", "channels-last"]).into(),
                );
                behind = Front::Vector;
            }
            "lstm" => {
                set("hidden", self.choices.size().into());
                let readout = self.choices.of(LSTM_READOUTS);
                set("readout", readout.into());
                set(
                    "direction",
                    self.choices.of(&["forward", "reverse", "both"]).into(),
                );
                if LSTM_READOUTS.len() > 2 && self.choices.one_in(3) {
                    set("layers", self.choices.size().into());
                }
                if readout != "all" {
                    behind = Front::Vector;
                }
            }
            "input-cell-lstm" => {
                for size in ["hidden", "hops", "attention-width"] {
                    set(size, self.choices.size().into());
                }
                let readout = self.choices.of(LSTM_READOUTS);
                set("readout", readout.into());
                if readout != "all" {
                    behind = Front::Vector;
                }
            }
            "positional-encoding" => {
                set("form", self.choices.of(&["standard", "published"]).into());
                set("scale", self.choices.one_in(2).into());
            }
            "self-attention" => {
                set("heads", self.choices.size().into());
                set("causal", self.choices.one_in(2).into());
                set("dropout", self.choices.of(&[0.0, 0.3]).into());
                set(
                    "projections",
                    self.choices.of(&["packed", "separate"]).into(),
                );
            }
            "residual" => {
                let (body, _) = self.layers(front, depth + 1);
                set("body", body.into());
                if self.choices.one_in(4) {
                    let (shortcut, _) = self.layers(front, depth + 1);
                    set("shortcut", shortcut.into());
                }
            }
            _ => {}
        }
        (Value::Object(fields), behind)
    }
}

const LSTM_READOUTS: &[&str] = &["last", "all", "mean", "max", "attention"];

/// Networks of every kind of layer, some of them without sense.
fn any_description() -> impl Strategy<Value = Value> {
    prop::collection::vec(any::<u32>(), 1..200).prop_map(|numbers| {
        let choices = Choices(numbers.into_iter());
        Builder { choices, names: 0 }.description()
    })
}

fn table(description: &Value) -> toml::Table {
    let text = toml::to_string(description).expect("values that TOML holds");
    text.parse().expect("TOML of its own writer")
}

/// The description, or why it is refused.
fn read(description: &Value) -> Result<Description, String> {
    let read = Description::from_table(ORIGIN, table(description), None);
    read.map_err(|error| error.to_string())
}

fn random(len: usize, stream: u64) -> Vec<f32> {
    let mut random = Pcg32::new(41, stream);
    (0..len).map(|_| 2.0 * random.unit() - 1.0).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn class_names(count: usize) -> Vec<String> {
    (0..count).map(|class| class.to_string()).collect()
}

/// One SGT step, from seeded weights; gives the loss and the network after it.
fn train_one_step(description: &Description) -> sgt_host::Result<(f32, Classifier)> {
    let network = Network::new(description, 3)?;
    let (input, classes) = (network.input(), network.classes());
    let shape = input.ordered(SeriesOrder::ChannelsFirst);
    let labels = (0..BATCH).map(|sample| sample % classes).collect();
    let x = random(BATCH * input.len(), 1);
    let mut data = Dataset::new("random", class_names(classes), shape, x, labels, None)?;
    if let InputShape::Series { steps, .. } = input {
        data = data.with_real_steps((0..BATCH).map(|sample| steps - sample % steps).collect())?;
    }
    let mut config = RunConfig::defaults(DataKind::Series);
    config.regime = Regime::Sgt;
    config.training.batch = BATCH;
    let data = TrainingData {
        train: data,
        validation: None,
    };
    let network = Classifier::new(network, class_names(classes))?;
    let mut trainer = Trainer::new(&config, &data, network)?;
    match trainer.advance()? {
        Event::Step { loss, .. } => Ok((loss, trainer.into_model())),
        other => panic!("a step comes first, not {other:?}"),
    }
}

/// Logits, input gradient and parameter gradient of a training pass.
fn outcome(network: &Network) -> [Vec<u32>; 3] {
    let x = random(BATCH * network.input().len(), 2);
    let mut pass = NetworkPass::default();
    let mode = Mode::Training { seed: 5 };
    let logits = bits(network.forward(&x, mode, &mut pass).unwrap());
    let dlogits = random(logits.len(), 3);
    let mut dx = vec![f32::NAN; x.len()];
    let mut gradient = vec![0.0; network.parameters().values().len()];
    network
        .backward(&mut pass, &dlogits, Some(&mut dx), Some(&mut gradient))
        .unwrap();
    [logits, bits(&dx), bits(&gradient)]
}

static POOLS: LazyLock<[rayon::ThreadPool; 2]> = LazyLock::new(|| {
    [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads")
    })
});

fn check_accepted(description: &Description) {
    let json = serde_json::to_string(description).unwrap();
    assert_eq!(
        &serde_json::from_str::<Description>(&json).unwrap(),
        description
    );
    let read = Description::from_table(ORIGIN, description.to_table().unwrap(), None);
    assert_eq!(&read.unwrap(), description);
    let text: toml::Table = description.to_toml().unwrap().parse().unwrap();
    let read = Description::from_table(ORIGIN, text, None);
    assert_eq!(&read.unwrap(), description);

    let (loss, trained) = train_one_step(description).unwrap();
    assert!(loss.is_finite(), "loss {loss}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let input = description.input;
    let metadata = Metadata {
        model: description.name.clone(),
        description: Some(description.clone()),
        input,
        classes: trained.class_names().to_vec(),
        normalization: Normalization::identity(input.channels()),
        bounds: None,
        preprocessing: None,
        regime: "sgt".into(),
        seed: 3,
        version: "0.0.0".into(),
        binding: None,
    };
    save(&path, trained.parameters(), Some(&metadata)).unwrap();
    let loaded = Trained::read(&path, None, &[]).unwrap();
    assert_eq!(loaded.model.network().description(), description);
    let x = random(BATCH * input.len(), 4);
    let logits = |model: &Network| {
        let mut pass = NetworkPass::default();
        bits(model.forward(&x, Mode::Evaluation, &mut pass).unwrap())
    };
    assert_eq!(logits(loaded.model.network()), logits(trained.network()));

    let [one, two] = [0, 1].map(|pool: usize| POOLS[pool].install(|| outcome(trained.network())));
    assert!(one == two, "1 and 2 threads");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_taken_trains_and_reads_back_and_what_is_refused_says_where(
        description in any_description(),
    ) {
        match read(&description) {
            Ok(description) => check_accepted(&description),
            Err(error) => {
                prop_assert!(!error.contains('\n'), "{error}");
                let place = error.strip_prefix("net.toml: ").unwrap_or_default();
                let names_a_layer = ["layer ", "layers.", "network "]
                    .iter()
                    .any(|start| place.starts_with(start));
                prop_assert!(names_a_layer, "{error}");
            }
        }
    }
}

#[test]
fn the_random_descriptions_are_a_good_mixture() {
    const DRAWN: usize = 2000;
    let mut runner = TestRunner::deterministic();
    let mut accepted = 0;
    let mut kinds = Map::new();
    for _ in 0..DRAWN {
        let description = any_description().new_tree(&mut runner).unwrap().current();
        if let Ok(description) = read(&description) {
            accepted += 1;
            for layer in description.summary().unwrap() {
                kinds.insert(layer.layer.kind().into(), true.into());
            }
        }
    }
    println!("{accepted} of {DRAWN} are taken");
    assert!(
        (DRAWN / 4..DRAWN * 9 / 10).contains(&accepted),
        "{accepted}"
    );
    let missing: Vec<_> = Layer::KINDS
        .iter()
        .filter(|kind| !kinds.contains_key(**kind))
        .collect();
    assert!(
        missing.is_empty(),
        "{missing:?} in no network that is taken"
    );
}

const DATA: Gaps = Gaps {
    input: InputShape::series(50, 9),
    classes: 6,
};

fn read_text(text: &str, gaps: Option<Gaps>) -> Result<Description, String> {
    let table = text.parse().unwrap_or_else(|error| panic!("{error}"));
    let read = Description::from_table(ORIGIN, table, gaps);
    read.map_err(|error| error.to_string())
}

/// The refusal of a network of `layers` for series of 50 steps of 9 channels.
fn refusal(layers: &str) -> String {
    let input = r#"input = { kind = "series", steps = 50, channels = 9 }"#;
    let text = format!("{input}\nlayers = [{layers}]");
    read_text(&text, None).unwrap_err()
}

/// Compares found and expected lines, all of them before it fails.
#[track_caller]
fn assert_lines(lines: impl IntoIterator<Item = (String, String)>) {
    let lines = lines.into_iter();
    let wrong = lines.filter(|(found, expected)| found != expected);
    let wrong: Vec<String> = wrong
        .map(|(found, expected)| format!("found    {found}\nexpected {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_in_a_layer_are_named_with_the_layer() {
    let cases = [
        (
            r#"{ kind = "linear", name = "fc", outputs = 6 }"#,
            "network output: found a series of 50 steps and 6 channels, expected a vector of \
             logits: flatten, pool globally or read a recurrent layer out",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "convolution", name = "conv1", channels = 8, kernel = 3 }"#,
            "layer 2 (convolution conv1): found a vector of 450 values, expected a series or an \
             image",
        ),
        (
            r#"{ kind = "convolution", name = "conv1", channels = 8, kernel = 51 }"#,
            "layer 1 (convolution conv1): found a series of 50 steps and 9 channels, expected 51 \
             positions or more along the kernel",
        ),
        (
            r#"{ kind = "convolution", name = "conv1", channels = 8, kernel = [3, 3] }"#,
            "layer 1 (convolution conv1): found kernel [3, 3], expected one number: it reads a \
             series of 50 steps and 9 channels",
        ),
        (
            r#"{ kind = "convolution", name = "conv1", channels = 8, kernel = 3, groups = 2 }"#,
            "layer 1 (convolution conv1): found 2 groups, expected a divisor of the 9 channels \
             read and the 8 given",
        ),
        (
            r#"{ kind = "max-pool", window = 51 }"#,
            "layer 1 (max-pool): found a series of 50 steps and 9 channels, expected at least one \
             window of 51",
        ),
        (
            r#"{ kind = "max-pool", window = 3, padding = 2 }"#,
            "layer 1 (max-pool): found padding 2, expected at most half the window, 1",
        ),
        (
            r#"{ kind = "dropout", p = 1.0 }"#,
            "layer 1 (dropout): found 1, expected a probability of 0 or more and below 1",
        ),
        (
            r#"{ kind = "batch-norm", name = "" }, { kind = "flatten" }"#,
            "layer 1 (batch-norm): found no name, expected a name: it has parameters",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "linear", name = "fc", outputs = 8 }, { kind = "linear", name = "fc", outputs = 6 }"#,
            "layer 3 (linear fc): found fc, expected a name that no other layer has",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "linear", name = "the last", outputs = 6 }"#,
            "layer 2 (linear the last): found the name the last, expected at most 128 letters, \
             digits, dots, underscores and dashes",
        ),
        (
            r#"{ kind = "residual", body = [{ kind = "convolution", name = "c", channels = 8, kernel = 3, padding = 1 }] }, { kind = "flatten" }"#,
            "layer 1 (residual): found a shortcut that gives a series of 50 steps and 9 channels, \
             expected a series of 50 steps and 8 channels, as its body gives",
        ),
        (
            r#"{ kind = "lstm", name = "lstm", hidden = 0 }"#,
            "layer 1 (lstm lstm): found hidden 0, expected hidden from 1 to 268435456",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "lstm", name = "lstm", hidden = 8 }"#,
            "layer 2 (lstm lstm): found a vector of 450 values, expected a series",
        ),
    ];
    assert_lines(
        cases.map(|(layers, expected)| (refusal(layers), format!("{ORIGIN}: {expected}"))),
    );
    let image = r#"
        input = { kind = "image", channels = 1, height = 28, width = 28 }
        layers = [{ kind = "linear", name = "fc", outputs = 10 }]
    "#;
    assert_eq!(
        read_text(image, None).unwrap_err(),
        "net.toml: layer 1 (linear fc): found an image of 28 × 28 pixels and 1 channels, expected \
         a vector (flatten first) or a series"
    );
}

#[test]
fn mistakes_in_a_key_are_named_with_the_key() {
    let kinds = format!(
        "layers.0.kind: found convolutoin, expected convolution (the nearest of {})",
        Layer::KINDS.join(", ")
    );
    let cases = [
        (
            r#"{ kind = "convolutoin", name = "conv1", channels = 8, kernel = 3 }"#,
            kinds.as_str(),
        ),
        (
            r#"{ kind = "convolution", name = "conv1", channels = 8, kernal = 3 }"#,
            "layers.0: found unknown key kernal, expected kernel (the nearest of name, channels, \
             kernel, stride, padding, dilation, groups, bias, weight-norm)",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "linear", outputs = 6 }"#,
            "layers.1.name: found no value, expected one",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "linear", name = "fc", outputs = "six" }"#,
            "layers.1.outputs: found \"six\", expected a whole number, 0 or more",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "linear", name = "fc", outputs = -6 }"#,
            "layers.1.outputs: found -6, expected a whole number, 0 or more",
        ),
        (
            r#"{ kind = "flatten" }, { kind = "linear", name = "fc", outputs = "classes" }"#,
            "layers.1.outputs: found \"classes\", expected a whole number, 0 or more",
        ),
        (
            r#"{ kind = "convolution", name = "conv1", channels = 8, kernel = 3, padding = "full" }"#,
            "layers.0.padding: found \"full\", expected a whole number, a pair \
             [vertical, horizontal], \"same\" or \"causal\"",
        ),
        (
            r#"{ kind = "flatten", order = "rows-first" }"#,
            "layers.0.order: found rows-first, expected channels-first (the nearest of \
             channels-first, channels-last)",
        ),
        (
            r#"{ kind = "relu" }, { kind = "residual", body = [{ kind = "relu" }, { kind = "dropout", p = "half" }] }"#,
            "layers.1.body.1.p: found \"half\", expected a number",
        ),
        (
            r#"{ kind = "residual", body = [], shortcut = [], around = 1 }"#,
            "layers.0: found unknown key around, expected one of name, body, shortcut",
        ),
        (
            r#"{ name = "fc", outputs = 6 }"#,
            "layers.0.kind: found no value, expected one",
        ),
        (
            r#""flatten""#,
            "layers.0: found \"flatten\", expected a table with a kind, { kind = … }",
        ),
    ];
    assert_lines(
        cases.map(|(layers, expected)| (refusal(layers), format!("{ORIGIN}: {expected}"))),
    );
}

#[test]
fn what_the_text_leaves_out_comes_from_the_data() {
    let layers = r#"
        layers = [
            { kind = "residual", body = [{ kind = "linear", name = "steps", outputs = 9 }] },
            { kind = "flatten" },
            { kind = "linear", name = "fc", outputs = "classes" },
        ]
    "#;
    let description = read_text(layers, Some(DATA)).unwrap();
    assert_eq!(description.input, DATA.input);
    assert_eq!(description.classes().unwrap(), DATA.classes);
    let first = Gaps {
        input: DATA.input.ordered(SeriesOrder::ChannelsFirst),
        ..DATA
    };
    assert_eq!(read_text(layers, Some(first)).unwrap(), description);
    assert_eq!(
        read_text("layers = []", None).unwrap_err(),
        "net.toml: input: found no value, expected one"
    );
    assert_eq!(
        read_text("layers = [{ kind = \"relu\" }]", Some(DATA)).unwrap_err(),
        "net.toml: network output: found a series of 50 steps and 9 channels, expected a vector of \
         logits: flatten, pool globally or read a recurrent layer out"
    );

    let own = |steps: usize, outputs: usize| {
        let text = format!(
            r#"
            input = {{ kind = "series", steps = {steps}, channels = 9, order = "channels-first" }}
            layers = [{{ kind = "flatten" }}, {{ kind = "linear", name = "fc", outputs = {outputs} }}]
            "#
        );
        read_text(&text, Some(DATA))
    };
    let order = InputShape::series(50, 9).ordered(SeriesOrder::ChannelsFirst);
    assert_eq!(own(50, 6).unwrap().input, order);
    assert_eq!(
        own(50, 5).unwrap_err(),
        "net.toml: layers: found 5 logits, expected 6, one a class of the data"
    );
    assert_eq!(
        own(49, 6).unwrap_err(),
        "net.toml: input: found a series of 49 steps and 9 channels, expected a series of 50 \
         steps and 9 channels, as the data has"
    );
}

/// Longest time that a refusal may take, with room for a busy machine.
const QUICK: Duration = Duration::from_secs(5);

/// The refusal, which has to come quickly.
fn hostile(description: &Description) -> String {
    let start = Instant::now();
    let error = description.summary().unwrap_err().to_string();
    assert!(Network::new(description, 0).is_err());
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
    assert!(!error.contains('\n') && error.len() < 400, "{error}");
    error
}

#[test]
fn hostile_descriptions_cost_nothing() {
    const HUGE: usize = 1 << 63;
    let series = || Description::new(InputShape::series(50, 9));
    let cases = [
        (
            series().flatten().linear("fc", HUGE),
            "layer 2 (linear fc): found outputs 9223372036854775808, expected outputs from 1 to \
             268435456",
        ),
        (
            series().convolution("c", HUGE, 3),
            "layer 1 (convolution c): found channels 9223372036854775808, expected channels from \
             1 to 268435456",
        ),
        (
            series().convolution("c", 1, HUGE),
            "layer 1 (convolution c): found kernel 9223372036854775808, expected kernel from 1 to \
             268435456",
        ),
        (
            series().lstm("lstm", HUGE),
            "layer 1 (lstm lstm): found hidden 9223372036854775808, expected hidden from 1 to \
             268435456",
        ),
        (
            Description::new(InputShape::image(HUGE, HUGE, HUGE)).flatten(),
            "network input: found an image of 9223372036854775808 × 9223372036854775808 pixels \
             and 9223372036854775808 channels, expected 1 to 268435456 values",
        ),
        (
            Description::new(InputShape::series(0, 9)).flatten(),
            "network input: found a series of 0 steps and 9 channels, expected 1 to 268435456 \
             values",
        ),
        (
            (0..10_000)
                .fold(series(), |network, _| network.relu())
                .flatten(),
            "network: found more than 4096 layers, expected fewer",
        ),
        (
            (0..100).fold(series(), |network, _| series().residual(network.layers)),
            "layer 18 (residual): found 17 residual blocks inside each other, expected at most 16",
        ),
        (
            series()
                .flatten()
                .linear("fc1", 1 << 28)
                .linear("fc2", 1 << 28),
            "layer 2 (linear fc1): found 121064390656 parameters so far, expected at most \
             4294967296",
        ),
    ];
    assert_lines(cases.map(|(description, expected)| (hostile(&description), expected.into())));
}

#[test]
fn hostile_texts_cost_nothing() {
    let start = Instant::now();
    let nested = |depth: usize| {
        let (open, close) = (r#"{"kind":"residual","body":["#, "]}");
        let network = r#"{"input":{"kind":"series","steps":5,"channels":2},"layers":["#;
        format!("{network}{}{}]}}", open.repeat(depth), close.repeat(depth))
    };
    let parse = |text: &str| serde_json::from_str::<Description>(text);
    assert!(parse(&nested(10)).unwrap().summary().is_err());
    for depth in [100, 100_000] {
        let refused = parse(&nested(depth)).map(|description| description.summary().is_err());
        assert!(refused.unwrap_or(true), "{depth}");
    }
    let layer = r#"{"kind":"relu"}"#;
    let many = vec![layer; 100_000].join(",");
    let text = nested(0).replace("[]", &format!("[{many}]"));
    let error = parse(&text).unwrap().summary().unwrap_err();
    assert_eq!(
        error.to_string(),
        "network: found more than 4096 layers, expected fewer"
    );

    let mut text = String::from("input = { kind = \"series\", steps = 5, channels = 2 }\n");
    for depth in 0..100 {
        let body = ".body".repeat(depth);
        text.extend(["[[layers", &body, "]]\nkind = \"residual\"\n"]);
    }
    let refused = text.parse::<toml::Table>().map(|table| {
        let read = Description::from_table(ORIGIN, table, None);
        read.unwrap_err().to_string()
    });
    println!("{refused:?}");
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
}
