//! The demo on a host: what the boards must print too.
//!
//! ```text
//! sgt-demo all|last      trains all layers, or the last one
//! ```

use sgt_demo::adapting::{Memory, Method, run};
use sgt_demo::network::sgt_core::Error;
use sgt_demo::network::{LAST_LAYER_LEN, PARAMETER_LEN};
use sgt_demo::{ROUNDS, explaining};
use std::fmt::Arguments;
use std::process::ExitCode;

fn adapt<const TRAINED: usize>(print: &mut dyn FnMut(Arguments<'_>)) -> Result<(), Error> {
    let mut memory = Memory::<TRAINED>::EMPTY;
    for method in [Method::Plain, Method::Guided] {
        run(&mut memory, method, ROUNDS, print)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut print = |line: Arguments<'_>| println!("{line}");
    let part = std::env::args().nth(1);
    let done = explaining::run(&mut print).and_then(|()| match part.as_deref() {
        Some("last") => adapt::<LAST_LAYER_LEN>(&mut print),
        _ => adapt::<PARAMETER_LEN>(&mut print),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
