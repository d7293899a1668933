//! A network as a C library: sources, the core's header, and the core itself in Rust, of which a script
//! makes the archives. The folder has Arduino's form, which `PlatformIO` reads too.

use super::Board;
use super::core_crate::{HEADER, REPORT};
use super::golden::{Golden, RATE, SEED, STEPS};
use super::quantize::Integers;
use super::table::Row;
use super::text::{float, lines, string};
use crate::export::ExportFile;
use sgt_core::network::{Layer, Window};
use sgt_core::{Group, Order};

/// The folder of the core's sources.
pub(super) const RUST: &str = "extras/rust";

pub(super) fn files(board: &Board) -> Vec<ExportFile> {
    let id = board.identifier('_');
    let files = [
        ("library.properties".into(), properties(board)),
        ("README.md".into(), readme(board)),
        ("build-archives.sh".into(), build(board)),
        ("src/sgt.h".into(), HEADER.to_string()),
        (format!("src/{id}.h"), header(board)),
        (format!("src/{id}.c"), source(board)),
        ("extras/golden.c".into(), golden(board)),
        ("extras/report.h".into(), REPORT.to_string()),
        ("examples/Predict/Predict.ino".into(), sketch(board)),
    ];
    let file = |(name, text): (String, String)| ExportFile {
        name,
        bytes: text.into_bytes(),
    };
    files.map(file).into()
}

/// `text` with the network's names and sizes in place of `{id}`, `{ID}` and so on.
fn named(board: &Board, text: &str) -> String {
    let id = board.identifier('_');
    text.replace("{ID}", &id.to_ascii_uppercase())
        .replace("{id}", &id)
        .replace("{summary}", &board.summary())
        .replace("{positions}", &board.table.input.positions.to_string())
        .replace("{channels}", &board.table.input.channels.to_string())
        .replace("{classes}", &board.classes.len().to_string())
        .replace("{layers}", &board.table.rows.len().to_string())
        .replace("{parameters}", &board.table.parameters.len().to_string())
}

fn properties(board: &Board) -> String {
    named(
        board,
        "name={id}\n\
         version=0.1.0\n\
         author=sgt\n\
         maintainer=sgt\n\
         sentence={summary}\n\
         paragraph=Inference, saliency and saliency-guided training on the board, without heap.\n\
         category=Data Processing\n\
         url=https://docs.rs/sgt-core\n\
         architectures=*\n\
         includes={id}.h\n\
         precompiled=true\n\
         ldflags=-lsgt\n",
    )
}

/// The script that makes the archives, with the kinds of layers that the network has.
fn build(board: &Board) -> String {
    let mut features: Vec<&str> = board.table.rows.iter().filter_map(feature).collect();
    features.sort_unstable();
    features.dedup();
    BUILD.replace("{features}", &features.join(","))
}

/// What the core's C interface is told for a layer beside those that it always has.
fn feature(row: &Row) -> Option<&'static str> {
    match row.layer {
        Layer::Depthwise(_) => Some("depthwise"),
        Layer::AveragePool(_) => Some("average-pool"),
        Layer::Flatten(_) => Some("flatten"),
        Layer::ResidualStart | Layer::ResidualAdd => Some("residual"),
        Layer::Lstm(_) => Some("lstm"),
        _ => None,
    }
}

const BUILD: &str = r#"#!/bin/sh
# Makes src/PROCESSOR/libsgt.a of the core in extras/rust: with Rust (https://rustup.rs) and
#   rustup target add thumbv6m-none-eabi thumbv7em-none-eabi thumbv7em-none-eabihf
# Without arguments for all processors below, else for those that are named.
set -eu
cd "$(dirname "$0")"
# The kinds of layers that this network has beside those that are always there.
features={features}

build() { # PROCESSOR TARGET FLAGS
  RUSTFLAGS="$3" cargo build --release --locked --manifest-path extras/rust/sgt-core/capi/Cargo.toml \
    --no-default-features --features "$features" --target "$2" --target-dir "extras/rust/target/$1"
  mkdir -p "src/$1"
  cp "extras/rust/target/$1/$2/release/libsgt.a" "src/$1/libsgt.a"
  echo "src/$1/libsgt.a"
}

