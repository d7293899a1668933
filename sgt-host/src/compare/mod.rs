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
//! | [`Comparison`] | the result: means and deviations over seeds, paired differences |
//! | [`sample_maps`] | test samples with their saliency under every regime |
//! | `jobs` | independent jobs side by side |

mod comparison;
pub(crate) mod jobs;
mod measure;
mod plan;
mod saliency;

pub use comparison::{
    CONFIDENCE_LEVEL, Comparison, ComparisonRow, MeasuredRun, RegimeRuns, compare,
};
pub use measure::{RunGroup, group, measure};
pub use plan::{Notice, Plan};
pub use saliency::{SampleMap, SampleMaps, sample_maps};
