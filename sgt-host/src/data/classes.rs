//! Classes out of the labels that files hold.

use std::collections::BTreeSet;

/// The names of the classes that occur in `labels`, in an order that does not depend on theirs:
/// numbers by size, texts as dictionaries have them. Numbers are written as short as can be, so that
/// `1` and `1.0` are one class.
pub(super) fn names<'l>(labels: impl Iterator<Item = &'l str> + Clone) -> Vec<String> {
    if let Some(mut numbers) = labels.clone().map(number).collect::<Option<Vec<f64>>>() {
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        return numbers.iter().map(f64::to_string).collect();
    }
    let distinct: BTreeSet<&str> = labels.collect();
    distinct.into_iter().map(String::from).collect()
}

/// The class that `label` names: by its very name, then as a number.
pub(super) fn find(label: &str, classes: &[String]) -> Option<usize> {
    let by_name = classes.iter().position(|class| class == label);
    by_name.or_else(|| {
        let value = number(label)?;
        let is = |class: &String| number(class) == Some(value);
        classes.iter().position(is)
    })
}

fn number(label: &str) -> Option<f64> {
    let value: f64 = label.trim().parse().ok()?;
    // The sign of zero makes no class.
    value.is_finite().then_some(value + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_sorted_and_numbers_are_one_however_written() {
        let of = |labels: &[&str]| names(labels.iter().copied());
        assert_eq!(of(&["10", "9", "1.0", "1"]), ["1", "9", "10"]);
        assert_eq!(of(&["walk", "run", "walk", "1"]), ["1", "run", "walk"]);
        assert_eq!(find("1.0", &of(&["2", "1"])), Some(0));
        assert_eq!(find("x", &of(&["2", "1"])), None);
    }
}