[ $# != 0 ] || set -- cortex-m0plus cortex-m4/fpv4-sp-d16-softfp cortex-m4/fpv4-sp-d16-hard
for processor in "$@"; do
  case $processor in
    cortex-m0plus) build "$processor" thumbv6m-none-eabi "" ;;
    cortex-m4/fpv4-sp-d16-softfp)
      build "$processor" thumbv7em-none-eabi "-C target-cpu=cortex-m4 -C target-feature=+vfp4d16sp" ;;
    cortex-m4/fpv4-sp-d16-hard) build "$processor" thumbv7em-none-eabihf "" ;;
    *) echo "unknown processor: $processor" >&2; exit 2 ;;
  esac
done
"#;

fn header(board: &Board) -> String {
    let mut text = named(board, HEADER_OF_NETWORK);
    if board.integers.is_some() {
        text = text.replace("{quantized}", &named(board, QUANTIZED_HEADER));
    }
    let lens = [
        ("{inference}", board.cost.lens.inference),
        ("{saliency}", board.cost.lens.saliency),
        ("{sgt}", board.cost.lens.sgt),
        ("{indices}", board.cost.lens.indices),
        ("{last}", board.cost.lens.last_layer),
        ("{bytes}", board.cost.lens.quantized),
    ];
    let text = text.replace("{quantized}", "");
    lens.iter().fold(text, |text, (name, len)| {
        text.replace(name, &len.to_string())
    })
}

const HEADER_OF_NETWORK: &str = r#"/* {summary}
 *
 * What it reads, what it costs and how to call it: README.md. */
#ifndef {ID}_H
#define {ID}_H

#include "sgt.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  /* Positions of a window: time steps. */
  {ID}_STEPS = {positions},
  /* Values at each of them. */
  {ID}_CHANNELS = {channels},
  /* Values of a window: position after position, as a sensor gives them. */
  {ID}_INPUT_LEN = {positions} * {channels},
  {ID}_CLASSES = {classes},
  {ID}_PARAMETER_LEN = {parameters},
  /* Those of the last layer. */
  {ID}_LAST_LAYER_LEN = {last},
  /* Values of scratch for an inference, for saliency and plain steps, for a saliency-guided step. */
  {ID}_INFERENCE_LEN = {inference},
  {ID}_SALIENCY_LEN = {saliency},
  {ID}_SGT_LEN = {sgt},
  /* Group numbers of scratch for a saliency-guided step. */
  {ID}_INDICES_LEN = {indices}
};

/* The names of the classes, in the order of the logits. */
extern const char *const {id}_class_names[{ID}_CLASSES];
/* The training data's mean and deviation of each channel. */
extern const float {id}_mean[{ID}_CHANNELS], {id}_deviation[{ID}_CHANNELS];
/* The trained parameters, layer after layer. */
extern const float {id}_weights[{ID}_PARAMETER_LEN];
/* The table of layers. */
extern const SgtNetwork {id}_network;
/* All of them, for the calls of sgt.h. */
extern const SgtParameters {id}_parameters;

/* The masking of saliency-guided training: the published method. */
SgtMasking {id}_masking(void);

/* A window in the sensor's units as the network reads it: (x - mean) / deviation. */
SgtStatus {id}_standardize(float window[{ID}_INPUT_LEN]);

/* The logits of a standardised window. */
SgtStatus {id}_infer(const float window[{ID}_INPUT_LEN], float scratch[{ID}_INFERENCE_LEN],
                     float logits[{ID}_CLASSES]);

/* The logits of a standardised window, and the gradient of the logit of `class_number` with respect
 * to each of its values. */
SgtStatus {id}_saliency(const float window[{ID}_INPUT_LEN], size_t class_number,
                        float scratch[{ID}_SALIENCY_LEN], float logits[{ID}_CLASSES],
                        float saliency[{ID}_INPUT_LEN]);

