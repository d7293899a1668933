//! Makes a list of the core's sources, which a firmware export takes along.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let core = own.join("../sgt-core");
    let sources = core.join("src");
    println!("cargo:rerun-if-changed={}", sources.display());
    let mut files = Vec::new();
    collect(&sources, &mut files);
    files.sort();
    let mut list = String::from("const SOURCES: &[(&str, &str)] = &[\n");
    for file in files {
        let name = file.strip_prefix(&core).expect("a file of the core");
        let (name, path) = (name.to_string_lossy(), file.to_string_lossy());
        writeln!(list, "    ({name:?}, include_str!({path:?})),").expect("memory");
    }
    list.push_str("];\n");
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
