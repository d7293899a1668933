//! Makes constants of the BasicMotions windows that the host crate embeds.

use flate2::read::GzDecoder;
use std::fmt::Write;
use std::io::Read;
use std::path::PathBuf;
use std::{env, fs};

const CLASSES: [&str; 4] = ["Standing", "Running", "Walking", "Badminton"];

fn main() {
    let assets = "../../../sgt-host/assets";
    let mut code = String::new();
    for (name, part) in [("TRAINING", "TRAIN"), ("TEST", "TEST")] {
        let path = format!("{assets}/BasicMotions_{part}.ts.gz");
        println!("cargo:rerun-if-changed={path}");
        let file = fs::File::open(path).expect("the host crate's assets");
        let mut text = String::new();
        let read = GzDecoder::new(file).read_to_string(&mut text);
        read.expect("text");
        let windows = text.split_once("@data\n").expect("a .ts file").1;
        let windows: Vec<&str> = windows.lines().filter(|line| !line.is_empty()).collect();
        code.push_str("#[allow(clippy::unreadable_literal, clippy::excessive_precision)]\n");
        writeln!(code, "/// Recordings of the {} part.", part.to_lowercase()).expect("memory");
        writeln!(code, "pub static {name}: [Window; {}] = [", windows.len()).expect("memory");
        for window in windows {
            let (channels, label) = window.rsplit_once(':').expect("a label");
            let label = CLASSES.iter().position(|class| *class == label.trim());
            let channels: Vec<Vec<&str>> = channels
                .split(':')
                .map(|channel| channel.split(',').collect())
                .collect();
            let label = label.expect("a class");
            writeln!(code, "    Window {{ label: {label}, values: [").expect("memory");
            // Position after position, as a sensor gives them.
            for step in 0..channels[0].len() {
                for channel in &channels {
                    let value: f32 = channel[step].trim().parse().expect("a number");
                    write!(code, "{value:?}, ").expect("memory");
                }
                code.push('\n');
            }
            code.push_str("    ] },\n");
        }
        code.push_str("];\n");
    }
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(folder.join("windows.rs"), code).expect("OUT_DIR is writable");
}
