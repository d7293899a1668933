//! A network whose shapes the compiler checks, trained by saliency-guided training.
//!
//! ```text
//! cargo run --release -p sgt-host --example typed_network
//! ```

use dfdx::prelude::{Cpu, Rank4, Tensor, TensorFromVec};
use sgt_core::{Pcg32, Random};
use sgt_host::config::{DataKind, Regime, RunConfig};
use sgt_host::data::{Bounds, Dataset, InputShape};
use sgt_host::train::{Event, Trainer, TrainingData, quality};
use sgt_host::typed::{Chain, Image};

const SIDE: usize = 12;

fn main() -> sgt_host::Result<()> {
    let mut network = Image::<1, SIDE, SIDE>
        .conv::<1, 8, 3>()
        .relu()
        .max_pool::<2>()
        .flatten()
        .linear::<200, 32>() // 201 here does not compile
        .relu()
        .linear::<32, 2>()
        .classify::<2>()
        .build(0)?;

    let (train, test) = (stripes(480, 1)?, stripes(120, 2)?);
    let mut config = RunConfig::defaults(DataKind::Image);
    config.regime = Regime::Sgt;
    config.training.epochs = 40;
    let data = TrainingData {
        train,
        validation: None,
    };
    let classifier = network.classifier(data.train.classes().to_vec())?;
    let mut trainer = Trainer::new(&config, &data, classifier)?;
    while trainer.advance()? != Event::Finished {}
    let classifier = trainer.into_model();
    println!("test accuracy {:.3}", quality(&classifier, &test)?.accuracy);

    // The parameters as dfdx tensors, dfdx tensors in and out.
    network.load(classifier.network())?;
    let x: Tensor<Rank4<1, 1, SIDE, SIDE>, f32, Cpu> =
        Cpu::default().tensor_from_vec(test.sample(0).to_vec(), Default::default());
    println!(
        "logits of the first image: {:?}",
        network.logits(x)?.as_vec()
    );
    Ok(())
}

/// Noise with one bright stripe, horizontal or vertical.
fn stripes(count: usize, seed: u64) -> sgt_host::Result<Dataset> {
    let mut random = Pcg32::new(seed, 0);
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for sample in 0..count {
        let label = sample % 2;
        let stripe = random.below(SIDE as u32) as usize;
        for row in 0..SIDE {
            for column in 0..SIDE {
                let bright = stripe == [row, column][label];
                x.push(0.5 * random.unit() + if bright { 0.5 } else { 0.0 });
            }
        }
        labels.push(label);
    }
    let classes = vec!["horizontal".to_string(), "vertical".to_string()];
    let shape = InputShape::image(1, SIDE, SIDE);
    Dataset::new("stripes", classes, shape, x, labels, Some(Bounds::UNIT))
}
