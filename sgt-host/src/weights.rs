//! Weight files: safetensors with `torch`'s names and layouts, both ways.
//!
//! Our own [`Metadata`] is one JSON object under the key `sgt` of the header's metadata. Other
//! programs ignore it; a file without it can be read by whoever knows the model. The object begins
//! with its format and ends with a SHA-256 over itself and the tensors, so that no changed byte
//! goes unnoticed.

use crate::binding::{Binding, short};
use crate::data::{Bounds, Normalization, Preprocessing};
use crate::file::{data_error, hexadecimal, one_line, read, sha256, write_atomic};
use crate::network::{Description, InputShape, Parameter, Parameters};
use crate::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The key of our metadata. A single one, since several are written in no fixed order.
const METADATA_KEY: &str = "sgt";
/// What our metadata begin with; files of earlier versions, which have no digest, do not.
const FORMAT: &str = "{\"format\":2,";
/// What the digest at their end stands behind.
const DIGEST: &str = ",\"sha256\":\"";
/// A sample beyond this many values is no model's input but a damaged or hostile file.
const MAX_INPUT: usize = 1 << 26;
/// An error lists this many tensors of a kind and counts the rest.
const MAX_LISTED: usize = 64;
/// `torch`'s count of training batches beside each batch normalisation: no weight.
const BATCH_COUNTER: &str = "num_batches_tracked";

/// What a network needs beside its tensors to be used, and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The network's name.
    pub model: String,
    /// The network itself; absent in files of older versions, whose names say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// One sample as the model reads it.
    pub input: InputShape,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// From input units to what the network reads.
    pub normalization: Normalization,
    /// The values an input may take, in input units.
    pub bounds: Option<Bounds>,
    /// What files go through before the network reads them; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<Preprocessing>,
    /// The training regime.
    pub regime: String,
    /// The seed of the run.
    pub seed: u64,
    /// The version of this program that wrote the file.
    pub version: String,
    /// Digests of the network, configuration and data of the run; absent without a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
}

impl Metadata {
    /// What it says against the rules that later code relies on, if anything.
    fn flaw(&self) -> Option<(String, String)> {
        let axes = match self.input {
            InputShape::Image {
                channels,
                height,
                width,
            } => [channels, height, width],
            InputShape::Series {
                steps, channels, ..
            } => [steps, channels, 1],
            InputShape::Tokens { tokens, dim } => [tokens, dim, 1],
        };
        let size = axes
            .iter()
            .try_fold(1_usize, |size, &axis| size.checked_mul(axis));
        if !size.is_some_and(|size| (1..=MAX_INPUT).contains(&size)) {
            return Some((
                format!("an input of shape {axes:?}"),
                format!("one of 1 to {MAX_INPUT} values"),
            ));
        }
        if self.classes.is_empty() {
            return Some(("no class".into(), "the classes' names".into()));
        }
        if let Some(description) = &self.description {
            if description.input != self.input {
                return Some((
                    format!("a network that reads {}", description.input),
                    format!("one that reads {}", self.input),
                ));
            }
            match description.classes() {
                Err(error) => return Some((error.to_string(), "a network's description".into())),
                Ok(classes) if classes != self.classes.len() => {
                    return Some((
                        format!("{} names of classes", self.classes.len()),
                        format!("{classes}, as the network has"),
                    ));
                }
                Ok(_) => {}
            }
        }
        if let Some(Bounds { low, high }) = self.bounds
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            return Some((
                format!("bounds {low} to {high}"),
                "finite bounds, the lower one first".into(),
            ));
        }
        let mismatch = self.normalization.check(self.input).err();
        mismatch.map(|error| (error.to_string(), "a normalization of the input".into()))
    }
}

/// The content of a weight file.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    path: PathBuf,
    metadata: Option<Metadata>,
    tensors: BTreeMap<String, Tensor>,
    digest: String,
}

#[derive(Clone, Debug, PartialEq)]
struct Tensor {
    shape: Vec<usize>,
    dtype: Dtype,
    /// Absent for types that hold no weights.
    values: Option<Vec<f32>>,
}

