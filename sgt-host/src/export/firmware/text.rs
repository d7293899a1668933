//! Notation that Rust and C share: numbers in lines, names.

/// Columns of a line.
const WIDTH: usize = 100;

/// `items` behind commas, as many to a line as fit, each line behind `indent` blanks.
pub(super) fn lines(indent: usize, items: impl IntoIterator<Item = String>) -> String {
    let blanks = " ".repeat(indent);
    let (mut text, mut line) = (String::new(), String::new());
    for item in items {
        if !line.is_empty() && indent + line.len() + item.len() + 2 > WIDTH {
            text.extend([format!("{blanks}{line}\n")]);
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&item);
        line.push(',');
    }
    if !line.is_empty() {
        text.extend([format!("{blanks}{line}\n")]);
    }
    text
}

/// The shortest decimal that reads back as the same bits, in Rust and in C.
pub(super) fn float(value: f32) -> String {
    format!("{value:?}")
}

/// `value` as a string literal of both languages.
pub(super) fn string(value: &str) -> String {
    let mut literal = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            ' '..='~' => literal.push(c),
            // Neither language reads on behind three octal digits or a bracket; what is not ASCII
            // stands for itself in both.
            c if c.is_control() => literal.push(' '),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

/// A network's name as part of identifiers: lower case letters, digits and `separator`.
pub(super) fn identifier(name: &str, separator: char) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => text.push(c.to_ascii_lowercase()),
            _ if text.ends_with(separator) || text.is_empty() => {}
            _ => text.push(separator),
        }
    }
    let text = text.trim_end_matches(separator);
    if text.starts_with(|c: char| c.is_ascii_lowercase()) {
        text.into()
    } else {
        format!("network{separator}{text}")
            .trim_end_matches(separator)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        for (name, expected) in [
            ("sensor-cnn", "sensor_cnn"),
            ("My Net..3", "my_net_3"),
            ("3d", "network_3d"),
            ("", "network"),
        ] {
            assert_eq!(identifier(name, '_'), expected);
        }
    }

    #[test]
    fn lines_are_filled() {
        let items = (0..60).map(|i| i.to_string());
        let text = lines(4, items);
        assert!(
            text.lines()
                .all(|line| line.len() <= WIDTH && line.ends_with(','))
        );
        assert_eq!(text.matches(',').count(), 60);
    }
}
