//! What the axes of a series are called and measured in.

/// The names and units of a series' channels and how fast its steps follow each other; what the data
/// doesn't say is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes {
    /// One name a channel, or none at all.
    pub channels: Vec<String>,
    /// One unit a channel, in the order of the names, or none at all; the unit of a ratio is empty.
    pub units: Vec<String>,
    /// Steps a second.
    pub rate: Option<f64>,
}

/// [`Axes`] of a data set that is known by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sensors {
    /// Name and unit of each channel.
    pub(super) channels: &'static [(&'static str, &'static str)],
    pub(super) rate: Option<f64>,
}

impl Sensors {
    /// Nothing is known.
    pub(super) const UNKNOWN: Self = Self {
        channels: &[],
        rate: None,
    };

    pub(super) fn axes(&self) -> Axes {
        let column = |value: fn(&(&str, &str)) -> String| self.channels.iter().map(value).collect();
        let known = self.channels.iter().any(|(_, unit)| !unit.is_empty());
        Axes {
            channels: column(|(name, _)| (*name).into()),
            units: if known {
                column(|(_, unit)| (*unit).into())
            } else {
                Vec::new()
            },
            rate: self.rate,
        }
    }
}