impl Weights {
    /// Reads a weight file.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Data`] as [`Weights::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &read(path)?)
    }

    /// Parses the content of a weight file. `path` is only named in errors.
    ///
    /// `F32` is taken as it is; `F16` and `BF16` are widened exactly, `F64` is rounded.
    ///
    /// # Errors
    /// [`Error::Data`] when it is no safetensors file, is cut off, or has `sgt` metadata that are
    /// damaged or contradict themselves.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(data_error(path, "an empty file", "safetensors weights"));
        }
        let damaged = |error: safetensors::SafeTensorError| {
            let found = format!("no safetensors data ({})", one_line(&error));
            data_error(path, found, "a whole safetensors file")
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let mut views: Vec<_> = file.iter().collect();
        views.sort_by_key(|(name, _)| *name);
        if let Some((name, view)) = views.iter().find(|(_, view)| view.shape().contains(&0)) {
            // What an axis says is believed further on; only values make it cost what it says.
            let found = format!("{} of shape {:?}", name.escape_debug(), view.shape());
            return Err(data_error(path, found, "tensors with values"));
        }
        let digest = tensors_digest(views.iter().map(|(name, view)| (*name, view)));
        let metadata = header.metadata().as_ref();
        let metadata = match metadata.and_then(|map| map.get(METADATA_KEY)) {
            Some(text) => {
                check_digest(path, text, &digest)?;
                Some(parse_metadata(path, text)?)
            }
            None => None,
        };
        let tensors = file.iter().map(|(name, view)| {
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                dtype: view.dtype(),
                values: decode(view.dtype(), view.data()),
            };
            (name.to_string(), tensor)
        });
        Ok(Self {
            path: path.to_path_buf(),
            metadata,
            tensors: tensors.collect(),
            digest,
        })
    }

    /// SHA-256 over the tensors: names, types, shapes and values.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same tensors without the prefix that all their names have, up to its first dot
    /// (`module.` of `torch`'s parallel wrappers, for example); `None` where they have none.
    pub fn without_prefix(&self) -> Option<Self> {
        let first = self.tensors.keys().next()?;
        let prefix = &first[..=first.find('.')?];
        let stripped = self.tensors.iter().map(|(name, tensor)| {
            let name = name.strip_prefix(prefix)?;
            Some((name.to_string(), tensor.clone()))
        });
        Some(Self {
            tensors: stripped.collect::<Option<_>>()?,
            ..self.clone()
        })
    }

    /// Our metadata; `None` in a file of another program.
    pub fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The names and shapes of the tensors, sorted by name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let tensors = self.tensors.iter();
        tensors.map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// Copies the tensors into the parameters of the same names, all of them or none.
    ///
    /// Counters of batches (`….num_batches_tracked`) are passed over.
    ///
    /// # Errors
    /// [`Error::Data`] in one line that lists every tensor that is missing, extra, of another
    /// shape (with both shapes), of a type that holds no weights, or not finite. `parameters` is
    /// untouched then.
    pub fn load_into(&self, parameters: &mut Parameters) -> Result<()> {
        self.check(parameters)?;
        let entries: Vec<Parameter> = parameters.entries().to_vec();
        for entry in entries {
            let tensor = self.tensors.get(&entry.name);
            if let Some(values) = tensor.and_then(|tensor| tensor.values.as_ref()) {
                parameters.values_mut()[entry.range].copy_from_slice(values);
            }
        }
        Ok(())
    }

    /// Refuses tensors that are not the parameters by name and shape, which need not be allocated.
    ///
    /// # Errors
    /// As [`Weights::load_into`].
    pub(crate) fn check(&self, parameters: &Parameters) -> Result<()> {
        let flaws = self.flaws(parameters);
        if flaws.is_empty() {
            return Ok(());
        }
        Err(data_error(
            &self.path,
            flaws.join("; "),
            "exactly the model's tensors",
        ))
    }

    fn flaws(&self, parameters: &Parameters) -> Vec<String> {
        let mut missing = Vec::new();
        let mut shapes = Vec::new();
        let mut types = Vec::new();
        let mut not_finite = Vec::new();
        for entry in parameters.entries() {
            let Some(tensor) = self.tensors.get(&entry.name) else {
                missing.push(format!("{} {:?}", entry.name, entry.shape));
                continue;
            };
            if tensor.shape != entry.shape {
                shapes.push(format!(
                    "{} {:?} instead of {:?}",
                    entry.name, tensor.shape, entry.shape
                ));
                continue;
            }
            match &tensor.values {
                None => types.push(format!("{} of type {}", entry.name, tensor.dtype)),
                Some(values) => {
                    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                        not_finite.push(format!("{} {} at {index}", entry.name, values[index]));
                    }
                }
            }
        }
        let known: std::collections::BTreeSet<&str> = parameters
            .entries()
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        let extra = self.tensors.iter().filter(|(name, _)| {
            let counter = name.rsplit('.').next() == Some(BATCH_COUNTER);
            !counter && !known.contains(name.as_str())
        });
        let extra = extra
            .map(|(name, tensor)| format!("{} {:?}", name.escape_debug(), tensor.shape))
            .collect();
        [
            ("missing", missing),
            ("extra", extra),
            ("other shape", shapes),
            ("other type", types),
            ("not finite", not_finite),
        ]
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(kind, names)| list(kind, &names))
        .collect()
    }
}

