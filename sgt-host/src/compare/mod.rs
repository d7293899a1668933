//! Several regimes over several seeds: trained, measured alike, put side by side.
//!
//! ```text
//! Plan::train           every regime × seed  ─┐
//! FinishedRun::open_all folders of runs      ─┴→ group → measure → Comparison → report
//!                                                      └→ sample_maps ────────↗
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`Plan`] | trains every regime with every seed, side by side |
//! | [`group`], [`measure`] | runs that differ in nothing but the seed, and what is measured of them |
//! | [`Comparison`] | the result |
//! | [`ComparisonRow`], [`compare`] | one metric over all regimes, and its statistics |
//! | [`Contrast`] | the difference of two regimes, and whether it is more than chance |
//! | [`Warning`], [`warnings`] | what makes numbers mean less than they seem to |
//! | [`Verdict`], [`verdict`](fn@verdict) | which regime to take, and the rules for it |
//! | [`sample_maps`] | test samples with their saliency under every regime |
//! | `jobs` | independent jobs side by side |

mod comparison;
mod contrast;
pub(crate) mod jobs;
mod measure;
mod plan;
mod rows;
mod saliency;
mod verdict;
mod warning;

pub use crate::run::Existing;
pub use comparison::{ClassCount, Comparison, MeasuredRun, RegimeRuns};
pub use contrast::{CONFIDENCE_LEVEL, Contrast, FEWEST_SEEDS, SIGNIFICANCE};
pub use measure::{RunGroup, group, measure};
pub use plan::{Notice, Place, Plan};
pub use rows::{ComparisonRow, Pair, compare};
pub use saliency::{SampleMap, SampleMaps, SampleRule, sample_maps};
pub use verdict::{
    Answer, Choice, Cost, Evidence, Needed, Outcome, Question, Reason, Verdict, verdict,
};
pub use warning::{Part, Warning, warnings, warnings_of_one};
