//! Members of zip and tar.gz archives, whole, nested and hostile.

mod archives;

use archives::{Method, tar, zip};
use proptest::prelude::*;
use sgt_host::data::archive::unpack;
use sgt_host::file::gzip;
use std::path::Path;

fn members(bytes: &[u8], names: &[&str]) -> sgt_host::Result<Vec<Vec<u8>>> {
    unpack(Path::new("a.zip"), bytes, names)
}

fn refusal(bytes: &[u8]) -> String {
    let error = members(bytes, &["a.txt"]).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error:?}");
    error.strip_prefix("a.zip: found ").unwrap().to_string()
}

#[test]
fn members_come_in_the_order_asked_for() {
    let long = b"abc".repeat(10_000);
    let files: [(&str, &[u8]); 4] = [
        ("top/a.txt", b"first"),
        ("top/b/a.txt", &long),
        ("xa.txt", b"other"),
        ("c.txt", b""),
    ];
    for bytes in [
        zip(&files, Method::Stored),
        zip(&files, Method::Deflated),
        gzip(&tar(&files)),
        tar(&files),
    ] {
        let found = members(&bytes, &["c.txt", "b/a.txt", "a.txt"]).unwrap();
        assert_eq!(found, [b"".to_vec(), long.clone(), b"first".to_vec()]);
    }
}

#[test]
fn an_archive_in_an_archive_is_opened_once() {
    let inner = zip(&[("UCI HAR Dataset/a.txt", b"deep")], Method::Deflated);
    let outer = zip(
        &[("names", b"n"), ("UCI HAR Dataset.zip", &inner)],
        Method::Stored,
    );
    assert_eq!(members(&outer, &["a.txt"]).unwrap(), [b"deep"]);
    let third = zip(&[("outer.zip", &outer)], Method::Stored);
    assert_eq!(
        refusal(&third),
        "no a.txt in it, expected an archive that has it"
    );
}

#[test]
fn what_is_missing_or_damaged_is_refused_in_one_line() {
    let files: [(&str, &[u8]); 1] = [("a.txt", b"some content of a file")];
    let other: [(&str, &[u8]); 1] = [("b.txt", b"x")];
    for bytes in [zip(&other, Method::Stored), gzip(&tar(&other))] {
        assert_eq!(
            refusal(&bytes),
            "no a.txt in it, expected an archive that has it"
        );
    }
    let whole = zip(&files, Method::Deflated);
    for cut in [4, 30, whole.len() / 2, whole.len() - 1] {
        let error = refusal(&whole[..cut]);
        assert!(error.starts_with("a damaged zip archive"), "{error}");
    }
    let stored = zip(&files, Method::Stored);
    let mut damaged = stored.clone();
    damaged[40] ^= 1;
    assert_eq!(
        refusal(&damaged),
        r#""a.txt" damaged, expected stored or deflated files"#
    );
    // Bit 0 of the flags, then the method, in the central directory.
    let directory = stored.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let changed = |offset: usize, value: u8| {
        let mut bytes = stored.clone();
        bytes[directory + offset] = value;
        refusal(&bytes)
    };
    assert!(changed(8, 1).starts_with(r#""a.txt" encrypted"#));
    assert!(changed(10, 14).starts_with(r#""a.txt" compressed by another method"#));
    assert!(changed(44, 0x7f).starts_with(r#""a.txt" cut off"#));
    // A declared size of 2 GiB is not allocated.
    assert!(changed(27, 0x7f).starts_with(r#""a.txt" damaged"#));

    let tar = tar(&files);
    assert!(refusal(&gzip(&tar[..520])).starts_with("a tar archive cut off"));
    let mut damaged = tar.clone();
    damaged[0] ^= 1;
    assert!(refusal(&damaged).starts_with("a damaged tar archive"));
    assert!(refusal(b"").starts_with("no zip or tar archive"));
    assert!(refusal(b"<html>").starts_with("no zip or tar archive"));
    let compressed = gzip(&tar);
    assert!(refusal(&compressed[..compressed.len() - 9]).starts_with("gzip data cut off"));
}

proptest! {
    #[test]
    fn no_change_of_an_archive_makes_the_reader_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let files: [(&str, &[u8]); 2] = [("a.txt", b"some content"), ("b.zip", b"PK\x03\x04")];
        for mut bytes in [zip(&files, Method::Deflated), tar(&files)] {
            for (place, byte) in &flips {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            let cut = cut.index(bytes.len());
            for bytes in [&bytes[..], &bytes[..cut]] {
                if let Err(error) = members(bytes, &["a.txt", "b.txt"]) {
                    prop_assert!(!error.to_string().contains('\n'));
                }
            }
        }
    }
}
