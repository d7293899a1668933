//! `sgt benchmark`.

use super::again::again;
use super::interrupt::{INTERRUPTED, Interrupt};
use super::output::{Output, remark};
use crate::attribution::{Method, Shuffled};
use crate::benchmark::time_series::store::Store;
use crate::benchmark::time_series::{
    CellRecord, Extras, Grid, NetworkChoice, Notice, Scaling, Summary, Training, archive, example,
    markdown, page, profile,
};
use crate::data::synthetic::Synthetic;
use crate::{Error, Result, file};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Generated series: do maps mark the cells that tell the class?
    TimeSeries(Box<Arguments>),
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Sets of sgt data synthetic, each with options: middle-gaussian?steps=100&as-published; a *
    /// at either end of a name stands for any beginning or end.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "middle-gaussian,moving-rare-time-gaussian,rare-feature-gaussian"
    )]
    sets: Vec<String>,
    /// lstm, lstm-mean, lstm-max, lstm-attention, lstm-forget-bias, lstm-chrono, input-cell-lstm,
    /// tcn, transformer or cnn, with other sizes as lstm?hidden=64.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "lstm,input-cell-lstm,tcn,transformer"
    )]
    models: Vec<NetworkChoice>,
    /// standard, sgt, sgt-absolute, sgt-per-step, sgt-per-step-signed, sgt-time-step, sgt-integrated,
    /// sgt-integrated-per-step, sgt-time-rescaled or sgt-tenth; the others are compared with the first.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "standard,sgt,sgt-per-step"
    )]
    regimes: Vec<Training>,
    /// Methods of sgt attribute. The random map is always among them.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "gradient,integrated-gradients,smoothgrad,deeplift,gradient-shap,random"
    )]
    methods: Vec<String>,
    /// Data sets and runs of every combination, with the seeds 0, 1, ….
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Passes over the training part, at most.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// The accuracy on the training part that is enough; above 1 to train to the last epoch.
    #[arg(long, value_name = "SHARE", default_value_t = 0.99)]
    enough: f64,
    /// of-set, unit-interval or standard: what is done to the values first. Of-set scales boxes to
    /// the unit interval, cell by cell, and standardises the others.
    #[arg(long, value_name = "NAME", default_value = "of-set")]
    scaling: Scaling,
    /// Any key of a run's configuration, masking.fraction=0.3 for example.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    keys: Vec<String>,
    /// Test samples whose maps are scored, at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    samples: usize,
    /// Points of integrated gradients, noisy copies of smoothgrad and gradient-shap.
    #[arg(long, value_name = "N", default_value_t = 25)]
    points: usize,
    /// Measure what accuracy and prediction are without the salient cells, too.
    #[arg(long)]
    removal: bool,
    /// Leave out sets that some regime of a network learns less well than this.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    least_accuracy: f64,
    /// Write every computed cell's samples, truth, predictions and maps as npz.
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Train nothing: score the arrays map_METHOD beside truth in the npz files of a folder.
    #[arg(long, value_name = "DIR")]
    score: Option<PathBuf>,
    /// Compute cells again that were computed with other settings.
    #[arg(long)]
    overwrite: bool,
    /// Where cells, tables and charts go; cells that are there are not computed again.
    #[arg(long, value_name = "DIR", default_value = "runs/time-series")]
    out: PathBuf,
}

pub(super) fn run(command: &Command, output: &Output) -> Result<ExitCode> {
    let Command::TimeSeries(arguments) = command;
    if let Some(folder) = &arguments.score {
        return score(folder, output);
    }
    let grid = grid(arguments)?;
    grid.check()?;
    let store = Store::open(&arguments.out.join(CELLS), arguments.overwrite)?;
    let interrupt = Interrupt::watch()?;
    let interrupted = interrupt.asked();
    let display = Display::new(output, grid.jobs().len());
    let cells = grid.run(&store, arguments.dump.as_deref(), interrupted, |notice| {
        display.show(notice);
    });
    display.finish();
    let cells = cells?;
    if interrupted.load(Ordering::Relaxed) {
        remark(&format!(
            "interrupted with {} of {} cells: go on with {}",
            cells.len(),
            grid.jobs().len(),
            again(None, &["--overwrite"])
        ));
        return Ok(ExitCode::from(INTERRUPTED));
    }
    present(&cells, arguments.least_accuracy, &arguments.out, output)
}

