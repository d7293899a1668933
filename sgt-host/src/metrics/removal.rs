//! Removing features: ranked by an attribution, overwritten by a fill.

use crate::network::{Grouping, Labelled, Model, check_finite};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sgt_core::{
    Donors, End, Group, Importance, Layout, Order, Pcg32, Policy, mask, rank_features,
    replace_features, replace_features_by_bits, select_fast, select_fast_len,
};

/// What a removed feature becomes.
///
/// A feature that already has the fill's value is not removed by it: the black border of a digit
/// stays what it is under `background` and `zero`. [`RemovalResult::changed`] says how many
/// really changed; `uniform` and `farthest` change everything but a constant channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The value at the sample's first position, channel by channel: the SGT reference's.
    #[default]
    Background,
    /// The sample's mean of the channel.
    Mean,
    /// Uniform in the sample's own range of the channel.
    Uniform,
    /// Zero.
    Zero,
    /// The end of the sample's own range of the channel that is farther from the value.
    Farthest,
    /// The position is cut out and the rest moves to the end, zeros in front as padding: how
    /// ERASER removes tokens. Groups must be positions.
    Delete,
}

impl Fill {
    /// Every fill.
    pub const ALL: [Self; 6] = [
        Self::Background,
        Self::Mean,
        Self::Uniform,
        Self::Zero,
        Self::Farthest,
        Self::Delete,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Mean => "mean",
            Self::Uniform => "uniform",
            Self::Zero => "zero",
            Self::Farthest => "farthest",
            Self::Delete => "delete",
        }
    }

    /// Checks that groups of samples like `layout` can be removed so.
    ///
    /// # Errors
    /// [`Error::Argument`] for [`Fill::Delete`] of groups that are no positions of a sequence.
    pub fn check(self, layout: &Layout) -> Result<()> {
        let in_sequence = layout.group() != Group::Cell && layout.order() != Order::ChannelsFirst;
        if self != Self::Delete || in_sequence {
            return Ok(());
        }
        Err(Error::Argument {
            argument: "fill".into(),
            found: "delete for features that are no positions of a sequence".into(),
            expected: "tokens, or time steps of a steps-first series".into(),
        })
    }

    /// True when every removed feature changes, unless its channel is constant.
    pub fn changes_everything(self) -> bool {
        matches!(self, Self::Uniform | Self::Farthest | Self::Delete)
    }
}

impl std::str::FromStr for Fill {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let fill = Self::ALL.into_iter().find(|fill| fill.name() == name);
        fill.ok_or_else(|| Error::Argument {
            argument: "fill".into(),
            found: name.into(),
            expected: format!("one of {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

/// How features are removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removing {
    /// What a removed feature becomes.
    pub fill: Fill,
    /// What is ranked and removed together.
    pub grouping: Grouping,
    /// Seeds random fills.
    pub seed: u64,
}

impl From<Fill> for Removing {
    /// Natural groups, seed 0.
    fn from(fill: Fill) -> Self {
        Self {
            fill,
            ..Self::default()
        }
    }
}

/// Samples ready to lose features: importance of every group, and what would replace it.
pub struct Removal<'a> {
    x: &'a [f32],
    layouts: Vec<Layout>,
    /// Importance of the groups, sample after sample.
    importance: Vec<Vec<f32>>,
    fill: Fill,
    /// The fill of every value, `[samples, input]`; drawn once, so that curves are nested.
    replacement: Vec<f32>,
    scratch: Vec<u32>,
}

/// Samples without some of their features.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovalResult {
    /// `[samples, input]`.
    pub x: Vec<f32>,
    /// The share of the removed groups in which some value changed, over all samples; 1 when
    /// nothing was to be removed.
    pub changed: f64,
}

/// The importance of the groups of every sample, `|mean over channels|` of the attribution
/// (`|sum|` over a token's dimensions).
///
/// # Errors
/// [`Error::Shape`] when the attribution is not shaped like the samples, [`Error::Argument`] when
/// it holds NaN or infinities.
pub fn group_importance(layouts: &[Layout], attribution: &[f32]) -> Result<Vec<Vec<f32>>> {
    let sample = layouts.first().map_or(0, Layout::sample_len);
    if attribution.len() != layouts.len() * sample {
        return Err(Error::Shape {
            operation: "attribution of the samples",
            found: format!("{} values", attribution.len()),
            expected: format!("{} × {sample}", layouts.len()),
        });
    }
    check_finite("attribution of the samples", attribution)?;
    let rows = layouts.iter().zip(attribution.chunks_exact(sample));
    rows.map(|(layout, row)| {
        let mut importance = vec![0.0; layout.groups()];
        rank_features(layout, Importance::Absolute, row, &mut importance)?;
        Ok(importance)
    })
    .collect()
}

impl<'a> Removal<'a> {
    /// Ranks the groups of `samples` by `attribution` `[samples, input]` and prepares the fill.
    ///
    /// # Errors
    /// As [`Labelled::layouts`], [`group_importance`] and [`Fill::check`].
    pub fn new<M: Model>(
        model: &M,
        samples: Labelled<'a>,
        attribution: &[f32],
        Removing {
            fill,
            grouping,
            seed,
        }: Removing,
    ) -> Result<Self> {
        let layouts = samples.layouts(model.input(), grouping)?;
        let importance = group_importance(&layouts, attribution)?;
        if let Some(layout) = layouts.first() {
            fill.check(layout)?;
        }
        let mut removal = Self {
            x: samples.x,
            layouts,
            importance,
            fill,
            replacement: Vec::new(),
            scratch: Vec::new(),
        };
        removal.draw_replacement(seed)?;
        Ok(removal)
    }

