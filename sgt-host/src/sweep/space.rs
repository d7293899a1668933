//! The settings to try.

use crate::{Error, Result, limits};
use sgt_core::{Pcg32, Random};
use std::fmt::Display;
use toml::Value;

/// A key of the configuration and what it is tried at.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Each of these.
    Values {
        /// The key, `masking.fraction` for example.
        key: String,
        /// One or more.
        values: Vec<Value>,
    },
    /// Drawn between two ends.
    Range {
        /// The key.
        key: String,
        /// The smallest.
        low: f64,
        /// The largest.
        high: f64,
        /// How.
        form: Form,
    },
}

/// How a number is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Evenly.
    Even,
    /// Evenly over its logarithm.
    Logarithmic,
    /// A whole number, both ends included.
    Whole,
    /// A whole number, evenly over its logarithm.
    WholeLogarithmic,
}

impl Form {
    const fn is_logarithmic(self) -> bool {
        matches!(self, Self::Logarithmic | Self::WholeLogarithmic)
    }
}

/// The significant digits of a number that is drawn: a person can write it down.
const DIGITS: usize = 4;

impl Axis {
    /// `KEY=V1,V2,…`: the values in TOML's notation, or texts without quotes.
    ///
    /// # Errors
    /// [`Error::Argument`] naming `argument`, without a key or a value, and for a value twice.
    pub fn values(argument: &str, text: &str) -> Result<Self> {
        let refused = |found: &str| Error::Argument {
            argument: argument.into(),
            found: found.escape_debug().to_string(),
            expected: "KEY=VALUE,VALUE,… of different values, masking.fraction=0.3,0.5 for example"
                .into(),
        };
        let (key, listed) = text.split_once('=').ok_or_else(|| refused(text))?;
        let table = format!("value = [{listed}]").parse::<toml::Table>();
        let listed_values = table.ok().and_then(|mut table| table.remove("value"));
        let values = match listed_values {
            Some(Value::Array(values)) => values,
            _ => listed.split(',').map(|part| bare(part.trim())).collect(),
        };
        let twice = (1..values.len()).any(|place| values[..place].contains(&values[place]));
        let empty = values.iter().any(|value| value.as_str() == Some(""));
        if key.trim().is_empty() || values.is_empty() || twice || empty {
            return Err(refused(text));
        }
        Ok(Self::Values {
            key: key.trim().into(),
            values,
        })
    }

    /// `KEY=LOW..HIGH`, `KEY=LOW..HIGH:log` (evenly over the logarithm), whole numbers when both ends
    /// are written as such, or values as in [`Axis::values`].
    ///
    /// # Errors
    /// [`Error::Argument`] naming `argument`, for anything else and for ends that are not ascending
    /// or, of a logarithmic range, not positive.
    pub fn drawn(argument: &str, text: &str) -> Result<Self> {
        let Some((key, range)) = text
            .split_once('=')
            .filter(|(_, range)| range.contains(".."))
        else {
            return Self::values(argument, text);
        };
        let (ends, is_log) = match range.split_once(':') {
            None => (range, false),
            Some((ends, "log")) => (ends, true),
            Some(_) => ("", false),
        };
        let (low, high) = ends.split_once("..").unwrap_or_default();
        let is_whole = [low, high]
            .iter()
            .all(|end| end.trim().parse::<i64>().is_ok());
        let ends = [low, high].map(|end| end.trim().parse::<f64>().ok());
        let form = match (is_log, is_whole) {
            (true, true) => Form::WholeLogarithmic,
            (true, false) => Form::Logarithmic,
            (false, true) => Form::Whole,
            (false, false) => Form::Even,
        };
        match ends {
            [Some(low), Some(high)]
                if low < high
                    && low.is_finite()
                    && high.is_finite()
                    && (!form.is_logarithmic() || low > 0.0)
                    && !key.trim().is_empty() =>
            {
                Ok(Self::Range {
                    key: key.trim().into(),
                    low,
                    high,
                    form,
                })
            }
            _ => Err(Error::Argument {
                argument: argument.into(),
                found: text.escape_debug().to_string(),
                expected:
                    "KEY=LOW..HIGH with LOW below HIGH, or KEY=LOW..HIGH:log with LOW above 0"
                        .into(),
            }),
        }
    }

    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Self::Values { key, .. } | Self::Range { key, .. } => key,
        }
    }

    fn draw(&self, random: &mut Pcg32) -> Value {
        match self {
            Self::Values { values, .. } => {
                let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
                values[random.below(count) as usize].clone()
            }
            Self::Range {
                low, high, form, ..
            } => {
                let share = f64::from(random.next_u32()) / 4_294_967_296.0;
                match form {
                    Form::Even => Value::Float(short(low + share * (high - low))),
                    Form::Logarithmic => {
                        let exponent = low.ln() + share * (high.ln() - low.ln());
                        Value::Float(short(exponent.exp()))
                    }
                    Form::Whole => Value::Integer((low + share * (high - low + 1.0)) as i64),
                    Form::WholeLogarithmic => {
                        let ends = [low.ln(), (high + 1.0).ln()];
                        let number = (ends[0] + share * (ends[1] - ends[0])).exp();
                        Value::Integer(number.min(*high) as i64)
                    }
                }
            }
        }
    }
}

