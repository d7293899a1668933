//! Which vector instructions the arithmetic uses.
//!
//! The same instruction set gives the same bits, another one does not: sums are taken in pieces as
//! wide as a vector. A run records its sets, and goes on with the one it began with where the
//! machine has it.

use crate::{Error, Result, strict};
use pulp::Arch;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum InstructionSet {
    /// What every machine has.
    Plain = 1,
    /// AVX2 and FMA, 8 numbers at a time.
    Avx2,
    /// AVX-512, 16 numbers at a time.
    Avx512,
}

/// The sets, the plainest first.
const ALL: [InstructionSet; 3] = [
    InstructionSet::Plain,
    InstructionSet::Avx2,
    InstructionSet::Avx512,
];

/// What [`choose`] set; 0 for the widest.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

impl InstructionSet {
    /// The name that `--instructions` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// True when this machine can run it.
    pub fn is_available(self) -> bool {
        self.arch().is_some()
    }

    /// The widest set of this machine.
    pub fn widest() -> Self {
        let mut widest_first = ALL.into_iter().rev();
        widest_first
            .find(|set| set.is_available())
            .unwrap_or(Self::Plain)
    }

    /// The set in use: the chosen one, or the widest.
    pub fn current() -> Self {
        let chosen = CHOSEN.load(Ordering::Relaxed);
        let chosen = ALL.into_iter().find(|&set| set as u8 == chosen);
        chosen.unwrap_or_else(Self::widest)
    }

    #[cfg(target_arch = "x86_64")]
    fn arch(self) -> Option<Arch> {
        match self {
            Self::Plain => Some(Arch::Scalar),
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn arch(self) -> Option<Arch> {
        (self == Self::Plain).then_some(Arch::Scalar)
    }
}

/// Makes the whole process compute with `set`.
///
/// # Errors
/// [`Error::Argument`] when this machine does not have it.
pub fn choose(set: InstructionSet) -> Result<()> {
    if set.is_available() {
        CHOSEN.store(set as u8, Ordering::Relaxed);
        return Ok(());
    }
    let available = ALL.into_iter().filter(|set| set.is_available());
    let available: Vec<_> = available.map(InstructionSet::name).collect();
    Err(Error::Argument {
        argument: "--instructions".into(),
        found: set.name().into(),
        expected: format!("what this machine has: {}", available.join(", ")),
    })
}

/// What vector code is dispatched to.
pub(crate) fn current() -> Arch {
    match CHOSEN.load(Ordering::Relaxed) {
        0 => Arch::new(),
        _ => InstructionSet::current().arch().unwrap_or_default(),
    }
}

impl std::fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for InstructionSet {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = ALL.into_iter().find(|set| set.name() == name);
        found.ok_or_else(|| Error::Argument {
            argument: "instructions".into(),
            found: name.into(),
            expected: strict::nearest(name, &ALL.map(Self::name)),
        })
    }
}
