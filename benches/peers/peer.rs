//! This project's side of the timings against PyTorch: one step, run again for every line read.
//!
//! Usage: peer MODEL STEP THREADS, with MODEL a network by name. The protocol is that of the
//! Python peers.

#[path = "../common/protocol.rs"]
mod protocol;
#[path = "../common/workload.rs"]
mod workload;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, step, threads] = arguments.as_slice() else {
        eprintln!(
            "usage: peer MODEL STEP THREADS, with STEP one of {:?}",
            workload::STEPS
        );
        std::process::exit(2);
    };
    protocol::use_threads(threads);
    let mut workload = workload::Workload::new(model, step);
    protocol::serve(|| workload.run());
}
