//! Networks by name.
//!
//! | name | layers | reads |
//! |---|---|---|
//! | `mnist-cnn` | conv 3×3, conv 3×3, max pool 2, dropout, fc, dropout, fc: the published code's | image |
//! | `small-cnn` | the same with 4 and 8 channels and 16 hidden units | image |
//! | `cifar-cnn` | four padded 3×3 convolutions, two max pools, fc, fc | image |
//! | `resnet18` | the form for 32×32 images: 3×3 stem, eight basic blocks | image |
//! | `sensor-cnn` | three convolutions over time, global average pool, fc | series, channels first |
//! | `sensor-lstm` | LSTM, last state, fc | series, steps first |
//! | `text-bilstm` | LSTM in both directions, both last states, fc | tokens |

use super::network::{After, Draft, Filters, Network};
use super::{InputShape, SeriesOrder};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The names that [`build`] knows.
pub const NAMES: [&str; 7] = [
    "mnist-cnn",
    "small-cnn",
    "cifar-cnn",
    "resnet18",
    "sensor-cnn",
    "sensor-lstm",
    "text-bilstm",
];

/// The sizes of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkSizes {
    /// One sample.
    pub input: InputShape,
    /// Classes.
    pub classes: usize,
    /// The widths of the hidden layers, as many as [`default_hidden`] gives; empty for those.
    #[serde(default)]
    pub hidden: Vec<usize>,
}

impl NetworkSizes {
    /// The network's usual widths.
    pub const fn new(input: InputShape, classes: usize) -> Self {
        Self {
            input,
            classes,
            hidden: Vec::new(),
        }
    }
}

/// The kinds of networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    MnistCnn,
    CifarCnn,
    Resnet18,
    SensorCnn,
    SensorLstm,
    TextBilstm,
}

fn kind(name: &str) -> Result<Kind> {
    Ok(match name {
        "mnist-cnn" | "small-cnn" => Kind::MnistCnn,
        "cifar-cnn" => Kind::CifarCnn,
        "resnet18" => Kind::Resnet18,
        "sensor-cnn" => Kind::SensorCnn,
        "sensor-lstm" => Kind::SensorLstm,
        "text-bilstm" => Kind::TextBilstm,
        _ => {
            let distance = |known: &&&str| strsim::osa_distance(known, name);
            let nearest = NAMES.iter().min_by_key(distance).unwrap_or(&NAMES[0]);
            return Err(Error::Argument {
                argument: "model".into(),
                found: name.into(),
                expected: format!("one of {} (nearest: {nearest})", NAMES.join(", ")),
            });
        }
    })
}

/// The usual widths of the hidden layers.
///
/// # Errors
/// [`Error::Argument`] on an unknown name.
pub fn default_hidden(name: &str) -> Result<&'static [usize]> {
    Ok(match (kind(name)?, name) {
        (Kind::MnistCnn, "small-cnn") => &[4, 8, 16],
        (Kind::MnistCnn, _) => &[32, 64, 128],
        (Kind::CifarCnn, _) => &[32, 32, 64, 64, 256],
        (Kind::Resnet18, _) => &[64, 128, 256, 512],
        (Kind::SensorCnn, _) => &[32, 64, 64],
        (Kind::SensorLstm | Kind::TextBilstm, _) => &[64],
    })
}

/// The memory order in which the network reads a series.
///
/// # Errors
/// [`Error::Argument`] on an unknown name.
pub fn series_order(name: &str) -> Result<SeriesOrder> {
    Ok(match kind(name)? {
        Kind::SensorLstm | Kind::TextBilstm => SeriesOrder::StepsFirst,
        _ => SeriesOrder::ChannelsFirst,
    })
}

/// Builds the network `name`, its parameters drawn from `seed` as PyTorch draws them: uniform in
/// ±1/√(inputs of a unit), or ±1/√hidden for an LSTM.
///
/// # Errors
/// [`Error::Argument`] on an unknown name, sizes of 0, or an input that this network doesn't
/// read; [`Error::Shape`] when the input is too small for its layers.
pub fn build(name: &str, sizes: &NetworkSizes, seed: u64) -> Result<Network> {
    build_within(name, sizes, seed, usize::MAX)
}

/// The largest width of a layer, number of classes or of values in a sample that is not taken for a
/// mistake: products of two stay far below what a count can hold.
const LARGEST_SIZE: usize = 1 << 28;

