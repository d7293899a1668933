//! Downloads, against a small server on the loopback: no network is needed.

mod archives;

use archives::{Method, zip};
use sgt_host::data::fetch::{FetchProgress, download};
use sgt_host::data::{LoadOptions, fetch, load};
use sgt_host::file::{gzip, sha256};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What the server has under a path.
#[derive(Clone, Default)]
struct Resource {
    content: Vec<u8>,
    /// So many answers break off after so many bytes of body.
    cuts: usize,
    cut_after: usize,
    /// Answers with the whole file whatever range is asked for.
    ignores_ranges: bool,
}

impl Resource {
    fn new(content: impl Into<Vec<u8>>) -> Self {
        Self {
            content: content.into(),
            ..Self::default()
        }
    }
}

/// A server of files. It lives until the test process ends.
struct Server {
    address: String,
    /// `PATH` or `PATH from START`, one a request.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(resources: impl IntoIterator<Item = (&'static str, Resource)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let mut resources: HashMap<_, _> = resources.into_iter().collect();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = answer(&stream.unwrap(), &mut resources, &log);
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: &TcpStream,
    resources: &mut HashMap<&'static str, Resource>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or("").to_string();
    let mut start = None;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse::<usize>().ok();
        }
    }
    log.lock().unwrap().push(match start {
        Some(start) => format!("{path} from {start}"),
        None => path.clone(),
    });
    let Some(resource) = resources.get_mut(path.as_str()) else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone"
        );
    };
    let size = resource.content.len();
    let start = start.filter(|_| !resource.ignores_ranges);
    let (status, range) = match start {
        None => ("200 OK", String::new()),
        Some(start) if start < size => (
            "206 Partial Content",
            format!("Content-Range: bytes {start}-{}/{size}\r\n", size - 1),
        ),
        Some(_) => {
            return write!(
                stream,
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{size}\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    };
    let body = &resource.content[start.unwrap_or(0)..];
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{range}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    if resource.cuts > 0 {
        resource.cuts -= 1;
        return stream.write_all(&body[..resource.cut_after.min(body.len())]);
    }
    stream.write_all(body)
}

fn content() -> Vec<u8> {
    (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn quiet(_: FetchProgress) {}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    files
}

#[test]
fn a_file_is_downloaded_whole() {
    let server = Server::start([("/x.bin", Resource::new(content()))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    let mut seen = Vec::new();
    let url = server.url("/x.bin");
    download(&url, &target, Some(&sha256(&content())), &mut |progress| {
        assert_eq!(progress.total, Some(100_000));
        seen.push(progress.received);
    })
    .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content());
    assert_eq!(files(folder.path()), [target]);
    assert_eq!(server.requests(), ["/x.bin"]);
    assert!(
        seen.is_sorted() && seen.last() == Some(&100_000),
        "{seen:?}"
    );
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    let cut = Resource {
        cuts: 2,
        cut_after: 1_000,
        ..Resource::new(content())
    };
    let server = Server::start([("/x.bin", cut)]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    download(&server.url("/x.bin"), &target, None, &mut quiet).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content());
    assert_eq!(
        server.requests(),
        ["/x.bin", "/x.bin from 1000", "/x.bin from 2000"]
    );
}

#[test]
fn what_was_received_is_kept_for_the_next_call() {
    let cut = Resource {
        cuts: 4,
        cut_after: 100,
        ..Resource::new(content())
    };
    let server = Server::start([("/x.bin", cut)]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    let url = server.url("/x.bin");
    let pin = sha256(&content());
    let error = download(&url, &target, Some(&pin), &mut quiet).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with(&format!("{url}: download: ")), "{error}");
    assert!(!error.contains('\n'));
    assert!(!target.exists());
    let part = folder.path().join("x.bin.part");
    assert_eq!(std::fs::read(&part).unwrap(), content()[..400]);
    download(&url, &target, Some(&pin), &mut quiet).unwrap();
    assert_eq!(server.requests().last().unwrap(), "/x.bin from 400");
    assert_eq!(std::fs::read(&target).unwrap(), content());
    assert!(!part.exists());
}

#[test]
fn a_server_without_ranges_is_downloaded_anew() {
    let resource = Resource {
        cuts: 1,
        cut_after: 1_000,
        ignores_ranges: true,
        ..Resource::new(content())
    };
    let server = Server::start([("/x.bin", resource)]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    download(&server.url("/x.bin"), &target, None, &mut quiet).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content());
}

#[test]
fn parts_that_are_whole_or_foreign_are_told_apart() {
    let server = Server::start([("/x.bin", Resource::new(content()))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    let part = folder.path().join("x.bin.part");
    std::fs::write(&part, content()).unwrap();
    download(&server.url("/x.bin"), &target, None, &mut quiet).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content());
    assert_eq!(server.requests(), ["/x.bin from 100000"]);

    std::fs::write(&part, [content(), content()].concat()).unwrap();
    download(&server.url("/x.bin"), &target, None, &mut quiet).unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), content());
    assert_eq!(server.requests()[1..], ["/x.bin from 200000", "/x.bin"]);
}

#[test]
fn a_wrong_sha256_leaves_nothing() {
    let server = Server::start([("/x.bin", Resource::new(content()))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    let url = server.url("/x.bin");
    let pin = sha256(b"something else");
    let error = download(&url, &target, Some(&pin), &mut quiet).unwrap_err();
    let found = sha256(&content());
    assert_eq!(
        error.to_string(),
        format!("{url}: found content of sha256 {found}, expected {pin}")
    );
    assert!(files(folder.path()).is_empty());
}

#[test]
fn the_sha256_is_that_of_the_content_behind_gzip() {
    let server = Server::start([("/x.gz", Resource::new(gzip(b"content")))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.gz");
    download(
        &server.url("/x.gz"),
        &target,
        Some(&sha256(b"content")),
        &mut quiet,
    )
    .unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), gzip(b"content"));
}

#[test]
fn a_missing_file_and_a_missing_server_are_told() {
    let server = Server::start([]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x.bin");
    let url = server.url("/x.bin");
    let error = download(&url, &target, None, &mut quiet).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{url}: found HTTP status 404, expected the file")
    );
    assert_eq!(server.requests().len(), 1, "404 is not tried again");
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", unused.local_addr().unwrap());
    drop(unused);
    let error = download(&url, &target, None, &mut quiet).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{url}: download: ")));
    let error = download("no address", &target, None, &mut quiet).unwrap_err();
    assert!(error.to_string().starts_with("no address: download: "));
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let server = Server::start([("/x.bin", Resource::new(content()))]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("no/x.bin");
    let error = download(&server.url("/x.bin"), &target, None, &mut quiet).unwrap_err();
    assert!(error.to_string().contains("no/x.bin.part: write: "));
}

/// A part of Japanese Vowels: 12 channels, 9 classes.
fn vowels(cases: usize) -> Vec<u8> {
    let case = |case: usize| {
        let channels = format!("{case},2:").repeat(12);
        format!("{channels}{}\n", case % 9 + 1)
    };
    let header = "@classLabel true 1 2 3 4 5 6 7 8 9\n@data\n".to_string();
    let lines = [header].into_iter().chain((0..cases).map(case));
    lines.collect::<String>().into_bytes()
}

fn vowel_archive(train: usize, test: usize) -> Resource {
    let (train, test) = (vowels(train), vowels(test));
    let files: [(&str, &[u8]); 3] = [
        ("JapaneseVowels.txt", b"about"),
        ("JapaneseVowels_TRAIN.ts", &train),
        ("JapaneseVowels_TEST.ts", &test),
    ];
    Resource::new(zip(&files, Method::Deflated))
}

#[test]
fn a_data_set_is_fetched_checked_and_usable() {
    let archive = Resource {
        cuts: 1,
        cut_after: 500,
        ..vowel_archive(270, 370)
    };
    let server = Server::start([("/m/JapaneseVowels.zip", archive)]);
    let folder = tempfile::tempdir().unwrap();
    let mirror = server.url("/m/");
    let fetch = || fetch("japanese-vowels", folder.path(), Some(&mirror), &mut quiet);
    let written = fetch().unwrap();
    let place = folder.path().join("uea/JapaneseVowels");
    let expected = ["JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"].map(|f| place.join(f));
    assert_eq!(written, expected);
    assert_eq!(files(folder.path()).len(), 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let options = LoadOptions {
        data_dir: Some(folder.path().to_path_buf()),
        ..LoadOptions::default()
    };
    let data = load("japanese-vowels", &options).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (270, 370));
    assert!(fetch().unwrap().is_empty());
    assert_eq!(
        server.requests().len(),
        2,
        "what is there is not fetched again"
    );
}

#[test]
fn what_does_not_fit_the_catalogue_is_not_kept() {
    for (resource, expected) in [
        (
            vowel_archive(270, 369),
            "found 270 + 369 cases of 12 channels in 9 classes, \
             expected 270 + 370 cases of 12 channels in 9 classes",
        ),
        (
            Resource::new("<html>moved</html>"),
            "JapaneseVowels.zip: found no zip or tar archive, expected a whole zip or tar.gz archive",
        ),
        (
            Resource::new(zip(&[("a", b"b")], Method::Stored)),
            "found no JapaneseVowels_TRAIN.ts in it, expected an archive that has it",
        ),
    ] {
        let server = Server::start([("/JapaneseVowels.zip", resource)]);
        let folder = tempfile::tempdir().unwrap();
        let mirror = Some(server.address.as_str());
        let result = fetch("japanese-vowels", folder.path(), mirror, &mut quiet);
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
        assert!(files(folder.path()).is_empty());
    }
}

#[test]
fn pinned_files_must_be_the_originals() {
    let images = Resource::new(gzip(b"not MNIST"));
    let server = Server::start([("/train-images-idx3-ubyte.gz", images)]);
    let folder = tempfile::tempdir().unwrap();
    let mirror = Some(server.address.as_str());
    let error = fetch("mnist", folder.path(), mirror, &mut quiet).unwrap_err();
    let expected = "expected ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db";
    assert!(error.to_string().ends_with(expected), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[test]
fn sets_without_download_say_so() {
    let folder = tempfile::tempdir().unwrap();
    for (name, expected) in [
        (
            "basic-motions",
            "data: found basic-motions, which is part of this program, expected",
        ),
        (
            "magicwand",
            "data: found magicwand, the original is TensorFlow's",
        ),
        (
            "mnits",
            "data: found mnits, expected a file, a folder or one of mnist,",
        ),
    ] {
        let error = fetch(name, folder.path(), None, &mut quiet).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    assert!(files(folder.path()).is_empty());
}
