//! Networks for text.

use super::series::infer_lstm;
use super::{Named, NetworkSizes, Reads};
use crate::network::Description;
use crate::network::layer::{Direction, Lstm};

/// A recurrent network over embedded tokens, in both directions.
pub(super) const TEXT_BILSTM: Named = Named {
    name: "text-bilstm",
    layers: "LSTM in both directions, both last states, fc",
    reads: Reads::Tokens,
    sizes: "hidden units of a direction",
    hidden: &[64],
    any_length: false,
    describe: text_bilstm,
    infer: infer_lstm,
};

fn text_bilstm(sizes: &NetworkSizes) -> Description {
    Description::new(sizes.input)
        .layer(Lstm {
            direction: Direction::Both,
            ..Lstm::new("lstm", sizes.hidden[0])
        })
        .linear("fc", sizes.classes)
}