/// [`build`] for sizes that come from a stranger's file: at most `limit` parameters are allocated.
///
/// # Errors
/// As [`build`], and [`Error::Argument`] when the network would have more than `limit` parameters.
pub fn build_within(name: &str, sizes: &NetworkSizes, seed: u64, limit: usize) -> Result<Network> {
    let kind = kind(name)?;
    let usual = default_hidden(name)?;
    let hidden = if sizes.hidden.is_empty() {
        usual
    } else {
        &sizes.hidden
    };
    if hidden.len() != usual.len() || hidden.contains(&0) {
        return Err(Error::Argument {
            argument: "hidden".into(),
            found: format!("{hidden:?}"),
            expected: format!("{} positive widths for {name}", usual.len()),
        });
    }
    let values = sizes
        .input
        .dims()
        .iter()
        .try_fold(1_usize, |values, &axis| values.checked_mul(axis));
    let within = |size: usize| (1..=LARGEST_SIZE).contains(&size);
    let sample = values.is_some_and(within);
    if !sample || !within(sizes.classes) || !hidden.iter().all(|&width| within(width)) {
        return Err(Error::Argument {
            argument: "sizes".into(),
            found: format!(
                "input {:?}, {} classes, hidden {hidden:?}",
                sizes.input.dims(),
                sizes.classes
            ),
            expected: format!("sizes from 1 to {LARGEST_SIZE}"),
        });
    }
    let reads = match (kind, sizes.input) {
        (Kind::MnistCnn | Kind::CifarCnn | Kind::Resnet18, InputShape::Image { .. })
        | (Kind::TextBilstm, InputShape::Tokens { .. }) => true,
        (Kind::SensorCnn | Kind::SensorLstm, InputShape::Series { order, .. }) => {
            order == series_order(name)?
        }
        _ => false,
    };
    if !reads {
        return Err(Error::Argument {
            argument: "input".into(),
            found: format!("{:?}", sizes.input),
            expected: format!(
                "{} for {name}",
                match kind {
                    Kind::MnistCnn | Kind::CifarCnn | Kind::Resnet18 => "an image",
                    Kind::SensorCnn => "a channels-first series",
                    Kind::SensorLstm => "a steps-first series",
                    Kind::TextBilstm => "tokens",
                }
            ),
        });
    }
    let mut draft = Draft::new(sizes.input);
    match kind {
        Kind::MnistCnn => mnist_cnn(&mut draft, hidden)?,
        Kind::CifarCnn => cifar_cnn(&mut draft, hidden)?,
        Kind::Resnet18 => resnet18(&mut draft, hidden)?,
        Kind::SensorCnn => sensor_cnn(&mut draft, hidden)?,
        Kind::SensorLstm => draft.lstm("lstm", hidden[0], false),
        Kind::TextBilstm => draft.lstm("lstm", hidden[0], true),
    }
    let last = match kind {
        Kind::MnistCnn | Kind::CifarCnn => "fc2",
        _ => "fc",
    };
    draft.linear(last, sizes.classes, false);
    draft.finish(seed, limit)
}

/// The dropout after pooling and before the last layer, as in the published code.
const CNN_DROPOUT: [f32; 2] = [0.25, 0.5];

fn mnist_cnn(draft: &mut Draft, hidden: &[usize]) -> Result<()> {
    draft.channels_last();
    let relu = After {
        relu: true,
        ..After::default()
    };
    let pooled = After {
        pool: Some([2, 2]),
        flatten: true,
        ..relu
    };
    draft.convolution("conv1", Filters::new(hidden[0], 3), relu)?;
    draft.convolution("conv2", Filters::new(hidden[1], 3), pooled)?;
    draft.dropout(CNN_DROPOUT[0]);
    draft.linear("fc1", hidden[2], true);
    draft.dropout(CNN_DROPOUT[1]);
    Ok(())
}

fn cifar_cnn(draft: &mut Draft, hidden: &[usize]) -> Result<()> {
    draft.channels_last();
    for (index, &width) in hidden[..4].iter().enumerate() {
        let filters = Filters {
            padding: 1,
            ..Filters::new(width, 3)
        };
        let after = After {
            relu: true,
            pool: (index % 2 == 1).then_some([2, 2]),
            flatten: index == 3,
        };
        draft.convolution(&format!("conv{}", index + 1), filters, after)?;
        if index % 2 == 1 {
            draft.dropout(CNN_DROPOUT[0]);
        }
    }
    draft.linear("fc1", hidden[4], true);
    draft.dropout(CNN_DROPOUT[1]);
    Ok(())
}

/// Basic blocks in each of the four stages.
const RESNET_BLOCKS: usize = 2;

