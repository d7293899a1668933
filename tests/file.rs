//! Files are written whole or not at all.

use sgt_host::file::{create_folder, gzip, read, read_decompressed, sha256, write_atomic};

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_write_replaces_the_file_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    for content in ["first", "second, longer", ""] {
        write_atomic(&path, content.as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), content.as_bytes());
    }
    assert_eq!(names(folder.path()), ["a.txt"]);
}

#[test]
fn a_failed_write_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    create_folder(&taken.join("inside")).unwrap();
    let error = write_atomic(&taken, b"x").unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: rename: ", taken.display())),
        "{error}"
    );
    assert_eq!(names(folder.path()), ["taken"]);
    assert_eq!(names(&taken), ["inside"]);

    let nowhere = folder.path().join("no/a.txt");
    let error = write_atomic(&nowhere, b"x").unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: write: ", nowhere.display())),
        "{error}"
    );
    let file = folder.path().join("file");
    write_atomic(&file, b"x").unwrap();
    let error = create_folder(&file.join("a")).unwrap_err().to_string();
    assert!(error.contains("create folder"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_written_file_is_as_readable_as_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
    write_atomic(&ours, b"x").unwrap();
    std::fs::write(&other, b"x").unwrap();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&other));
}

#[test]
fn a_missing_file_is_named() {
    let error = read_decompressed("no/such.gz".as_ref())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("no/such.gz: read: "), "{error}");
}

#[test]
fn equal_content_gives_equal_gzip() {
    assert_eq!(gzip(b"abc"), gzip(b"abc"));
}

/// FIPS 180-2, appendix B.1.
#[test]
fn the_digest_is_sha256() {
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256(b"abc"), expected);
}
