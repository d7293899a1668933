//! The classes: how many samples they have, how well they are found, what they are taken for.

use super::super::text::{Notation, escape};
use super::section;
use super::table::{Columns, table_head};
use crate::compare::{ClassCount, Comparison};
use crate::evaluation::grouped;
use crate::metrics::Classification;
use std::fmt::Write;

/// Classes of a confusion matrix that is shown whole, at most.
const MOST_CLASSES: usize = 20;
/// Confusions that are listed instead.
const MOST_CONFUSIONS: usize = 12;

/// The classes, their samples, and what each regime's networks answer.
pub(super) fn classes(comparison: &Comparison) -> String {
    if comparison.classes.is_empty() {
        return String::new();
    }
    let found: Vec<Option<Classification>> = (0..comparison.regimes.len())
        .map(|regime| comparison.classification(regime))
        .collect();
    let mut body = counts(comparison, &found);
    let many = comparison.classes.len() > MOST_CLASSES;
    body += if many {
        "<h3>What is taken for what</h3>\n<p>The most frequent wrong answers, all runs of a regime \
         counted together.</p>\n"
    } else {
        "<h3>What is taken for what</h3>\n<p>Rows are the samples' classes, columns the answers, all \
         runs of a regime counted together. Blue: right; red: wrong; the darker, the larger its share \
         of the row.</p>\n"
    };
    body += "<div class=\"matrices\">\n";
    for (place, (found, regime)) in found.iter().zip(&comparison.regimes).enumerate() {
        let Some(found) = found else { continue };
        let caption = match regime.runs.len() {
            1 => format!("{}, 1 run", regime.name),
            runs => format!("{}, {runs} runs", regime.name),
        };
        let table = if many {
            frequent(found, &caption)
        } else {
            confusion(found, &caption)
        };
        let _ = write!(body, "<div data-regime=\"{place}\">\n{table}</div>\n");
    }
    body += "</div>\n";
    section("classes", "Classes", &body)
}

