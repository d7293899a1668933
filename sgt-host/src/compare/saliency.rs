//! Test samples that a rule chooses, with their saliency under every regime.

use super::RunGroup;
use crate::Result;
use crate::attribution::{Method, Settings, attribute};
use crate::data::{Batch, InputShape};
use crate::evaluation::is_undefined;
use crate::network::{Model, Score};
use crate::run::FinishedRun;
use crate::train::{Answers, answers};
use serde::{Deserialize, Serialize};

/// Why a sample is shown: by a rule, so that nobody chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleRule {
    /// The first of those that the most networks classify rightly.
    Right,
    /// The first of those that the most networks classify wrongly.
    Wrong,
    /// The one whose predicted classes have the smallest mean probability.
    LeastCertain,
}

impl SampleRule {
    /// Every rule, in the order in which they choose.
    pub const ALL: [Self; 3] = [Self::Right, Self::Wrong, Self::LeastCertain];

    /// What its sample is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::LeastCertain => "least certain",
        }
    }

    /// The rule in a sentence. The networks are those whose maps are shown.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Right => {
                "The first test sample of those that the most of these networks classify rightly."
            }
            Self::Wrong => {
                "The first test sample of those that the most of these networks classify wrongly."
            }
            Self::LeastCertain => {
                "The test sample, beside those two, whose predicted classes have the smallest mean \
                 probability."
            }
        }
    }

    /// The sample that it chooses, none of `taken`; nothing when no network is right, or wrong.
    fn choose(self, labels: &[usize], all: &[Answers], taken: &[usize]) -> Option<usize> {
        let free = || (0..labels.len()).filter(|place| !taken.contains(place));
        let right = |place: usize| {
            let right = |answers: &&Answers| answers.predicted[place] == labels[place];
            all.iter().filter(right).count()
        };
        let certainty = |place: usize| -> f32 {
            let certainties = all.iter().map(|answers| answers.certainties[place]);
            certainties.sum()
        };
        let first_of_most = |count: &dyn Fn(usize) -> usize| {
            let places = free().rev();
            let most = places.max_by_key(|&place| count(place))?;
            (count(most) > 0).then_some(most)
        };
        match self {
            Self::Right => first_of_most(&right),
            Self::Wrong => first_of_most(&|place| all.len() - right(place)),
            Self::LeastCertain => free().min_by(|&a, &b| certainty(a).total_cmp(&certainty(b))),
        }
    }
}

/// One sample and its maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleMaps {
    /// Its place in the test part, from 0.
    pub index: usize,
    /// Why it is shown.
    pub rule: SampleRule,
    /// What kind of sample, and its memory order.
    pub shape: InputShape,
    /// The name of its class.
    pub class: String,
    /// Its values, as recorded; those that are held relative to an origin as the network reads them.
    pub values: Vec<f32>,
    /// The names of its channels, or the tokens of a text; may be empty.
    pub names: Vec<String>,
    /// The units of its channels; may be empty.
    pub units: Vec<String>,
    /// Steps a second, where the data says it.
    pub rate: Option<f64>,
    /// One map a regime and method.
    pub maps: Vec<SampleMap>,
}

/// The saliency of one sample under one regime and method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampleMap {
    /// The regime's name.
    pub regime: String,
    /// The method's name.
    pub method: String,
    /// The class that this regime's network predicts.
    pub predicted: String,
    /// The probability that it gives to that class.
    pub certainty: f32,
    /// One value an input value.
    pub values: Vec<f32>,
}

/// What the networks' values of series without bounds are measured in.
const STANDARDISED: &str = "deviations";