{quantized}#ifdef __cplusplus
}
#endif

#endif
"#;

const QUANTIZED_HEADER: &str = r"/* Bytes of scratch for an inference in 8-bit integers. */
enum { {ID}_QUANTIZED_LEN = {bytes} };
extern const SgtQuantized {id}_quantized;

/* The logits of a standardised window, computed in 8-bit integers. */
SgtStatus {id}_infer_quantized(const float window[{ID}_INPUT_LEN],
                               int8_t scratch[{ID}_QUANTIZED_LEN], float logits[{ID}_CLASSES]);

";

/// `static const` arrays of numbers and everything that the header declares.
fn source(board: &Board) -> String {
    let table = &board.table;
    let mut rows = String::new();
    for row in &table.rows {
        let (positions, channels) = (row.output.positions, row.output.channels);
        rows.extend([format!(
            "    /* {}: {positions} x {channels} */\n    {},\n",
            row.name,
            layer(&row.layer)
        )]);
    }
    let floats = |values: &[f32]| lines(4, values.iter().map(|&value| number(value)));
    let names = board
        .classes
        .iter()
        .map(|name| string(name).replace('?', "\\?"));
    let mut text = named(board, SOURCE)
        .replace("{names}", &lines(4, names))
        .replace("{mean}", &floats(&board.standardisation.mean))
        .replace("{deviation}", &floats(&board.standardisation.deviation))
        .replace("{weights}", &floats(&table.parameters))
        .replace("{rows}", &rows)
        .replace(
            "{group}",
            match board.group {
                Group::Cell => "SGT_GROUP_CELL",
                Group::Position => "SGT_GROUP_POSITION",
            },
        );
    if let Some(integers) = &board.integers {
        text.push_str(&named(board, &quantized(integers)));
    }
    text
}

const SOURCE: &str = r#"/* {summary} */
#include "{id}.h"

const char *const {id}_class_names[{ID}_CLASSES] = {
{names}};

const float {id}_mean[{ID}_CHANNELS] = {
{mean}};

const float {id}_deviation[{ID}_CHANNELS] = {
{deviation}};

const float {id}_weights[{ID}_PARAMETER_LEN] = {
{weights}};

/* The layers, and what each gives: positions x channels. */
static const SgtLayer LAYERS[{layers}] = {
{rows}};

const SgtNetwork {id}_network = {LAYERS, {layers}, {ID}_STEPS, {ID}_CHANNELS};

const SgtParameters {id}_parameters = {{id}_weights, {ID}_PARAMETER_LEN, NULL, 0};

SgtMasking {id}_masking(void) {
  SgtMasking masking = sgt_masking_reference({ID}_STEPS, {ID}_CHANNELS);
  masking.group = {group};
  return masking;
}

SgtStatus {id}_standardize(float window[{ID}_INPUT_LEN]) {
  return sgt_standardize(window, {ID}_INPUT_LEN, {id}_mean, {id}_deviation, {ID}_CHANNELS);
}

SgtStatus {id}_infer(const float window[{ID}_INPUT_LEN], float scratch[{ID}_INFERENCE_LEN],
                     float logits[{ID}_CLASSES]) {
  return sgt_infer(&{id}_network, &{id}_parameters, window, scratch, {ID}_INFERENCE_LEN, logits);
}

SgtStatus {id}_saliency(const float window[{ID}_INPUT_LEN], size_t class_number,
                        float scratch[{ID}_SALIENCY_LEN], float logits[{ID}_CLASSES],
                        float saliency[{ID}_INPUT_LEN]) {
  return sgt_saliency(&{id}_network, &{id}_parameters, window, SGT_SCORE_TRUE_LOGIT, class_number,
                      scratch, {ID}_SALIENCY_LEN, logits, saliency);
}
"#;

/// A float literal.
fn number(value: f32) -> String {
    format!("{}f", float(value))
}

