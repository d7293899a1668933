//! Makes lists of the sources of the core and of its C interface, which a firmware export takes along.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let core = own.join("../sgt-core");
    let interface = core.join("capi");
    let mut list = String::new();
    for (name, folder, beside) in [
        ("SOURCES", &core, &[][..]),
        ("INTERFACE", &interface, &["Cargo.toml", "Cargo.lock"]),
    ] {
        let sources = folder.join("src");
        println!("cargo:rerun-if-changed={}", sources.display());
        let mut files: Vec<PathBuf> = beside.iter().map(|file| folder.join(file)).collect();
        for file in &files {
            println!("cargo:rerun-if-changed={}", file.display());
        }
        collect(&sources, &mut files);
        files.sort();
        writeln!(list, "const {name}: &[(&str, &str)] = &[").expect("memory");
        for file in files {
            let path = file.to_string_lossy();
            let inside = file.strip_prefix(folder).expect("a file of the folder");
            let inside = inside.to_string_lossy();
            writeln!(list, "    ({inside:?}, include_str!({path:?})),").expect("memory");
        }
        list.push_str("];\n");
    }
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(target.join("core_sources.rs"), list).expect("OUT_DIR is writable");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("the core's sources lie beside this crate");
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}
