//! The attacks as data: what a config or a command line says.

use crate::{Error, Result, limits};
use serde::{Deserialize, Serialize};
use sgt_core::{MomentumScale, Norm};

/// An attack's method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttackKind {
    /// One step of length ε (Goodfellow et al. 2015, arXiv 1412.6572).
    Fgsm,
    /// Steps of length α, each projected onto the ε-ball and the bounds (Madry et al. 2018,
    /// arXiv 1706.06083).
    #[default]
    Pgd,
    /// Steps along the accumulated gradient (Dong et al. 2018, arXiv 1710.06081).
    MiFgsm,
    /// Noise of length ε: the control.
    RandomNoise,
}

/// An attack and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct AttackConfig {
    /// The method.
    pub kind: AttackKind,
    /// The norm that ε and α are measured in.
    pub norm: Norm,
    /// The radius of the ball, in input units, 0 or more.
    pub epsilon: f32,
    /// The length of a step; ε/4 for PGD and ε/steps for MI-FGSM when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f32>,
    /// Steps of PGD and MI-FGSM.
    pub steps: usize,
    /// Whether PGD starts at a random point of the ball.
    pub random_start: bool,
    /// Random starts (PGD) or draws (random noise) of which the best is kept a sample.
    pub restarts: usize,
    /// The decay μ of MI-FGSM.
    pub momentum: f32,
    /// The scale of MI-FGSM's gradients.
    pub momentum_scale: MomentumScale,
}

impl Default for AttackConfig {
    /// PGD in L∞ with ε 0.1, 10 steps of ε/4, one random start; μ 1.
    fn default() -> Self {
        Self {
            kind: AttackKind::Pgd,
            norm: Norm::Linf,
            epsilon: 0.1,
            alpha: None,
            steps: 10,
            random_start: true,
            restarts: 1,
            momentum: 1.0,
            momentum_scale: MomentumScale::MeanAbsolute,
        }
    }
}

impl AttackKind {
    /// All kinds, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Fgsm, Self::Pgd, Self::MiFgsm, Self::RandomNoise];

    /// The name in configurations, on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fgsm => "fgsm",
            Self::Pgd => "pgd",
            Self::MiFgsm => "mi-fgsm",
            Self::RandomNoise => "random-noise",
        }
    }
}

impl std::str::FromStr for AttackKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| Error::Argument {
            argument: "attack".into(),
            found: name.into(),
            expected: format!("one of {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

impl AttackConfig {
    /// An attack with this method and radius, everything else the default.
    pub fn new(kind: AttackKind, epsilon: f32) -> Self {
        Self {
            kind,
            epsilon,
            ..Self::default()
        }
    }

    /// The method with its norm and steps, as tables name it: `pgd (L∞, 10 steps)`.
    pub fn title(&self) -> String {
        let norm = match self.norm {
            Norm::Linf => "L∞",
            Norm::L2 => "L2",
        };
        let steps = match self.kind {
            AttackKind::Pgd | AttackKind::MiFgsm => format!(", {} steps", self.steps),
            AttackKind::Fgsm | AttackKind::RandomNoise => String::new(),
        };
        format!("{} ({norm}{steps})", self.kind.name())
    }

    /// The same attack at another radius; a step length that was not given scales with it.
    #[must_use]
    pub fn with_epsilon(&self, epsilon: f32) -> Self {
        Self {
            epsilon,
            ..self.clone()
        }
    }

    /// The length of a step.
    pub fn step_length(&self) -> f32 {
        /// PGD's default: a quarter of the radius.
        const QUARTER: f32 = 0.25;
        self.alpha.unwrap_or(match self.kind {
            AttackKind::MiFgsm => self.epsilon / self.steps as f32,
            _ => self.epsilon * QUARTER,
        })
    }

    /// True when two runs with different seeds differ.
    pub fn is_random(&self) -> bool {
        match self.kind {
            AttackKind::Pgd => self.random_start,
            AttackKind::RandomNoise => true,
            AttackKind::Fgsm | AttackKind::MiFgsm => false,
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the parameter, what was found and what was expected.
    pub fn check(&self) -> Result<()> {
        not_negative("epsilon", self.epsilon)?;
        not_negative("momentum", self.momentum)?;
        if let Some(alpha) = self.alpha {
            not_negative("alpha", alpha)?;
        }
        let refuse = |argument: &str, found: String, expected: &str| {
            Err(Error::Argument {
                argument: argument.into(),
                found,
                expected: expected.into(),
            })
        };
        for (argument, count) in [("steps", self.steps), ("restarts", self.restarts)] {
            if !(1..=limits::STEPS).contains(&count) {
                let expected = format!("1 to {}", limits::STEPS);
                return refuse(argument, count.to_string(), &expected);
            }
        }
        if self.restarts > 1 && !self.is_random() {
            let found = format!("{} of an attack without random start", self.restarts);
            return refuse("restarts", found, "1, or pgd with a random start");
        }
        Ok(())
    }
}

fn not_negative(argument: &str, found: f32) -> Result<()> {
    if found.is_finite() && found >= 0.0 {
        return Ok(());
    }
    Err(Error::Argument {
        argument: argument.into(),
        found: found.to_string(),
        expected: "a finite number of at least 0".into(),
    })
}
