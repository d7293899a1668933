//! The command line: arguments in, library calls, tables or JSON out.
//!
//! Exit code 0 for success, 1 for bad data or a failed run, 2 for bad usage, 130 after ctrl-C.

// Arguments' docs are the help that a terminal shows.
#![allow(clippy::doc_markdown)]

mod again;
mod attack;
mod attribute;
mod benchmark;
mod compare;
mod config;
mod curves;
mod data;
mod evaluate;
mod evaluation_arguments;
mod example;
mod export;
mod input_arguments;
mod interrupt;
mod list;
mod models;
mod names;
mod output;
mod predict;
mod prediction_table;
mod progress;
mod reading_arguments;
mod report;
mod result_file;
mod run_arguments;
mod sample;
mod sweep;
mod train;
mod windows_file;

use crate::instructions::{self, InstructionSet};
use crate::{Error, Result, limits};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use output::Output;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a failed run or bad data exit with.
const FAILURE: u8 = 1;
/// What bad usage exits with.
const USAGE: u8 = 2;

/// Train, compare, attack and explain networks under saliency-guided regimes.
#[derive(Debug, Parser)]
#[command(name = "sgt", version, max_term_width = 100, after_help = names::overview())]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// Print one JSON value instead of text, and no progress.
    #[arg(long, global = true)]
    json: bool,
    /// Worker threads; results do not depend on it [default: one a core].
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(limits::THREADS))
    )]
    threads: Option<u16>,
    /// Vector instructions: avx512, avx2 or plain; results depend on it in the last digits
    /// [default: those that a resumed run began with, or the machine's widest].
    #[arg(long, global = true, value_name = "SET")]
    instructions: Option<InstructionSet>,
    /// What the content of one file may become in memory [default: 1].
    #[arg(
        long,
        global = true,
        value_name = "GIB",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    memory_limit: Option<u32>,
    /// The folder of named data sets [default: $SGT_DATA, then ./data].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train several regimes and show who is accurate, robust and interpretable.
    Compare(compare::Arguments),
    /// Try settings, choose by a validation part, test the chosen.
    Sweep(sweep::Arguments),
    /// Train one network.
    Train(train::Arguments),
    /// Classify samples, recordings or a stream.
    Predict(predict::Arguments),
    /// Perturb samples so that a network errs.
    Attack(attack::Arguments),
    /// Attribute a network's output to its input.
    Attribute(attribute::Arguments),
    /// Measure finished runs and compare their regimes.
    Evaluate(evaluate::Arguments),
    /// Score maps on data whose truth is known.
    #[command(subcommand)]
    Benchmark(benchmark::Command),
    /// Draw finished runs as one page.
    Report(report::Arguments),
    /// List the networks known by name, or show one layer by layer.
    Models(models::Arguments),
    /// Write a finished network for another program.
    Export(export::Arguments),
    /// Print a run's configuration, or explain every key of one.
    Config(config::Arguments),
    /// List, describe or download data sets.
    #[command(subcommand)]
    Data(data::Command),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error.to_string());
            exit_code(&error)
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let common = &arguments.common;
    if let Some(set) = common.instructions {
        instructions::choose(set)?;
    }
    if let Some(gib) = common.memory_limit {
        limits::set_memory(u64::from(gib) * limits::GIB);
    }
    if let Some(threads) = common.threads {
        start_threads(threads.into())?;
    } else {
        // Not left to the first use: where the system allows none, that would be a panic.
        start_threads(0)?;
    }
    let output = Output::new(common.json);
    let Some(command) = &arguments.command else {
        // A closed pipe is no failure.
        let _ = Arguments::command().print_help();
        return Ok(ExitCode::SUCCESS);
    };
    match command {
        Command::Compare(arguments) => compare::run(arguments, common, &output),
        Command::Sweep(arguments) => sweep::run(arguments, common, &output),
        Command::Train(arguments) => train::run(arguments, common, &output),
        Command::Predict(arguments) => predict::run(arguments, &output),
        Command::Attack(arguments) => attack::run(arguments, &output),
        Command::Attribute(arguments) => attribute::run(arguments, &output),
        Command::Evaluate(arguments) => evaluate::run(arguments, common, &output),
        Command::Benchmark(command) => benchmark::run(command, &output),
        Command::Report(arguments) => report::run(arguments, common, &output),
        Command::Models(arguments) => models::run(arguments, &output),
        Command::Export(arguments) => export::run(arguments, &output),
        Command::Config(arguments) => config::run(arguments, common, &output),
        Command::Data(command) => data::run(command, common, &output),
    }
}

/// Starts the pool of workers, one a core for 0.
fn start_threads(threads: usize) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global().map_err(|reason| Error::Argument {
        argument: "--threads".into(),
        found: format!("{threads} ({reason})"),
        expected: "a number of threads that the system allows".into(),
    })
}

/// Bad arguments are usage, everything else is data, the system or the run.
fn exit_code(error: &Error) -> ExitCode {
    match error {
        Error::Argument { .. } => ExitCode::from(USAGE),
        _ => ExitCode::from(FAILURE),
    }
}

/// Help and versions as clap prints them; a mistake as one line.
fn parse(arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Arguments, ExitCode> {
    let matches = Arguments::command().try_get_matches_from(arguments);
    let parsed = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    parsed.map_err(|error| {
        if !error.use_stderr() {
            // A closed pipe is no failure.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        let text = error.to_string();
        let lines = text.lines().map(str::trim);
        let said =
            lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
        let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
        let line = said.join(" ");
        output::complain(line.strip_prefix("error: ").unwrap_or(&line));
        ExitCode::from(USAGE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
