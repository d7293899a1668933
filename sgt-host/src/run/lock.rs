//! One writer a folder.

use crate::file::io_error;
use crate::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// The name of the file that is locked. It stays; the lock on it is the system's, and ends with the
/// process that holds it, however that ends.
const NAME: &str = ".lock";

/// The lock of a folder, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, not read")] File);

impl Lock {
    /// Takes the lock of `folder`, which exists.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = file.map_err(|source| io_error(&path, "write", source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::Argument {
                argument: "--out".into(),
                found: format!("{}, which another sgt is writing to", folder.display()),
                expected: "one writer a folder: wait for it, or take another folder".into(),
            }),
            // Some network file systems have no locks; a run there is worth more than none.
            Err(TryLockError::Error(source))
                if source.kind() == std::io::ErrorKind::Unsupported =>
            {
                Ok(Self(file))
            }
            Err(TryLockError::Error(source)) => Err(io_error(&path, "lock", source)),
        }
    }
}
