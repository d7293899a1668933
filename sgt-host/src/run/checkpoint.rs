//! A training's whole state in one file.
//!
//! The file is safetensors with one metadata entry, a JSON text that holds the position, the
//! rows so far, what the run is ([`Identity`]) and a SHA-256 over all of it and the tensors. It is written under a temporary name, synced and
//! renamed, so that a run killed at any moment leaves the old file or the new one; the one
//! before it stays as a second line.

use super::Identity;
use crate::optimizer::{OptimizerState, StateSlot};
use crate::train::{Checkpoint, Progress};
use crate::{Error, Result, file};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The layout of the file.
const FORMAT: u32 = 2;
/// The layout of earlier versions, without the run's identity.
const UNBOUND: u32 = 1;
const METADATA: &str = "sgt-checkpoint";
const PARAMETERS: &str = "parameters";
const BEST: &str = "best";
const SLOT: &str = "optimizer.";

/// The newest checkpoint's name in the folder `checkpoint/`.
pub const LATEST: &str = "latest.safetensors";
/// The one before it.
pub const PREVIOUS: &str = "previous.safetensors";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    sha256: String,
    optimizer_step: u64,
    /// In the order that the optimizer expects.
    slots: Vec<String>,
    /// JSON of a [`Progress`], as a text so that its bits are hashed too.
    progress: String,
    /// JSON of an [`Identity`]; empty without one.
    #[serde(default)]
    identity: String,
}

/// A state as its file holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The state.
    pub checkpoint: Checkpoint,
    /// The run it belongs to; absent in files of earlier versions.
    pub identity: Option<Identity>,
}

/// Writes `checkpoint` of the run `identity` as the newest of `folder`.
///
/// # Errors
/// [`Error::Io`] when the system refuses; the newest checkpoint is then the old one.
pub fn save_checkpoint(
    folder: &Path,
    checkpoint: &Checkpoint,
    identity: Option<&Identity>,
) -> Result<()> {
    let bytes = encode(checkpoint, identity)?;
    let latest = folder.join(LATEST);
    let previous = folder.join(PREVIOUS);
    // A second name for the old file, so that there is a newest checkpoint at every moment.
    let _ = std::fs::remove_file(&previous);
    let _ = std::fs::hard_link(&latest, &previous);
    file::write_atomic(&latest, &bytes)
}

/// Reads the newest checkpoint of `folder`; `None` when there is none.
///
/// # Errors
/// [`Error::Io`] when it cannot be read, [`Error::Data`] when it is damaged; the message then
/// names the checkpoint before it, if there is one.
pub fn load_checkpoint(folder: &Path) -> Result<Option<Saved>> {
    let latest = folder.join(LATEST);
    if !latest.exists() {
        return Ok(None);
    }
    let bytes = file::read(&latest)?;
    decode(&bytes).map(Some).map_err(|found| {
        let previous = folder.join(PREVIOUS);
        Error::Data {
            expected: expected(&previous),
            path: latest,
            found,
        }
    })
}

fn expected(previous: &PathBuf) -> String {
    let usable = std::fs::read(previous).is_ok_and(|bytes| decode(&bytes).is_ok());
    if usable {
        format!(
            "a checkpoint of this version (the one before is intact: rename {} to {LATEST} and resume)",
            previous.display()
        )
    } else {
        "a checkpoint of this version".into()
    }
}