fn layer(layer: &Layer) -> String {
    match layer {
        Layer::Dense(own) => {
            format!("{{.tag = SGT_LAYER_DENSE, .dense = {{{}}}}}", own.outputs)
        }
        Layer::Convolution(own) => format!(
            "{{.tag = SGT_LAYER_CONVOLUTION, .convolution = {{{}, {}}}}}",
            own.outputs,
            window(&own.window)
        ),
        Layer::Depthwise(own) => format!(
            "{{.tag = SGT_LAYER_DEPTHWISE, .depthwise = {{{}}}}}",
            window(&own.window)
        ),
        Layer::MaxPool(own) => {
            format!("{{.tag = SGT_LAYER_MAX_POOL, .max_pool = {}}}", window(own))
        }
        Layer::AveragePool(own) => format!(
            "{{.tag = SGT_LAYER_AVERAGE_POOL, .average_pool = {}}}",
            window(own)
        ),
        Layer::Flatten(order) => format!(
            "{{.tag = SGT_LAYER_FLATTEN, .flatten = {}}}",
            match order {
                Order::ChannelsFirst => "SGT_ORDER_CHANNELS_FIRST",
                Order::ChannelsLast => "SGT_ORDER_CHANNELS_LAST",
            }
        ),
        Layer::Lstm(own) => format!("{{.tag = SGT_LAYER_LSTM, .lstm = {{{}}}}}", own.hidden),
        Layer::GlobalAveragePool => "{.tag = SGT_LAYER_GLOBAL_AVERAGE_POOL}".into(),
        Layer::ResidualStart => "{.tag = SGT_LAYER_RESIDUAL_START}".into(),
        Layer::ResidualAdd => "{.tag = SGT_LAYER_RESIDUAL_ADD}".into(),
        // Relu; the table holds no other.
        _ => "{.tag = SGT_LAYER_RELU}".into(),
    }
}

/// Kernel, stride, padding, dilation.
fn window(window: &Window) -> String {
    let Window {
        kernel,
        stride,
        padding: [front, behind],
        dilation,
    } = window;
    format!("{{{kernel}, {stride}, {{{front}, {behind}}}, {dilation}}}")
}

fn quantized(integers: &Integers) -> String {
    let list = |items: Vec<String>| lines(4, items);
    let rescales = integers.rescales.iter();
    let rescales = rescales.map(|it| format!("{{{}, {}}}", it.multiplier, it.shift));
    let activations = integers.activations.iter();
    let activations = activations.map(|it| format!("{{{}, {}}}", number(it.scale), it.zero));
    QUANTIZED
        .replace("{weight_count}", &integers.weights.len().to_string())
        .replace(
            "{integers}",
            &list(integers.weights.iter().map(i8::to_string).collect()),
        )
        .replace("{bias_count}", &integers.biases.len().to_string())
        .replace(
            "{biases}",
            &list(integers.biases.iter().map(i32::to_string).collect()),
        )
        .replace("{rescale_count}", &integers.rescales.len().to_string())
        .replace("{rescales}", &list(rescales.collect()))
        .replace(
            "{activation_count}",
            &integers.activations.len().to_string(),
        )
        .replace("{activations}", &list(activations.collect()))
}

const QUANTIZED: &str = r"
static const int8_t INTEGERS[{weight_count}] = {
{integers}};

static const int32_t BIASES[{bias_count}] = {
{biases}};

static const SgtRescale RESCALES[{rescale_count}] = {
{rescales}};

static const SgtActivation ACTIVATIONS[{activation_count}] = {
{activations}};

const SgtQuantized {id}_quantized = {INTEGERS, {weight_count}, BIASES,      {bias_count},
                                     RESCALES, {rescale_count}, ACTIVATIONS, {activation_count}};

SgtStatus {id}_infer_quantized(const float window[{ID}_INPUT_LEN],
                               int8_t scratch[{ID}_QUANTIZED_LEN], float logits[{ID}_CLASSES]) {
  return sgt_infer_quantized(&{id}_network, &{id}_quantized, window, scratch, {ID}_QUANTIZED_LEN,
                             logits);
}
";

