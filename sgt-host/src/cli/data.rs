//! `sgt data`.

use super::Common;
use super::output::Output;
use crate::Result;
use crate::data::catalog::{self, Availability, CaseShape, Info};
use crate::data::data_dir;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every data set known by name.
    List,
    /// What a data set holds, whose it is, and whether it is here.
    Info {
        /// Its name.
        name: String,
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
        Command::Info { name } => {
            let info = catalog::info(name, &folder)?;
            output.print(&info, || describe(&info))?;
        }
    }
    Ok(ExitCode::SUCCESS)
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
    if let Some(loaded) = &info.loaded {
        let classes = loaded.class_names.iter().zip(&loaded.class_counts);
        let classes: Vec<_> = classes
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        lines.push(format!(
            "files      {} training, {} test, samples {:?}{}",
            loaded.cases[0],
            loaded.cases[1],
            loaded.sample,
            if loaded.padded {
                ", padded in front"
            } else {
                ""
            }
        ));
        lines.push(format!("training   {}", classes.join(", ")));
        let range = loaded.range;
        let bounds = match loaded.bounds {
            Some(bounds) => format!("bounds {} to {}", bounds.low, bounds.high),
            None => "no bounds".into(),
        };
        lines.push(format!(
            "values     {} to {}, {bounds}",
            range.low, range.high
        ));
    }
    lines.push(format!("source     {}", info.attribution.trim()));
    lines.join("\n")
}
