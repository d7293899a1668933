//! The trainings by name: a regime and what it masks.

use crate::config::ConfigDraft;
use crate::{Error, Result, strict};
use toml::Value;

/// A regime with the settings that tell it from others of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Training {
    /// The name in tables.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    settings: &'static [(&'static str, Setting)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Word(&'static str),
    Percent(i64),
    /// A table of one key.
    Count(&'static str, i64),
}

use Setting::{Count, Percent, Word};

/// All of them, in the order of listings.
const ALL: &[Training] = &[
    Training {
        name: "standard",
        about: "the cross-entropy alone",
        settings: &[("regime", Word("standard"))],
    },
    Training {
        name: "sgt",
        about: "the reference's: half of the cells, those of lowest signed gradient",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("signed")),
        ],
    },
    Training {
        name: "sgt-absolute",
        about: "half of the cells, those of least gradient",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("absolute")),
        ],
    },
    Training {
        name: "sgt-per-step",
        about: "half of the cells of every step, those of least gradient in it",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("absolute")),
            ("masking.scope", Word("per-step")),
        ],
    },
    Training {
        name: "sgt-per-step-signed",
        about: "half of the cells of every step, those of lowest signed gradient in it",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("signed")),
            ("masking.scope", Word("per-step")),
        ],
    },
    Training {
        name: "sgt-time-step",
        about: "half of the steps, those of least gradient, whole",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("absolute")),
            ("masking.group", Word("time-step")),
        ],
    },
    Training {
        name: "sgt-integrated",
        about: "half of the cells, those of least integrated gradient",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("absolute")),
            ("masking.guide", Count("integrated-gradients", 4)),
        ],
    },
    Training {
        name: "sgt-integrated-per-step",
        about: "half of the cells of every step, those of least integrated gradient in it",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("absolute")),
            ("masking.guide", Count("integrated-gradients", 4)),
            ("masking.scope", Word("per-step")),
        ],
    },
    Training {
        name: "sgt-time-rescaled",
        about: "half of the cells, those of least gradient in the windows that matter least",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("absolute")),
            ("masking.guide", Count("time-rescaled", 10)),
        ],
    },
    Training {
        name: "sgt-tenth",
        about: "as sgt, a tenth of the cells",
        settings: &[
            ("regime", Word("sgt")),
            ("masking.importance", Word("signed")),
            ("masking.fraction", Percent(10)),
        ],
    },
];

impl Training {
    /// The names, in the order of listings.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|training| training.name)
    }

    /// Lays its settings over `draft`.
    pub(super) fn lay(&self, draft: &mut ConfigDraft) {
        for &(key, setting) in self.settings {
            let value = match setting {
                Word(word) => Value::String(word.into()),
                Count(key, count) => {
                    let entry = (key.to_string(), Value::Integer(count));
                    Value::Table([entry].into_iter().collect())
                }
                Percent(percent) => Value::Float(percent as f64 / 100.0),
            };
            draft.set(key, value);
        }
    }
}

impl std::str::FromStr for Training {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = ALL.iter().find(|training| training.name == name);
        let known: Vec<&str> = Self::names().collect();
        found.copied().ok_or_else(|| Error::Argument {
            argument: "regime".into(),
            found: name.escape_debug().to_string(),
            expected: strict::nearest(name, &known),
        })
    }
}
