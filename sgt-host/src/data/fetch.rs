//! Downloads of data sets from their original sites, resumed where they were cut.

use super::archive;
use super::catalog::{self, Content, Download, Entry, Origin};
use super::load::{LoadOptions, load};
use crate::file::{
    create_folder, data_error, gunzip, io_error, one_line, parent, read, sha256, sync_folder,
    write_atomic,
};
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A cut download is taken up again so many times before it is given up until the next fetch.
const RETRIES: usize = 3;
/// No answer or no byte for so long counts as a cut.
const PATIENCE: Duration = Duration::from_mins(1);
/// No download may be larger.
const MAX_DOWNLOAD: u64 = 1 << 30;
const CHUNK: usize = 1 << 16;

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchProgress<'a> {
    /// Its address.
    pub url: &'a str,
    /// Bytes on the disk, those of earlier attempts included.
    pub received: u64,
    /// All bytes, if the site says.
    pub total: Option<u64>,
}

/// Gets the data set `name` from its original site into the data directory `to` and returns the
/// files it wrote; none when all were there before.
///
/// `mirror`, an address without the file's name, takes the place of the original site.
///
/// Downloads go to a hidden folder inside `to`, where the next fetch resumes them by HTTP range.
/// What is pinned is compared by its sha256; everything is then read and its cases, channels and
/// classes are counted; only then are the files moved to their names.
///
/// # Errors
/// [`Error::Argument`] for a name without download, [`Error::Io`] when the site or the disk
/// refuses, [`Error::Data`] when the site answers with something else; in that case nothing of
/// it is kept.
pub fn fetch(
    name: &str,
    to: &Path,
    mirror: Option<&str>,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<Vec<PathBuf>> {
    let entry = catalog::entry(name)?;
    let refused = |found: &str| Error::Argument {
        argument: "data".into(),
        found: format!("{name}, {found}"),
        expected: "the name of a data set that can be downloaded".into(),
    };
    let downloads = match entry.origin {
        Origin::Downloads(downloads) => downloads,
        Origin::Embedded => return Err(refused("which is part of this program")),
        Origin::Manual(how) => return Err(refused(how)),
    };
    let files: Vec<PathBuf> = downloads.iter().flat_map(targets).collect();
    if files.iter().all(|file| to.join(file).is_file()) {
        return Ok(Vec::new());
    }
    let staging = to.join(format!(".fetch-{name}"));
    let unpacked = staging.join("unpacked");
    create_folder(&unpacked)?;
    for download in downloads {
        let url = match mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), last(download.url)),
            None => download.url.to_string(),
        };
        let file = staging.join(last(download.url));
        // What bears its name was checked by the fetch that gave it that name.
        if !file.is_file() {
            self::download(&url, &file, download.sha256, progress)?;
        }
        if let Err(error) = unpack(download, &file, &unpacked) {
            remove_all(&staging)?;
            return Err(error);
        }
    }
    if let Err(error) = check(entry, &unpacked) {
        remove_all(&staging)?;
        return Err(error);
    }
    let mut written = Vec::with_capacity(files.len());
    for file in files {
        let target = to.join(&file);
        create_folder(&parent(&target))?;
        let source = unpacked.join(&file);
        std::fs::rename(&source, &target).map_err(|error| io_error(&target, "rename", error))?;
        sync_folder(&parent(&target));
        written.push(target);
    }
    remove_all(&staging)?;
    Ok(written)
}