/// The folder of a benchmark's cells below what [`run`] wrote to.
const CELLS: &str = "cells";

/// Whether `folder` is what a benchmark wrote to.
pub(super) fn is_benchmark(folder: &Path) -> bool {
    folder.join(CELLS).is_dir()
}

/// Tables, page and charts of the cells that are in `folders`, in `out`.
///
/// # Errors
/// As [`Store::all`] and [`Summary::new`].
pub(super) fn report(folders: &[PathBuf], out: &Path, output: &Output) -> Result<ExitCode> {
    let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.join(CELLS)).collect();
    let mut cells = Store::all(&folders)?;
    // In the order of listings: the first training is what the others are compared with.
    cells.sort_by_key(|cell| {
        let network = cell.network.split('?').next().unwrap_or_default();
        (
            NetworkChoice::names().position(|known| known == network),
            Training::names().position(|known| known == cell.training),
        )
    });
    present(&cells, 0.0, out, output)
}

fn present(
    cells: &[CellRecord],
    least_accuracy: f64,
    out: &Path,
    output: &Output,
) -> Result<ExitCode> {
    let summary = Summary::new(cells, least_accuracy)?;
    let text = markdown::markdown(&summary);
    let files = write(out, &summary, &text, cells)?;
    output.print(&summary, || {
        let names = files.iter().map(|file| file.display().to_string());
        let names = names.collect::<Vec<_>>().join("\n");
        format!("{}\n{names}", markdown::headline(&summary).trim_start())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn grid(arguments: &Arguments) -> Result<Grid> {
    let mut methods = Vec::new();
    for name in &arguments.methods {
        methods.push((name.clone(), method(name)?.with_steps(arguments.points)));
    }
    if methods.iter().all(|(_, method)| *method != Method::Random) {
        methods.push(("random".into(), Method::Random));
    }
    let mut settings = Vec::new();
    if let Some(epochs) = arguments.epochs {
        settings.push(("training.epochs".into(), i64::from(epochs).into()));
    }
    for key in &arguments.keys {
        let (key, value) = super::run_arguments::key_value(key)?;
        settings.push((key.to_string(), value));
    }
    let mut sets = Vec::new();
    for set in &arguments.sets {
        sets.extend(named_sets(set)?);
    }
    Ok(Grid {
        sets,
        networks: arguments.models.clone(),
        trainings: arguments.regimes.clone(),
        methods,
        seeds: u64::from(arguments.seeds),
        settings,
        scaling: arguments.scaling,
        extras: Extras {
            samples: arguments.samples,
            removal: arguments.removal,
            enough: arguments.enough,
            ..Extras::default()
        },
        keeps_maps: arguments.dump.is_some(),
    })
}

/// `shuffled-METHOD` and `temporal-rescaling-METHOD` name the base method.
fn method(name: &str) -> Result<Method> {
    if let Some(base) = name.strip_prefix("shuffled-") {
        return Ok(Method::Shuffled(Shuffled {
            base: Box::new(Method::named(base)?),
            ..Shuffled::default()
        }));
    }
    if let Some(base) = name.strip_prefix("temporal-rescaling-") {
        return Ok(Method::TemporalRescaling(
            crate::attribution::TemporalRescaling {
                base: Box::new(Method::named(base)?),
                ..crate::attribution::TemporalRescaling::default()
            },
        ));
    }
    Method::named(name)
}

/// One set, or all whose names a pattern fits.
fn named_sets(text: &str) -> Result<Vec<Synthetic>> {
    let (pattern, options) = text.split_once('?').unwrap_or((text, ""));
    if !pattern.contains('*') {
        return Ok(vec![text.parse()?]);
    }
    let inner = pattern.trim_matches('*');
    let fits = |name: &str| match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (true, true) => name.contains(inner),
        (true, false) => name.ends_with(inner),
        _ => name.starts_with(inner),
    };
    let names = crate::data::synthetic::Set::all().into_iter();
    let names = names.map(crate::data::synthetic::Set::name);
    let sets = names.filter(|name| fits(name));
    let sets: Vec<Synthetic> = sets
        .map(|name| format!("{name}?{options}").parse())
        .collect::<Result<_>>()?;
    if sets.is_empty() {
        return Err(Error::Argument {
            argument: "--sets".into(),
            found: pattern.escape_debug().to_string(),
            expected: "a pattern that some set of sgt data synthetic fits".into(),
        });
    }
    Ok(sets)
}

fn write(
    folder: &Path,
    summary: &Summary,
    text: &str,
    cells: &[CellRecord],
) -> Result<Vec<PathBuf>> {
    let json = serde_json::to_vec_pretty(summary).map_err(|reason| Error::Argument {
        argument: "summary".into(),
        found: reason.to_string(),
        expected: "values that JSON can hold".into(),
    })?;
    let mut files = vec![
        (folder.join("time-series.md"), text.as_bytes().to_vec()),
        (folder.join("time-series.json"), json),
        (folder.join("index.html"), page(summary, cells).into_bytes()),
    ];
    for method in &summary.methods {
        for (name, chart) in profile::charts(cells, method) {
            let path = folder.join("charts").join(name);
            files.push((path, chart.standalone().into_bytes()));
        }
    }
    for (name, figure) in example::figures(cells, &summary.trainings) {
        files.push((folder.join("charts").join(name), figure.into_bytes()));
    }
    file::create_folder(&folder.join("charts"))?;
    for (path, bytes) in &files {
        file::write_atomic(path, bytes)?;
    }
    Ok(files
        .into_iter()
        .take(TABLES)
        .map(|(path, _)| path)
        .collect())
}

/// The first of the files that are written: tables and page, before the charts.
const TABLES: usize = 3;

fn score(folder: &Path, output: &Output) -> Result<ExitCode> {
    let scored = archive::score(folder)?;
    output.print(&scored, || {
        let mut lines = vec![format!(
            "{:<48} {:<24} {:>6} {:>6} {:>6} {:>6} {:>9} {:>9}",
            "file", "method", "AUP", "AUR", "AUPR", "AP", "TimeX AUP", "TimeX AUR"
        )];
        for maps in &scored {
            let scores = &maps.scores;
            lines.push(format!(
                "{:<48} {:<24} {:>6.3} {:>6.3} {:>6.3} {:>6.3} {:>9.3} {:>9.3}",
                maps.file.display(),
                maps.method,
                scores.weighted.aup,
                scores.weighted.aur,
                scores.weighted.aupr,
                scores.average_precision.mean,
                scores.timex_aup.mean,
                scores.timex_aur.mean
            ));
        }
        lines.join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A bar on a terminal, a line a cell elsewhere, nothing for machines.
struct Display {
    form: Form,
    state: Mutex<State>,
    cells: usize,
}

enum Form {
    Bar(ProgressBar),
    Lines,
    Silent,
}

struct State {
    start: Instant,
    done: usize,
    computed: usize,
}

impl Display {
    fn new(output: &Output, cells: usize) -> Self {
        let form = match (output.is_json(), std::io::stderr().is_terminal()) {
            (true, _) => Form::Silent,
            (false, false) => Form::Lines,
            (false, true) => {
                let bar = ProgressBar::new(cells as u64);
                let template = "{bar:24} {pos}/{len} cells  {msg}  {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                Form::Bar(bar)
            }
        };
        Self {
            form,
            state: Mutex::new(State {
                start: Instant::now(),
                done: 0,
                computed: 0,
            }),
            cells,
        }
    }

    fn show(&self, notice: Notice<'_>) {
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        state.done += 1;
        let record = match notice {
            Notice::Found(_) => {
                if let Form::Bar(bar) = &self.form {
                    bar.inc(1);
                    bar.reset_eta();
                }
                return;
            }
            Notice::Computed(record) => record,
        };
        state.computed += 1;
        let each = state.start.elapsed().as_secs_f64() / state.computed as f64;
        let left = Duration::from_secs_f64(each * (self.cells - state.done) as f64);
        let line = format!(
            "{} {} {} seed {}  accuracy {:.3}  {} epochs  {:.1} s",
            record.set,
            record.network,
            record.training,
            record.seed,
            record.test_accuracy,
            record.epochs,
            record.training_seconds
                + record
                    .methods
                    .iter()
                    .map(|method| method.seconds)
                    .sum::<f64>(),
        );
        match &self.form {
            Form::Bar(bar) => {
                bar.set_message(line);
                bar.inc(1);
            }
            Form::Lines => {
                let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
                remark(&format!(
                    "cell {}/{}  {line}  {minutes}:{seconds:02} left",
                    state.done, self.cells
                ));
            }
            Form::Silent => {}
        }
    }

    fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}