fn golden(board: &Board) -> String {
    let mut cases = String::new();
    for golden in &board.goldens {
        let Golden { label, trained, .. } = golden;
        let list = |values: &[f32]| {
            let values = lines(6, values.iter().map(|&value| number(value)));
            format!("{{\n{values}    }}")
        };
        let integers = match board.integers {
            Some(_) => format!("     .quantized = {},\n", list(&golden.integers)),
            None => String::new(),
        };
        cases.extend([format!(
            "    {{.window = {},\n     .logits = {},\n     .saliency = {},\n{integers}     \
             .label = {label},\n     .trained = 0x{trained:016x}u}},\n",
            list(&golden.window),
            list(&golden.logits),
            list(&golden.saliency)
        )]);
    }
    let (field, call) = match board.integers {
        Some(_) => (
            "  float quantized[{ID}_CLASSES];\n",
            "    static int8_t bytes[{ID}_QUANTIZED_LEN];\n    \
             same(\"integers\", {id}_infer_quantized(window, bytes, logits), logits,\n         \
             golden->quantized, {ID}_CLASSES);\n",
        ),
        None => ("", ""),
    };
    let text = GOLDEN
        .replace("{field}", field)
        .replace("{call}", call)
        .replace("{rate}", &number(RATE))
        .replace("{seed}", &SEED.to_string())
        .replace("{steps}", &STEPS.to_string());
    named(board, &text).replace("{cases}", &cases)
}

const GOLDEN: &str = r#"/* Windows and what every machine must make of them, to the bit: a program for a host or an emulator.
 * Without training where RAM is short: -DNO_TRAINING. */
#include "report.h"
#include "{id}.h"

typedef struct {
  float window[{ID}_INPUT_LEN];
  float logits[{ID}_CLASSES];
  float saliency[{ID}_INPUT_LEN];
{field}  size_t label;
  uint64_t trained;
} Golden;

static const Golden GOLDEN[] = {
{cases}};

static int all_good = 1;

static void same(const char *what, SgtStatus status, const float *found, const float *expected,
                 size_t count) {
  if (status != SGT_STATUS_OK ||
      fnv(FNV_START, found, count) != fnv(FNV_START, expected, count)) {
    print(what);
    print(": other bits\n");
    all_good = 0;
  }
}

static float window[{ID}_INPUT_LEN], map[{ID}_INPUT_LEN], logits[{ID}_CLASSES];

#ifdef NO_TRAINING
static float scratch[{ID}_SALIENCY_LEN];
#else
static float scratch[{ID}_SGT_LEN], trained[{ID}_PARAMETER_LEN], gradient[{ID}_PARAMETER_LEN];
static uint16_t indices[{ID}_INDICES_LEN];

static void train(const Golden *golden) {
  const SgtMasking masking = {id}_masking();
  SgtLearner learner = {.trained = trained,
                        .gradient = gradient,
                        .trained_len = {ID}_PARAMETER_LEN,
                        .optimizer = sgt_sgd({rate})};
  SgtRandom random;
  SgtLosses losses;
  for (size_t i = 0; i < {ID}_PARAMETER_LEN; i++) {
    trained[i] = {id}_weights[i];
  }
  SgtStatus status = sgt_random_init(&random, {seed}, 0);
  for (int step = 0; step < {steps} && status == SGT_STATUS_OK; step++) {
    status = sgt_sgt_step(&{id}_network, &learner, window, golden->label, &masking,
                          SGT_SCORE_TRUE_LOGIT, 1.0f, &random, scratch, {ID}_SGT_LEN, indices,
                          {ID}_INDICES_LEN, &losses);
  }
  if (status != SGT_STATUS_OK || fnv(FNV_START, trained, {ID}_PARAMETER_LEN) != golden->trained) {
    print("training: other bits\n");
    all_good = 0;
  }
}
#endif

