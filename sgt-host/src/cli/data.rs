//! `sgt data`.

use super::Common;
use super::output::Output;
use crate::Result;
use crate::data::catalog::{self, Availability, CaseShape, Info, Loaded};
use crate::data::fetch::FetchProgress;
use crate::data::load::is_file;
use crate::data::synthetic::{Set, Synthetic};
use crate::data::{LoadOptions, data_dir, fetch, load};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every data set known by name.
    List,
    /// What a data set holds, whose it is, and whether it is here.
    Info {
        /// Its name, or a NAME_TRAIN.ts file with its test file beside it.
        #[arg(value_name = "NAME|FILE")]
        name: String,
    },
    /// List the generated sets whose truth is known, or write one.
    Synthetic {
        /// A set with options: seqcomb-mv?steps=100&train=500&seed=1&as-published.
        set: Option<Synthetic>,
        /// Where samples, classes and truth go [default: nowhere, the set is listed].
        #[arg(long, value_name = "FILE.npz", requires = "set")]
        out: Option<PathBuf>,
    },
    /// Download a data set from its original site, going on where an earlier fetch stopped.
    Fetch {
        /// Its name.
        name: String,
        /// Where it goes [default: the folder of named data sets].
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// An address in place of the original site.
        #[arg(long, value_name = "URL", hide = true)]
        mirror: Option<String>,
    },
}

#[derive(Serialize)]
struct Line {
    name: &'static str,
    description: &'static str,
    cases: [usize; 2],
    shape: CaseShape,
    classes: usize,
    availability: Availability,
}

pub(super) fn run(command: &Command, common: &Common, output: &Output) -> Result<ExitCode> {
    let folder = data_dir(common.data_dir.as_deref());
    match command {
        Command::List => {
            let lines: Vec<_> = catalog::ENTRIES
                .iter()
                .map(|entry| Line {
                    name: entry.name,
                    description: entry.description,
                    cases: entry.cases,
                    shape: entry.shape,
                    classes: entry.classes,
                    availability: entry.availability(&folder),
                })
                .collect();
            output.print(&lines, || list(&lines))?;
        }
        Command::Info { name } if is_file(name) => {
            let loaded = Loaded::from(&load(name, &LoadOptions::default())?);
            output.print(&loaded, || {
                let mut lines = vec![name.clone()];
                lines.extend(describe_loaded(&loaded));
                lines.join("\n")
            })?;
        }
        Command::Info { name } => {
            let info = catalog::info(name, &folder)?;
            output.print(&info, || describe(&info))?;
        }
        Command::Synthetic { set, out } => synthetic(set.as_ref(), out.as_deref(), output)?,
        Command::Fetch { name, to, mirror } => {
            let folder = to.as_ref().unwrap_or(&folder);
            let bar = Bar::new(output);
            let files = fetch(name, folder, mirror.as_deref(), &mut |progress| {
                bar.show(&progress);
            });
            bar.finish();
            let files = files?;
            output.print(&files, || {
                if files.is_empty() {
                    format!("{name} was already in {}", folder.display())
                } else {
                    let names = files.iter().map(|file| file.display().to_string());
                    names.collect::<Vec<_>>().join("\n")
                }
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Bytes of a download, on a terminal.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(output: &Output) -> Self {
        if output.is_json() || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::no_length();
        let template = "{bar:24} {bytes}/{total_bytes}  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    fn show(&self, progress: &FetchProgress<'_>) {
        let Some(bar) = &self.0 else { return };
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.received);
        bar.set_message(progress.url.to_string());
    }

    fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn list(lines: &[Line]) -> String {
    let rows = lines.iter().map(|line| {
        let cases = format!("{} + {}", line.cases[0], line.cases[1]);
        let shape = line.shape.to_string();
        format!(
            "{:<16} {cases:>15} × {shape:<12} {:>2} classes  {}\n{:16} {}",
            line.name, line.classes, line.availability, "", line.description
        )
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn describe(info: &Info) -> String {
    let mut lines = vec![
        format!("{}: {}", info.name, info.description),
        format!(
            "cases      {} training, {} test, each {}",
            info.cases[0], info.cases[1], info.shape
        ),
        format!("classes    {}", info.classes),
        format!("where      {}", info.availability),
    ];
    lines.extend(info.loaded.iter().flat_map(describe_loaded));
    lines.push(format!("source     {}", info.attribution.trim()));
    lines.join("\n")
}

/// What the files hold, a line each.
fn describe_loaded(loaded: &Loaded) -> [String; 3] {
    let classes = loaded.class_names.iter().zip(&loaded.class_counts);
    let classes: Vec<_> = classes
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let padded = if loaded.padded {
        ", padded in front"
    } else {
        ""
    };
    let range = loaded.range;
    let bounds = match loaded.bounds {
        Some(bounds) => format!("bounds {} to {}", bounds.low, bounds.high),
        None => "no bounds".into(),
    };
    [
        format!(
            "files      {} training, {} test, samples {:?}{padded}",
            loaded.cases[0], loaded.cases[1], loaded.sample
        ),
        format!("training   {}", classes.join(", ")),
        format!("values     {} to {}, {bounds}", range.low, range.high),
    ]
}

/// The names of all generated sets, or one set in a file.
fn synthetic(request: Option<&Synthetic>, out: Option<&Path>, output: &Output) -> Result<()> {
    let (Some(request), Some(path)) = (request, out) else {
        let sets: Vec<_> = match request {
            Some(request) => vec![request.set],
            None => Set::all(),
        };
        let lines: Vec<_> = sets.into_iter().map(SyntheticLine::new).collect();
        return output.print(&lines, || {
            let lines = lines.iter().map(|line| {
                let [train, test] = line.cases;
                format!(
                    "{:<40} {train:>5} + {test:<5} × {} steps × {} channels  {} classes",
                    line.name, line.steps, line.channels, line.classes
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        });
    };
    request.generate()?.write(path)?;
    output.print(&path, || path.display().to_string())
}

#[derive(Serialize)]
struct SyntheticLine {
    name: String,
    cases: [usize; 2],
    steps: usize,
    channels: usize,
    classes: usize,
}

impl SyntheticLine {
    fn new(set: Set) -> Self {
        let sizes = set.sizes();
        Self {
            name: set.name(),
            cases: [sizes.train, sizes.test],
            steps: sizes.steps,
            channels: sizes.channels,
            classes: set.classes(),
        }
    }
}
