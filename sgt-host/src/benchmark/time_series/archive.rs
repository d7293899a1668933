//! Maps as npz: written for other programs to score, and scored when others made them.

use super::Job;
use super::cell::Drawn;
use crate::Result;
use crate::file::{create_folder, data_error, files_below, parent};
use crate::metrics::known_truth::{KnownTruthScores, TrueMaps, score_maps};
use crate::npz::{self, Member};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What a map's array is called before the method's name.
const MAP: &str = "map_";
const ENDING: &str = "npz";
/// Folders below a folder that are looked into.
pub(super) const DEPTH: usize = 8;

/// Where a cell's archive lies below `folder`.
pub(super) fn path(folder: &Path, job: &Job<'_>) -> PathBuf {
    folder.join(job.path()).with_added_extension(ENDING)
}

/// Writes `x`, `y`, `truth`, `predicted` and a `map_METHOD` for every method; samples, truth and maps
/// as `[samples, channels, steps]`.
pub(super) fn write(path: &Path, drawn: &Drawn) -> Result<()> {
    create_folder(&parent(path))?;
    let samples = drawn.labels.len();
    let axes: Vec<usize> = std::iter::once(samples).chain(drawn.shape.dims()).collect();
    let mut members = vec![
        Member::floats("x", &axes, drawn.x.clone()),
        Member::labels("y", &[samples], &drawn.labels),
        Member::labels("predicted", &[samples], &drawn.predicted),
        Member::flags("truth", &axes, &drawn.truth),
    ];
    for (method, maps) in &drawn.maps {
        members.push(Member::floats(
            &format!("{MAP}{method}"),
            &axes,
            maps.clone(),
        ));
    }
    npz::write(path, &members)
}

/// The scores of one array of maps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScoredMaps {
    /// The archive.
    pub file: PathBuf,
    /// The method.
    pub method: String,
    /// Its scores.
    pub scores: KnownTruthScores,
}

/// Scores every array `map_METHOD` against the array `truth` beside it in every npz file of `folder`
/// and of the folders in it, in the order of names.
///
/// # Errors
/// [`crate::Error::Io`]; [`crate::Error::Data`] when there is no such file, no truth or no map in
/// one, or shapes differ; as [`score_maps`].
pub fn score(folder: &Path) -> Result<Vec<ScoredMaps>> {
    let mut files = files_below(folder, DEPTH)?;
    files.retain(|file| file.extension().is_some_and(|found| found == ENDING));
    if files.is_empty() {
        return Err(data_error(
            folder,
            "no npz file",
            "archives of truth and maps",
        ));
    }
    let mut scored = Vec::new();
    for file in files {
        let arrays = npz::read_all(&file)?;
        let truth = arrays.get("truth");
        let truth = truth.ok_or_else(|| data_error(&file, "no array truth", "one"))?;
        let flags: Vec<bool> = truth.values.iter().map(|&value| value != 0.0).collect();
        let cells: usize = truth.shape.iter().skip(1).product();
        let before = scored.len();
        for (name, map) in &arrays {
            let Some(method) = name.strip_prefix(MAP) else {
                continue;
            };
            if map.shape != truth.shape {
                let found = format!("{name} of shape {:?}", map.shape);
                let expected = format!("the truth's shape {:?}", truth.shape);
                return Err(data_error(&file, found, expected));
            }
            scored.push(ScoredMaps {
                file: file.clone(),
                method: method.into(),
                scores: score_maps(TrueMaps::new(&map.values, &flags, cells)?)?,
            });
        }
        if scored.len() == before {
            return Err(data_error(&file, "no array map_METHOD", "one or more"));
        }
    }
    Ok(scored)
}