/// The test samples that each [`SampleRule`] chooses by the answers of every regime's first seed,
/// attributed by every method under those networks. What is attributed is the logit of the sample's
/// own class. A method that is not defined for a network has no map.
///
/// # Errors
/// As [`Batch::fill`] and [`attribute`].
pub fn sample_maps(groups: &[RunGroup<'_>], methods: &[Method]) -> Result<Vec<SampleMaps>> {
    let first = groups
        .iter()
        .filter_map(|group| Some((group, *group.runs.first()?)));
    let first: Vec<(&RunGroup<'_>, &FinishedRun)> = first.collect();
    let Some((_, any)) = first.first() else {
        return Ok(Vec::new());
    };
    let test = &any.test;
    let all: Vec<Answers> = first
        .iter()
        .map(|(_, run)| answers(&run.model, &run.test))
        .collect::<Result<_>>()?;
    let mut samples: Vec<SampleMaps> = Vec::new();
    for rule in SampleRule::ALL {
        let taken: Vec<usize> = samples.iter().map(|sample| sample.index).collect();
        let Some(index) = rule.choose(test.labels(), &all, &taken) else {
            continue;
        };
        let mut maps = Vec::new();
        for method in methods {
            for ((group, run), answers) in first.iter().zip(&all) {
                let predicted = test.classes().get(answers.predicted[index]);
                let values = attributed(run, index, method)?;
                maps.extend(values.map(|values| SampleMap {
                    regime: group.name.clone(),
                    method: method.name().into(),
                    predicted: predicted.cloned().unwrap_or_default(),
                    certainty: answers.certainties[index],
                    values,
                }));
            }
        }
        let (values, units) = recorded(any, index)?;
        samples.push(SampleMaps {
            index,
            rule,
            shape: test.shape(),
            class: test.classes()[test.labels()[index]].clone(),
            values,
            names: test.axes().channels.clone(),
            units,
            rate: test.axes().rate,
            maps,
        });
    }
    Ok(samples)
}

/// The values of the test sample at `index` and their units.
fn recorded(run: &FinishedRun, index: usize) -> Result<(Vec<f32>, Vec<String>)> {
    let test = &run.test;
    let mut values = test.sample(index).to_vec();
    if !run.standardisation.origin().is_empty() {
        let units = vec![STANDARDISED.to_string(); test.shape().channels()];
        return Ok((values, units));
    }
    run.standardisation.invert(test.shape(), &mut values)?;
    Ok((values, test.axes().units.clone()))
}

/// The map of the test sample at `index`, in the memory order of the data; none where the method
/// is not defined.
fn attributed(run: &FinishedRun, index: usize, method: &Method) -> Result<Option<Vec<f32>>> {
    let network = &run.model;
    let mut batch = Batch::new();
    batch.fill(&run.test, &[index], network.input())?;
    let settings = Settings {
        score: Score::TrueLogit,
        ..Settings::default()
    };
    match attribute(network, batch.labelled(), method, &settings) {
        Ok(found) => Ok(Some(
            network.input().reorder(&found.values, run.test.shape()),
        )),
        Err(error) if is_undefined(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers_of(predicted: &[usize], certainties: &[f32]) -> Answers {
        Answers {
            predicted: predicted.to_vec(),
            losses: vec![0.0; predicted.len()],
            certainties: certainties.to_vec(),
        }
    }

    #[test]
    fn rules_choose_the_first_of_the_most() {
        let labels = [0, 1, 0, 1];
        let all = [
            answers_of(&[1, 1, 0, 0], &[0.6, 0.9, 0.9, 0.4]),
            answers_of(&[0, 1, 0, 0], &[0.5, 0.7, 0.9, 0.9]),
        ];
        let choose = |rule: SampleRule, taken: &[usize]| rule.choose(&labels, &all, taken);
        assert_eq!(choose(SampleRule::Right, &[]), Some(1));
        assert_eq!(choose(SampleRule::Wrong, &[]), Some(3));
        assert_eq!(choose(SampleRule::LeastCertain, &[1, 3]), Some(0));
        assert_eq!(choose(SampleRule::LeastCertain, &[0]), Some(3));
    }

    #[test]
    fn no_sample_is_wrong_when_all_are_right() {
        let all = [answers_of(&[0, 1], &[0.9, 0.8])];
        assert_eq!(SampleRule::Wrong.choose(&[0, 1], &all, &[]), None);
        assert_eq!(SampleRule::Right.choose(&[1, 0], &all, &[]), None);
        assert_eq!(
            SampleRule::LeastCertain.choose(&[0], &all, &[0]),
            None,
            "every sample is taken"
        );
    }
}
