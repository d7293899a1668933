//! Reads golden files: safetensors with `f32` values and `i64` labels.
#![allow(dead_code, reason = "each test program uses its own part")]

use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Names more golden files than the small ones of this repository.
pub(crate) const FOLDER_VARIABLE: &str = "SGT_GOLDEN";

/// Tensors by name: shape and values.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The weights and cases of `model`; `None`, with a line that says so, where they are not at hand.
pub(crate) fn golden(model: &str) -> Option<(Tensors, Tensors)> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = [
        Some(own),
        std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from),
    ];
    let file = |folder: &Path, kind: &str| folder.join(format!("{model}.{kind}.safetensors"));
    let folder = folders
        .into_iter()
        .flatten()
        .find(|folder| file(folder, "weights").exists());
    let Some(folder) = folder else {
        println!("skipped {model}: {FOLDER_VARIABLE} does not name a folder that holds it");
        return None;
    };
    Some((
        read(&file(&folder, "weights")),
        read(&file(&folder, "cases")),
    ))
}

/// The tensors of a safetensors file.
pub(crate) fn read(path: &Path) -> Tensors {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |view: safetensors::tensor::TensorView<'_>| {
        if view.dtype() == Dtype::I64 {
            let (values, _) = view.data().as_chunks::<8>();
            let integers = values.iter().map(|&bytes| i64::from_le_bytes(bytes));
            return integers.map(|integer| integer as f32).collect();
        }
        let (values, _) = view.data().as_chunks::<4>();
        values
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect()
    };
    let tensors = file.tensors().into_iter();
    tensors
        .map(|(name, view)| (name, (view.shape().to_vec(), tensor(view))))
        .collect()
}
