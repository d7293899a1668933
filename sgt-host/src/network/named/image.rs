//! Networks for images.

use super::{Inferred, Named, NetworkSizes, Reads, Shapes};
use crate::Result;
use crate::network::layer::{BatchNorm, Convolution, Layer, Padding, Relu, Residual};
use crate::network::{Description, InputShape};

/// The published code's network.
pub(super) const MNIST_CNN: Named = Named {
    name: "mnist-cnn",
    layers: "conv 3×3, conv 3×3, max pool 2, dropout, fc, dropout, fc: the published code's",
    reads: Reads::Images,
    sizes: "channels of both convolutions, hidden units",
    hidden: &[32, 64, 128],
    any_length: false,
    describe: mnist_cnn,
    infer: infer_mnist_cnn,
};

/// A small one of the same form.
pub(super) const SMALL_CNN: Named = Named {
    name: "small-cnn",
    layers: "mnist-cnn with 4 and 8 channels and 16 hidden units",
    hidden: &[4, 8, 16],
    ..MNIST_CNN
};

/// Four convolutions in two stages.
pub(super) const CIFAR_CNN: Named = Named {
    name: "cifar-cnn",
    layers: "four padded 3×3 convolutions, two max pools, fc, fc",
    reads: Reads::Images,
    sizes: "channels of the four convolutions, hidden units",
    hidden: &[32, 32, 64, 64, 256],
    any_length: false,
    describe: cifar_cnn,
    infer: infer_cifar_cnn,
};

/// He, Zhang, Ren, Sun 2016 in its form for small images.
pub(super) const RESNET18: Named = Named {
    name: "resnet18",
    layers: "the form for 32×32 images: 3×3 stem, eight basic blocks, global average pool, fc",
    reads: Reads::Images,
    sizes: "channels of the four stages",
    hidden: &[64, 128, 256, 512],
    any_length: false,
    describe: resnet18,
    infer: infer_resnet18,
};

/// The dropout after pooling and before the last layer, as in the published code.
const CNN_DROPOUT: [f32; 2] = [0.25, 0.5];

fn mnist_cnn(sizes: &NetworkSizes) -> Description {
    Description::new(sizes.input)
        .convolution("conv1", sizes.hidden[0], 3)
        .relu()
        .convolution("conv2", sizes.hidden[1], 3)
        .relu()
        .max_pool(2)
        .flatten()
        .dropout(CNN_DROPOUT[0])
        .linear("fc1", sizes.hidden[2])
        .relu()
        .dropout(CNN_DROPOUT[1])
        .linear("fc2", sizes.classes)
}

fn cifar_cnn(sizes: &NetworkSizes) -> Description {
    let mut description = Description::new(sizes.input);
    for (index, &width) in sizes.hidden[..4].iter().enumerate() {
        let name = format!("conv{}", index + 1);
        let padded = Convolution {
            padding: Padding::from(1),
            ..Convolution::new(&name, width, 3)
        };
        description = description.layer(padded).relu();
        if index % 2 == 1 {
            description = description.max_pool(2);
            if index == 3 {
                description = description.flatten();
            }
            description = description.dropout(CNN_DROPOUT[0]);
        }
    }
    description
        .linear("fc1", sizes.hidden[4])
        .relu()
        .dropout(CNN_DROPOUT[1])
        .linear("fc2", sizes.classes)
}

/// Basic blocks in each of the four stages.
const RESNET_BLOCKS: usize = 2;

fn resnet18(sizes: &NetworkSizes) -> Description {
    let convolution = |name: String, channels: usize, kernel: usize, stride: usize| {
        Layer::from(Convolution {
            stride: stride.into(),
            padding: Padding::from(kernel / 2),
            bias: false,
            ..Convolution::new(&name, channels, kernel)
        })
    };
    let norm = |name: String| Layer::from(BatchNorm::new(&name));
    let mut channels = sizes.hidden[0];
    let mut description = Description::new(sizes.input)
        .layer(convolution("conv1".into(), channels, 3, 1))
        .batch_norm("bn1")
        .relu();
    for (stage, &width) in sizes.hidden.iter().enumerate() {
        for block in 0..RESNET_BLOCKS {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let body = vec![
                convolution(format!("{name}.conv1"), width, 3, stride),
                norm(format!("{name}.bn1")),
                Relu::default().into(),
                convolution(format!("{name}.conv2"), width, 3, 1),
                norm(format!("{name}.bn2")),
            ];
            let shortcut = if stride > 1 || channels != width {
                vec![
                    convolution(format!("{name}.downsample.0"), width, 1, stride),
                    norm(format!("{name}.downsample.1")),
                ]
            } else {
                Vec::new()
            };
            channels = width;
            let block = Residual {
                body,
                shortcut,
                ..Residual::default()
            };
            description = description.layer(block).relu();
        }
    }
    description
        .global_average_pool()
        .linear("fc", sizes.classes)
}

/// The widths of `convolutions` convolutions and of `fc1`, and the square image whose side becomes
/// `side(s)` where `s` is what flattening saw.
fn infer_cnn(
    shapes: &Shapes<'_>,
    convolutions: usize,
    side: fn(usize) -> usize,
) -> Result<Inferred> {
    let widths = (1..=convolutions).map(|index| shapes.axis(&format!("conv{index}.weight"), 0));
    let mut hidden = widths.collect::<Result<Vec<_>>>()?;
    let last = hidden[convolutions - 1].max(1);
    hidden.push(shapes.axis("fc1.weight", 0)?);
    let side = side((shapes.axis("fc1.weight", 1)? / last).isqrt());
    Ok(Inferred {
        hidden,
        classes: shapes.axis("fc2.weight", 0)?,
        input: Some(InputShape::image(
            shapes.axis("conv1.weight", 1)?,
            side,
            side,
        )),
    })
}

fn infer_mnist_cnn(shapes: &Shapes<'_>) -> Result<Inferred> {
    // Two unpadded 3×3 convolutions and one pooling.
    infer_cnn(shapes, 2, |side| side.saturating_mul(2).saturating_add(4))
}

fn infer_cifar_cnn(shapes: &Shapes<'_>) -> Result<Inferred> {
    // Four padded convolutions and two poolings.
    infer_cnn(shapes, 4, |side| side.saturating_mul(4))
}

fn infer_resnet18(shapes: &Shapes<'_>) -> Result<Inferred> {
    let stages = (1..=4).map(|stage| shapes.axis(&format!("layer{stage}.0.conv1.weight"), 0));
    Ok(Inferred {
        hidden: stages.collect::<Result<_>>()?,
        classes: shapes.axis("fc.weight", 0)?,
        input: None,
    })
}