int main(void) {
  for (size_t number = 0; number < sizeof GOLDEN / sizeof GOLDEN[0]; number++) {
    const Golden *golden = &GOLDEN[number];
    for (size_t i = 0; i < {ID}_INPUT_LEN; i++) {
      window[i] = golden->window[i];
    }
    SgtStatus status = {id}_standardize(window);
    same("standardised", status, window, window, {ID}_INPUT_LEN);
    same("logits", {id}_infer(window, scratch, logits), logits, golden->logits, {ID}_CLASSES);
    status = {id}_saliency(window, golden->label, scratch, logits, map);
    same("saliency", status, map, golden->saliency, {ID}_INPUT_LEN);
{call}#ifndef NO_TRAINING
    train(golden);
#endif
  }
  print(all_good ? "golden windows: the same bits\n" : "golden windows: other bits\n");
  finish(all_good);
  return 0;
}
"#;

fn sketch(board: &Board) -> String {
    named(board, SKETCH)
}

const SKETCH: &str = r#"// Reads a window from a sensor, says its class and the step that decided most.
#include <{id}.h>

static float window[{ID}_INPUT_LEN], map[{ID}_INPUT_LEN], scratch[{ID}_SALIENCY_LEN];

// One value of one channel: put your sensor here.
static float read_sensor(size_t channel) { return {id}_mean[channel]; }

void setup() { Serial.begin(115200); }

void loop() {
  for (size_t step = 0; step < {ID}_STEPS; step++) {
    for (size_t channel = 0; channel < {ID}_CHANNELS; channel++) {
      window[step * {ID}_CHANNELS + channel] = read_sensor(channel);
    }
  }
  float logits[{ID}_CLASSES];
  SgtStatus status = {id}_standardize(window);
  if (status == SGT_STATUS_OK) {
    status = {id}_infer(window, scratch, logits);
  }
  size_t best = 0;
  for (size_t number = 1; number < {ID}_CLASSES; number++) {
    if (logits[number] > logits[best]) {
      best = number;
    }
  }
  if (status == SGT_STATUS_OK) {
    status = {id}_saliency(window, best, scratch, logits, map);
  }
  if (status != SGT_STATUS_OK) {
    Serial.println(sgt_status_text(status));
    return;
  }
  size_t most = 0;
  for (size_t place = 1; place < {ID}_INPUT_LEN; place++) {
    if (fabsf(map[place]) > fabsf(map[most])) {
      most = place;
    }
  }
  Serial.print({id}_class_names[best]);
  Serial.print(", decided most at step ");
  Serial.println((unsigned)(most / {ID}_CHANNELS));
}
"#;

fn readme(board: &Board) -> String {
    let usage = named(board, USAGE);
    format!(
        "# {}\n\n{}\n\n{}\n\n{usage}",
        board.title(),
        board.summary(),
        board.facts()
    )
}

const USAGE: &str = r#"## Building it

`src/{id}.h` and `src/{id}.c` are the network, in C11; `src/sgt.h` is the core's interface. The core is
Rust, in `extras/rust`; `sh build-archives.sh` makes a static library of it for each processor, in the
folders where Arduino looks for archives (`src/cortex-m4/fpv4-sp-d16-softfp/libsgt.a`). With those the
folder is an Arduino library; PlatformIO reads the same `library.properties`. It was compiled and run
with the GNU toolchain under an emulator, on no board.

```
sh build-archives.sh cortex-m4/fpv4-sp-d16-hard
arm-none-eabi-gcc -std=c11 -O2 -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -Isrc \
  your.c src/{id}.c src/cortex-m4/fpv4-sp-d16-hard/libsgt.a -Wl,--gc-sections …
```

`extras/golden.c` compares logits, saliency and three training steps with what a host computed, bit for
bit:

```
cargo build --release --manifest-path extras/rust/sgt-core/capi/Cargo.toml --target-dir target
cc -std=c11 -Isrc extras/golden.c src/{id}.c target/release/libsgt.a && ./a.out
```

## Calling it

```c
#include "{id}.h"

static float window[{ID}_INPUT_LEN], scratch[{ID}_INFERENCE_LEN], logits[{ID}_CLASSES];

{id}_standardize(window); /* filled position after position */
{id}_infer(window, scratch, logits);
```
"#;