fn list(kind: &str, names: &[String]) -> String {
    let shown = names[..names.len().min(MAX_LISTED)].join(", ");
    match names.len().saturating_sub(MAX_LISTED) {
        0 => format!("{kind}: {shown}"),
        more => format!("{kind}: {shown} and {more} more"),
    }
}

/// Refuses metadata whose digest is not that of themselves and of the tensors.
fn check_digest(path: &Path, text: &str, tensors: &str) -> Result<()> {
    let signed = text.rsplit_once(DIGEST);
    if !text.starts_with(FORMAT) && signed.is_none() {
        return Ok(());
    }
    let recorded = signed.and_then(|(content, end)| Some((content, end.strip_suffix("\"}")?)));
    let found = match recorded {
        Some((content, recorded)) if recorded == metadata_digest(content, tensors) => return Ok(()),
        Some((_, recorded)) => format!(
            "metadata and tensors that are not those of the SHA-256 {}",
            short(recorded).escape_debug()
        ),
        None => "metadata without their SHA-256".into(),
    };
    Err(data_error(path, found, "an undamaged file"))
}

/// Of metadata up to their digest, and of the tensors.
fn metadata_digest(content: &str, tensors: &str) -> String {
    sha256(format!("{content}{tensors}").as_bytes())
}

/// Over names, types, shapes and values, in the order of the names.
fn tensors_digest<'t>(tensors: impl Iterator<Item = (&'t str, &'t TensorView<'t>)>) -> String {
    let mut hash = Sha256::new();
    for (name, view) in tensors {
        hash.update(format!("{name:?} {:?} {:?}\n", view.dtype(), view.shape()));
        hash.update(view.data());
    }
    hexadecimal(&hash.finalize())
}

fn parse_metadata(path: &Path, text: &str) -> Result<Metadata> {
    let metadata: Metadata = serde_json::from_str(text).map_err(|error| {
        data_error(
            path,
            format!("damaged metadata ({})", one_line(&error)),
            "model, input, classes, normalization, bounds, regime, seed and version",
        )
    })?;
    match metadata.flaw() {
        None => Ok(metadata),
        Some((found, expected)) => {
            Err(data_error(path, format!("metadata with {found}"), expected))
        }
    }
}

/// Writes parameters, whole or not at all; equal input gives equal bytes. Returns
/// [`Weights::digest`] of what was written.
///
/// # Errors
/// [`Error::Numerical`] when a parameter is not finite, [`Error::Argument`] when the metadata
/// contradict themselves, [`Error::Io`].
pub fn save(path: &Path, parameters: &Parameters, metadata: Option<&Metadata>) -> Result<String> {
    let bytes = to_bytes(parameters, metadata)?;
    write_atomic(path, &bytes)?;
    Ok(Weights::parse(path, &bytes)?.digest)
}

/// The content of a weight file.
///
/// # Errors
/// As [`save`], without [`Error::Io`].
pub fn to_bytes(parameters: &Parameters, metadata: Option<&Metadata>) -> Result<Vec<u8>> {
    serialize(parameters, metadata, &[])
}

/// The content of a weight file that is a whole state dict of PyTorch: beside the parameters each
/// batch normalisation of `norms` has its counter of training batches, 0.
///
/// # Errors
/// As [`to_bytes`].
pub fn to_state_dict(
    parameters: &Parameters,
    metadata: &Metadata,
    norms: &[&str],
) -> Result<Vec<u8>> {
    let counters: Vec<String> = norms
        .iter()
        .map(|name| format!("{name}.{BATCH_COUNTER}"))
        .collect();
    serialize(parameters, Some(metadata), &counters)
}

