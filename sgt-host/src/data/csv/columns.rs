//! Which column of a CSV file is what.

use super::dialect::{Dialect, fields, unquoted};
use super::time::Clock;
use super::{number, text};
use crate::data::Reading;
use crate::file::data_error;
use crate::{Error, Result};
use std::path::Path;

/// Names of columns that hold the class, where none is named.
const LABELS: [&str; 4] = ["label", "class", "activity", "target"];
/// Names of columns that hold the time, where none is named.
const TIMES: [&str; 4] = ["time", "timestamp", "datetime", "date"];
/// What stands for no column.
const NONE: &str = "none";

/// What a field is read as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Role {
    /// The value of the channel with this number.
    Channel(usize),
    Label,
    Time(Clock),
    Group,
    Ignored,
}

/// The columns of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// What each field is.
    pub(super) roles: Vec<Role>,
    /// The names of all columns; their numbers from 1 in a file without a header.
    pub(super) names: Vec<String>,
    /// The names of the channels in their order.
    pub channels: Vec<String>,
    /// The name of the column of labels.
    pub label: Option<String>,
    /// The name of the column of times, and how they are written.
    pub time: Option<(String, Clock)>,
    /// The name of the column of groups.
    pub group: Option<String>,
    /// Columns that are not read, since they hold text.
    pub ignored: Vec<String>,
}

impl Columns {
    /// The columns of a file that begins with `records`.
    ///
    /// # Errors
    /// [`Error::Argument`] for a column that is not there, with the names of those that are;
    /// [`Error::Data`] when no column is left for the channels.
    pub(super) fn of(
        path: &Path,
        dialect: Dialect,
        records: &[&[u8]],
        reading: &Reading,
    ) -> Result<Self> {
        let rows: Vec<Vec<&[u8]>> = records
            .iter()
            .map(|record| fields(record, dialect.separator))
            .collect();
        let first = rows.first().map_or(&[][..], |row| &row[..]);
        let names: Vec<String> = if dialect.header {
            first.iter().map(|field| text(unquoted(field))).collect()
        } else {
            (1..=first.len()).map(|number| number.to_string()).collect()
        };
        let rows = &rows[usize::from(dialect.header).min(rows.len())..];
        let find = |argument: &str, wanted: &str| place(path, argument, &names, wanted);
        let known = |known: &[&str]| {
            let is = |name: &String| known.contains(&name.to_ascii_lowercase().as_str());
            names.iter().position(is).filter(|_| dialect.header)
        };
        let label = match reading.label_column.as_deref() {
            Some(NONE) => None,
            Some(name) => Some(find("label-column", name)?),
            None => known(&LABELS),
        };
        let group = match &reading.group_column {
            Some(name) => Some(find("group-column", name)?),
            None => None,
        };
        let clock = |place: usize| {
            let mut fields = rows.iter().filter_map(|row| row.get(place));
            let field = fields.find(|field| !number::is_missing(field.trim_ascii()))?;
            Clock::of(&names[place], unquoted(field), dialect.mark)
        };
        let time = match reading.time_column.as_deref() {
            Some(NONE) => None,
            Some(name) => {
                let place = find("time-column", name)?;
                let clock = clock(place).ok_or_else(|| Error::Argument {
                    argument: "time-column".into(),
                    found: format!("{}, which holds no times", names[place].escape_debug()),
                    expected: "seconds, an epoch or ISO 8601, 2020-11-26T20:20:52.5 for example"
                        .into(),
                })?;
                Some((place, clock))
            }
            None => known(&TIMES).and_then(|place| Some((place, clock(place)?))),
        };
        let taken = |place: usize| {
            label == Some(place)
                || group == Some(place)
                || time.is_some_and(|(time, _)| time == place)
        };
        let numeric = |place: usize| {
            let mut fields = rows.iter().filter_map(|row| row.get(place));
            fields.all(|field| number::parse(unquoted(field), dialect.mark).is_some())
        };
        let free = (0..names.len()).filter(|&place| !taken(place));
        let (channels, ignored): (Vec<usize>, Vec<usize>) = if reading.channels.is_empty() {
            free.partition(|&place| numeric(place))
        } else {
            let absent = reading.channels.iter();
            let absent: Vec<String> = absent
                .filter(|name| find("channels", name).is_err())
                .cloned()
                .collect();
            if !absent.is_empty() {
                return Err(data_error(
                    path,
                    format!("no column for the channels {}", list(&absent)),
                    format!("them among {}", list(&names)),
                ));
            }
            let chosen = reading.channels.iter();
            let chosen: Result<Vec<usize>> = chosen.map(|name| find("channels", name)).collect();
            (chosen?, Vec::new())
        };
        if let Some(&both) = channels.iter().find(|&&place| taken(place)) {
            return Err(Error::Argument {
                argument: "channels".into(),
                found: format!(
                    "{}, which is another column already",
                    names[both].escape_debug()
                ),
                expected: "a column that is neither label, time nor group".into(),
            });
        }
        let mut roles = vec![Role::Ignored; names.len()];
        for (slot, &place) in channels.iter().enumerate() {
            roles[place] = Role::Channel(slot);
        }
        for (place, role) in [(label, Role::Label), (group, Role::Group)] {
            if let Some(place) = place {
                roles[place] = role;
            }
        }
        if let Some((place, clock)) = time {
            roles[place] = Role::Time(clock);
        }
        let name = |place: usize| names[place].clone();
        Ok(Self {
            roles,
            channels: channels.into_iter().map(name).collect(),
            label: label.map(name),
            time: time.map(|(place, clock)| (name(place), clock)),
            group: group.map(name),
            ignored: ignored.into_iter().map(name).collect(),
            names,
        })
    }

    /// What was found out, in a line.
    pub fn describe(&self) -> String {
        let mut parts = vec![match &self.channels[..] {
            [] => "no channel".into(),
            channels => format!("channels {}", list(channels)),
        }];
        if let Some(label) = &self.label {
            parts.push(format!("classes from {}", label.escape_debug()));
        }
        if let Some((time, clock)) = &self.time {
            parts.push(format!("time from {} ({clock})", time.escape_debug()));
        }
        if let Some(group) = &self.group {
            parts.push(format!("groups from {}", group.escape_debug()));
        }
        if !self.ignored.is_empty() {
            parts.push(format!("text left out: {}", list(&self.ignored)));
        }
        parts.join("; ")
    }
}

/// Names in a list that stays readable.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN);
    let shown: Vec<String> = shown.map(|name| name.escape_debug().to_string()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let end = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{end}", shown.join(", "))
}

/// The column called `wanted`: by its very name, then in any case.
fn place(path: &Path, argument: &str, names: &[String], wanted: &str) -> Result<usize> {
    let wanted = wanted.trim();
    let exactly = names.iter().position(|name| name == wanted);
    let found = exactly.or_else(|| {
        let is = |name: &String| name.to_lowercase() == wanted.to_lowercase();
        names.iter().position(is)
    });
    found.ok_or_else(|| Error::Argument {
        argument: argument.into(),
        found: format!("{}, no column of {}", wanted.escape_debug(), path.display()),
        expected: format!("one of {}", list(names)),
    })
}