/// Downloads `url` to the file `target`, resuming what an earlier attempt left in
/// `target.part`.
///
/// `pin` is the sha256 of the content behind any gzip.
///
/// # Errors
/// [`Error::Io`] when the connection or the disk fails; the part is kept for the next attempt.
/// [`Error::Data`] when the site answers that it has no such file, and when the sha256 is
/// another; the part is removed then.
pub fn download(
    url: &str,
    target: &Path,
    pin: Option<&str>,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<()> {
    let part = with_ending(target, "part");
    let mut retries = 0;
    while let Outcome::Cut(error) = receive(url, &part, progress)? {
        if retries == RETRIES {
            return Err(error);
        }
        retries += 1;
    }
    if let Some(pin) = pin {
        let content = read(&part).and_then(|bytes| gunzip(Path::new(url), bytes));
        let found = match content {
            Ok(content) => sha256(&content),
            Err(error) => one_line(&error),
        };
        if found != pin {
            remove(&part)?;
            return Err(data_error(
                Path::new(url),
                format!("content of sha256 {found}"),
                pin,
            ));
        }
    }
    std::fs::rename(&part, target).map_err(|error| io_error(target, "rename", error))?;
    sync_folder(&parent(target));
    Ok(())
}

enum Outcome {
    Whole,
    /// The connection failed; another attempt may go on from what was received.
    Cut(Error),
}

/// One request that appends to `part`.
fn receive(url: &str, part: &Path, progress: &mut dyn FnMut(FetchProgress)) -> Result<Outcome> {
    let held = std::fs::metadata(part).map_or(0, |metadata| metadata.len());
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        // Ranges count the bytes of the file itself, not of a compressed transfer.
        .accept_encoding("identity")
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build()
        .into();
    let mut request = agent.get(url);
    if held > 0 {
        request = request.header("Range", format!("bytes={held}-"));
    }
    let failed = |error: &dyn std::error::Error| {
        let source = std::io::Error::other(one_line(&error));
        io_error(Path::new(url), "download", source)
    };
    let response = match request.call() {
        Ok(response) => response,
        Err(error @ ureq::Error::BadUri(_)) => return Err(failed(&error)),
        Err(error) => return Ok(Outcome::Cut(failed(&error))),
    };
    let status = response.status().as_u16();
    let range = response
        .headers()
        .get("Content-Range")
        .and_then(|value| ContentRange::parse(value.to_str().ok()?));
    let start = match (status, range) {
        (200, _) => 0,
        (206, Some(range)) if range.start == Some(held) => held,
        (416, Some(range)) if range.total == Some(held) => return Ok(Outcome::Whole),
        (206 | 416, _) if held > 0 => {
            // The part is of another file than the one the site has now.
            remove(part)?;
            return receive(url, part, progress);
        }
        _ => {
            return Err(data_error(
                Path::new(url),
                format!("HTTP status {status}"),
                "the file",
            ));
        }
    };
    let body = response.into_body();
    let total = body.content_length().map(|length| start + length);
    let mut file = open_part(part, start > 0)?;
    let mut reader = body.into_reader();
    let mut chunk = vec![0; CHUNK];
    let mut received = start;
    loop {
        progress(FetchProgress {
            url,
            received,
            total,
        });
        let count = match reader.read(&mut chunk) {
            Ok(count) => count,
            Err(error) => return Ok(Outcome::Cut(failed(&error))),
        };
        if count == 0 {
            break;
        }
        received += count as u64;
        if received > MAX_DOWNLOAD {
            drop(file);
            remove(part)?;
            let found = format!("more than {MAX_DOWNLOAD} bytes");
            return Err(data_error(Path::new(url), found, "the file"));
        }
        file.write_all(&chunk[..count])
            .map_err(|error| io_error(part, "write", error))?;
    }
    file.sync_all()
        .map_err(|error| io_error(part, "write", error))?;
    Ok(Outcome::Whole)
}

fn open_part(part: &Path, append: bool) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if append {
        options.append(true);
    } else {
        options.truncate(true);
    }
    options
        .open(part)
        .map_err(|error| io_error(part, "write", error))
}

/// `bytes START-END/TOTAL` or `bytes */TOTAL`.
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
        let start = range
            .split_once('-')
            .and_then(|(start, _)| start.parse().ok());
        Some(Self {
            start,
            total: total.parse().ok(),
        })
    }
}

/// The paths in the data directory of what is kept of a download.
fn targets(download: &Download) -> Vec<PathBuf> {
    match download.content {
        Content::File(path) => vec![path.into()],
        Content::Archive { folder, members } => members
            .iter()
            .map(|member| Path::new(folder).join(member))
            .collect(),
    }
}

/// Writes what is kept of the download in `file` under the folder `to`.
fn unpack(download: &Download, file: &Path, to: &Path) -> Result<()> {
    let contents = match download.content {
        Content::File(_) => vec![read(file)?],
        Content::Archive { members, .. } => archive::unpack(file, &read(file)?, members)?,
    };
    for (target, content) in targets(download).iter().zip(contents) {
        let target = to.join(target);
        create_folder(&parent(&target))?;
        write_atomic(&target, &content)?;
    }
    Ok(())
}

/// Reads the data set in `folder` and counts it.
fn check(entry: &Entry, folder: &Path) -> Result<()> {
    let options = LoadOptions {
        data_dir: Some(folder.to_path_buf()),
        ..LoadOptions::default()
    };
    let data = load(entry.name, &options)?;
    let cases = [data.train.len(), data.test.len()];
    let channels = data.train.shape().channels();
    let classes = data.train.classes().len();
    let expected = match entry.shape {
        catalog::CaseShape::Image { channels, .. }
        | catalog::CaseShape::Series { channels, .. } => channels,
    };
    if (cases, channels, classes) == (entry.cases, expected, entry.classes) {
        return Ok(());
    }
    let numbers = |cases: [usize; 2], channels: usize, classes: usize| {
        let [train, test] = cases;
        format!("{train} + {test} cases of {channels} channels in {classes} classes")
    };
    Err(data_error(
        folder,
        numbers(cases, channels, classes),
        numbers(entry.cases, expected, entry.classes),
    ))
}

fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

fn remove(file: &Path) -> Result<()> {
    std::fs::remove_file(file).map_err(|error| io_error(file, "remove", error))
}

fn remove_all(folder: &Path) -> Result<()> {
    std::fs::remove_dir_all(folder).map_err(|error| io_error(folder, "remove", error))
}
