//! The command `sgt`.

use std::process::ExitCode;

fn main() -> ExitCode {
    sgt_host::cli::main()
}