fn serialize(
    parameters: &Parameters,
    metadata: Option<&Metadata>,
    counters: &[String],
) -> Result<Vec<u8>> {
    let refused = |found: String, expected: &str| Error::Argument {
        argument: "weights".into(),
        found,
        expected: expected.into(),
    };
    if let Some((found, expected)) = metadata.and_then(Metadata::flaw) {
        return Err(refused(format!("metadata with {found}"), &expected));
    }
    let mut contents = Vec::with_capacity(parameters.entries().len());
    for entry in parameters.entries() {
        let values = &parameters.values()[entry.range.clone()];
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::Numerical(format!(
                "{}: found {} at {index}, expected finite weights",
                entry.name, values[index]
            )));
        }
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        contents.push((entry, bytes));
    }
    let unwritable = |error: &dyn std::error::Error| {
        refused(one_line(&error), "tensors that safetensors can hold")
    };
    let mut views = Vec::with_capacity(contents.len());
    for (entry, bytes) in &contents {
        let view = TensorView::new(Dtype::F32, entry.shape.clone(), bytes);
        views.push((&entry.name, view.map_err(|error| unwritable(&error))?));
    }
    let zero = 0_i64.to_le_bytes();
    for counter in counters {
        let view = TensorView::new(Dtype::I64, Vec::new(), &zero);
        views.push((counter, view.map_err(|error| unwritable(&error))?));
    }
    let header = match metadata {
        Some(metadata) => {
            let text = serde_json::to_string(metadata).map_err(|error| unwritable(&error))?;
            let mut sorted: Vec<_> = views.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let tensors = sorted.into_iter().map(|(name, view)| (name.as_str(), view));
            // Between the object's own braces.
            let fields = &text[1..text.len() - 1];
            let content = format!("{FORMAT}{fields}");
            let digest = metadata_digest(&content, &tensors_digest(tensors));
            let text = format!("{content}{DIGEST}{digest}\"}}");
            Some(HashMap::from([(METADATA_KEY.to_string(), text)]))
        }
        None => None,
    };
    safetensors::serialize(views, header).map_err(|error| unwritable(&error))
}

/// Little-endian values as `f32`; `None` for types that hold no weights.
fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let (pairs, quads, octets) = (
        bytes.as_chunks::<2>().0,
        bytes.as_chunks::<4>().0,
        bytes.as_chunks::<8>().0,
    );
    match dtype {
        Dtype::F32 => Some(quads.iter().map(|&b| f32::from_le_bytes(b)).collect()),
        Dtype::F64 => Some(
            octets
                .iter()
                .map(|&b| f64::from_le_bytes(b) as f32)
                .collect(),
        ),
        Dtype::F16 => Some(
            pairs
                .iter()
                .map(|&b| half_to_f32(u16::from_le_bytes(b)))
                .collect(),
        ),
        Dtype::BF16 => Some(
            pairs
                .iter()
                .map(|&b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16))
                .collect(),
        ),
        _ => None,
    }
}

/// An IEEE 754 half as the `f32` of the same value.
fn half_to_f32(half: u16) -> f32 {
    const SUBNORMAL_STEP: f32 = 1.0 / (1 << 24) as f32;
    let sign = if half >> 15 == 0 { 1.0 } else { -1.0 };
    let exponent = u32::from(half >> 10) & 0x1f;
    let fraction = u32::from(half) & 0x3ff;
    let magnitude = match exponent {
        0 => fraction as f32 * SUBNORMAL_STEP,
        0x1f => f32::from_bits(0x7f80_0000 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    sign * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_has_its_value() {
        for half in 0..=u16::MAX {
            let sign = if half >> 15 == 0 { 1.0 } else { -1.0_f64 };
            let exponent = i32::from(half >> 10 & 0x1f);
            let fraction = f64::from(half & 0x3ff) / 1024.0;
            let expected = match exponent {
                0 => sign * fraction * 2_f64.powi(-14),
                31 if fraction == 0.0 => sign * f64::INFINITY,
                31 => f64::NAN,
                _ => sign * (1.0 + fraction) * 2_f64.powi(exponent - 15),
            };
            let found = f64::from(half_to_f32(half));
            assert!(
                found == expected || (found.is_nan() && expected.is_nan()),
                "{half:#x}"
            );
        }
    }
}
