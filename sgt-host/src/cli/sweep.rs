//! `sgt sweep`.

use super::Common;
use super::again::again;
use super::curves::{CurveArguments, Curves};
use super::interrupt::{INTERRUPTED, Interrupt};
use super::list::List;
use super::output::{Output, remark};
use super::report::paths;
use super::run_arguments::RunArguments;
use crate::config::{ConfigDraft, Regime};
use crate::run::{Existing, Lock};
use crate::sweep::{Axis, Criterion, Notice, Plan, lines, picture, text, trials};
use crate::{Error, Result, file, limits};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// A key of the configuration and the values it is tried at, masking.fraction=0.3,0.5,0.7 for
    /// example; every combination is a trial. May be given several times.
    #[arg(long, value_name = "KEY=LIST")]
    grid: Vec<String>,
    /// A key and what its values are drawn from: optimizer.learning-rate=1e-4..1e-1:log,
    /// training.batch=8..64, lambda=0.0..2.0, or a list. Ends without a point or an exponent give whole
    /// numbers. May be given several times, with --trials.
    #[arg(long, value_name = "KEY=LOW..HIGH")]
    random: Vec<String>,
    /// The regimes to try: short for --grid regime=LIST.
    #[arg(long, value_name = "LIST")]
    regimes: Option<List<Regime>>,
    /// So many different trials are drawn, or as many as there are [default: every combination].
    #[arg(long, value_name = "N")]
    trials: Option<usize>,
    /// Seeds the draws.
    #[arg(long, value_name = "N", default_value_t = 0)]
    draw_seed: u64,
    /// Runs of every trial, with the seeds 0, 1, …
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::SEEDS))
    )]
    seeds: u32,
    /// What chooses, on the validation part: accuracy, balanced-accuracy or loss.
    #[arg(long, value_name = "NAME", default_value = "accuracy")]
    choose: Criterion,
    /// The share of the training part that chooses; the chosen network is trained on the rest
    /// [default: data.validation of the configuration, or 0.2].
    #[arg(long, value_name = "SHARE")]
    validation: Option<f64>,
    #[command(flatten)]
    curves: CurveArguments,
    /// Where table, picture and every run's folder go.
    #[arg(long, value_name = "DIR", default_value = "runs/sweep")]
    out: PathBuf,
    /// Go on with a sweep in the folder: runs that ended are kept, others go on, and runs of another
    /// configuration are refused.
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace runs, table and picture that are already in the folder.
    #[arg(long)]
    overwrite: bool,
}

/// The files beside the runs' folders.
const FILES: [&str; 3] = ["trials.jsonl", "sweep.json", "sweep.svg"];

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let draft = draft(arguments, common)?;
    let trials = trials(&axes(arguments)?, arguments.trials, arguments.draw_seed)?;
    let seeds = arguments.seeds as usize;
    let drawn = trials.len();
    let plan = Plan::read(&draft, trials, seeds, arguments.choose)?;
    if arguments.trials.is_some_and(|asked| drawn < asked) {
        remark(&format!(
            "there are no more than {drawn} different trials; ends like 0..1 draw whole numbers, \
             0.0..1.0 any between"
        ));
    }
    let existing = match (arguments.resume, arguments.overwrite) {
        (true, _) => Existing::Resume,
        (_, true) => Existing::Replace,
        _ => Existing::Refuse,
    };
    let runs = arguments.out.join("runs");
    plan.check(&runs, existing)?;
    for name in FILES {
        let overwrite = existing != Existing::Refuse;
        file::check_free("--out", &arguments.out.join(name), overwrite)?;
    }
    file::create_folder(&arguments.out)?;
    let _lock = Lock::take(&arguments.out)?;
    if existing == Existing::Replace {
        for name in FILES {
            file::remove(&arguments.out.join(name))?;
        }
    }
    let interrupt = Interrupt::watch()?;
    // Not before: an error is one line.
    for note in plan.notes() {
        remark(note);
    }
    let display = Display::new(output, plan.runs());
    let curves = Curves::new(&arguments.curves);
    let swept = plan.train(&runs, existing, interrupt.asked(), |notice| {
        if let Notice::Epoch {
            trial, seed, row, ..
        } = notice
        {
            curves.epoch(&format!("trial {}-{seed}", trial.number), row);
        }
        display.show(notice);
    });
    display.finish();
    let Some(sweep) = swept? else {
        remark(&format!(
            "interrupted; every run that had begun is saved: go on with {}",
            again(Some("--resume"), &["--overwrite"])
        ));
        return Ok(ExitCode::from(INTERRUPTED));
    };
    let json = serde_json::to_string_pretty(&sweep).map_err(|reason| Error::Argument {
        argument: "sweep".into(),
        found: reason.to_string(),
        expected: "values that JSON can hold".into(),
    })?;
    let contents = [lines(&sweep)?, json + "\n", picture(&sweep)];
    let mut written = Vec::new();
    for (name, content) in FILES.iter().zip(contents) {
        let path = arguments.out.join(name);
        file::write_atomic(&path, content.as_bytes())?;
        written.push(path);
    }
    output.print(&sweep, || {
        written.extend(sweep.chosen.runs.iter().cloned());
        format!("{}\n{}", text(&sweep), paths(&written))
    })?;
    curves.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Where the samples come from that choose, when nothing else says it.
