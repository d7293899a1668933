//! Every form of a comparison as files in one folder.

use super::{map, markdown, page, robustness_charts, table};
use crate::compare::{Comparison, SampleMaps};
use crate::{Result, file};
use std::path::{Path, PathBuf};

/// Refuses a folder that holds a report, or files by the names of one's.
///
/// # Errors
/// [`crate::Error::Argument`].
pub fn check_free(folder: &Path) -> Result<()> {
    match own_files(folder).next() {
        Some(path) => file::check_free("--out", &path, false),
        None => Ok(()),
    }
}

/// Removes the report that a folder holds, before what it reports is replaced.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn clear(folder: &Path) -> Result<()> {
    for path in own_files(folder) {
        file::remove(&path)?;
    }
    Ok(())
}

/// What in `folder` has the name of a report's file.
fn own_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let is_own = |name: &str| match name.split_once('-') {
        Some(("robustness" | "saliency", rest)) => rest.strip_suffix(".svg").is_some(),
        _ => matches!(
            name,
            "index.html"
                | "results.md"
                | "results.csv"
                | "results.json"
                | "differences.csv"
                | "classes.csv"
        ),
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = move |entry: &std::fs::DirEntry| entry.file_name().to_str().is_some_and(is_own);
    entries.filter(named).map(|entry| entry.path())
}

/// Writes page, tables and pictures into `folder` and returns their paths.
///
/// ```text
/// index.html                the page
/// results.md, .csv, .json   the tables; JSON has everything, every run's curves too
/// differences.csv           any two regimes, with intervals and p-values
/// classes.csv               precision, recall, F1 and support of every class
/// robustness-ATTACK.svg     accuracy over ε
/// saliency-METHOD.svg       the samples' maps
/// ```
///
/// # Errors
/// As [`page`] and [`file::write_atomic`].
pub fn write(
    folder: &Path,
    comparison: &Comparison,
    samples: &[SampleMaps],
) -> Result<Vec<PathBuf>> {
    let json = serde_json::to_vec_pretty(comparison).map_err(|reason| {
        file::data_error(folder, reason.to_string(), "values that JSON can hold")
    })?;
    let mut files = vec![
        (
            "index.html".to_string(),
            page(comparison, samples)?.into_bytes(),
        ),
        ("results.md".to_string(), markdown(comparison).into_bytes()),
        ("results.csv".to_string(), table::csv(comparison)?),
        ("results.json".to_string(), json),
        (
            "differences.csv".to_string(),
            table::differences_csv(comparison)?,
        ),
        ("classes.csv".to_string(), table::classes_csv(comparison)?),
    ];
    let attacks = comparison.evaluation.attacks.iter();
    for (attack, chart) in attacks.zip(robustness_charts(comparison)) {
        let name = format!("robustness-{}.svg", attack.kind.name());
        files.push((name, chart.standalone().into_bytes()));
    }
    for method in &comparison.evaluation.methods {
        let name = method.name();
        let maps = samples.iter().flat_map(|sample| &sample.maps);
        if maps.into_iter().any(|map| map.method == name) {
            let panel = map::panel(samples, name)?;
            files.push((format!("saliency-{name}.svg"), panel.into_bytes()));
        }
    }
    file::create_folder(folder)?;
    let write = |(name, bytes): (String, Vec<u8>)| {
        let path = folder.join(name);
        file::write_atomic(&path, &bytes)?;
        Ok(path)
    };
    files.into_iter().map(write).collect()
}
