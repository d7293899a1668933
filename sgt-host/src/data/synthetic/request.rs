//! A set's name and options, as `--data synthetic:NAME?steps=200&seed=1` gives them.

use super::known_truth::{KnownTruth, TruePart};
use super::{Set, Stream, background, sample};
use crate::{Error, Result, strict};
use rayon::prelude::*;

/// What a data source that is generated begins with.
pub const SCHEME: &str = "synthetic:";

/// A generated data set: which, how large, and from which seed.
///
/// ```
/// use sgt_host::data::synthetic::Synthetic;
/// let request: Synthetic = "seqcomb-mv?steps=100&train=40&seed=1".parse()?;
/// let generated = request.generate()?;
/// assert_eq!(generated.train.data.len(), 40);
/// assert_eq!(request.to_string(), "seqcomb-mv?steps=100&train=40&seed=1");
/// # Ok::<(), sgt_host::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Synthetic {
    /// The set.
    pub set: Set,
    /// Steps of a series.
    pub steps: usize,
    /// Channels.
    pub channels: usize,
    /// Training samples, those that are set aside for validation included.
    pub train: usize,
    /// Test samples.
    pub test: usize,
    /// Same seed, same samples; a larger part begins with those of a smaller one.
    pub seed: u64,
    /// Whether known defects of the published program are reproduced.
    pub as_published: bool,
}

/// A part or a series of more values than this is refused.
const MOST_VALUES: usize = 1 << 30;

impl Synthetic {
    /// The set in its published sizes, from seed 0.
    pub const fn new(set: Set) -> Self {
        let sizes = set.sizes();
        Self {
            set,
            steps: sizes.steps,
            channels: sizes.channels,
            train: sizes.train,
            test: sizes.test,
            seed: 0,
            as_published: false,
        }
    }

    /// Generates both parts.
    ///
    /// # Errors
    /// [`Error::Argument`] for sizes that the set has no room in.
    pub fn generate(&self) -> Result<KnownTruth> {
        self.check()?;
        Ok(KnownTruth {
            train: self.part(Stream::Train, self.train)?,
            test: self.part(Stream::Test, self.test)?,
        })
    }

    /// A series `[channels, steps]` of the same process without a signal, number `index` of its
    /// kind; none for sets in which every series has one.
    pub fn background(&self, index: usize) -> Option<Vec<f32>> {
        let values = background(self, index)?;
        Some(values.into_iter().map(|value| value as f32).collect())
    }

    fn part(&self, stream: Stream, samples: usize) -> Result<TruePart> {
        let samples = (0..samples).into_par_iter();
        let samples: Vec<_> = samples.map(|index| sample(self, stream, index)).collect();
        TruePart::new(self, samples)
    }

    fn check(&self) -> Result<()> {
        let (least, most) = self.set.channels();
        let refuse = |argument: &str, found: usize, expected: String| {
            Err(Error::Argument {
                argument: format!("{SCHEME}{}: {argument}", self.set.name()),
                found: found.to_string(),
                expected,
            })
        };
        if self.channels < least || most.is_some_and(|most| self.channels > most) {
            let expected = match most {
                Some(most) => most.to_string(),
                None => format!("at least {least}"),
            };
            return refuse("channels", self.channels, expected);
        }
        let least = self.set.least_steps();
        if self.steps < least {
            return refuse("steps", self.steps, format!("at least {least}"));
        }
        for (argument, samples) in [("train", self.train), ("test", self.test)] {
            let values = [samples, self.steps, self.channels];
            let values = values.into_iter().try_fold(1_usize, usize::checked_mul);
            if !values.is_some_and(|values| (1..=MOST_VALUES).contains(&values)) {
                let expected = format!("1 or more samples of at most {MOST_VALUES} values in all");
                return refuse(argument, samples, expected);
            }
        }
        Ok(())
    }
}

const OPTIONS: [&str; 6] = ["steps", "channels", "train", "test", "seed", "as-published"];

impl std::str::FromStr for Synthetic {
    type Err = Error;

    /// `NAME?key=value&key=value`, with or without the scheme in front.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.strip_prefix(SCHEME).unwrap_or(text);
        let (name, options) = text.split_once('?').unwrap_or((text, ""));
        let set = Set::all().into_iter().find(|set| set.name() == name);
        let mut request = Self::new(set.ok_or_else(|| unknown_set(name))?);
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let bad = |expected: String| Error::Argument {
                argument: format!("{SCHEME}{name}: {key}"),
                found: value.escape_debug().to_string(),
                expected,
            };
            let number = || value.parse().map_err(|_| bad("a whole number".into()));
            match key {
                "steps" => request.steps = number()?,
                "channels" => request.channels = number()?,
                "train" => request.train = number()?,
                "test" => request.test = number()?,
                "seed" => {
                    let seed = value.parse();
                    request.seed = seed.map_err(|_| bad("a whole number".into()))?;
                }
                "as-published" => {
                    request.as_published = match value {
                        "" | "true" => true,
                        "false" => false,
                        _ => return Err(bad("true or false".into())),
                    };
                }
                _ => {
                    return Err(Error::Argument {
                        argument: format!("{SCHEME}{name}"),
                        found: format!("the option {}", key.escape_debug()),
                        expected: strict::nearest(key, &OPTIONS),
                    });
                }
            }
        }
        request.check()?;
        Ok(request)
    }
}

fn unknown_set(name: &str) -> Error {
    let names: Vec<String> = Set::all().into_iter().map(Set::name).collect();
    let nearest = names
        .iter()
        .min_by_key(|known| strsim::osa_distance(known, name));
    Error::Argument {
        argument: SCHEME.trim_end_matches(':').into(),
        found: name.escape_debug().to_string(),
        expected: format!(
            "a set of `sgt data synthetic` (nearest: {})",
            nearest.map_or("", String::as_str)
        ),
    }
}

impl std::fmt::Display for Synthetic {
    /// The name with the options that differ from the published sizes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let usual = Self::new(self.set);
        let mut options = Vec::new();
        for (key, value, usual) in [
            ("steps", self.steps, usual.steps),
            ("channels", self.channels, usual.channels),
            ("train", self.train, usual.train),
            ("test", self.test, usual.test),
        ] {
            if value != usual {
                options.push(format!("{key}={value}"));
            }
        }
        if self.seed != 0 {
            options.push(format!("seed={}", self.seed));
        }
        if self.as_published {
            options.push("as-published".into());
        }
        f.write_str(&self.set.name())?;
        if options.is_empty() {
            return Ok(());
        }
        write!(f, "?{}", options.join("&"))
    }
}
