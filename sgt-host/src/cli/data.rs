//! `sgt data`.

use super::Common;
use super::output::{Output, remark};
use super::reading_arguments::{ReadingArguments, SplitArguments};
use super::windows_file;
use crate::Result;
use crate::data::catalog::{self, Availability, CaseShape, Info, Loaded};
use crate::data::fetch::FetchProgress;
use crate::data::load::is_file;
use crate::data::synthetic::{Set, Synthetic};
use crate::data::{Dataset, LoadOptions, Missing, Survey, data_dir, fetch, load};
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
        /// Its name, or a file or folder of one's own.
        #[arg(value_name = "NAME|FILE|DIR")]
        name: String,
        #[command(flatten)]
        own: Box<OwnArguments>,
    },
    /// Write what would be trained on: windows and classes of both parts, as npz.
    Windows {
        /// A file or folder of one's own, or a name.
        #[arg(value_name = "FILE|DIR|NAME")]
        name: String,
        /// Where it goes: x, y, x_test, y_test, classes, and what is known of channels, rate and groups.
        #[arg(long, value_name = "FILE.npz")]
        out: PathBuf,
        /// Replace a file that is already there.
        #[arg(long)]
        overwrite: bool,
        #[command(flatten)]
        own: Box<OwnArguments>,
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

/// How files of one's own are read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OwnArguments {
    /// The test part [default: NAME_TEST beside NAME_TRAIN, test beside train in a folder, x_test in an
    /// archive; else a split].
    #[arg(long, value_name = "FILE|DIR")]
    test: Option<PathBuf>,
    #[command(flatten)]
    reading: ReadingArguments,
    #[command(flatten)]
    split: SplitArguments,
}

impl OwnArguments {
    fn options(&self, folder: &Path) -> Result<LoadOptions> {
        Ok(LoadOptions {
            data_dir: Some(folder.into()),
            test: self.test.clone(),
            length: None,
            reading: self.split.over(self.reading.reading())?,
        })
    }
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
        Command::Info { name, own } if is_file(name) => {
            let info = own_info(name, own.options(&folder)?)?;
            output.print(&info, || describe_own(name, &info))?;
        }
        Command::Info { name, .. } => {
            let info = catalog::info(name, &folder)?;
            output.print(&info, || describe(&info))?;
        }
        Command::Windows {
            name,
            out,
            overwrite,
            own,
        } => {
            crate::file::check_free("--out", out, *overwrite)?;
            let data = load(name, &own.options(&folder)?)?;
            for note in &data.train.provenance().notes {
                remark(note);
            }
            windows_file::write(out, &data)?;
            let written = Written {
                out,
                cases: [data.train.len(), data.test.len()],
                sample: data.train.shape().dims(),
            };
            output.print(&written, || {
                let [train, test] = written.cases;
                let sample = &written.sample;
                format!("{train} + {test} samples {sample:?} in {}", out.display())
            })?;
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

#[derive(Serialize)]
struct Written<'w> {
    out: &'w Path,
    cases: [usize; 2],
    sample: Vec<usize>,
}

/// What is said of one's own files.
#[derive(Serialize)]
struct OwnInfo {
    #[serde(flatten)]
    loaded: Loaded,
    notes: Vec<String>,
    rate: Option<f64>,
    test_class_counts: Vec<usize>,
    groups: [Vec<String>; 2],
    missing_are_refused: bool,
    survey: Survey,
}

/// Reads files whatever is missing in them; training on them asks for a decision.
fn own_info(name: &str, mut options: LoadOptions) -> Result<OwnInfo> {
    let undecided = options.reading.missing == Missing::Refuse;
    let strict = load(name, &options);
    let data = match strict {
        Ok(data) => data,
        Err(refused) if undecided => {
            options.reading.missing = Missing::Mean;
            load(name, &options).map_err(|_| refused)?
        }
        Err(refused) => return Err(refused),
    };
    let groups = |part: &Dataset| -> Vec<String> {
        part.provenance()
            .present()
            .into_iter()
            .map(String::from)
            .collect()
    };
    Ok(OwnInfo {
        loaded: Loaded::from(&data),
        notes: data.train.provenance().notes.clone(),
        rate: data.train.axes().rate,
        test_class_counts: data.test.class_counts(),
        groups: [groups(&data.train), groups(&data.test)],
        missing_are_refused: undecided && options.reading.missing == Missing::Mean,
        survey: Survey::of(&data),
    })
}

fn describe_own(name: &str, info: &OwnInfo) -> String {
    let mut lines = vec![name.to_string()];
    lines.extend(info.notes.clone());
    lines.extend(describe_loaded(&info.loaded));
    let counts = info.loaded.class_names.iter().zip(&info.test_class_counts);
    let counts: Vec<String> = counts
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    lines.push(format!("test       {}", counts.join(", ")));
    if let Some(rate) = info.rate {
        lines.push(format!("rate       {rate} Hz"));
    }
    for channel in &info.survey.channels {
        let suspicion = match channel.suspicion {
            Some(suspicion) => format!("  ! {suspicion}"),
            None => String::new(),
        };
        lines.push(format!(
            "channel    {:<16} {} to {}, mean {:.4}, deviation {:.4}{suspicion}",
            channel.name,
            short(channel.least),
            short(channel.greatest),
            channel.mean,
            channel.deviation
        ));
    }
    if let Some(share) = info.survey.told_by_length {
        lines.push(format!(
            "! the length of a sample alone tells the class with balanced accuracy {:.1} %",
            share * 100.0
        ));
    }
    if info.missing_are_refused {
        lines.push(
            "! values are missing: training needs --missing interpolate, mean or mask".into(),
        );
    }
    lines.join("\n")
}

/// A value in the digits of single precision where it is one.
fn short(value: f64) -> String {
    let near = value as f32;
    if f64::from(near) == value {
        near.to_string()
    } else {
        value.to_string()
    }
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