/// A value in TOML's notation, or a text without quotes.
fn bare(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<toml::Table>();
    let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| text.into())
}

fn short(number: f64) -> f64 {
    format!("{number:.*e}", DIGITS - 1)
        .parse()
        .unwrap_or(number)
}

/// One choice of settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its place among the trials, from 0.
    pub number: usize,
    /// Keys and values, in the order of the axes.
    pub settings: Vec<(String, Value)>,
}

impl Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (key, value)) in self.settings.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{key} {}", shown(value))?;
        }
        Ok(())
    }
}

/// A value without the quotes of a text.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A float of many zeros as a power of ten.
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// Every combination of the axes; or `draws` of them, different ones, drawn by `seed`, which axes
/// with a range need.
///
/// # Errors
/// [`Error::Argument`] for no axis, a key twice, a range without draws, more than
/// [`limits::TRIALS`] trials.
pub fn trials(axes: &[Axis], draws: Option<usize>, seed: u64) -> Result<Vec<Trial>> {
    let refused = |argument: &str, found: String, expected: String| Error::Argument {
        argument: argument.into(),
        found,
        expected,
    };
    // A table and a key in it would hide each other.
    let covers = |one: &str, other: &str| {
        let rest = other.strip_prefix(one);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let pairs = (1..axes.len()).flat_map(|place| (0..place).map(move |before| (before, place)));
    let mut pairs = pairs.map(|(a, b)| (axes[a].key(), axes[b].key()));
    if let Some((a, b)) = pairs.find(|(a, b)| covers(a, b) || covers(b, a)) {
        let found = if a == b {
            format!("{a} twice")
        } else {
            format!("{a} and {b}")
        };
        let expected = "each key once, and none inside of another";
        return Err(refused("--grid and --random", found, expected.into()));
    }
    if axes.is_empty() {
        let expected = "a key and its values, --grid masking.fraction=0.3,0.5 for example";
        return Err(refused("--grid", "nothing to try".into(), expected.into()));
    }
    let expected = || format!("1 to {} trials", limits::TRIALS);
    let range = axes.iter().find(|axis| matches!(axis, Axis::Range { .. }));
    let all = match (draws, range) {
        (Some(draws), _) if draws == 0 || draws > limits::TRIALS => {
            return Err(refused("--trials", draws.to_string(), expected()));
        }
        (Some(draws), _) => drawn(axes, draws, seed),
        (None, Some(range)) => {
            let found = format!("no --trials for the range of {}", range.key());
            return Err(refused("--trials", found, "the number of draws".into()));
        }
        (None, None) => {
            let size = |axis: &Axis| match axis {
                Axis::Values { values, .. } => values.len(),
                Axis::Range { .. } => 1,
            };
            let count = axes.iter().map(size).try_fold(1_usize, usize::checked_mul);
            match count {
                Some(count) if count <= limits::TRIALS => combinations(axes),
                _ => {
                    let found = "more combinations".into();
                    return Err(refused("--grid", found, expected()));
                }
            }
        }
    };
    let number = |(number, settings)| Trial { number, settings };
    Ok(all.into_iter().enumerate().map(number).collect())
}

type Settings = Vec<(String, Value)>;

fn combinations(axes: &[Axis]) -> Vec<Settings> {
    let mut all = vec![Settings::new()];
    for axis in axes {
        let Axis::Values { key, values } = axis else {
            continue;
        };
        let longer = |settings: &Settings| {
            let settings = settings.clone();
            values.iter().map(move |value| {
                let mut longer = settings.clone();
                longer.push((key.clone(), value.clone()));
                longer
            })
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// How often a draw that is there already is drawn again.
const PATIENCE: usize = 100;

fn drawn(axes: &[Axis], draws: usize, seed: u64) -> Vec<Settings> {
    let mut random = Pcg32::new(seed, 0);
    let mut all: Vec<Settings> = Vec::new();
    let mut misses = 0;
    while all.len() < draws && misses < PATIENCE {
        let settings: Settings = axes
            .iter()
            .map(|axis| (axis.key().to_string(), axis.draw(&mut random)))
            .collect();
        if all.contains(&settings) {
            misses += 1;
        } else {
            misses = 0;
            all.push(settings);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(texts: &[&str]) -> Vec<Axis> {
        let read = |text: &&str| Axis::drawn("--random", text).unwrap();
        texts.iter().map(read).collect()
    }

    #[test]
    fn a_grid_holds_every_combination_once() {
        let axes = axes(&[
            "regime=standard,sgt",
            "optimizer.betas=[0.9, 0.99],[0.8, 0.9]",
            "a=1,2.5",
        ]);
        let all = trials(&axes, None, 0).unwrap();
        assert_eq!(all.len(), 8);
        assert_eq!(
            all[1].to_string(),
            "regime standard, optimizer.betas [0.9, 0.99], a 2.5"
        );
        let numbers: Vec<usize> = all.iter().map(|trial| trial.number).collect();
        assert_eq!(numbers, (0..8).collect::<Vec<_>>());
        for (place, trial) in all.iter().enumerate() {
            assert!(
                all[..place]
                    .iter()
                    .all(|other| other.settings != trial.settings)
            );
        }
    }

    #[test]
    fn draws_are_seeded_different_within_their_ends_and_spread() {
        let axes = axes(&[
            "rate=1e-4..1e-1:log",
            "batch=8..64",
            "lambda=0.0..2.0",
            "regime=sgt,asgt",
        ]);
        let all = trials(&axes, Some(200), 7).unwrap();
        assert_eq!(all, trials(&axes, Some(200), 7).unwrap());
        assert_ne!(all, trials(&axes, Some(200), 8).unwrap());
        let column = |place: usize| -> Vec<f64> {
            let number = |value: &Value| value.as_float().or(value.as_integer().map(|v| v as f64));
            all.iter()
                .filter_map(|trial| number(&trial.settings[place].1))
                .collect()
        };
        for (place, low, middle, high) in [
            (0, 1e-4, 3.16e-3, 1e-1),
            (1, 8.0, 36.5, 64.0),
            (2, 0.0, 1.0, 2.0),
        ] {
            let values = column(place);
            assert_eq!(values.len(), 200);
            assert!(values.iter().all(|value| (low..=high).contains(value)));
            let below = values.iter().filter(|value| **value < middle).count();
            // Five deviations of a fair coin.
            assert!((65..=135).contains(&below), "{below} of {place}");
        }
        assert!(all.iter().all(|trial| trial.settings[1].1.is_integer()));
        // There are only two.
        let few = trials(&axes[3..], Some(50), 0).unwrap();
        assert_eq!(few.len(), 2);
    }

    #[test]
    fn whole_numbers_over_a_logarithm_reach_both_ends() {
        let axes = axes(&["batch=1..64:log"]);
        let all = trials(&axes, Some(60), 1).unwrap();
        let numbers: Vec<i64> = all
            .iter()
            .filter_map(|trial| trial.settings[0].1.as_integer())
            .collect();
        assert_eq!(numbers.len(), all.len());
        assert!(numbers.contains(&1) && numbers.iter().all(|n| (1..=64).contains(n)));
        assert!(numbers.iter().any(|&n| n > 32));
    }

    #[test]
    fn what_cannot_be_tried_is_refused_in_one_line() {
        let said = |text: &str| Axis::drawn("--random", text).unwrap_err().to_string();
        assert!(said("lambda").starts_with("--random: found lambda, expected KEY=VALUE"));
        assert!(said("lambda=2..1").contains("LOW below HIGH"));
        assert!(said("lambda=0..1:log").contains("LOW above 0"));
        assert!(said("lambda=1..2:cube").contains("KEY=LOW..HIGH"));
        assert!(said("lambda=1,1").contains("different values"));
        assert!(said("=1").contains("KEY=VALUE"));
        let said = |axes: &[Axis], draws| trials(axes, draws, 0).unwrap_err().to_string();
        assert!(said(&[], None).contains("nothing to try"));
        assert!(said(&axes(&["a=1,2", "a=3"]), None).contains("a twice"));
        assert!(
            said(&axes(&["masking.fraction=1,2", "masking={}"]), None)
                .contains("masking.fraction and masking")
        );
        assert!(trials(&axes(&["mask=1,2", "masking.fraction=1"]), None, 0).is_ok());
        assert!(said(&axes(&["a=0.5..2"]), None).contains("no --trials for the range of a"));
        assert!(said(&axes(&["a=1,2"]), Some(0)).contains("found 0, expected 1 to"));
        let many: Vec<String> = (0..10).map(|key| format!("k{key}=1,2,3")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(said(&axes(&many), None).contains("more combinations"));
    }
}
