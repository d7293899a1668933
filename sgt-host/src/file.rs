//! Files: read whole, gunzipped where they are gzip, written whole or not at all.

use crate::{Error, Result, limits};
use flate2::read::MultiGzDecoder;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Symbolic links that may lead from one to the next, as Linux has it.
const MAX_LINKS: usize = 40;

/// The content of a file or pipe, as it comes.
///
/// # Errors
/// [`Error::Io`] with the path; [`Error::Data`] for a device, and beyond [`limits::memory`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let refused = |source| io_error(path, "read", source);
    let limit = limits::memory();
    let found = std::fs::metadata(path).map_err(refused)?;
    if is_device(&found) {
        return Err(data_error(path, "a device", "a file or a pipe"));
    }
    let mut content = Vec::new();
    if found.len() <= limit {
        let file = File::open(path).map_err(refused)?;
        let read = file.take(limit + 1).read_to_end(&mut content);
        read.map_err(refused)?;
    }
    if found.len().max(content.len() as u64) > limit {
        let found = format!("more than {limit} bytes");
        return Err(data_error(path, found, limits::expected(limit)));
    }
    Ok(content)
}

#[cfg(unix)]
fn is_device(found: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    found.file_type().is_char_device() || found.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: &Metadata) -> bool {
    false
}

/// The content of a file, decompressed when it is gzip.
///
/// # Errors
/// As [`read`] and [`gunzip`].
pub fn read_decompressed(path: &Path) -> Result<Vec<u8>> {
    gunzip(path, read(path)?)
}

/// `bytes` decompressed when they are gzip, and as they are otherwise.
///
/// Gzip is told by its magic number; a name that ends in `.gz` makes it compulsory. `path` is
/// only named in errors.
///
/// # Errors
/// [`Error::Data`] when the stream is empty, cut or damaged, when `path` says gzip and the bytes
/// do not, or when more than [`limits::memory`] comes out.
pub fn gunzip(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.starts_with(&GZIP_MAGIC) {
        return inflate(path, &bytes, limits::memory());
    }
    if path.extension().is_some_and(|extension| extension == "gz") {
        let found = if bytes.is_empty() {
            "an empty file".into()
        } else {
            format!("a file that begins with {}", excerpt(&bytes))
        };
        return Err(data_error(path, found, "gzip data"));
    }
    Ok(bytes)
}

fn inflate(path: &Path, bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|reason| {
            let found = if reason.kind() == std::io::ErrorKind::UnexpectedEof {
                format!("gzip data cut off after {} bytes", bytes.len())
            } else {
                format!("damaged gzip data ({})", one_line(&reason))
            };
            data_error(path, found, "a whole gzip file")
        })?;
    if content.len() as u64 > limit {
        return Err(data_error(
            path,
            format!("more than {limit} bytes after decompression"),
            limits::expected(limit),
        ));
    }
    Ok(content)
}

/// `bytes` as a gzip stream without name or time, so that equal content gives equal bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
}

/// Writes `bytes` to `path` whole or not at all: to a temporary file beside it, flushed to the
/// disk, then renamed over it. On an error the old file, if any, is untouched.
///
/// A symbolic link is followed, a file's permissions are kept, and what is no file (a pipe, a
/// device) is written through.
///
/// # Errors
/// [`Error::Io`] with the path, when the folder is missing or not writable or the disk is full.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let refused = |source| io_error(path, "write", source);
    let target = followed(path);
    let existing = std::fs::metadata(&target).ok();
    if existing.as_ref().is_some_and(is_stream) {
        let stream = OpenOptions::new().write(true).open(&target);
        return stream
            .and_then(|mut stream| stream.write_all(bytes).and_then(|()| stream.flush()))
            .map_err(refused);
    }
    let folder = parent(&target);
    let mut temporary = temporary(existing.as_ref())
        .tempfile_in(&folder)
        .map_err(refused)?;
    temporary
        .write_all(bytes)
        .and_then(|()| match &existing {
            // Not only at its birth: the umask may have taken something away.
            Some(file) if file.is_file() => temporary.as_file().set_permissions(file.permissions()),
            _ => Ok(()),
        })
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(refused)?;
    temporary
        .persist(&target)
        .map_err(|error| io_error(path, "rename", error.error))?;
    sync_folder(&folder);
    Ok(())
}

