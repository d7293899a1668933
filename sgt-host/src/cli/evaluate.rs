//! `sgt evaluate`.

use super::Common;
use super::again::again;
use super::evaluation_arguments::EvaluationArguments;
use super::interrupt::Interrupt;
use super::output::{Output, remark};
use super::run_arguments::text;
use crate::Result;
use crate::compare::{Comparison, RunGroup, group, measure};
use crate::evaluation::Extent;
use crate::report::table;
use crate::run::FinishedRun;
use std::path::PathBuf;
use std::process::ExitCode;

/// Finished runs, and what is measured of them.
#[derive(Debug, clap::Args)]
pub(super) struct EvaluatedRuns {
    /// Folders of sgt train, of a comparison's runs, or, for sgt report, of sgt benchmark.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    evaluation: EvaluationArguments,
}

impl EvaluatedRuns {
    /// What the command line names.
    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.runs
    }

    /// The runs, read back.
    pub(super) fn open(&self, common: &Common) -> Result<Vec<FinishedRun>> {
        let data_dir = common.data_dir.as_deref().map(text).transpose()?;
        FinishedRun::open_all(&self.runs, data_dir)
    }

    /// The runs measured, a line each.
    pub(super) fn measure(&self, groups: &[RunGroup<'_>], output: &Output) -> Result<Comparison> {
        let kind = groups[0].runs[0].test.shape().kind();
        let config = self.evaluation.config(Extent::Thorough, kind);
        measure(groups, &config, |run, found| {
            if !output.is_json() {
                remark(&format!(
                    "{}: accuracy {:.4}, loss {:.4}",
                    run.name(),
                    found.accuracy,
                    found.loss
                ));
            }
        })
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    evaluated: EvaluatedRuns,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let interrupt = Interrupt::watch()?;
    interrupt.end_with(format!(
        "interrupted; the runs are as they were: start again with {}",
        again(None, &[])
    ));
    let runs = arguments.evaluated.open(common)?;
    let comparison = arguments.evaluated.measure(&group(&runs)?, output)?;
    output.print(&comparison, || table::text(&comparison, |_| true))?;
    Ok(ExitCode::SUCCESS)
}
