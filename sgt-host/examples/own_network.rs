//! Own arrays and an own network, trained by adversarial saliency-guided training.
//!
//! ```text
//! cargo run --release -p sgt-host --example own_network
//! ```

use sgt_core::{Pcg32, Random};
use sgt_host::config::{DataKind, Regime, RunConfig};
use sgt_host::data::{Dataset, InputShape, SeriesOrder, TrainTest};
use sgt_host::network::Description;
use sgt_host::network::layer::{Convolution, Padding};
use sgt_host::run::Session;
use sgt_host::train::{Event, quality};

const STEPS: usize = 48;
const CHANNELS: usize = 3;

fn main() -> sgt_host::Result<()> {
    let description = Description::new(InputShape::series(STEPS, CHANNELS))
        .named("my-cnn")
        .layer(Convolution {
            padding: Padding::SAME,
            ..Convolution::new("conv1", 16, 5)
        })
        .relu()
        .max_pool(2)
        .convolution("conv2", 32, 3)
        .relu()
        .global_average_pool()
        .linear("fc", 2);

    let mut config = RunConfig::defaults(DataKind::Series).with_network(&description)?;
    config.regime = Regime::Asgt;
    config.training.epochs = 15;

    let data = TrainTest {
        train: recordings(120, 1)?,
        test: recordings(60, 2)?,
    };
    let session = Session::with_data(config, data)?;
    let classifier = session.train(|event| {
        if let Event::Epoch(row) = event {
            println!(
                "epoch {:>2}: loss {:.3}, accuracy {:.3}",
                row.epoch, row.loss, row.accuracy
            );
        }
    })?;
    let found = quality(&classifier, session.test())?;
    println!("test accuracy {:.3}", found.accuracy);
    Ok(())
}

/// Noise in every channel; class 1 has a pulse somewhere in channel 1.
fn recordings(count: usize, seed: u64) -> sgt_host::Result<Dataset> {
    let mut random = Pcg32::new(seed, 0);
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for sample in 0..count {
        let label = sample % 2;
        let start = random.below(STEPS as u32 - 10) as usize;
        for channel in 0..CHANNELS {
            for step in 0..STEPS {
                let pulse = label == 1 && channel == 1 && (start..start + 10).contains(&step);
                x.push(random.standard_normal() + if pulse { 2.0 } else { 0.0 });
            }
        }
        labels.push(label);
    }
    // Files and data sets hold series as [channels, steps].
    let shape = InputShape::series(STEPS, CHANNELS).ordered(SeriesOrder::ChannelsFirst);
    let classes = vec!["rest".to_string(), "pulse".to_string()];
    Dataset::new("pulses", classes, shape, x, labels, None)
}
