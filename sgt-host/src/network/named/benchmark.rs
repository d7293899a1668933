//! The networks of the time-series saliency benchmark (Ismail, Gunady, Corrada Bravo, Feizi, NeurIPS
//! 2020, arXiv 2010.13924), with the parameter names of its code. Its LSTM is `sensor-lstm` with 5
//! hidden units.

use super::{Inferred, Named, NetworkSizes, Reads, Shapes};
use crate::network::layer::{
    Convolution, Dropout, EncodingForm, InputCellLstm, Layer, LayerNorm, LayerNormForm, Linear,
    Padding, PositionalEncoding, Projections, Relu, Residual, SelfAttention,
};
use crate::network::{Description, SeriesOrder};
use crate::{Error, Result};

/// An LSTM whose cell attends to all inputs so far (Ismail, Gunady, Pessoa, Corrada Bravo, Feizi,
/// NeurIPS 2019, arXiv 1910.12370), in the averaged form of the 2020 code.
pub(super) const INPUT_CELL_LSTM: Named = Named {
    name: "input-cell-lstm",
    layers: "LSTM that reads an attention over the steps so far, last state, fc",
    reads: Reads::Series(SeriesOrder::StepsFirst),
    sizes: "hidden units, hops, width of the attention",
    hidden: &[5, 10, 50],
    any_length: false,
    describe: input_cell_lstm,
    infer: infer_input_cell_lstm,
};

/// A temporal convolutional network (Bai, Kolter, Koltun 2018, arXiv 1803.01271).
pub(super) const TCN: Named = Named {
    name: "tcn",
    layers: "residual blocks of two causal, dilated, weight-normalised convolutions, max, fc",
    reads: Reads::Series(SeriesOrder::StepsFirst),
    sizes: "channels of each block; dilations are 1, 2, 4, …",
    hidden: &[5, 5, 50],
    any_length: true,
    describe: tcn,
    infer: infer_tcn,
};

/// A transformer encoder over raw channels (Vaswani et al. 2017).
pub(super) const TRANSFORMER: Named = Named {
    name: "transformer",
    layers: "positions, pre-norm layers of causal self-attention and feed-forward, norm, max, fc",
    reads: Reads::Series(SeriesOrder::StepsFirst),
    sizes: "layers, heads (at most; they divide the channels), feed-forward width",
    hidden: &[6, 5, 400],
    any_length: false,
    describe: transformer,
    infer: infer_transformer,
};

/// The benchmark's dropout, in every network.
const DROPOUT: f32 = 0.1;
/// Steps that each convolution of `tcn` sees.
const TCN_KERNEL: usize = 4;

fn dropout() -> Layer {
    Layer::from(Dropout {
        name: String::new(),
        p: DROPOUT,
    })
}

fn input_cell_lstm(sizes: &NetworkSizes) -> Description {
    let &[hidden, hops, attention_width] = sizes.hidden.as_slice() else {
        unreachable!("the number of sizes was checked");
    };
    Description::new(sizes.input)
        .layer(dropout())
        .layer(InputCellLstm {
            hops,
            attention_width,
            ..InputCellLstm::new("rnn", hidden)
        })
        .layer(dropout())
        .linear("fc", sizes.classes)
}

fn tcn(sizes: &NetworkSizes) -> Description {
    let mut description = Description::new(sizes.input);
    let mut channels = sizes.input.channels();
    for (block, &width) in sizes.hidden.iter().enumerate() {
        let name = format!("tcn.network.{block}");
        // Beyond this many blocks the dilation is refused where the description is checked.
        let dilation = 1_usize.checked_shl(block as u32).unwrap_or(usize::MAX);
        let convolution = |conv: &str| {
            Layer::from(Convolution {
                padding: Padding::CAUSAL,
                dilation: dilation.into(),
                weight_norm: true,
                ..Convolution::new(&format!("{name}.{conv}"), width, TCN_KERNEL)
            })
        };
        let relu = || Layer::from(Relu::default());
        let body = vec![
            convolution("conv1"),
            relu(),
            dropout(),
            convolution("conv2"),
            relu(),
            dropout(),
        ];
        let shortcut = if channels == width {
            Vec::new()
        } else {
            vec![Convolution::new(&format!("{name}.downsample"), width, 1).into()]
        };
        channels = width;
        let block = Residual {
            body,
            shortcut,
            ..Residual::default()
        };
        description = description.layer(block).relu();
    }
    description.global_max_pool().linear("fc", sizes.classes)
}