/// The classes' samples, and how well each regime finds them.
fn counts(comparison: &Comparison, found: &[Option<Classification>]) -> String {
    let caption = "Samples of each class; F1, precision and recall in %, all runs of a regime \
                   counted together";
    let corner = ["Class", "Training", "Test"];
    let names = comparison.names();
    let mut html = table_head("The classes", caption, &corner, names, Columns::Regimes);
    let largest = |count: fn(&ClassCount) -> usize| {
        let counts = comparison.classes.iter().map(count);
        counts.max().unwrap_or(0)
    };
    let (training, test) = (largest(|c| c.training), largest(|c| c.test));
    let share =
        |share: Option<f64>| share.map_or("–".into(), |share| Notation::Percent.number(share));
    for (index, class) in comparison.classes.iter().enumerate() {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th>{}{}",
            escape(&class.class),
            bar(class.training, training),
            bar(class.test, test)
        );
        for (regime, found) in found.iter().enumerate() {
            let of_class = found.as_ref().and_then(|found| found.per_class.get(index));
            let text = of_class.map_or("–".into(), |class| {
                format!(
                    "F1 {}<small>precision {}<span>recall {}</span></small>",
                    share(class.f1),
                    share(class.precision),
                    share(class.recall)
                )
            });
            let _ = write!(html, "<td data-regime=\"{regime}\">{text}</td>");
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

/// A number with a bar as long as its share of the largest.
fn bar(count: usize, largest: usize) -> String {
    let share = 100.0 * count as f64 / largest.max(1) as f64;
    format!(
        "<td><span class=\"bar\" style=\"--share:{share:.0}%\">{}</span></td>",
        grouped(count)
    )
}

/// The answers of a regime's networks: a row a class, a column an answer.
fn confusion(found: &Classification, caption: &str) -> String {
    let names = || found.per_class.iter().map(|class| &class.class);
    let label = format!("Confusion matrix of {caption}");
    let head = table_head(&label, caption, &["Class"], names(), Columns::Upright);
    let mut html = head.replacen("<table>", "<table class=\"confusion\">", 1);
    for (class, (name, counts)) in names().zip(&found.confusion).enumerate() {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(name));
        let support = counts.iter().sum::<usize>();
        for ((answer, &count), other) in counts.iter().enumerate().zip(names()) {
            let share = count as f64 / support.max(1) as f64;
            let kind = if answer == class {
                "right"
            } else {
                "wrong-answer"
            };
            let words = if answer == class {
                format!("{name}, found")
            } else {
                format!("{name}, taken for {other}")
            };
            let words = format!(
                "{words}: {} of {} ({}\u{202f}%)",
                grouped(count),
                grouped(support),
                Notation::Percent.number(share)
            );
            let _ = write!(
                html,
                "<td class=\"{kind}\" style=\"--share:{:.0}%\" title=\"{}\">{}</td>",
                100.0 * share,
                escape(&words),
                if count == 0 {
                    "·".into()
                } else {
                    grouped(count)
                }
            );
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>\n</div>\n"
}

/// The most frequent wrong answers, for more classes than a matrix can show.
fn frequent(found: &Classification, caption: &str) -> String {
    let name = |class: usize| found.per_class.get(class).map_or("", |class| &class.class);
    let mut wrong: Vec<(usize, usize, usize)> = Vec::new();
    for (class, counts) in found.confusion.iter().enumerate() {
        let others = counts.iter().enumerate();
        let others = others.filter(|&(answer, &count)| answer != class && count > 0);
        wrong.extend(others.map(|(answer, &count)| (count, class, answer)));
    }
    wrong.sort_by_key(|&(count, class, answer)| (usize::MAX - count, class, answer));
    let label = format!("Frequent confusions of {caption}");
    let corner = ["Class", "taken for", "times", "of"];
    let none = std::iter::empty();
    let mut html = table_head(&label, caption, &corner, none, Columns::Others);
    for (count, class, answer) in wrong.into_iter().take(MOST_CONFUSIONS) {
        let support = found.per_class.get(class).map_or(0, |class| class.support);
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name(class)),
            escape(name(answer)),
            grouped(count),
            grouped(support)
        );
    }
    html + "</tbody>\n</table>\n</div>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::classification::confusion as counted;

    fn classification(names: &[&str], labels: &[usize], answers: &[usize]) -> Classification {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let counts = counted(labels, answers, names.len());
        Classification::of(&names, counts)
    }

    #[test]
    fn a_matrix_says_what_every_cell_is() {
        let found = classification(&["<sit>", "stand"], &[0, 0, 0, 1], &[0, 1, 1, 1]);
        let html = confusion(&found, "sgt, 1 runs");
        assert!(html.contains(
            "<td class=\"wrong-answer\" style=\"--share:67%\" \
             title=\"&lt;sit&gt;, taken for stand: 2 of 3 (66.7\u{202f}%)\">2</td>"
        ));
        assert!(html.contains("title=\"stand, found: 1 of 1 (100.0\u{202f}%)\">1</td>"));
        assert!(!html.contains("<sit>"));
    }

    #[test]
    fn many_classes_show_their_frequent_confusions() {
        let found = classification(&["a", "b", "c"], &[0, 0, 1, 2, 2], &[1, 1, 1, 0, 2]);
        let html = frequent(&found, "sgt, 1 runs");
        let rows: Vec<&str> = html
            .lines()
            .filter(|line| line.starts_with("<tr>"))
            .collect();
        assert_eq!(
            rows,
            [
                "<tr><th scope=\"row\">a</th><td>b</td><td>2</td><td>2</td></tr>",
                "<tr><th scope=\"row\">c</th><td>a</td><td>1</td><td>2</td></tr>",
            ]
        );
    }

    #[test]
    fn bars_are_shares_of_the_largest() {
        assert_eq!(
            bar(1200, 2400),
            "<td><span class=\"bar\" style=\"--share:50%\">1,200</span></td>"
        );
        assert!(bar(0, 0).contains("--share:0%"));
    }
}
