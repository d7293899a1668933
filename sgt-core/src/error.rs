//! The one error type of the crate.

/// Why a function refused its arguments. Every variant names the argument; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The argument holds no value.
    Empty {
        /// The argument's name.
        argument: &'static str,
    },
    /// The argument has the wrong length.
    Length {
        /// The argument's name.
        argument: &'static str,
        /// The length it must have.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// More groups were to be selected than there are.
    TooMany {
        /// The number asked for.
        selected: usize,
        /// The number there is.
        groups: usize,
    },
    /// A buffer of fixed capacity is too small.
    Capacity {
        /// What the buffer belongs to.
        argument: &'static str,
        /// The values that it must hold.
        needed: usize,
        /// The values that it can hold.
        capacity: usize,
    },
    /// The argument holds NaN or an infinity.
    NonFinite {
        /// The argument's name.
        argument: &'static str,
        /// The position of the first such value.
        index: usize,
    },
    /// The label is not a class.
    Label {
        /// The label.
        label: usize,
        /// The number of classes.
        classes: usize,
    },
    /// The argument lies outside its domain.
    Range {
        /// The argument's name.
        argument: &'static str,
    },
    /// The index type cannot count that many groups.
    IndexType {
        /// The number of groups.
        groups: usize,
    },
    /// A layer of a table does not fit.
    Layer {
        /// The layer's number, from 0.
        layer: usize,
        /// What of it does not: a size of its own, its `input`, the `output` of the last layer
        /// (not a vector), a `residual` that does not close, a `kind` that the network leaves out,
        /// a `size` beyond counting.
        argument: &'static str,
    },
    /// The combination has no meaning: `previous-salient` for single cells, for example.
    Unsupported {
        /// The argument that does not fit the others.
        argument: &'static str,
    },
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Empty { argument } => write!(f, "{argument}: empty"),
            Self::Length {
                argument,
                expected,
                found,
            } => write!(f, "{argument}: {found} values, expected {expected}"),
            Self::TooMany { selected, groups } => {
                write!(
                    f,
                    "selected: {selected}, expected at most the {groups} groups"
                )
            }
            Self::Capacity {
                argument,
                needed,
                capacity,
            } => write!(f, "{argument}: room for {capacity} values, {needed} needed"),
            Self::NonFinite { argument, index } => {
                write!(
                    f,
                    "{argument}: NaN or infinite at {index}, expected finite values"
                )
            }
            Self::Label { label, classes } => {
                write!(f, "label: {label}, expected a class below {classes}")
            }
            Self::Range { argument } => write!(f, "{argument}: outside its domain"),
            Self::IndexType { groups } => {
                write!(f, "indices: type too narrow for {groups} groups")
            }
            Self::Layer { layer, argument } => {
                write!(f, "layer {layer}: {argument} does not fit")
            }
            Self::Unsupported { argument } => {
                write!(f, "{argument}: has no meaning with the other arguments")
            }
        }
    }
}

impl core::error::Error for Error {}
