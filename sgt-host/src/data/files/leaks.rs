//! What a test part must not share with the training part.

use crate::Result;
use crate::data::{Dataset, Provenance, Reading, Shared, TrainTest};
use crate::file::data_error;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::path::Path;

/// Says of the test part what it shares with the training part.
///
/// # Errors
/// [`crate::Error::Data`] when it shares groups or samples and `reading` does not force it. With
/// `published`, samples in both are only said: archives publish such pairs, and their numbers are
/// compared with others' on the same ones.
pub(super) fn check_leaks(
    data: TrainTest,
    test: &Path,
    reading: &Reading,
    published: bool,
) -> Result<TrainTest> {
    let TrainTest {
        mut train,
        test: held,
    } = data;
    let shared = shared(&train, &held);
    if shared.is_empty() {
        return Ok(TrainTest { train, test: held });
    }
    let refused = !shared.groups.is_empty() || !published;
    if refused && !reading.force_split {
        return Err(data_error(
            test,
            format!("a test part that shares {shared} with the training part"),
            "one that shares nothing; --force-split goes on and says it in every table",
        ));
    }
    let mut provenance = train.provenance().clone();
    provenance.notes.push(format!(
        "the test part shares {shared} with the training part"
    ));
    train = train.with_provenance(provenance)?;
    let provenance = Provenance {
        shared,
        ..held.provenance().clone()
    };
    let held = held.with_provenance(provenance)?;
    Ok(TrainTest { train, test: held })
}

/// Groups by name, samples by value.
fn shared(train: &Dataset, test: &Dataset) -> Shared {
    let groups = train.provenance().present();
    let both = test.provenance().present();
    let groups = both.intersection(&groups).map(|name| (*name).to_string());
    let known: HashSet<[u8; 32]> = (0..train.len()).map(|i| digest(train.sample(i))).collect();
    let samples = (0..test.len()).filter(|&i| known.contains(&digest(test.sample(i))));
    Shared {
        groups: groups.collect(),
        samples: samples.count(),
    }
}

fn digest(sample: &[f32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for value in sample {
        hash.update(value.to_le_bytes());
    }
    hash.finalize().into()
}
