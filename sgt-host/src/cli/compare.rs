//! `sgt compare`.

use super::Common;
use super::evaluation_arguments::EvaluationArguments;
use super::output::{Output, remark};
use super::report::paths;
use super::run_arguments::RunArguments;
use crate::attribution::Method;
use crate::compare::{ComparisonRow, Notice, Plan, group, measure, sample_maps};
use crate::config::Regime;
use crate::evaluation::Extent;
use crate::report::{self, table};
use crate::run::FinishedRun;
use crate::{Result, file};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// The regimes; the others are compared with the first.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "standard,sgt,adversarial,asgt"
    )]
    regimes: Vec<Regime>,
    /// Runs of every regime, with the seeds 0, 1, ….
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    #[command(flatten)]
    evaluation: EvaluationArguments,
    /// Where page, tables, pictures and every run's folder go.
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let start = Instant::now();
    let draft = arguments.run.draft(common)?;
    let plan = Plan::read(&draft, &arguments.regimes, arguments.seeds as usize)?;
    let input = plan.input();
    let config = arguments.evaluation.config(Extent::Quick, input.kind());
    // What cannot be measured or written shows before the first run.
    config.check(input)?;
    file::create_folder(&arguments.out)?;
    let display = ComparisonDisplay::new(output, plan.runs());
    let trained = plan.train(Some(&arguments.out), |notice| display.training(notice));
    display.finish();
    let trained = trained?;
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
            (Self::Lines, Notice::Trained(run)) => remark(&line(run)),
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
    format!(
        "{:<12} seed {}  test accuracy {:.3}  test loss {:.4}  {:.1} s",
        config.regime, config.seed, record.test_accuracy, record.test_loss, record.seconds
    )
}
