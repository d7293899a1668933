//! Finished runs, put together by what tells them apart and measured alike.

use super::Warning;
use super::jobs::side_by_side;
use super::{
    ClassCount, Comparison, Evidence, MeasuredRun, RegimeRuns, compare, verdict, warnings,
};
use crate::config::differences;
use crate::evaluation::{Evaluation, EvaluationConfig, evaluate};
use crate::run::FinishedRun;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Runs that are alike but for their seeds, in the order of these.
pub struct RunGroup<'r> {
    /// The regime's name, with the settings that tell it from other runs of that regime.
    pub name: String,
    /// Its runs, at least one.
    pub runs: Vec<&'r FinishedRun>,
    settings: BTreeMap<String, String>,
}

/// Puts together the runs that differ in nothing but the seed, in the order in which the settings
/// appear.
///
/// # Errors
/// [`Error::Argument`] when there is no run, the runs are on different data, or two are the same
/// run.
pub fn group(runs: &[FinishedRun]) -> Result<Vec<RunGroup<'_>>> {
    let refuse = |found: String, expected: String| {
        Err(Error::Argument {
            argument: "RUN".into(),
            found,
            expected,
        })
    };
    if runs.is_empty() {
        return refuse("none".into(), "one or more finished runs".into());
    }
    let mut groups: Vec<RunGroup<'_>> = Vec::new();
    for run in runs {
        let (found, expected) = (&run.test, &runs[0].test);
        if found.name() != expected.name() || found.labels() != expected.labels() {
            let found = format!("{} on {}", run.name(), found.name());
            return refuse(found, format!("runs on {} alone", expected.name()));
        }
        let settings = run.config.settings()?;
        let Some(group) = groups.iter_mut().find(|known| known.settings == settings) else {
            groups.push(RunGroup {
                name: String::new(),
                runs: vec![run],
                settings,
            });
            continue;
        };
        let seed = |run: &FinishedRun| run.config.seed;
        if let Some(twin) = group.runs.iter().find(|known| seed(known) == seed(run)) {
            let pair = format!("{} and {}", twin.name(), run.name());
            return refuse(
                format!("the same settings and seed in {pair}"),
                "every run once".into(),
            );
        }
        group.runs.push(run);
    }
    let settings: Vec<_> = groups.iter().map(|group| group.settings.clone()).collect();
    for (group, name) in groups.iter_mut().zip(names(&settings)) {
        group.name = name;
        group.runs.sort_by_key(|run| run.config.seed);
    }
    Ok(groups)
}

/// The regime of each group and, where several groups share it, what tells them apart: `sgt
/// signed`, `sgt fraction=0.3`.
fn names(groups: &[BTreeMap<String, String>]) -> Vec<String> {
    let regime = |group: &BTreeMap<String, String>| group.get("regime").cloned();
    let name = |group: &BTreeMap<String, String>| {
        let rivals = groups.iter().filter(|other| regime(other) == regime(group));
        let rivals: Vec<_> = rivals.cloned().collect();
        let own = differences(&rivals).into_iter().filter_map(|difference| {
            let value = group.get(&difference.key)?;
            let is_word = value.starts_with(char::is_alphabetic) && value.parse::<bool>().is_err();
            let key = difference.key.rsplit('.').next()?;
            Some(if is_word {
                value.clone()
            } else {
                format!("{key}={value}")
            })
        });
        let words: Vec<String> = regime(group).into_iter().chain(own).collect();
        words.join(" ")
    };
    groups.iter().map(name).collect()
}

/// Measures every run by `config` and compares the groups with the first. Runs are measured side
/// by side, on the same samples; `watch` sees each when it is done.
///
/// # Errors
/// As [`evaluate`] and [`compare`].
pub fn measure(
    groups: &[RunGroup<'_>],
    config: &EvaluationConfig,
    watch: impl Fn(&FinishedRun, &Evaluation) + Sync,
) -> Result<Comparison> {
    let runs: Vec<&FinishedRun> = groups.iter().flat_map(|group| group.runs.clone()).collect();
    let measured = side_by_side(&runs, |run| {
        let evaluation = evaluate(&run.model, &run.test, config)?;
        watch(run, &evaluation);
        Ok(MeasuredRun {
            seed: run.config.seed,
            folder: run.folder.clone(),
            config: run.config.to_toml()?,
            seconds: run.record.seconds,
            epochs: run.epochs.clone(),
            evaluation,
        })
    })?;
    let mut measured = measured.into_iter();
    let regimes = groups.iter().map(|group| RegimeRuns {
        name: group.name.clone(),
        runs: measured.by_ref().take(group.runs.len()).collect(),
    });
    let mut regimes: Vec<RegimeRuns> = regimes.collect();
    let rows = compare(&regimes, config)?;
    // The rows say what there is to say of single samples.
    for run in regimes.iter_mut().flat_map(|regime| &mut regime.runs) {
        run.evaluation.by_sample = Vec::new();
    }
    let test = &runs[0].test;
    let classes = ClassCount::all(
        test.classes(),
        &runs[0].training_classes,
        &test.class_counts(),
    );
    let mut warnings = warnings(&classes, &regimes, &rows);
    let shared = &runs[0].test.provenance().shared;
    if !shared.is_empty() {
        let shared = shared.clone();
        warnings.insert(0, Warning::SharedTestPart { shared });
    }
    let names: Vec<String> = regimes.iter().map(|regime| regime.name.clone()).collect();
    let verdict = verdict(&Evidence {
        regimes: &names,
        rows: &rows,
        warnings: &warnings,
    });
    let mut models: Vec<&str> = runs.iter().map(|run| &run.config.model[..]).collect();
    models.dedup();
    let settings: Vec<_> = groups.iter().map(|group| group.settings.clone()).collect();
    Ok(Comparison {
        verdict,
        warnings,
        classes,
        data: runs[0].test.name().into(),
        model: models.join(", "),
        training_samples: runs[0].training_samples,
        test_samples: runs[0].test.len(),
        unit: runs[0].unit(),
        evaluation: config.clone(),
        settings: differences(&settings),
        rows,
        regimes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_tells_runs_of_one_regime_apart() {
        let group = |settings: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = settings
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()));
            owned.collect()
        };
        let importance = "masking.importance";
        let found = names(&[
            group(&[("regime", "standard")]),
            group(&[("regime", "sgt"), (importance, "signed"), ("lambda", "1.0")]),
            group(&[
                ("regime", "sgt"),
                (importance, "absolute"),
                ("lambda", "0.5"),
            ]),
        ]);
        let expected = [
            "standard",
            "sgt lambda=1.0 signed",
            "sgt lambda=0.5 absolute",
        ];
        assert_eq!(found, expected);
    }
}
