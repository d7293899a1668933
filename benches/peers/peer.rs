//! This project's side of the timings against PyTorch: one step, run again for every line read.
//!
//! Usage: peer MODEL STEP THREADS. The protocol is that of the Python peers: one line read = one
//! repetition, its milliseconds are written; `memory` asks for the peak resident memory in MiB.

#[path = "../common/workload.rs"]
mod workload;

use std::io::{BufRead, Write};
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, step, threads] = arguments.as_slice() else {
        eprintln!(
            "usage: peer MODEL STEP THREADS, with STEP one of {:?}",
            workload::STEPS
        );
        std::process::exit(2);
    };
    let threads = threads.parse().expect("THREADS is a number");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global()
        .expect("the first thread pool of this process");
    let mut workload = workload::Workload::new(model);
    for line in std::io::stdin().lock().lines() {
        let answer = if line.expect("readable input").trim() == "memory" {
            peak_memory()
        } else {
            let start = Instant::now();
            workload.run(step);
            start.elapsed().as_secs_f64() * 1e3
        };
        println!("{answer}");
        std::io::stdout().flush().expect("writable output");
    }
}

/// The peak resident memory of this process in MiB (Linux).
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|value| value.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) / 1024.0
}
