//! What would be trained on, as an archive of arrays that `--data` reads again.

use crate::Result;
use crate::data::{Dataset, TrainTest};
use crate::npz::{self, Member};
use std::path::Path;

/// Writes both parts in the units of their files: `x`, `y`, `x_test`, `y_test`, `classes`, and
/// `channels`, `rate`, `groups` and `groups_test` as far as they are known. Classes are places in
/// `classes`.
pub(super) fn write(path: &Path, data: &TrainTest) -> Result<()> {
    let mut members = Vec::new();
    for (part, x, y, groups) in [
        (&data.train, "x", "y", "groups"),
        (&data.test, "x_test", "y_test", "groups_test"),
    ] {
        members.push(values(part, x));
        members.push(Member::labels(y, &[part.len()], part.labels()));
        let provenance = part.provenance();
        if provenance.groups.len() > 1 && !provenance.sources.is_empty() {
            let names = provenance.sources.iter().map(|source| source.group);
            let names: Vec<String> = names
                .map(|group| provenance.groups[group].clone())
                .collect();
            members.push(Member::texts(groups, &names));
        }
    }
    members.push(Member::texts("classes", data.train.classes()));
    let axes = data.train.axes();
    if !axes.channels.is_empty() {
        members.push(Member::texts("channels", &axes.channels));
    }
    if let Some(rate) = axes.rate {
        members.push(Member::precise("rate", &[1], vec![rate]));
    }
    npz::write(path, &members)
}

fn values(part: &Dataset, name: &str) -> Member {
    let mut shape = vec![part.len()];
    shape.extend(part.shape().dims());
    let samples = part.samples();
    if part.origin().is_empty() {
        return Member::floats(name, &shape, samples.to_vec());
    }
    let (origin, plane) = (part.origin(), part.shape().positions());
    let whole =
        |(place, value): (usize, &f32)| f64::from(*value) + origin[place / plane % origin.len()];
    Member::precise(
        name,
        &shape,
        samples.iter().enumerate().map(whole).collect(),
    )
}
