//! Numbers and text, ready for a page.

use crate::compare::{CONFIDENCE_LEVEL, Comparison, SIGNIFICANCE};
use crate::evaluation::{Measured, grouped};
use crate::metrics::bootstrap::Interval;
use crate::metrics::statistics::MeanDeviation;
use crate::metrics::{Classification, Metric};

/// What was compared, as a heading.
pub(super) fn title(comparison: &Comparison) -> String {
    format!("{} with {}", comparison.data, comparison.model)
}

/// What a reader must know of the numbers, a sentence each: on what, over how many samples, in
/// which unit.
pub(super) fn notes(comparison: &Comparison) -> Vec<String> {
    let (train, test) = (comparison.training_samples, comparison.test_samples);
    let mut notes = vec![format!(
        "{} training and {} test samples.",
        grouped(train),
        grouped(test)
    )];
    if let Some(measured) = comparison.measured() {
        let samples = comparison.evaluation.stability_samples.min(test);
        let few = Measured { samples, of: test };
        let few = if samples > 0 {
            format!("; max-sensitivity, saliency overlap and randomisation over {few}")
        } else {
            String::new()
        };
        notes.push(format!(
            "Accuracy, its classes and cross-entropy are over the whole test part, all other measures \
             over {measured} samples, drawn from every class alike with seed {}{few}.",
            comparison.evaluation.seed
        ));
    }
    notes.push(format!("ε, noise and saliency are in {}.", comparison.unit));
    let baseline = comparison.classification(0);
    let largest = baseline.as_ref().and_then(largest_class);
    if let (Some(baseline), Some(largest)) = (&baseline, largest) {
        notes.push(format!(
            "Always answering {largest}, the largest class, would be right for {}{}.",
            Notation::Percent.number(baseline.majority_baseline),
            Notation::Percent.suffix()
        ));
    }
    notes
}

/// The first of the largest classes of the test part.
fn largest_class(found: &Classification) -> Option<&str> {
    let most = found.per_class.iter().map(|class| class.support).max()?;
    let mut classes = found.per_class.iter();
    let class = classes.find(|class| class.support == most)?;
    Some(&class.class)
}

/// What the signs of a table mean, a sentence each: the same under every table.
pub(super) fn legend_of_signs(comparison: &Comparison) -> Vec<String> {
    let runs = comparison.regimes.iter().map(|regime| regime.runs.len());
    let several = runs.max().unwrap_or(0) > 1;
    let mut legend = Vec::new();
    legend.push(if several {
        "Mean ± standard deviation over seeds.".into()
    } else {
        "One run a regime: no deviation.".to_string()
    });
    let percent = |share: f64| format!("{:.0}\u{202f}%", 100.0 * share);
    legend.push(format!(
        "In brackets: where a mean could lie over other test samples with the same networks, {}.",
        percent(CONFIDENCE_LEVEL)
    ));
    if comparison.regimes.len() > 1 && several {
        legend.push(format!(
            "* differs from {} by more than chance, of the seeds (paired t-test) and of the test \
             samples (paired bootstrap): both p below {} after Holm's correction for all {} pairs \
             of regimes in the row.",
            comparison.first(),
            percent(SIGNIFICANCE),
            comparison.regimes.len() * (comparison.regimes.len() - 1) / 2
        ));
    }
    legend
}

/// Escapes text for HTML and SVG, in elements and quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in XML 1.0, not even escaped.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

/// How a metric's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// A share, as per cent.
    Percent,
    /// A plain number.
    Number,
}

impl Notation {
    pub(super) fn of(metric: Metric) -> Self {
        match metric {
            Metric::Accuracy
            | Metric::AccuracyUnderAttack
            | Metric::BalancedAccuracy
            | Metric::MacroF1
            | Metric::MajorityBaseline => Self::Percent,
            _ => Self::Number,
        }
    }

    /// `98.1`, or `0.276`, or `1.2e−5`; a true minus sign.
    pub(super) fn number(self, value: f64) -> String {
        self.number_like(value, value)
    }

    /// As [`Notation::number`], in the notation that suits `scale`: numbers that are read together
    /// look alike.
    pub(super) fn number_like(self, value: f64, scale: f64) -> String {
        /// Smaller numbers lose their digits behind three decimals.
        const SMALL: f64 = 5e-3;
        let text = match self {
            Self::Percent => format!("{:.1}", 100.0 * value),
            Self::Number if scale != 0.0 && scale.abs() < SMALL => format!("{value:.1e}"),
            Self::Number => format!("{value:.3}"),
        };
        text.replace('-', "\u{2212}")
    }

    /// `+1.2 [0.3, 2.1]`.
    pub(super) fn interval(self, value: f64, low: f64, high: f64) -> String {
        let scale = value.abs().max(low.abs()).max(high.abs());
        let sign = if value > 0.0 { "+" } else { "" };
        let number = |value| self.number_like(value, scale);
        format!(
            "{sign}{} [{}, {}]",
            number(value),
            number(low),
            number(high)
        )
    }

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Percent => "\u{202f}%",
            Self::Number => "",
        }
    }

    /// `[91.2, 100.0]`, in the notation that suits `scale`.
    pub(super) fn range(self, found: &Interval, scale: f64) -> String {
        let number = |value| self.number_like(value, scale);
        format!("[{}, {}]", number(found.low), number(found.high))
    }

    /// `98.1 ± 0.3 %`, or `98.1 %` for one value.
    pub(super) fn mean(self, value: &MeanDeviation) -> String {
        let scale = value.mean.abs().max(value.deviation.unwrap_or(0.0));
        let mean = self.number_like(value.mean, scale);
        match value.deviation {
            None => format!("{mean}{}", self.suffix()),
            Some(deviation) => format!(
                "{mean}\u{202f}±\u{202f}{}{}",
                self.number_like(deviation, scale),
                self.suffix()
            ),
        }
    }
}

/// Base64 with padding (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = ALPHABET[(group >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Notation, base64, escape};
    use crate::metrics::Metric;
    use crate::metrics::statistics::MeanDeviation;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy",
        ];
        for (length, expected) in cases.into_iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), expected);
        }
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn markup_cannot_leave_its_place() {
        assert_eq!(
            escape("<a b=\"c\">'&\0"),
            "&lt;a b=&quot;c&quot;&gt;&#39;&amp;\u{fffd}"
        );
    }

    #[test]
    fn numbers_read_as_a_person_writes_them() {
        let value = MeanDeviation {
            mean: 0.981_23,
            deviation: Some(0.003),
            count: 3,
        };
        assert_eq!(
            Notation::of(Metric::AccuracyUnderAttack).mean(&value),
            "98.1\u{202f}±\u{202f}0.3\u{202f}%"
        );
        assert_eq!(
            Notation::of(Metric::AccuracyDropArea).mean(&value),
            "0.981\u{202f}±\u{202f}0.003"
        );
        let alone = MeanDeviation {
            deviation: None,
            count: 1,
            ..value
        };
        assert_eq!(Notation::Number.mean(&alone), "0.981");
        assert_eq!(
            Notation::Number.interval(0.25, -0.001, 0.5),
            "+0.250 [\u{2212}0.001, 0.500]"
        );
        assert_eq!(
            Notation::Number.interval(-2e-4, -4e-4, 0.0),
            "\u{2212}2.0e\u{2212}4 [\u{2212}4.0e\u{2212}4, 0.0e0]"
        );
    }
}
