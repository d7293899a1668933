//! `sgt compare`.

use super::Common;
use super::again::again;
use super::curves::{CurveArguments, Curves};
use super::evaluation_arguments::EvaluationArguments;
use super::example;
use super::interrupt::{INTERRUPTED, Interrupt};
use super::list::List;
use super::output::{Output, remark};
use super::report::paths;
use super::run_arguments::RunArguments;
use crate::attribution::Method;
use crate::compare::{ComparisonRow, Existing, Notice, Place, Plan, group, measure, sample_maps};
use crate::config::Regime;
use crate::evaluation::Extent;
use crate::instructions::InstructionSet;
use crate::report::{self, table};
use crate::run::{FinishedRun, Lock};
use crate::{Result, file, limits};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Runs of every regime where data are given.
const SEEDS: u32 = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// The regimes; the others are compared with the first.
    #[arg(
        long,
        value_name = "LIST",
        default_value = "standard,sgt,adversarial,asgt"
    )]
    regimes: List<Regime>,
    /// Runs of every regime, with the seeds 0, 1, … [default: 5; without data 3].
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::SEEDS))
    )]
    seeds: Option<u32>,
    #[command(flatten)]
    evaluation: EvaluationArguments,
    #[command(flatten)]
    curves: CurveArguments,
    /// Where page, tables, pictures and every run's folder go.
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
    /// Go on with a comparison in the folder: finished runs are kept, unfinished ones go on, and
    /// runs of another configuration are refused.
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace runs, tables and pictures that are already in the folder.
    #[arg(long)]
    overwrite: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let start = Instant::now();
    let (draft, seeds, samples) = if arguments.run.names_data() {
        (arguments.run.draft(common)?, SEEDS, None)
    } else {
        let draft = arguments.run.draft_over(example::lay, common)?;
        (draft, example::SEEDS, Some(example::SAMPLES))
    };
    let seeds = arguments.seeds.unwrap_or(seeds) as usize;
    let plan = Plan::read(&draft, &arguments.regimes.0, seeds)?;
    let input = plan.input();
    let evaluation = &arguments.evaluation;
    let config = evaluation.config_of(Extent::Quick, input.kind(), samples);
    // What cannot be measured or written shows before the first run.
    config.check(input)?;
    let place = Place {
        folder: &arguments.out,
        existing: match (arguments.resume, arguments.overwrite) {
            (true, _) => Existing::Resume,
            (_, true) => Existing::Replace,
            _ => Existing::Refuse,
        },
    };
    plan.check(place)?;
    if place.existing == Existing::Refuse {
        report::check_free(&arguments.out)?;
    }
    file::create_folder(&arguments.out)?;
    let _lock = Lock::take(&arguments.out)?;
    if place.existing == Existing::Replace {
        report::clear(&arguments.out)?;
    }
    let interrupt = Interrupt::watch()?;
    let go_on = again(Some("--resume"), &["--overwrite"]);
    // Not before: an error is one line.
    for note in plan.notes() {
        remark(note);
    }
    let display = ComparisonDisplay::new(output, plan.runs());
    let curves = Curves::new(&arguments.curves);
    let trained = plan.train(Some(place), interrupt.asked(), |notice| {
        if let Notice::Epoch { config, row } = notice {
            curves.epoch(&format!("{}-{}", config.regime, config.seed), row);
        }
        display.training(notice);
    });
    display.finish();
    let Some(trained) = trained? else {
        remark(&format!(
            "interrupted; every run that had begun is saved: go on with {go_on}"
        ));
        return Ok(ExitCode::from(INTERRUPTED));
    };
    interrupt.end_with(format!(
        "interrupted while measuring; every run is saved: go on with {go_on}"
    ));
    let groups = group(&trained)?;
    let comparison = measure(&groups, &config, |_, _| {})?;
    // The control's numbers count; its pictures are noise.
    let shown = config.methods.iter().filter(|m| **m != Method::Random);
    let shown: Vec<Method> = shown.cloned().collect();
    let samples = sample_maps(&groups, &shown)?;
    let files = report::write(&arguments.out, &comparison, &samples)?;
    output.print(&comparison, || {
        format!(
            "{}\n\n{} runs in {:.1} s\n{}",
            table::text(&comparison, ComparisonRow::is_headline),
            trained.len(),
            start.elapsed().as_secs_f64(),
            paths(&files)
        )
    })?;
    curves.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// A bar over all runs on a terminal, a line a run elsewhere, nothing for machines.
enum ComparisonDisplay {
    Bar(ProgressBar),
    Lines,
    Silent,
}

/// Parts of a run on the bar.
const RUN_PARTS: u64 = 1000;

impl ComparisonDisplay {
    fn new(output: &Output, runs: usize) -> Self {
        match (output.is_json(), std::io::stderr().is_terminal()) {
            (true, _) => Self::Silent,
            (false, false) => Self::Lines,
            (false, true) => {
                let bar = ProgressBar::new(runs as u64 * RUN_PARTS);
                if let Ok(style) =
                    ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}  {eta} left")
                {
                    bar.set_style(style);
                }
                Self::Bar(bar)
            }
        }
    }

    fn training(&self, notice: Notice<'_>) {
        match (self, notice) {
            (Self::Bar(bar), Notice::Epoch { config, row }) => {
                let epochs = config.training.epochs;
                bar.inc(RUN_PARTS / epochs as u64);
                bar.set_message(format!(
                    "{}, seed {}: epoch {}/{epochs}  loss {:.4}  accuracy {:.3}",
                    config.regime, config.seed, row.epoch, row.loss, row.accuracy
                ));
            }
            (Self::Bar(bar), Notice::Trained(run)) => bar.println(line(run)),
            (Self::Bar(bar), Notice::Kept(run)) => {
                bar.inc(RUN_PARTS);
                bar.println(format!("{}  (kept)", line(run)));
            }
            (Self::Lines, Notice::Trained(run)) => remark(&line(run)),
            (Self::Lines, Notice::Kept(run)) => remark(&format!("{}  (kept)", line(run))),
            _ => {}
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(run: &FinishedRun) -> String {
    let (config, record) = (&run.config, &run.record);
    let own = [InstructionSet::current()];
    let sets = if record.instructions.is_empty() || record.instructions == own {
        String::new()
    } else {
        let names = record.instructions.iter().map(|set| set.name());
        format!("  {}", names.collect::<Vec<_>>().join(", then "))
    };
    format!(
        "{:<12} seed {}  test accuracy {:.3}  test loss {:.4}  {:.1} s{sets}",
        config.regime, config.seed, record.test_accuracy, record.test_loss, record.seconds
    )
}
