//! Learning curves as event files, which `TensorBoard` draws while a run goes on.
//!
//! A file is a sequence of records: a length (8 bytes), its checksum, that many bytes of a protocol
//! buffer, their checksum; all little-endian, checksums CRC-32C in the masked form of `TFRecord`. The
//! first record holds the version, each later one the scalars of an epoch.

use crate::Result;
use crate::file::{create_folder, io_error};
use crate::protobuf::Message;
use crate::train::EpochRow;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the first record says.
const VERSION: &str = "brain.Event:2";
/// Added to a checksum that is turned by 15 bits, so that the checksum of a record that holds
/// checksums is not one of its own.
const MASK: u32 = 0xa282_ead8;

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in `folder`, which is created. `TensorBoard` shows the files of one folder as one
    /// curve, so a run that goes on may have several.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn create(folder: &Path) -> Result<Self> {
        create_folder(folder)?;
        let seconds = now();
        // Names of one second, of one process or of several, differ in their number.
        for number in 0_u32.. {
            let process = std::process::id();
            let name = format!(
                "events.out.tfevents.{:010}.sgt.{process}.{number}",
                seconds as u64
            );
            let path = folder.join(name);
            match File::create_new(&path) {
                Ok(file) => {
                    let mut events = Self { path, file };
                    events.append(&version(seconds))?;
                    return Ok(events);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error(&path, "create", error)),
            }
        }
        unreachable!("a folder does not hold 2³² files of one process and second")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the scalars of an epoch, whole.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write(&mut self, row: &EpochRow) -> Result<()> {
        self.append(&epoch(now(), row))
    }

    fn append(&mut self, event: &[u8]) -> Result<()> {
        let written = self.file.write_all(&record(event));
        written.map_err(|error| io_error(&self.path, "write", error))
    }
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn record(event: &[u8]) -> Vec<u8> {
    let length = (event.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(event);
    bytes.extend(masked(event).to_le_bytes());
    bytes
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

/// Field numbers of the messages `Event`, `Summary` and `Summary.Value`.
mod field {
    pub(super) const WALL_TIME: u8 = 1;
    pub(super) const STEP: u8 = 2;
    pub(super) const FILE_VERSION: u8 = 3;
    pub(super) const SUMMARY: u8 = 5;
    pub(super) const VALUE: u8 = 1;
    pub(super) const TAG: u8 = 1;
    pub(super) const SIMPLE_VALUE: u8 = 2;
}

fn wall_time(seconds: f64) -> Message {
    let mut event = Message::new();
    event.double(field::WALL_TIME, seconds);
    event
}

fn version(seconds: f64) -> Vec<u8> {
    let mut event = wall_time(seconds);
    event.text(field::FILE_VERSION, VERSION);
    event.into_bytes()
}

fn epoch(seconds: f64, row: &EpochRow) -> Vec<u8> {
    let EpochRow {
        epoch,
        loss,
        clean_loss,
        adversarial_loss,
        divergence,
        accuracy,
        masked,
        lambda,
        validation_loss,
        validation_accuracy,
    } = *row;
    let scalars = [
        ("training/loss", Some(loss)),
        ("training/clean loss", Some(clean_loss)),
        ("training/adversarial loss", Some(adversarial_loss)),
        ("training/divergence", Some(divergence)),
        ("training/accuracy", Some(accuracy)),
        ("masking/share", Some(masked)),
        ("masking/lambda", Some(lambda)),
        ("validation/loss", validation_loss),
        ("validation/accuracy", validation_accuracy),
    ];
    let mut summary = Message::new();
    for (tag, scalar) in scalars {
        let Some(scalar) = scalar else { continue };
        let mut value = Message::new();
        value.text(field::TAG, tag);
        value.float(field::SIMPLE_VALUE, scalar);
        summary.message(field::VALUE, &value);
    }
    let mut event = wall_time(seconds);
    event.int(field::STEP, i64::try_from(epoch).unwrap_or(i64::MAX));
    event.message(field::SUMMARY, &summary);
    event.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_masked_as_tfrecord_has_them() {
        // CRC-32C of "123456789" is 0xe3069283; turned by 15 bits and masked.
        assert_eq!(masked(b"123456789"), 0x2507_c60d_u32.wrapping_add(MASK));
    }

    #[test]
    fn records_are_framed_by_length_and_checksums() {
        let framed = record(b"abc");
        assert_eq!(framed.len(), 8 + 4 + 3 + 4);
        assert_eq!(framed[..8], 3_u64.to_le_bytes());
        assert_eq!(framed[8..12], masked(&3_u64.to_le_bytes()).to_le_bytes());
        assert_eq!(framed[15..], masked(b"abc").to_le_bytes());
    }

    #[test]
    fn an_epoch_is_the_bytes_that_a_hand_writes() {
        let row = EpochRow {
            epoch: 300,
            loss: 1.0,
            clean_loss: 0.0,
            adversarial_loss: 0.0,
            divergence: 0.0,
            accuracy: 0.5,
            masked: 0.0,
            lambda: 0.0,
            validation_loss: None,
            validation_accuracy: None,
        };
        let event = epoch(0.0, &row);
        // Wall time 0, step 300, a summary whose first value is the loss.
        assert_eq!(event[..9], [0x09, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(event[9..12], [0x10, 0xac, 0x02]);
        assert_eq!(event[12], 0x2a);
        let first = b"\x0a\x14\x0a\x0dtraining/loss\x15\x00\x00\x80\x3f";
        let place = event
            .windows(first.len())
            .position(|window| window == first);
        assert!(place.is_some());
        let tags = event.windows(9).filter(|window| window == b"training/");
        assert_eq!(tags.count(), 5);
    }
}
