//! Style sheets without variables, for pictures that stand alone: viewers other than browsers do not
//! know variables, and draw black instead.

use super::chart::COLOURS;

/// A rule: selectors, and what stands between its braces.
struct Rule<'s> {
    selectors: &'s str,
    body: &'s str,
}

/// `css` with every variable replaced by its value on a light screen. A rule that reads what the
/// classes `s0`, `s1`, … define becomes a rule for each of them.
pub(crate) fn literal(css: &str) -> String {
    let palette = definitions(rules(COLOURS).first().map_or("", |root| root.body));
    let rules = rules(css);
    let is_series = |rule: &&Rule<'_>| rule.body.contains("--c:");
    let mut text = String::new();
    for rule in rules.iter().filter(|rule| !is_series(rule)) {
        if !rule.body.contains("var(--c)") && !rule.body.contains("var(--dash") {
            text.push_str(&written(rule.selectors, &replaced(rule.body, &palette)));
            continue;
        }
        for series in rules.iter().filter(is_series) {
            let own = definitions(series.body);
            let class = series.selectors;
            let selectors = format!("{}{class}, {class} {}", rule.selectors, rule.selectors);
            let body = replaced(&replaced(rule.body, &own), &palette);
            text.push_str(&written(&selectors, &body));
        }
    }
    text
}

fn written(selectors: &str, body: &str) -> String {
    format!("{selectors} {{ {} }}\n", body.trim())
}

/// The rules outside any at-rule.
fn rules(css: &str) -> Vec<Rule<'_>> {
    let mut rules = Vec::new();
    let mut rest = css;
    while let Some((selectors, behind)) = rest.split_once('{') {
        let Some((body, after)) = behind.split_once('}') else {
            break;
        };
        let selectors = selectors.trim().trim_start_matches('}').trim();
        if !selectors.starts_with('@') {
            rules.push(Rule { selectors, body });
        }
        rest = after;
    }
    rules
}

/// Variables and their values.
fn definitions(body: &str) -> Vec<(&str, &str)> {
    let declarations = body.split(';').filter_map(|part| part.split_once(':'));
    let named = declarations.map(|(name, value)| (name.trim(), value.trim()));
    named.filter(|(name, _)| name.starts_with("--")).collect()
}

/// `body` with the values of the variables it reads, or what it says for those without one.
fn replaced(body: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, behind)) = rest.split_once("var(") {
        let Some((inside, after)) = behind.split_once(')') else {
            break;
        };
        let (name, usual) = inside.split_once(',').unwrap_or((inside, ""));
        let known = values.iter().find(|(known, _)| *known == name.trim());
        let value = match (known, usual.trim()) {
            (Some((_, value)), _) => (*value).to_string(),
            (None, "") => format!("var({inside})"),
            (None, usual) => usual.to_string(),
        };
        text.push_str(before);
        text.push_str(&value);
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::CHART_STYLE;
    use crate::report::map::MAP_STYLE;

    #[test]
    fn no_variable_is_left() {
        let css = literal(&format!("{CHART_STYLE}{MAP_STYLE}"));
        assert!(!css.contains("var(") && !css.contains("--"), "{css}");
        for rule in [
            ".line.s1, .s1 .line { fill: none; stroke: #eb6834; stroke-width: 2; \
             stroke-linejoin: round; stroke-dasharray: 6 3; }",
            ".line.s0, .s0 .line { fill: none; stroke: #2a78d6; stroke-width: 2; \
             stroke-linejoin: round; stroke-dasharray: none; }",
            ".surface { fill: #fcfcfb; }",
        ] {
            assert!(css.contains(rule), "{rule} in {css}");
        }
    }
}
