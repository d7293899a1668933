//! `DeepLIFT` with the rescale rule, against one baseline or the mean over a set.

use super::integrated::{completeness_gap, sum};
use super::points::{Points, ROWS_PER_FORWARD};
use super::{Attribution, Baselines};
use crate::Result;
use crate::network::{Labelled, Mode, Model, Rescaling, score_gradient};

pub(super) fn deeplift<M: Model>(
    points: &mut Points<'_, M>,
    baselines: &Baselines<'_>,
    rules: Rescaling,
) -> Result<Attribution> {
    let mut values = vec![0.0; points.x.len()];
    add_contributions(
        points,
        |sample| baselines.of(sample),
        rules,
        1.0,
        &mut values,
    )?;
    let gap = completeness_gap(points, &values, baselines)?;
    Ok(Attribution {
        values,
        gap: Some(gap),
    })
}

pub(super) fn deeplift_shap<M: Model>(
    points: &mut Points<'_, M>,
    baselines: &Baselines<'_>,
    rules: Rescaling,
) -> Result<Attribution> {
    let weight = 1.0 / baselines.count() as f32;
    let (x, sample) = (points.x, points.sample);
    let mut values = vec![0.0; x.len()];
    for baseline in 0..baselines.count() {
        add_contributions(
            points,
            |_| baselines.at(baseline),
            rules,
            weight,
            &mut values,
        )?;
    }
    let mut gap: Vec<f32> = values.chunks_exact(sample).map(sum).collect();
    points.scores(
        1 + baselines.count(),
        |index, end, row| {
            row.copy_from_slice(match end {
                0 => &x[index * sample..][..sample],
                _ => baselines.at(end - 1),
            });
        },
        |index, end, score| gap[index] -= if end == 0 { score } else { -score * weight },
    )?;
    Ok(Attribution {
        values,
        gap: Some(gap),
    })
}

/// Adds `weight · m · (x − reference)` for the rescale rule's multipliers `m`.
fn add_contributions<'b, M: Model>(
    points: &Points<'_, M>,
    reference: impl Fn(usize) -> &'b [f32],
    rules: Rescaling,
    weight: f32,
    values: &mut [f32],
) -> Result<()> {
    let Points { model, sample, .. } = *points;
    let mut pass = M::Pass::default();
    let mut references = Vec::new();
    let mut multipliers = Vec::new();
    let mut dlogits = Vec::new();
    let values = values.chunks_mut(ROWS_PER_FORWARD * sample);
    let chunks = points.batch.chunks(ROWS_PER_FORWARD, sample);
    for ((first, batch), values) in chunks.zip(values) {
        let Labelled { x, labels, .. } = batch;
        references.clear();
        for index in first..first + labels.len() {
            references.extend_from_slice(reference(index));
        }
        let logits = model.forward(batch, Mode::InputGradient, &mut pass)?;
        dlogits.resize(logits.len(), 0.0);
        score_gradient(points.score, logits, labels, &mut dlogits)?;
        multipliers.resize(x.len(), 0.0);
        let samples = batch.samples();
        model.multipliers(samples, &references, &dlogits, rules, &mut multipliers)?;
        let differences = x
            .iter()
            .zip(&references)
            .map(|(x, reference)| x - reference);
        for ((value, &m), difference) in values.iter_mut().zip(&multipliers).zip(differences) {
            *value += weight * m * difference;
        }
    }
    Ok(())
}
