//! Settings tried one against another: chosen on a validation part, tested once.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Axis`], [`trials`] | the settings to try: values of keys, or ranges to draw from |
//! | [`Plan`] | every trial trained with every seed, in folders of their own |
//! | [`Sweep`] | what the validation part said, and the test part of the chosen trial alone |
//! | `picture` | the trials as lines through their settings |
//!
//! A trial that was not chosen has the folder of a run that ended and was never measured: no number
//! of the test part is computed before the choice.

mod outcome;
mod picture;
mod plan;
mod space;
mod table;

pub use outcome::{Chosen, Criterion, RunScore, Sweep, TrialOutcome, Validation};
pub use picture::picture;
pub use plan::{Notice, Plan};
pub use space::{Axis, Trial, trials};
pub use table::{lines, text};