fn transformer(sizes: &NetworkSizes) -> Description {
    let &[layers, most_heads, feed_forward] = sizes.hidden.as_slice() else {
        unreachable!("the number of sizes was checked");
    };
    let channels = sizes.input.channels();
    let divides = |heads: &usize| channels.is_multiple_of(*heads);
    let heads = (1..=most_heads.min(channels)).rev().find(divides);
    let norm = |name: String| {
        Layer::from(LayerNorm {
            form: LayerNormForm::Unbiased,
            ..LayerNorm::new(&name)
        })
    };
    let mut description = Description::new(sizes.input)
        .layer(PositionalEncoding {
            scale: true,
            form: EncodingForm::Published,
            ..PositionalEncoding::default()
        })
        .layer(dropout());
    // More layers are refused where the description is checked.
    for layer in 0..layers.min(crate::network::limits::LAYERS) {
        let name = format!("encoder.layers.{layer}");
        let attention = SelfAttention {
            causal: true,
            dropout: DROPOUT,
            projections: Projections::Separate,
            ..SelfAttention::new(&format!("{name}.attn"), heads.unwrap_or(1))
        };
        let linear = |part: &str, outputs: usize| {
            Layer::from(Linear::new(&format!("{name}.ff.{part}"), outputs))
        };
        description = description
            .residual(vec![
                norm(format!("{name}.norm_1")),
                attention.into(),
                dropout(),
            ])
            .residual(vec![
                norm(format!("{name}.norm_2")),
                linear("linear_1", feed_forward),
                Relu::default().into(),
                dropout(),
                linear("linear_2", channels),
                dropout(),
            ]);
    }
    description
        .layer(norm("encoder.norm".into()))
        .global_max_pool()
        .linear("out", sizes.classes)
}

fn infer_input_cell_lstm(shapes: &Shapes<'_>) -> Result<Inferred> {
    Ok(Inferred {
        hidden: vec![
            shapes.axis("rnn.weight_hh", 0)?,
            shapes.axis("rnn.linear_second.weight", 0)?,
            shapes.axis("rnn.linear_first.weight", 0)?,
        ],
        classes: shapes.axis("fc.weight", 0)?,
        input: None,
    })
}

fn infer_tcn(shapes: &Shapes<'_>) -> Result<Inferred> {
    let width = |block: usize| shapes.find(&format!("tcn.network.{block}.conv1.weight_v"), 0);
    let hidden: Vec<usize> = (0..).map_while(width).collect();
    if hidden.is_empty() {
        shapes.axis("tcn.network.0.conv1.weight_v", 0)?;
    }
    Ok(Inferred {
        hidden,
        classes: shapes.axis("fc.weight", 0)?,
        input: None,
    })
}

/// The tensors do not tell the number of heads.
fn infer_transformer(shapes: &Shapes<'_>) -> Result<Inferred> {
    let norm = |layer: usize| shapes.find(&format!("encoder.layers.{layer}.norm_1.alpha"), 0);
    let layers = (0..).map_while(norm).count();
    if layers == 0 {
        return Err(Error::Argument {
            argument: "weights".into(),
            found: "no tensor encoder.layers.0.norm_1.alpha".into(),
            expected: "the tensors of transformer".into(),
        });
    }
    Ok(Inferred {
        hidden: vec![
            layers,
            TRANSFORMER.hidden[1],
            shapes.axis("encoder.layers.0.ff.linear_1.weight", 0)?,
        ],
        classes: shapes.axis("out.weight", 0)?,
        input: None,
    })
}