    /// The number of feature groups of sample `index`.
    pub fn groups(&self, index: usize) -> usize {
        self.layouts[index].groups()
    }

    fn draw_replacement(&mut self, seed: u64) -> Result<()> {
        let policy = match self.fill {
            Fill::Background => Policy::Background,
            Fill::Mean => Policy::Mean,
            Fill::Uniform => Policy::Uniform,
            Fill::Zero | Fill::Delete => Policy::Zero,
            Fill::Farthest => {
                self.farthest();
                return Ok(());
            }
        };
        self.replacement = vec![0.0; self.x.len()];
        let sample = self.layouts.first().map_or(1, Layout::sample_len);
        let rows = self.x.chunks_exact(sample);
        let rows = rows.zip(self.replacement.chunks_exact_mut(sample));
        for ((index, layout), (from, to)) in self.layouts.iter().enumerate().zip(rows) {
            let all: Vec<u32> = (0..layout.groups() as u32).collect();
            let mut rng = Pcg32::new(seed, index as u64);
            replace_features(layout, policy, &all, from, None, &mut rng, to)?;
        }
        Ok(())
    }

    fn farthest(&mut self) {
        let sample = self.layouts.first().map_or(1, Layout::sample_len);
        self.replacement = self.x.to_vec();
        for (layout, row) in self
            .layouts
            .iter()
            .zip(self.replacement.chunks_exact_mut(sample))
        {
            for channel in 0..layout.channels() {
                let places = (0..layout.valid()).map(|position| layout.offset(position, channel));
                let values = places.clone().map(|place| row[place]);
                let low = values.clone().fold(f32::INFINITY, f32::min);
                let high = values.fold(f32::NEG_INFINITY, f32::max);
                for place in places {
                    let value = &mut row[place];
                    *value = if *value - low < high - *value {
                        high
                    } else {
                        low
                    };
                }
            }
        }
    }

    /// The samples without their `count(groups)` most important groups, or, when `keep` is set,
    /// with nothing but them.
    ///
    /// # Errors
    /// [`Error::Core`] when `count` asks for more groups than there are.
    pub fn apply(
        &mut self,
        count: impl Fn(usize) -> Result<usize>,
        keep: bool,
    ) -> Result<RemovalResult> {
        let mut x = vec![0.0; self.x.len()];
        let (mut removed, mut changed) = (0, 0);
        let mut words = Vec::new();
        let mut donors = Vec::new();
        let sample = self.layouts.first().map_or(1, Layout::sample_len);
        for (index, layout) in self.layouts.iter().enumerate() {
            let groups = layout.groups();
            let importance = &self.importance[index];
            self.scratch.resize(select_fast_len(groups), 0);
            let highest = count(groups)?;
            let top = select_fast(importance, highest, End::Highest, &mut self.scratch);
            words.resize(mask::bit_words(groups), 0);
            mask::set_bits(&top?, importance, &mut words)?;
            if keep {
                complement(&mut words, groups);
            }
            let range = index * sample..(index + 1) * sample;
            let (from, to) = (&self.x[range.clone()], &mut x[range.clone()]);
            if self.fill == Fill::Delete {
                delete(layout, &words, from, to);
                continue;
            }
            // The other "sample" of the batch is the fill: `permute` then writes the fill.
            donors.clear();
            donors.extend_from_slice(from);
            donors.extend_from_slice(&self.replacement[range]);
            let donors = Donors {
                batch: &donors,
                own: 0,
            };
            let mut rng = Pcg32::new(0, 0);
            let policy = Policy::Permute;
            replace_features_by_bits(layout, policy, &words, from, Some(donors), &mut rng, to)?;
            removed += if keep { groups - highest } else { highest };
            changed += changed_groups(layout, from, to)?;
        }
        Ok(RemovalResult {
            x,
            changed: match removed {
                0 => 1.0,
                _ => f64::from(changed) / removed as f64,
            },
        })
    }
}

fn complement(words: &mut [u32], groups: usize) {
    for word in words.iter_mut() {
        *word = !*word;
    }
    let used = groups % u32::BITS as usize;
    if let (Some(last), true) = (words.last_mut(), used != 0) {
        *last &= (1 << used) - 1;
    }
}

/// The groups in which some value differs.
fn changed_groups(layout: &Layout, from: &[f32], to: &[f32]) -> Result<u32> {
    let differs: Vec<f32> = from
        .iter()
        .zip(to)
        .map(|(a, b)| f32::from(a != b))
        .collect();
    let mut importance = vec![0.0; layout.groups()];
    rank_features(layout, Importance::Absolute, &differs, &mut importance)?;
    Ok(importance.iter().filter(|&&share| share > 0.0).count() as u32)
}

/// Moves the kept positions to the end of the sample, zeros before them.
fn delete(layout: &Layout, words: &[u32], from: &[f32], to: &mut [f32]) {
    let channels = layout.channels();
    to.copy_from_slice(from);
    let start = layout.first_valid() * channels;
    let end = start + layout.valid() * channels;
    let mut free = end;
    for position in (0..layout.valid()).rev() {
        if !mask::is_selected(words, position) {
            let place = layout.offset(position, 0);
            free -= channels;
            to[free..free + channels].copy_from_slice(&from[place..place + channels]);
        }
    }
    to[start..free].fill(0.0);
}
