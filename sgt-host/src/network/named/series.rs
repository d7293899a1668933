//! Networks for recordings of sensors.

use super::{Inferred, Named, NetworkSizes, Reads, Shapes};
use crate::Result;
use crate::network::layer::{Convolution, Padding};
use crate::network::{Description, SeriesOrder};

/// Convolutions over time.
pub(super) const SENSOR_CNN: Named = Named {
    name: "sensor-cnn",
    layers: "three convolutions over time, global average pool, fc",
    reads: Reads::Series(SeriesOrder::ChannelsFirst),
    sizes: "channels of the three convolutions",
    hidden: &[32, 64, 64],
    any_length: false,
    describe: sensor_cnn,
    infer: infer_sensor_cnn,
};

/// A recurrent network.
pub(super) const SENSOR_LSTM: Named = Named {
    name: "sensor-lstm",
    layers: "LSTM, last state, fc",
    reads: Reads::Series(SeriesOrder::StepsFirst),
    sizes: "hidden units",
    hidden: &[64],
    any_length: false,
    describe: sensor_lstm,
    infer: infer_lstm,
};

/// Steps that each convolution of `sensor-cnn` sees.
const SENSOR_KERNEL: usize = 5;

fn sensor_cnn(sizes: &NetworkSizes) -> Description {
    let mut description = Description::new(sizes.input);
    for (index, &width) in sizes.hidden.iter().enumerate() {
        let name = format!("conv{}", index + 1);
        let padded = Convolution {
            padding: Padding::from(SENSOR_KERNEL / 2),
            ..Convolution::new(&name, width, SENSOR_KERNEL)
        };
        description = description.layer(padded).relu();
    }
    description
        .global_average_pool()
        .linear("fc", sizes.classes)
}

fn sensor_lstm(sizes: &NetworkSizes) -> Description {
    Description::new(sizes.input)
        .lstm("lstm", sizes.hidden[0])
        .linear("fc", sizes.classes)
}

fn infer_sensor_cnn(shapes: &Shapes<'_>) -> Result<Inferred> {
    let widths = (1..=3).map(|index| shapes.axis(&format!("conv{index}.weight"), 0));
    Ok(Inferred {
        hidden: widths.collect::<Result<_>>()?,
        classes: shapes.axis("fc.weight", 0)?,
        input: None,
    })
}

/// The sizes of a network of one LSTM and `fc`.
pub(super) fn infer_lstm(shapes: &Shapes<'_>) -> Result<Inferred> {
    Ok(Inferred {
        hidden: vec![shapes.axis("lstm.weight_hh_l0", 1)?],
        classes: shapes.axis("fc.weight", 0)?,
        input: None,
    })
}
