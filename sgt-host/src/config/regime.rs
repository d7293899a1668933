//! The training regimes, as rows of one table.

use crate::{Error, Result, strict};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// What the loss of a training step is made of. x is the batch, y its labels, f the network,
/// x̃ the masked and x' the attacked batch; every term is a batch mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// CE(f(x), y).
    Standard,
    /// CE(f(x), y) + λ·KL(f(x) ‖ f(x̃)), x̃ the mask of x (Ismail et al., NeurIPS 2021).
    Sgt,
    /// CE(f(x), y) + CE(f(x'), y).
    Adversarial,
    /// CE(f(x), y) + CE(f(x'), y) + λ·KL(f(x̃') ‖ f(x)), x̃' the mask of x' (Guesmi et al.,
    /// 2024).
    Asgt,
    /// CE(f(x), y) + λ·KL(f(x) ‖ f(x̃')), x̃' the attacked mask of x (Li et al., 2022).
    Sga,
}

/// The batches that a step's passes read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// x.
    Clean,
    /// x'.
    Adversarial,
    /// x̃, or x̃'.
    Masked,
}

/// The terms of a loss: the core's function of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// The clean cross-entropy alone.
    CrossEntropy,
    /// [`sgt_core::sgt_objective`] of the clean and the masked branch.
    Sgt,
    /// [`sgt_core::adversarial_objective`] of the clean and the adversarial branch.
    Adversarial,
    /// [`sgt_core::asgt_objective`] of all three.
    Asgt,
}

/// A regime as data: what one stepper does.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The name in configurations and tables.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// What is attacked: the clean branch, into the adversarial one, or the masked branch in its
    /// place.
    pub attacked: Option<Branch>,
    /// The branch whose features are ranked and masked into the masked one.
    pub ranked: Option<Branch>,
    /// The loss.
    pub objective: Objective,
}

impl Recipe {
    /// True when the loss reads a branch.
    pub fn uses(&self, branch: Branch) -> bool {
        match branch {
            Branch::Clean => true,
            Branch::Adversarial => self.attacked == Some(Branch::Clean),
            Branch::Masked => self.ranked.is_some(),
        }
    }
}

impl Regime {
    /// All regimes, in the order of tables.
    pub const ALL: [Self; 5] = [
        Self::Standard,
        Self::Sgt,
        Self::Adversarial,
        Self::Asgt,
        Self::Sga,
    ];

    /// What a step of it does.
    pub const fn recipe(self) -> Recipe {
        match self {
            Self::Standard => Recipe {
                name: "standard",
                about: "the clean cross-entropy",
                attacked: None,
                ranked: None,
                objective: Objective::CrossEntropy,
            },
            Self::Sgt => Recipe {
                name: "sgt",
                about: "the same answer without the features of lowest gradient",
                attacked: None,
                ranked: Some(Branch::Clean),
                objective: Objective::Sgt,
            },
            Self::Adversarial => Recipe {
                name: "adversarial",
                about: "clean and attacked samples",
                attacked: Some(Branch::Clean),
                ranked: None,
                objective: Objective::Adversarial,
            },
            Self::Asgt => Recipe {
                name: "asgt",
                about: "attacked samples, and SGT's mask of them",
                attacked: Some(Branch::Clean),
                ranked: Some(Branch::Adversarial),
                objective: Objective::Asgt,
            },
            Self::Sga => Recipe {
                name: "sga",
                about: "the same answer on attacked masked samples",
                attacked: Some(Branch::Masked),
                ranked: Some(Branch::Clean),
                objective: Objective::Sgt,
            },
        }
    }

    /// The name in configurations and tables.
    pub const fn name(self) -> &'static str {
        self.recipe().name
    }

    /// True when a step masks features.
    pub const fn masks(self) -> bool {
        self.recipe().ranked.is_some()
    }

    /// True when a step attacks its batch.
    pub const fn attacks(self) -> bool {
        self.recipe().attacked.is_some()
    }
}

impl std::str::FromStr for Regime {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::name);
        let regime = Self::ALL.into_iter().find(|regime| regime.name() == name);
        regime.ok_or_else(|| Error::Argument {
            argument: "regime".into(),
            found: name.into(),
            expected: strict::nearest(name, &known),
        })
    }
}

impl Display for Regime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
