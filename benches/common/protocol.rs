//! How a peer is driven: one line read = one repetition, its milliseconds are written; `memory`
//! asks for the peak resident memory in MiB instead.

use std::io::{BufRead, Write};
use std::time::Instant;

/// The first thread pool of this process, of as many threads as an argument says.
pub(crate) fn use_threads(threads: &str) {
    let threads = threads.parse().expect("THREADS is a number");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().expect("no pool before this one");
}

/// Answers every line of the standard input.
pub(crate) fn serve(mut repetition: impl FnMut()) {
    for line in std::io::stdin().lock().lines() {
        let answer = if line.expect("readable input").trim() == "memory" {
            peak_memory()
        } else {
            let start = Instant::now();
            repetition();
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