/// How the temporary file is made that takes the place of `existing`.
fn temporary(existing: Option<&Metadata>) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    #[cfg(unix)]
    {
        // A temporary file is private by default; what replaces the target is an ordinary file.
        use std::os::unix::fs::PermissionsExt;
        let mode = match existing {
            Some(file) if file.is_file() => file.permissions().mode(),
            _ => 0o666,
        };
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    builder
}

/// Neither a file nor a folder.
fn is_stream(found: &Metadata) -> bool {
    !found.is_file() && !found.is_dir()
}

/// Where symbolic links lead, to a file or to the place of one.
fn followed(path: &Path) -> PathBuf {
    let mut target = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&target) {
            // An absolute link replaces the whole path.
            Ok(link) => target = parent(&target).join(link),
            Err(_) => break,
        }
    }
    target
}

/// Refuses to replace a file that exists, unless `overwrite` is given. `argument` named `path`.
/// Pipes and devices are written through, nothing of them is lost.
///
/// # Errors
/// [`Error::Argument`].
pub fn check_free(argument: &str, path: &Path, overwrite: bool) -> Result<()> {
    let taken = std::fs::metadata(path).is_ok_and(|found| !is_stream(&found));
    if overwrite || !taken {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: format!("{}, which exists", path.display()),
        expected: "a new name, or --overwrite".into(),
    })
}

/// The sha256 of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hexadecimal(&sha2::Sha256::digest(bytes))
}

/// `bytes` in lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Creates a folder and those above it.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|source| io_error(path, "create folder", source))
}

/// Removes a file, if it is there.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error(path, "remove", source))
        }
        _ => Ok(()),
    }
}

/// The files in a folder and, `depth` deep, in those below, sorted by their paths. Hidden ones are
/// passed over.
///
/// # Errors
/// [`Error::Io`].
pub(crate) fn files_below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let refused = |source| io_error(folder, "list", source);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with('.') {
            entries.push(path);
        }
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            if depth > 1 {
                files.extend(files_below(&entry, depth - 1)?);
            }
        } else {
            files.push(entry);
        }
    }
    Ok(files)
}

/// The folder that holds `path`.
pub(crate) fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes a rename in `folder` outlive a power cut where the system can; a system that cannot
/// sync a folder still has the file itself on the disk.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

pub(crate) fn io_error(path: &Path, action: &'static str, source: std::io::Error) -> Error {
    Error::Io {
        path: path.to_path_buf(),
        action,
        source,
    }
}

pub(crate) fn data_error(
    path: &Path,
    found: impl Into<String>,
    expected: impl Into<String>,
) -> Error {
    Error::Data {
        path: path.to_path_buf(),
        found: found.into(),
        expected: expected.into(),
    }
}

/// The start of foreign content, quoted and escaped so that it fits into a one-line error.
pub(crate) fn excerpt(content: impl AsRef<[u8]>) -> String {
    const SHOWN: usize = 32;
    let content = content.as_ref();
    let shown = &content[..content.len().min(SHOWN)];
    let more = if content.len() > SHOWN { "…" } else { "" };
    format!("\"{}\"{more}", shown.escape_ascii())
}

/// A foreign error's message, without what would break a one-line error.
pub(crate) fn one_line(message: &impl std::fmt::Display) -> String {
    const SHOWN: usize = 160;
    let message = message.to_string();
    let words = message
        .split(|c: char| c.is_control())
        .filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gzip_stream_stops_at_the_limit() {
        let bytes = gzip(&vec![0; 100_000]);
        let path = Path::new("zeros.gz");
        assert_eq!(inflate(path, &bytes, 100_000).unwrap().len(), 100_000);
        let error = inflate(path, &bytes, 99_999).unwrap_err().to_string();
        assert_eq!(
            error,
            "zeros.gz: found more than 99999 bytes after decompression, expected at most \
             99999 bytes in memory (--memory-limit raises it)"
        );
    }

    #[test]
    fn foreign_content_stays_on_one_line() {
        assert_eq!(excerpt(b"a\nb\xff"), r#""a\nb\xff""#);
        assert_eq!(excerpt("x".repeat(40)), format!("\"{}\"…", "x".repeat(32)));
    }
}
