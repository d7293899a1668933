//! Networks for other programs: a description with its weights, in another program's own terms.
//!
//! | module | target |
//! |---|---|
//! | `pytorch` | a PyTorch module in readable Python, and its state dict |

mod pytorch;

use crate::run::Trained;
use crate::{Error, Result, file};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a network is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `PyTorch`: `network.py`, a `torch.nn.Module` with one line a layer, and
    /// `weights.safetensors`, its state dict.
    Pytorch,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Pytorch];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let target = Self::ALL.into_iter().find(|target| target.name() == name);
        target.ok_or_else(|| Error::Argument {
            argument: "target".into(),
            found: name.escape_debug().to_string(),
            expected: format!("one of {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Its name in the export's folder.
    pub name: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The files that hold `trained` for `target`. Equal networks give equal bytes.
///
/// # Errors
/// [`Error::Argument`] when the target cannot hold the network: a layer's name that is none there.
pub fn export(trained: &Trained, target: Target) -> Result<Vec<ExportFile>> {
    match target {
        Target::Pytorch => pytorch::files(trained),
    }
}

/// Writes `files` into `folder`, which is made where it is missing, and gives their paths. Each is
/// written whole or not at all.
///
/// # Errors
/// [`Error::Argument`] when one of them is already there and `overwrite` is false; nothing is
/// written then. [`Error::Io`].
pub fn write(folder: &Path, files: &[ExportFile], overwrite: bool) -> Result<Vec<PathBuf>> {
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(file.name)).collect();
    if let Some(path) = paths.iter().find(|path| path.exists() && !overwrite) {
        return Err(Error::Argument {
            argument: "folder".into(),
            found: format!("{}, which is already there", path.display()),
            expected: "another folder, or --overwrite".into(),
        });
    }
    file::create_folder(folder)?;
    for (path, file) in paths.iter().zip(files) {
        file::write_atomic(path, &file.bytes)?;
    }
    Ok(paths)
}
