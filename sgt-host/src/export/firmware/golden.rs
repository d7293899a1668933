//! What the core gives for some windows: every board must give the same bits.

use super::quantize::Integers;
use super::table::Table;
use crate::{Error, Result};
use sgt_core::network::{
    Labelled, Learner, Network, Parameters, SaliencyGuided, Score, Sgd, SgtScratch, standardize,
};
use sgt_core::{Group, Layout, Masking, Order, Pcg32, Random};

/// Windows of an export.
const WINDOWS: usize = 2;
/// Steps of saliency-guided training on each.
pub(super) const STEPS: usize = 3;
/// Their learning rate.
pub(super) const RATE: f32 = 0.01;
/// Their random numbers, and those of the windows.
pub(super) const SEED: u64 = 2021;

/// From a sensor's units to those that the network reads, a value a channel.
#[derive(Clone, Debug)]
pub(super) struct Standardisation {
    pub(super) mean: Vec<f32>,
    pub(super) deviation: Vec<f32>,
}

/// A window and what comes out.
#[derive(Clone, Debug)]
pub(super) struct Golden {
    /// In the sensor's units, `[positions, channels]`.
    pub(super) window: Vec<f32>,
    /// The class that the saliency and the training are told.
    pub(super) label: usize,
    pub(super) logits: Vec<f32>,
    pub(super) saliency: Vec<f32>,
    /// The logits in 8-bit integers; empty without them.
    pub(super) integers: Vec<f32>,
    /// FNV-1a of the parameters' bits behind [`STEPS`] steps of saliency-guided training.
    pub(super) trained: u64,
}

/// The masking of an export: the published method over cells, or whole positions of an image.
pub(super) fn masking(table: &Table, group: Group) -> Result<Masking> {
    let (positions, channels) = (table.input.positions, table.input.channels);
    let layout = Layout::series(positions, channels, Order::ChannelsLast, group)?;
    Ok(Masking::reference(layout))
}

/// Windows drawn from the training data's means and deviations.
pub(super) fn goldens(
    table: &Table,
    standardisation: &Standardisation,
    group: Group,
    integers: Option<&Integers>,
) -> Result<Vec<Golden>> {
    let layers = table.layers();
    let network = Network::new(table.input, &layers)?;
    let guided = SaliencyGuided::new(masking(table, group)?);
    let mut rng = Pcg32::new(SEED, 0);
    (0..WINDOWS)
        .map(|number| {
            let Standardisation { mean, deviation } = standardisation;
            let channels = mean.iter().zip(deviation).cycle();
            let window: Vec<f32> = channels
                .take(network.input_len())
                .map(|(mean, deviation)| mean + deviation * rng.standard_normal())
                .collect();
            golden(
                &network,
                table,
                standardisation,
                &guided,
                integers,
                window,
                number % network.classes(),
            )
        })
        .collect()
}

fn golden(
    network: &Network<'_>,
    table: &Table,
    Standardisation { mean, deviation }: &Standardisation,
    guided: &SaliencyGuided,
    integers: Option<&Integers>,
    window: Vec<f32>,
    label: usize,
) -> Result<Golden> {
    let mut input = window.clone();
    standardize(&mut input, mean, deviation)?;
    let mut scratch = vec![0.0; network.sgt_len()];
    let (mut logits, mut saliency) = (vec![0.0; network.classes()], vec![0.0; network.input_len()]);
    network.saliency(
        Parameters::all(&table.parameters),
        &input,
        Score::TrueLogit,
        label,
        &mut scratch,
        &mut logits,
        &mut saliency,
    )?;
    if !logits
        .iter()
        .chain(&saliency)
        .all(|value| value.is_finite())
    {
        return Err(Error::Numerical(
            "the exported network's logits or saliency are not finite for a window of the \
             training data's means and deviations"
                .into(),
        ));
    }
    let mut in_integers = vec![0.0; integers.map_or(0, |_| network.classes())];
    if let Some(integers) = integers {
        let mut bytes = vec![0; network.quantized_len()];
        network.infer_quantized(&integers.quantized(), &input, &mut bytes, &mut in_integers)?;
    }
    let mut trained = table.parameters.clone();
    let mut gradient = vec![0.0; trained.len()];
    let mut learner = Learner {
        frozen: &[],
        trained: &mut trained,
        gradient: &mut gradient,
        optimizer: Sgd::new(RATE),
        state: &mut [],
    };
    let mut rng = Pcg32::new(SEED, 0);
    let mut indices = vec![0_u32; guided.indices_len()];
    for _ in 0..STEPS {
        let mut scratch = SgtScratch {
            values: &mut scratch,
            indices: &mut indices,
        };
        let example = Labelled {
            input: &input,
            label,
        };
        network.sgt_step(&mut learner, example, guided, &mut rng, &mut scratch)?;
    }
    Ok(Golden {
        window,
        label,
        logits,
        saliency,
        integers: in_integers,
        trained: fnv(&trained),
    })
}

/// FNV-1a over the bytes of the values, least significant first.
fn fnv(values: &[f32]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}