const VALIDATION: f64 = 0.2;

/// The configuration below the trials, with a validation part.
fn draft(arguments: &Arguments, common: &Common) -> Result<ConfigDraft> {
    let key = "data.validation";
    let below = |draft: &mut ConfigDraft| draft.set(key, VALIDATION);
    let mut draft = arguments.run.draft_over(below, common)?;
    match arguments.validation {
        Some(share) if share > 0.0 && share < 1.0 => draft.set(key, share),
        Some(share) => {
            return Err(Error::Argument {
                argument: "--validation".into(),
                found: share.to_string(),
                expected: "a share above 0 and below 1".into(),
            });
        }
        None if draft.data()?.validation <= 0.0 => draft.set(key, VALIDATION),
        None => {}
    }
    Ok(draft)
}

fn axes(arguments: &Arguments) -> Result<Vec<Axis>> {
    let mut axes = Vec::new();
    if let Some(regimes) = &arguments.regimes {
        axes.push(Axis::Values {
            key: "regime".into(),
            values: regimes
                .0
                .iter()
                .map(|regime| regime.name().into())
                .collect(),
        });
    }
    for text in &arguments.grid {
        axes.push(Axis::values("--grid", text)?);
    }
    for text in &arguments.random {
        axes.push(Axis::drawn("--random", text)?);
    }
    Ok(axes)
}

/// A bar over all runs on a terminal, a line a run elsewhere, nothing for machines.
enum Display {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Display {
    fn new(output: &Output, runs: usize) -> Self {
        match (output.is_json(), std::io::stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, false) => Self::Lines,
            (false, true) => {
                let bar = ProgressBar::new(runs as u64);
                let template = "{bar:24} {pos}/{len} runs  {msg}  {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                Self::Bar(bar)
            }
        }
    }

    fn show(&self, notice: Notice<'_>) {
        match (self, notice) {
            (
                Self::Bar(bar),
                Notice::Epoch {
                    trial,
                    seed,
                    row,
                    epochs,
                },
            ) => bar.set_message(format!(
                "trial {}, seed {seed}: epoch {}/{epochs}  accuracy {:.3}",
                trial.number, row.epoch, row.accuracy
            )),
            (Self::Bar(bar), Notice::Scored(..)) => bar.inc(1),
            (Self::Lines, Notice::Scored(trial, score)) => {
                let said = match (&score.failed, &score.validation) {
                    (None, Some(found)) => format!(
                        "validation accuracy {:.3}  loss {:.4}",
                        found.accuracy, found.loss
                    ),
                    (reason, _) => format!("failed: {}", reason.as_deref().unwrap_or("no score")),
                };
                remark(&format!(
                    "trial {} ({trial})  seed {}  {said}  {:.1} s",
                    trial.number, score.seed, score.seconds
                ));
            }
            _ => {}
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
