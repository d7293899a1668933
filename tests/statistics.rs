//! Differences, intervals and classes of three made-up tables against scipy, statsmodels and
//! scikit-learn (`golden/generate_statistics.py`).

#[path = "common/made_up.rs"]
mod made_up;
#[path = "common/tolerance.rs"]
mod tolerance;

use made_up::{evaluation, run};
use serde_json::Value;
use sgt_host::compare::{ComparisonRow, RegimeRuns, compare};
use sgt_host::data::DataKind;
use sgt_host::evaluation::EvaluationConfig;
use sgt_host::metrics::bootstrap::REPLICATES;
use sgt_host::metrics::classification::confusion;
use sgt_host::metrics::{Classification, Metric, holm};

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/statistics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let values = value.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_near(what: &str, found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: found {found}, expected {expected} within {tolerance}"
    );
}

/// The row of the accuracy of regimes with these values by sample.
fn row(table: &Value) -> ComparisonRow {
    let regimes = table["values"].as_array().unwrap().iter().enumerate();
    let regimes: Vec<RegimeRuns> = regimes
        .map(|(place, seeds)| {
            let seeds = seeds.as_array().unwrap().iter().enumerate();
            let runs = seeds.map(|(seed, samples)| {
                let values: Vec<f32> = numbers(samples).iter().map(|&v| v as f32).collect();
                run(seed as u64, 1.0, evaluation(&values))
            });
            RegimeRuns {
                name: format!("regime {place}"),
                runs: runs.collect(),
            }
        })
        .collect();
    let rows = compare(&regimes, &EvaluationConfig::quick(DataKind::Series)).unwrap();
    assert_eq!(rows[0].metric, Metric::Accuracy);
    rows.into_iter().next().unwrap()
}

#[test]
fn tables_have_the_references_intervals_and_p_values() {
    let golden = golden();
    for (name, table) in golden["tables"].as_object().unwrap() {
        let row = row(table);
        for (place, mean) in numbers(&table["means"]).into_iter().enumerate() {
            let found = row.values[place].unwrap();
            assert!((found.mean - mean).abs() < tolerance::STATISTIC, "{name}");
            let expected = table["deviations"].get(place).and_then(Value::as_f64);
            assert_eq!(found.deviation.is_some(), expected.is_some(), "{name}");
            let apart = found.deviation.unwrap_or(0.0) - expected.unwrap_or(0.0);
            assert!(apart.abs() < tolerance::STATISTIC, "{name}");
        }
        let pairs = table["pairs"].as_array().unwrap();
        assert_eq!(row.pairs.len(), pairs.len(), "{name}");
        let mut over_seeds = Vec::new();
        for pair in pairs {
            let column = |key: &str| pair[key].as_u64().unwrap() as usize;
            let found = row.between(column("regime"), column("other")).unwrap();
            let what = format!("{name}, {} − {}", pair["regime"], pair["other"]);
            let exact = tolerance::STATISTIC;
            assert_near(&what, found.difference, &pair["difference"], exact);
            let samples = found.over_samples.unwrap();
            let reference = &pair["samples"];
            assert_near(&what, samples.deviation, &reference["deviation"], exact);
            let scatter =
                tolerance::BOOTSTRAP_SHARE * (samples.interval.high - samples.interval.low);
            assert_near(&what, samples.interval.low, &reference["low"], scatter);
            assert_near(&what, samples.interval.high, &reference["high"], scatter);
            let p_value = reference["p"].as_f64().unwrap();
            let scatter = tolerance::bootstrap_p(p_value, REPLICATES);
            assert_near(&what, samples.p_value, &reference["p"], scatter);
            let Some(reference) = pair.get("seeds") else {
                assert!(
                    found.over_seeds.is_none() && found.p_value.is_none(),
                    "{what}"
                );
                assert!(!found.differs(), "{what}: one seed marks nothing");
                continue;
            };
            let seeds = found.over_seeds.unwrap();
            assert_near(&what, seeds.low, &reference["low"], exact);
            assert_near(&what, seeds.high, &reference["high"], exact);
            assert_near(&what, seeds.p_value, &reference["p"], exact);
            over_seeds.push((seeds.p_value, reference["holm"].clone()));
            // What counts is the larger p-value, never less than each of the two.
            let p_value = found.p_value.unwrap();
            assert!(p_value >= seeds.p_value.max(samples.p_value), "{what}");
        }
        let (p_values, expected): (Vec<f64>, Vec<Value>) = over_seeds.into_iter().unzip();
        for (found, expected) in holm(&p_values).into_iter().zip(&expected) {
            assert_near(name, found, expected, tolerance::STATISTIC);
        }
        for (found, expected) in row
            .intervals
            .iter()
            .zip(table["wilson"].as_array().unwrap())
        {
            let found = found.unwrap();
            assert_near(name, found.low, &expected[0], tolerance::STATISTIC);
            assert_near(name, found.high, &expected[1], tolerance::STATISTIC);
        }
    }
}

#[test]
fn one_table_of_answers_has_the_references_scores() {
    let golden = &golden()["answers"];
    let places = |key: &str| -> Vec<usize> {
        let values = golden[key].as_array().unwrap().iter();
        values
            .map(|value| value.as_u64().unwrap() as usize)
            .collect()
    };
    let names: Vec<String> = (0..4).map(|class| class.to_string()).collect();
    let counts = confusion(&places("labels"), &places("predicted"), 4);
    assert_eq!(serde_json::to_value(&counts).unwrap(), golden["confusion"]);
    let found = Classification::of(&names, counts);
    let exact = tolerance::STATISTIC;
    for (value, key) in [
        (found.balanced_accuracy, "balanced_accuracy"),
        (found.macro_f1, "macro_f1"),
        (found.majority_baseline, "majority_baseline"),
    ] {
        assert_near(key, value, &golden[key], exact);
    }
    for (place, class) in found.per_class.iter().enumerate() {
        let shares = [
            (class.precision, "precision"),
            (class.recall, "recall"),
            (class.f1, "f1"),
        ];
        for (share, key) in shares {
            assert_near(key, share.unwrap_or(0.0), &golden[key][place], exact);
        }
        assert_eq!(class.support, places("support")[place]);
    }
}

#[test]
fn the_bootstrap_is_seeded_and_blind_to_the_order_of_regimes() {
    let table = &golden()["tables"]["shares of five seeds"];
    let row = row(table);
    assert!(row == self::row(table));
    for pair in &row.pairs {
        let there = row.between(pair.regime, pair.other).unwrap();
        let back = row.between(pair.other, pair.regime).unwrap();
        assert_eq!(there, pair.contrast);
        assert_eq!(there.difference, -back.difference);
        assert_eq!(there.p_value, back.p_value);
        let (there, back) = (there.interval().unwrap(), back.interval().unwrap());
        assert_eq!((there.low, there.high), (-back.high, -back.low));
    }
}
