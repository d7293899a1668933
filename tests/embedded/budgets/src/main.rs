//! Compares what `sgt-core` costs on a microcontroller with `budgets.toml`, and proves by linking
//! that no entry point can panic.
//!
//! ```text
//! sgt-budgets link TARGET LIBRARY LINKER [SYMBOL…]  flash and static RAM of every entry point (and
//!                                           of other symbols); fails when a panic can be reached
//! sgt-budgets run TARGET PROFILE < OUTPUT   what `stack` and `instructions` printed
//! ```
//! With `--suggest` it prints limits, a sixteenth (at least 16) above what it found, instead of comparing.

mod elf;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The entry points' source, from which their names are taken.
const ENTRIES: &str = include_str!("../../entry/src/entries.rs");
const BUDGETS: &str = include_str!("../../budgets.toml");

/// What the panic handler of `entry` calls and nothing defines.
const PANIC_SYMBOL: &str = "sgt_core_can_panic";

type Limits = BTreeMap<String, u64>;

#[derive(Deserialize)]
struct Budgets {
    /// Entry points that are linked together, by the name of the whole.
    together: BTreeMap<String, Vec<String>>,
    targets: BTreeMap<String, Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    /// Static RAM of any entry point, in bytes.
    ram: u64,
    /// Code and constants of an entry point with all that it calls, in bytes.
    flash: Limits,
    together: Limits,
    /// Stack of an entry point with all that it calls, in bytes.
    stack: Limits,
    /// Instructions a feature, by profile.
    #[serde(default)]
    instructions: BTreeMap<String, Limits>,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("sgt-budgets: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, String> {
    let budgets: Budgets = toml::from_str(BUDGETS).map_err(|error| error.to_string())?;
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let before = arguments.len();
    arguments.retain(|argument| argument != "--suggest");
    let suggest = arguments.len() != before;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["link", target, library, linker, ref others @ ..] => {
            let linker = Linker {
                target,
                library: Path::new(library),
                program: Path::new(linker),
                output: std::env::temp_dir().join(format!("sgt-link-{}", std::process::id())),
            };
            let done = link(&budgets, &linker, others, suggest);
            // Gone already when nothing linked.
            let _ = std::fs::remove_file(&linker.output);
            Ok(done)
        }
        ["run", target, profile] => {
            let mut output = String::new();
            let read = std::io::stdin().read_to_string(&mut output);
            read.map_err(|error| format!("standard input: {error}"))?;
            compare_run(&budgets, target, profile, &output, suggest)
        }
        _ => Err("expected: link TARGET LIBRARY LINKER, or run TARGET PROFILE < OUTPUT".into()),
    }
}

/// The names in the macro call of `entries.rs`.
fn entry_names() -> Vec<&'static str> {
    let calls = ENTRIES
        .split_once("\nentry_points! {")
        .map_or("", |it| it.1);
    let names = calls.lines().filter_map(|line| {
        let signature = line.strip_prefix("    fn ")?;
        signature.split(['(', '<']).next()
    });
    names.collect()
}

struct Linker<'a> {
    target: &'a str,
    library: &'a Path,
    program: &'a Path,
    output: PathBuf,
}

impl Linker<'_> {
    /// Links the entry points and nothing that they don't need.
    fn link(&self, symbols: &[&str]) -> Result<elf::Size, String> {
        let mut command = Command::new(self.program);
        let (emulation, host) = match self.target.split('-').next() {
            Some("x86_64") => ("elf_x86_64", true),
            Some("aarch64") => ("aarch64linux", true),
            _ => ("armelf", false),
        };
        command.args(["-m", emulation]);
        command.args(["--gc-sections", "--entry", symbols[0], "-o"]);
        command.arg(&self.output);
        for symbol in symbols {
            command.args(["--undefined", symbol]);
        }
        if host {
            // The C library's, which a program for the host would link.
            for symbol in ["memcpy", "memmove", "memset", "memcmp", "bcmp"] {
                command.arg(format!("--defsym={symbol}=0"));
            }
        }
        let done = command.arg(self.library).output();
        let done = done.map_err(|error| format!("{}: {error}", self.program.display()))?;
        if !done.status.success() {
            let message = String::from_utf8_lossy(&done.stderr);
            return Err(if message.contains(PANIC_SYMBOL) {
                "a panic can be reached".into()
            } else {
                message.into_owned()
            });
        }
        let bytes = std::fs::read(&self.output);
        elf::size(&bytes.map_err(|error| format!("{}: {error}", self.output.display()))?)
    }
}

