//! `sgt report`.

use super::Common;
use super::evaluate::What;
use super::output::{Output, remark};
use crate::compare::runs::{compare_runs, evaluate_runs, report};
use crate::report::{map, markdown, page, robustness_charts};
use crate::{Result, file};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    what: What,
    /// Where the page and its pictures go.
    #[arg(long, value_name = "DIR", default_value = "runs/report")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Written {
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, output: &Output) -> Result<ExitCode> {
    let what = &arguments.what;
    let config = what.config()?;
    let runs = what.open(common)?;
    file::create_folder(&arguments.out)?;
    let groups = evaluate_runs(&runs, what.samples(), &config, |run, found| {
        if !output.is_json() {
            remark(&format!(
                "{}: accuracy {:.4}",
                run.path.display(),
                found.accuracy
            ));
        }
    })?;
    let report = report(&groups, compare_runs(&groups)?, &config.methods)?;
    let mut pictures = vec![
        ("index.html".to_string(), page(&report)?),
        ("results.md".to_string(), markdown(&report)),
    ];
    for method in &config.methods {
        let shown = report.samples.iter().flat_map(|sample| &sample.maps);
        if shown.into_iter().any(|map| map.method == method.name()) {
            let panel = map::panel(&report.samples, method.name())?;
            pictures.push((format!("saliency-{}.svg", method.name()), panel));
        }
    }
    for (attack, chart) in what
        .attacks()
        .iter()
        .zip(robustness_charts(&report.regimes))
    {
        pictures.push((
            format!("robustness-{}.svg", attack.name()),
            chart.standalone(),
        ));
    }
    let mut written = Written { files: Vec::new() };
    for (name, content) in pictures {
        let path = arguments.out.join(name);
        file::write_atomic(&path, content.as_bytes())?;
        written.files.push(path);
    }
    output.print(&written, || {
        let names = written.files.iter().map(|path| path.display().to_string());
        names.collect::<Vec<_>>().join("\n")
    })?;
    Ok(ExitCode::SUCCESS)
}
