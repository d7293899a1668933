//! `sgt config`.

use super::Common;
use super::output::Output;
use super::run_arguments::RunArguments;
use crate::Result;
use crate::config::{self, Explanation};
use crate::run::Session;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// Every key with its default and meaning, instead of a run's configuration.
    #[arg(long)]
    explain: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    if arguments.explain {
        let keys = config::explain()?;
        output.print(&keys, || text(&keys))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (config, _) = Session::read(&arguments.run.draft(common)?)?;
    let toml = config.to_toml()?;
    output.print(&config, || toml.trim_end().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn text(keys: &[Explanation]) -> String {
    let width = keys.iter().map(|key| key.key.len()).max().unwrap_or(0);
    let lines = keys.iter().map(|key| {
        let default = match (&key.series, &key.images) {
            (None, None) => "absent".to_string(),
            (Some(series), Some(images)) if series == images => series.clone(),
            (series, images) => {
                let shown = |value: &Option<String>| value.clone().unwrap_or("absent".into());
                format!("{} for series, {} for images", shown(series), shown(images))
            }
        };
        format!("{:<width$}  {}  [default: {default}]", key.key, key.meaning)
    });
    lines.collect::<Vec<_>>().join("\n")
}