fn link(budgets: &Budgets, linker: &Linker<'_>, others: &[&str], suggest: bool) -> bool {
    let names = entry_names();
    let target = budgets.targets.get(linker.target);
    let mut report = Report::new(suggest);
    if target.is_some() {
        report.title("flash");
    }
    for &name in &names {
        match (linker.link(&[name]), target) {
            (Err(message), _) => report.failure(name, &message),
            (Ok(size), Some(target)) => {
                report.compare("flash", name, size.flash, target.flash.get(name));
                if !suggest {
                    report.compare("static RAM", name, size.ram, Some(&target.ram));
                }
            }
            (Ok(_), None) => {}
        }
    }
    for other in others {
        if let Err(message) = linker.link(&[other]) {
            report.failure(other, &message);
        }
    }
    println!(
        "{}: {} entry points linked one by one",
        linker.target,
        names.len()
    );
    let Some(target) = target else {
        return report.good;
    };
    for unknown in target
        .flash
        .keys()
        .filter(|name| !names.contains(&name.as_str()))
    {
        report.failure(unknown, "has a budget but is no entry point");
    }
    report.title("together");
    let everything: Vec<String> = names.iter().map(ToString::to_string).collect();
    let whole = ("everything".to_owned(), everything);
    for (name, parts) in budgets.together.iter().chain([(&whole.0, &whole.1)]) {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match linker.link(&parts) {
            Err(message) => report.failure(name, &message),
            Ok(size) => report.compare("flash", name, size.flash, target.together.get(name)),
        }
    }
    report.good
}

fn compare_run(
    budgets: &Budgets,
    target: &str,
    profile: &str,
    output: &str,
    suggest: bool,
) -> Result<bool, String> {
    let limits = budgets
        .targets
        .get(target)
        .ok_or("target: has no budgets")?;
    let mut report = Report::new(suggest);
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [kind @ ("stack" | "instructions"), name, number] = *words.as_slice() else {
            continue;
        };
        let number = number.parse().map_err(|_| format!("no number: {line}"))?;
        let limit = if kind == "stack" {
            limits.stack.get(name)
        } else {
            let profile = limits.instructions.get(profile);
            profile.and_then(|limits| limits.get(name))
        };
        if !found.contains_key(kind) {
            report.title(kind);
        }
        found.entry(kind).or_default().push(name);
        report.compare(kind, name, number, limit);
    }
    if found.is_empty() {
        return Err("standard input: no measurement".into());
    }
    for (kind, names) in &found {
        let expected: Vec<&str> = if *kind == "stack" {
            entry_names()
        } else {
            let limits = limits.instructions.get(profile);
            limits.map_or(Vec::new(), |limits| {
                limits.keys().map(String::as_str).collect()
            })
        };
        for name in expected.into_iter().filter(|name| !names.contains(name)) {
            report.failure(name, &format!("{kind}: not measured"));
        }
    }
    Ok(report.good)
}

/// Prints a line a measurement and remembers whether all were good.
struct Report {
    suggest: bool,
    good: bool,
}

impl Report {
    fn new(suggest: bool) -> Self {
        Self {
            suggest,
            good: true,
        }
    }

    fn title(&self, kind: &str) {
        if self.suggest {
            println!("[{kind}]");
        }
    }

    fn failure(&mut self, name: &str, message: &str) {
        self.good = false;
        println!("FAILED {name}: {message}");
    }

    fn compare(&mut self, kind: &str, name: &str, found: u64, limit: Option<&u64>) {
        const HEADROOM: u64 = 16;
        const LEAST: u64 = 16;
        const STEP: u64 = 8;
        if self.suggest {
            println!(
                "{name} = {}",
                (found + (found / HEADROOM).max(LEAST)).next_multiple_of(STEP)
            );
            return;
        }
        match limit {
            None => self.failure(name, &format!("{kind}: {found}, has no budget")),
            Some(limit) if found > *limit => {
                self.failure(name, &format!("{kind}: {found}, budget {limit}"));
            }
            Some(limit) => println!("{kind:<12} {name:<28} {found:>6} of {limit:>6}"),
        }
    }
}