fn encode(checkpoint: &Checkpoint, identity: Option<&Identity>) -> Result<Vec<u8>> {
    let mut tensors = vec![(PARAMETERS.to_string(), bytes_of(&checkpoint.parameters))];
    if let Some(best) = &checkpoint.best_parameters {
        tensors.push((BEST.into(), bytes_of(best)));
    }
    for slot in &checkpoint.optimizer.slots {
        tensors.push((format!("{SLOT}{}", slot.name), bytes_of(&slot.values)));
    }
    let refused = |reason: String| Error::Argument {
        argument: "checkpoint".into(),
        found: reason,
        expected: "a state that safetensors can hold".into(),
    };
    let progress = serde_json::to_string(&checkpoint.progress);
    let progress = progress.map_err(|reason| refused(reason.to_string()))?;
    let identity = identity.map(serde_json::to_string).transpose();
    let identity = identity.map_err(|reason| refused(reason.to_string()))?;
    let identity = identity.unwrap_or_default();
    let contents = tensors
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]));
    let header = Header {
        format: FORMAT,
        sha256: digest(
            FORMAT,
            checkpoint.optimizer.step,
            &[&progress, &identity],
            contents,
        ),
        optimizer_step: checkpoint.optimizer.step,
        slots: checkpoint
            .optimizer
            .slots
            .iter()
            .map(|slot| slot.name.clone())
            .collect(),
        progress,
        identity,
    };
    let header = serde_json::to_string(&header).map_err(|reason| refused(reason.to_string()))?;
    let views = tensors.iter().map(|(name, bytes)| {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / size_of::<f32>()], bytes);
        view.map(|view| (name, view))
    });
    let views: Vec<_> = views
        .collect::<Result<_, _>>()
        .map_err(|reason| refused(reason.to_string()))?;
    let metadata = HashMap::from([(METADATA.to_string(), header)]);
    safetensors::serialize(views, Some(metadata)).map_err(|reason| refused(reason.to_string()))
}

/// The state in `bytes`, or what was found instead.
fn decode(bytes: &[u8]) -> Result<Saved, String> {
    let damaged = |reason: &dyn std::fmt::Display| format!("a damaged file ({reason})");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|reason| damaged(&reason))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|reason| damaged(&reason))?;
    let entries = metadata.metadata().as_ref();
    let header = entries
        .and_then(|entries| entries.get(METADATA))
        .ok_or("a safetensors file that is no checkpoint")?;
    let header: Header = serde_json::from_str(header).map_err(|reason| damaged(&reason))?;
    let texts: &[&str] = match header.format {
        FORMAT => &[&header.progress, &header.identity],
        UNBOUND if header.identity.is_empty() => &[&header.progress],
        other => return Err(format!("format {other}")),
    };
    let mut names = vec![PARAMETERS.to_string()];
    if tensors.tensor(BEST).is_ok() {
        names.push(BEST.into());
    }
    names.extend(header.slots.iter().map(|slot| format!("{SLOT}{slot}")));
    let mut contents = Vec::new();
    for name in &names {
        let tensor = tensors.tensor(name).map_err(|reason| damaged(&reason))?;
        contents.push((name.as_str(), tensor.data()));
    }
    if header.sha256
        != digest(
            header.format,
            header.optimizer_step,
            texts,
            contents.iter().copied(),
        )
    {
        return Err("a damaged file (its SHA-256 is not the recorded one)".into());
    }
    let mut parameters = Vec::new();
    let mut best_parameters = None;
    let mut slots = Vec::new();
    for (name, bytes) in contents {
        let values = values_of(bytes);
        match name.strip_prefix(SLOT) {
            Some(slot) => slots.push(StateSlot {
                name: slot.into(),
                values,
            }),
            None if name == BEST => best_parameters = Some(values),
            None => parameters = values,
        }
    }
    let progress: Progress =
        serde_json::from_str(&header.progress).map_err(|reason| damaged(&reason))?;
    let identity = match &header.identity[..] {
        "" => None,
        text => Some(serde_json::from_str(text).map_err(|reason| damaged(&reason))?),
    };
    Ok(Saved {
        checkpoint: Checkpoint {
            parameters,
            best_parameters,
            optimizer: OptimizerState {
                step: header.optimizer_step,
                slots,
            },
            progress,
        },
        identity,
    })
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn values_of(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// SHA-256 over the format, the position, the `texts` and the tensors' names, lengths and contents.
fn digest<'t>(
    format: u32,
    step: u64,
    texts: &[&str],
    tensors: impl Iterator<Item = (&'t str, &'t [u8])>,
) -> String {
    let mut hash = Sha256::new();
    if format != UNBOUND {
        hash.update(format.to_le_bytes());
    }
    hash.update(step.to_le_bytes());
    for text in texts {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    for (name, bytes) in tensors {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    file::hexadecimal(&hash.finalize())
}
