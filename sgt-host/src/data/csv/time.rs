//! When a row was recorded: seconds, epochs, and dates of ISO 8601.

use super::number;

/// How a time column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Seconds, since anything.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Dates and times of ISO 8601, or times of a day.
    Iso8601,
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
            Self::Iso8601 => "ISO 8601",
        })
    }
}

/// Numbers from which on an epoch counts in smaller units: seconds reach it in the year 5138,
/// milliseconds in 1973.
const MILLISECONDS_FROM: f64 = 1e11;
const MICROSECONDS_FROM: f64 = 1e14;
const NANOSECONDS_FROM: f64 = 1e17;

impl Clock {
    /// The clock of the column `name` whose first field is `field`; `None` where it writes no time.
    pub(super) fn of(name: &str, field: &[u8], mark: u8) -> Option<Self> {
        let Some(value) = number::parse(field, mark).filter(|value| !value.is_nan()) else {
            return iso(field).map(|_| Self::Iso8601);
        };
        let name = name.to_ascii_lowercase();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        Some(
            if ends(&["_ms", "(ms)", "[ms]", "millis", "milliseconds"]) {
                Self::Milliseconds
            } else if ends(&[
                "_us",
                "(us)",
                "[us]",
                "(µs)",
                "[µs]",
                "micros",
                "microseconds",
            ]) {
                Self::Microseconds
            } else if ends(&["_ns", "(ns)", "[ns]", "nanoseconds"]) {
                Self::Nanoseconds
            } else {
                match value.abs() {
                    size if size >= NANOSECONDS_FROM => Self::Nanoseconds,
                    size if size >= MICROSECONDS_FROM => Self::Microseconds,
                    size if size >= MILLISECONDS_FROM => Self::Milliseconds,
                    _ => Self::Seconds,
                }
            },
        )
    }

    /// The time that `field` writes, in seconds; `None` where it is none.
    pub(super) fn seconds(self, field: &[u8], mark: u8) -> Option<f64> {
        let unit = match self {
            Self::Iso8601 => return iso(field),
            Self::Seconds => 1.0,
            // By division: 1e-3 is no number of binary fractions, 1e3 is.
            Self::Milliseconds => 1e3,
            Self::Microseconds => 1e6,
            Self::Nanoseconds => 1e9,
        };
        let value = number::parse(field, mark)?;
        (!value.is_nan()).then(|| value / unit)
    }
}

/// Seconds since 1970 of `YYYY-MM-DD`, with `T` or a blank and a time of day, with a fraction, `Z`
/// or an offset; or a time of day alone, in seconds since midnight.
fn iso(field: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(field.trim_ascii()).ok()?;
    let bytes = text.as_bytes();
    let dated = bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' && text.is_ascii();
    if !dated {
        return time_of_day(text);
    }
    let (year, month, day) = (
        digits(&text[..4])?,
        digits(&text[5..7])?,
        digits(&text[8..10])?,
    );
    if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_since_1970(year, month, day) as f64 * 86_400.0;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(midnight);
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?.trim_start();
    let (clock, offset) = offset(clock)?;
    Some(midnight + time_of_day(clock)? - offset)
}

/// A time without its offset from UTC, and that offset in seconds.
fn offset(clock: &str) -> Option<(&str, f64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock.trim_end(), 0.0));
    }
    let Some(at) = clock.rfind(['+', '-']) else {
        return Some((clock, 0.0));
    };
    let sign = if clock.as_bytes()[at] == b'-' {
        -1.0
    } else {
        1.0
    };
    let (hours, minutes) = match &clock[at + 1..] {
        text if text.len() == 2 => (digits(text)?, 0),
        text if text.len() == 4 => (digits(&text[..2])?, digits(&text[2..])?),
        text => {
            let (hours, minutes) = text.split_once(':')?;
            (digits(hours)?, digits(minutes)?)
        }
    };
    let seconds = (hours * 3600 + minutes * 60) as f64;
    Some((clock[..at].trim_end(), sign * seconds))
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, in seconds.
fn time_of_day(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let hours = digits(parts.next()?)?;
    let minutes = digits(parts.next()?)?;
    let seconds = match parts.next() {
        None => 0.0,
        Some(seconds) => {
            let mark = if seconds.contains(',') { b',' } else { b'.' };
            let starts = seconds.as_bytes().first().is_some_and(u8::is_ascii_digit);
            number::parse(seconds.as_bytes(), mark).filter(|value| starts && *value < 61.0)?
        }
    };
    let whole = hours < 25 && minutes < 60 && parts.next().is_none();
    whole.then(|| (hours * 3600 + minutes * 60) as f64 + seconds)
}

fn digits(text: &str) -> Option<i64> {
    let plain = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar, by Howard Hinnant's `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        let cases = [
            ("1970-01-01", 0.0),
            ("1970-01-02T00:00:01Z", 86_401.0),
            ("2020-02-29 12:30:15.25", 1_582_979_415.25),
            ("2020-11-26T20:20:52+00:00", 1_606_422_052.0),
            ("2020-11-26T20:20:52+0130", 1_606_416_652.0),
            ("2020-11-26T20:20:52,5-05", 1_606_440_052.5),
            ("1969-12-31T23:59:59Z", -1.0),
            ("12:30", 45_000.0),
            ("00:00:01.5", 1.5),
        ];
        for (text, expected) in cases {
            assert_eq!(iso(text.as_bytes()), Some(expected), "{text}");
        }
        for bad in [
            "",
            "x",
            "2020-13-01",
            "2021-02-29",
            "2020-01-01T",
            "2020-01-01T25",
            "12:61",
            "1.5",
            "20200101",
        ] {
            assert_eq!(iso(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn epochs_are_told_by_their_size_or_name() {
        let of = |name, field: &str| Clock::of(name, field.as_bytes(), b'.');
        assert_eq!(of("t", "0.02"), Some(Clock::Seconds));
        assert_eq!(of("t", "1606422052.1"), Some(Clock::Seconds));
        assert_eq!(of("t", "1606422052100"), Some(Clock::Milliseconds));
        assert_eq!(of("t", "1606422052100000"), Some(Clock::Microseconds));
        assert_eq!(of("t", "1606422052100000000"), Some(Clock::Nanoseconds));
        assert_eq!(of("time_ms", "20"), Some(Clock::Milliseconds));
        assert_eq!(of("t", "2020-01-01T00:00:00"), Some(Clock::Iso8601));
        assert_eq!(of("t", "monday"), None);
        assert_eq!(Clock::Milliseconds.seconds(b"1500", b'.'), Some(1.5));
    }
}
