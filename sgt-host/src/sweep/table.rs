//! A sweep as text: a table for people, a line of JSON for each trial.

use super::{Sweep, TrialOutcome};
use crate::metrics::statistics::MeanDeviation;
use crate::{Error, Result};
use std::fmt::Write;

/// Trials of the table, at most.
const MOST_TRIALS: usize = 20;

/// The best trials, a line each, and what the chosen one does on the test part.
pub fn text(sweep: &Sweep) -> String {
    let mut columns: Vec<Vec<String>> = vec![vec!["trial".into()]];
    let keys = sweep.trials.first().map_or(&[][..], |best| &best.values);
    columns.extend(keys.iter().map(|(key, _)| vec![key.clone()]));
    let score = format!("validation {}", sweep.criterion.name());
    columns.extend([score, "p to best".into(), "seconds".into()].map(|head| vec![head]));
    for outcome in sweep.trials.iter().take(MOST_TRIALS) {
        let mut cells = vec![outcome.trial.to_string()];
        cells.extend(outcome.values.iter().map(|(_, value)| value.clone()));
        cells.push(
            outcome
                .score
                .map_or("failed".into(), |score| number(&score)),
        );
        cells.push(
            outcome
                .p_to_best
                .map_or(String::new(), |p| format!("{p:.3}")),
        );
        cells.push(format!("{:.1}", outcome.seconds));
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.push(cell);
        }
    }
    let width = |column: &Vec<String>| column.iter().map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in 0..columns[0].len() {
        let cells = columns.iter().zip(&widths);
        let cells = cells.map(|(column, &width)| format!("{:>width$}", column[line]));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  "));
    }
    let more = sweep.trials.len().saturating_sub(MOST_TRIALS);
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    let chosen = &sweep.chosen;
    if sweep.alike > 0 {
        let _ = writeln!(
            text,
            "{} more combinations do the same as one of these and were left out",
            sweep.alike
        );
    }
    let _ = writeln!(
        text,
        "\nChosen by the {} of {} validation samples, {}: trial {}, {}.",
        sweep.criterion.name(),
        sweep.validation_samples,
        match sweep.seeds {
            1 => "one seed".into(),
            seeds => format!("mean of {seeds} seeds"),
        },
        chosen.trial,
        chosen.settings.join(", ")
    );
    match sweep.not_told_apart {
        None => text.push_str("With one seed no trial can be told apart from another.\n"),
        Some(0) => {}
        Some(alike) => {
            let trials = if alike == 1 { "trial" } else { "trials" };
            let _ = writeln!(text, "{alike} more {trials} cannot be told apart from it.");
        }
    }
    let _ = write!(
        text,
        "It alone was tested, on {} samples: accuracy {}, loss {}.",
        chosen.test_samples,
        number(&chosen.test_accuracy),
        number(&chosen.test_loss)
    );
    text
}

fn number(value: &MeanDeviation) -> String {
    match value.deviation {
        Some(deviation) => format!("{} ± {}", digits(value.mean), digits(deviation)),
        None => digits(value.mean),
    }
}

/// Four decimals, or a power of ten where that would be long.
pub(super) fn digits(number: f64) -> String {
    const LONG: f64 = 1e6;
    if number.abs() < LONG {
        format!("{number:.4}")
    } else {
        format!("{number:.3e}")
    }
}

/// One line of JSON for each trial, the best first.
///
/// # Errors
/// [`Error::Argument`] for values that JSON cannot hold.
pub fn lines(sweep: &Sweep) -> Result<String> {
    let line = |outcome: &TrialOutcome| {
        serde_json::to_string(outcome).map_err(|reason| Error::Argument {
            argument: "trial".into(),
            found: reason.to_string(),
            expected: "values that JSON can hold".into(),
        })
    };
    let lines: Vec<String> = sweep.trials.iter().map(line).collect::<Result<_>>()?;
    Ok(lines.join("\n") + "\n")
}
