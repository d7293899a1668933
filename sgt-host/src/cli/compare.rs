//! `sgt compare`.

use super::Common;
use super::output::{Output, remark};
use super::settings::Settings;
use crate::attribution::Method;
use crate::compare::{Compared, Notice, Plan, RunResult, compare, table};
use crate::config::Regime;
use crate::report::chart::LineChart;
use crate::report::{map, page, robustness_charts};
use crate::{Result, file};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: Settings,
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
    /// Radii of PGD in the table [default: 0.05,0.1,0.2 for images, 0.1,0.2,0.4 deviations for
    /// series].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    eps: Vec<f32>,
    /// Where tables, pictures and every run's folder go.
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let plan = Plan {
        draft: arguments.settings.draft(common)?,
        regimes: arguments.regimes.clone(),
        seeds: arguments.seeds as usize,
        epsilons: arguments.eps.clone(),
        folder: Some(arguments.out.clone()),
    };
    file::create_folder(&arguments.out)?;
    let display = Display::new(output, plan.regimes.len() * plan.seeds);
    let compared = compare(&plan, |notice| display.show(&notice));
    display.finish();
    let compared = compared?;
    let files = write(&arguments.out, &compared)?;
    output.print(&compared.summary, || {
        format!("{}\n\n{}", table::text(&compared.summary), files.join("\n"))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes table, pictures and page, and returns their names.
fn write(folder: &Path, compared: &Compared) -> Result<Vec<String>> {
    let Compared { summary, report } = compared;
    let json = serde_json::to_vec_pretty(summary).map_err(|reason| {
        file::data_error(folder, reason.to_string(), "values that JSON can hold")
    })?;
    let curves = robustness_charts(&report.regimes);
    let curves = curves
        .first()
        .map(LineChart::standalone)
        .unwrap_or_default();
    let saliency = map::panel(&report.samples, Method::Gradient.name())?;
    let files = [
        ("compare.json", json),
        ("compare.csv", table::csv(summary)?),
        ("saliency.svg", saliency.into_bytes()),
        ("robustness.svg", curves.into_bytes()),
        ("report.html", page(report)?.into_bytes()),
    ];
    let mut names = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        file::write_atomic(&path, &bytes)?;
        names.push(path.display().to_string());
    }
    Ok(names)
}

/// A bar over all runs on a terminal, a line a run elsewhere, nothing for machines.
enum Display {
    Bar(ProgressBar),
    Lines,
    Silent,
}

/// Parts of a run on the bar.
const RUN_PARTS: u64 = 1000;

impl Display {
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

    fn show(&self, notice: &Notice<'_>) {
        match (self, notice) {
            (
                Self::Bar(bar),
                Notice::Epoch {
                    regime,
                    seed,
                    row,
                    epochs,
                },
            ) => {
                bar.inc(RUN_PARTS / *epochs as u64);
                bar.set_message(format!(
                    "{regime}, seed {seed}: epoch {}/{epochs}  loss {:.4}  accuracy {:.3}",
                    row.epoch, row.loss, row.accuracy
                ));
            }
            (Self::Bar(bar), Notice::Done(result)) => bar.println(line(result)),
            (Self::Lines, Notice::Done(result)) => remark(&line(result)),
            _ => {}
        }
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(result: &RunResult) -> String {
    format!(
        "{:<12} seed {}  loss {:.4}  test accuracy {:.3}  {:.1} s",
        result.regime, result.seed, result.loss, result.evaluation.accuracy, result.seconds
    )
}
