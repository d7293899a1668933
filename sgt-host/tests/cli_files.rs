//! Where files are written, and what is never replaced unasked.

mod common;

use common::{fails, succeeds, write_series};
use std::path::Path;

/// A folder with series, a run and an array.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_series(folder.path());
    succeeds(
        folder.path(),
        "train --data waves_TRAIN.ts --epochs 1 --out run",
    );
    let values: Vec<f32> = (0..48).map(|value| value as f32 / 48.0).collect();
    sgt_host::npy::write(&folder.path().join("x.npy"), &[2, 2, 12], &values).unwrap();
    sgt_host::npy::write_labels(&folder.path().join("y.npy"), &[0, 1]).unwrap();
    folder
}

const WEIGHTS: &str = "--weights run/weights.safetensors --input x.npy";

#[test]
fn a_result_replaces_nothing_unasked() {
    let folder = prepared();
    let own = std::fs::read(folder.path().join("x.npy")).unwrap();
    for command in [
        format!("predict {WEIGHTS}"),
        format!("attack {WEIGHTS} --labels y.npy --attack fgsm --eps 0.1"),
        format!("attribute {WEIGHTS} --labels y.npy --method gradient"),
    ] {
        for taken in ["x.npy", "y.npy", "run/weights.safetensors"] {
            let arguments = format!("{command} --output {taken}");
            fails(
                folder.path(),
                &arguments,
                2,
                &["--output", taken, "--overwrite"],
            );
        }
        succeeds(folder.path(), &format!("{command} --output new.npy"));
        fails(
            folder.path(),
            &format!("{command} --output new.npy"),
            2,
            &["new.npy"],
        );
        succeeds(
            folder.path(),
            &format!("{command} --output new.npy --overwrite"),
        );
        std::fs::remove_file(folder.path().join("new.npy")).unwrap();
    }
    assert_eq!(std::fs::read(folder.path().join("x.npy")).unwrap(), own);
}

#[test]
fn a_report_and_a_run_replace_nothing_unasked() {
    let folder = prepared();
    let report = "report run --extent quick --eps 0.1 --out page";
    std::fs::create_dir(folder.path().join("page")).unwrap();
    let foreign = folder.path().join("page/index.html");
    std::fs::write(&foreign, "a page of my own").unwrap();
    fails(
        folder.path(),
        report,
        2,
        &["--out", "page/index.html", "--overwrite"],
    );
    assert_eq!(std::fs::read(&foreign).unwrap(), b"a page of my own");
    let compare =
        "compare --data waves_TRAIN.ts --epochs 1 --seeds 1 --regimes standard --out page";
    fails(folder.path(), compare, 2, &["page/index.html"]);
    succeeds(folder.path(), &format!("{report} --overwrite"));
    fails(folder.path(), report, 2, &["page/"]);

    std::fs::create_dir(folder.path().join("mine")).unwrap();
    let foreign = folder.path().join("mine/weights.safetensors");
    std::fs::write(&foreign, "weights of my own").unwrap();
    let train = "train --data waves_TRAIN.ts --epochs 1 --out mine";
    fails(
        folder.path(),
        train,
        2,
        &["mine/weights.safetensors", "--overwrite"],
    );
    assert_eq!(std::fs::read(&foreign).unwrap(), b"weights of my own");
}

#[cfg(unix)]
#[test]
fn pipes_links_and_permissions_are_kept() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    let folder = prepared();
    let path = |name: &str| folder.path().join(name);
    let predict = |output: &str| format!("predict {WEIGHTS} --output {output}");
    succeeds(folder.path(), &predict("plain.npy"));
    let expected = std::fs::read(path("plain.npy")).unwrap();

    let made = std::process::Command::new("mkfifo")
        .arg(path("pipe"))
        .status();
    assert!(made.unwrap().success());
    let reader = {
        let pipe = path("pipe");
        std::thread::spawn(move || std::fs::read(pipe).unwrap())
    };
    succeeds(folder.path(), &predict("pipe"));
    assert!(reader.join().unwrap() == expected);
    assert!(
        std::fs::metadata(path("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    succeeds(folder.path(), &predict("/dev/null"));

    std::fs::create_dir(path("far")).unwrap();
    symlink("far/result.npy", path("link.npy")).unwrap();
    succeeds(folder.path(), &predict("link.npy"));
    assert!(path("link.npy").is_symlink());
    assert!(std::fs::read(path("far/result.npy")).unwrap() == expected);
    fails(folder.path(), &predict("link.npy"), 2, &["link.npy"]);

    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for kept in [0o600, 0o664] {
        let permissions = std::fs::Permissions::from_mode(kept);
        std::fs::set_permissions(path("plain.npy"), permissions).unwrap();
        succeeds(
            folder.path(),
            &format!("{} --overwrite", predict("plain.npy")),
        );
        assert_eq!(mode(&path("plain.npy")), kept);
    }
}

#[test]
fn a_name_in_a_file_chooses_no_folder() {
    for (name, expected) in [
        ("../../outside", "outside-sensor-cnn-sgt-0"),
        ("/tmp/outside", "tmp-outside-sensor-cnn-sgt-0"),
        ("x; touch pwned #", "x--touch-pwned---sensor-cnn-sgt-0"),
        ("..", "unnamed-sensor-cnn-sgt-0"),
        ("Größe\u{202e}", "gr--e--sensor-cnn-sgt-0"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_series(folder.path());
        let train = folder.path().join("waves_TRAIN.ts");
        let text = std::fs::read_to_string(&train).unwrap();
        std::fs::write(&train, text.replacen("waves", name, 1)).unwrap();
        succeeds(folder.path(), "train --data waves_TRAIN.ts --epochs 1");
        let runs = std::fs::read_dir(folder.path().join("runs")).unwrap();
        let runs: Vec<_> = runs.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(runs, [expected]);
    }
}