fn resnet18(draft: &mut Draft, hidden: &[usize]) -> Result<()> {
    let filters = |out_channels: usize, kernel: usize, stride: usize| Filters {
        stride,
        padding: kernel / 2,
        bias: false,
        ..Filters::new(out_channels, kernel)
    };
    draft.channels_last();
    draft.convolution("conv1", filters(hidden[0], 3, 1), After::default())?;
    draft.batch_norm("bn1", true);
    for (stage, &width) in hidden.iter().enumerate() {
        for block in 0..RESNET_BLOCKS {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let changes = stride > 1 || draft.channels() != width;
            draft.residual(
                |draft| {
                    let first = filters(width, 3, stride);
                    draft.convolution(&format!("{name}.conv1"), first, After::default())?;
                    draft.batch_norm(&format!("{name}.bn1"), true);
                    let second = filters(width, 3, 1);
                    draft.convolution(&format!("{name}.conv2"), second, After::default())?;
                    draft.batch_norm(&format!("{name}.bn2"), false);
                    Ok(())
                },
                |draft| {
                    if changes {
                        let projection = filters(width, 1, stride);
                        let conv = format!("{name}.downsample.0");
                        draft.convolution(&conv, projection, After::default())?;
                        draft.batch_norm(&format!("{name}.downsample.1"), false);
                    }
                    Ok(())
                },
            )?;
        }
    }
    draft.global_average_pool();
    Ok(())
}

/// Steps that each convolution of `sensor-cnn` sees.
const SENSOR_KERNEL: usize = 5;

fn sensor_cnn(draft: &mut Draft, hidden: &[usize]) -> Result<()> {
    draft.channels_last();
    for (index, &width) in hidden.iter().enumerate() {
        let filters = Filters {
            padding: SENSOR_KERNEL / 2,
            ..Filters::new(width, SENSOR_KERNEL)
        };
        let after = After {
            relu: true,
            ..After::default()
        };
        draft.convolution(&format!("conv{}", index + 1), filters, after)?;
    }
    draft.global_average_pool();
    Ok(())
}

/// Finds the sizes of the network `name` from the shapes of its tensors.
///
/// `input`, where the caller knows it, is taken as it is; a network that only sees the input's
/// channels (a series or tokens of any length, an image before global pooling) needs it. Without
/// it, a CNN's image is taken to be square, with the smaller side of those that fit.
///
/// # Errors
/// [`Error::Argument`] on an unknown name, a missing tensor, or where `input` is needed.
pub fn infer_sizes(
    name: &str,
    shapes: &[(&str, &[usize])],
    input: Option<InputShape>,
) -> Result<NetworkSizes> {
    let kind = kind(name)?;
    let axis = |tensor: &str, axis: usize| {
        let shape = shapes.iter().find(|(name, _)| *name == tensor);
        shape
            .and_then(|(_, shape)| shape.get(axis).copied())
            .ok_or_else(|| Error::Argument {
                argument: "weights".into(),
                found: format!("no tensor {tensor} with axis {axis}"),
                expected: format!("the tensors of {name}"),
            })
    };
    let convolutions = |count: usize| {
        (1..=count)
            .map(|index| axis(&format!("conv{index}.weight"), 0))
            .collect::<Result<Vec<_>>>()
    };
    let (hidden, classes) = match kind {
        Kind::MnistCnn | Kind::CifarCnn => {
            let mut hidden = convolutions(if kind == Kind::MnistCnn { 2 } else { 4 })?;
            hidden.push(axis("fc1.weight", 0)?);
            (hidden, axis("fc2.weight", 0)?)
        }
        Kind::Resnet18 => {
            let stages = (1..=4).map(|stage| axis(&format!("layer{stage}.0.conv1.weight"), 0));
            (stages.collect::<Result<_>>()?, axis("fc.weight", 0)?)
        }
        Kind::SensorCnn => (convolutions(3)?, axis("fc.weight", 0)?),
        Kind::SensorLstm | Kind::TextBilstm => {
            (vec![axis("lstm.weight_hh_l0", 1)?], axis("fc.weight", 0)?)
        }
    };
    let input = match (input, kind) {
        (Some(input), _) => input,
        (None, Kind::MnistCnn | Kind::CifarCnn) => {
            let channels = axis("conv1.weight", 1)?;
            let last = hidden[hidden.len() - 2];
            let side = (axis("fc1.weight", 1)? / last).isqrt();
            // Two unpadded 3×3 convolutions and one pooling, or four padded ones and two.
            let side = if kind == Kind::MnistCnn {
                2 * side + 4
            } else {
                4 * side
            };
            InputShape::Image {
                channels,
                height: side,
                width: side,
            }
        }
        (None, _) => {
            return Err(Error::Argument {
                argument: "input".into(),
                found: "weights that fit inputs of many sizes".into(),
                expected: format!("the input's shape beside the weights of {name}"),
            });
        }
    };
    Ok(NetworkSizes {
        input,
        classes,
        hidden,
    })
}
