//! Networks for other programs: a description with its weights, in another program's own terms.
//!
//! | module | target |
//! |---|---|
//! | `pytorch` | a PyTorch module in readable Python, and its state dict |
//! | `onnx` | an ONNX model, which most runtimes read |
//! | `firmware` | a crate or a C library for microcontrollers, which runs on `sgt-core` |

mod firmware;
mod onnx;
mod pytorch;

pub use firmware::Calibration;

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
    /// ONNX: `network.onnx`, with standardisation inside.
    Onnx,
    /// Microcontrollers, in Rust: a `no_std` crate with the weights in flash.
    FirmwareRust,
    /// Microcontrollers, in C: a library for Arduino and `PlatformIO`.
    FirmwareC,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Pytorch,
        Self::Onnx,
        Self::FirmwareRust,
        Self::FirmwareC,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
            Self::Onnx => "onnx",
            Self::FirmwareRust => "firmware-rust",
            Self::FirmwareC => "firmware-c",
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
    /// Its path in the export's folder, with `/` between the parts.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What firmware is told beside its network.
#[derive(Clone, Debug, Default)]
pub struct FirmwareOptions<'d> {
    /// Where the export's manifest finds the crate `sgt-core`: a path. A copy is taken along when
    /// nothing is said, so that the folder builds by itself.
    pub core: Option<String>,
    /// Adds inference in 8-bit integers, calibrated on these data.
    pub quantize: Option<Calibration<'d>>,
}

/// The files that hold `trained` for `target`. Equal networks give equal bytes.
///
/// # Errors
/// [`Error::Argument`] when the target cannot hold the network: a layer's name that is none there, a
/// layer that the core does not have.
pub fn export(trained: &Trained, target: Target) -> Result<Vec<ExportFile>> {
    export_with(trained, target, &FirmwareOptions::default())
}

/// [`export`] with options, which only firmware has.
///
/// # Errors
/// As [`export`].
pub fn export_with(
    trained: &Trained,
    target: Target,
    firmware: &FirmwareOptions<'_>,
) -> Result<Vec<ExportFile>> {
    match target {
        Target::Pytorch => pytorch::files(trained),
        Target::Onnx => onnx::files(trained),
        Target::FirmwareRust => firmware::rust_files(trained, firmware),
        Target::FirmwareC => firmware::c_files(trained, firmware),
    }
}

/// Writes `files` into `folder`, which is made where it is missing, and gives their paths. Each is
/// written whole or not at all.
///
/// # Errors
/// [`Error::Argument`] when one of them is already there and `overwrite` is false; nothing is
/// written then. [`Error::Io`].
pub fn write(folder: &Path, files: &[ExportFile], overwrite: bool) -> Result<Vec<PathBuf>> {
    let paths: Vec<PathBuf> = files.iter().map(|file| folder.join(&file.name)).collect();
    if let Some(path) = paths.iter().find(|path| path.exists() && !overwrite) {
        return Err(Error::Argument {
            argument: "folder".into(),
            found: format!("{}, which is already there", path.display()),
            expected: "another folder, or --overwrite".into(),
        });
    }
    file::create_folder(folder)?;
    for (path, file) in paths.iter().zip(files) {
        if let Some(inner) = path.parent() {
            file::create_folder(inner)?;
        }
        file::write_atomic(path, &file.bytes)?;
    }
    Ok(paths)
}
