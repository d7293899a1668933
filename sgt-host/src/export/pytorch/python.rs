//! Python's notation: expressions over as many lines as they need, and literals.

/// Columns of a line.
const WIDTH: usize = 100;
/// Columns of one level.
pub(super) const INDENT: usize = 4;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// On one line.
    Atom(String),
    /// Items between brackets; each with what stands in front of it, a keyword for example.
    Items {
        open: String,
        items: Vec<(String, Self)>,
        close: &'static str,
    },
}

/// `function()`, to which arguments are added.
pub(super) fn call(function: &str) -> Expression {
    Expression::Items {
        open: format!("{function}("),
        items: Vec::new(),
        close: ")",
    }
}

impl From<&str> for Expression {
    fn from(code: &str) -> Self {
        Self::Atom(code.into())
    }
}

impl From<String> for Expression {
    fn from(code: String) -> Self {
        Self::Atom(code)
    }
}

impl From<usize> for Expression {
    fn from(number: usize) -> Self {
        Self::Atom(number.to_string())
    }
}

impl Expression {
    /// The call with one more argument.
    pub(super) fn with(self, value: impl Into<Self>) -> Self {
        self.item(String::new(), value.into())
    }

    /// The call with one more argument by keyword.
    pub(super) fn named(self, keyword: &str, value: impl Into<Self>) -> Self {
        self.item(format!("{keyword}="), value.into())
    }

    /// [`Expression::named`] where `value` is not the function's own default.
    pub(super) fn unless(
        self,
        keyword: &str,
        default: impl Into<Self>,
        value: impl Into<Self>,
    ) -> Self {
        let value = value.into();
        if value == default.into() {
            return self;
        }
        self.named(keyword, value)
    }

    fn item(mut self, front: String, value: Self) -> Self {
        if let Self::Items { items, .. } = &mut self {
            items.push((front, value));
        }
        self
    }

    /// On one line.
    pub(super) fn flat(&self) -> String {
        match self {
            Self::Atom(text) => text.clone(),
            Self::Items { open, items, close } => {
                let items = items.iter();
                let items = items.map(|(front, value)| format!("{front}{}", value.flat()));
                format!("{open}{}{close}", items.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// Adds `front`, the expression and `back` to `out`, one item a line where a line is too short.
    pub(super) fn lay_out(&self, indent: usize, front: &str, back: &str, out: &mut Vec<String>) {
        let margin = " ".repeat(indent);
        let line = format!("{margin}{front}{}{back}", self.flat());
        match self {
            Self::Items { open, items, close } if line.chars().count() > WIDTH => {
                out.push(format!("{margin}{front}{open}"));
                for (front, value) in items {
                    value.lay_out(indent + INDENT, front, ",", out);
                }
                out.push(format!("{margin}{close}{back}"));
            }
            _ => out.push(line),
        }
    }
}

/// `open`, items and `close`, as many items a line as it holds.
pub(super) fn filled(indent: usize, open: &str, items: &[String], close: &str) -> Vec<String> {
    let margin = " ".repeat(indent);
    let line = format!("{margin}{open}{}{close}", items.join(", "));
    if line.chars().count() <= WIDTH {
        return vec![line];
    }
    let inner = " ".repeat(indent + INDENT);
    let mut lines = vec![format!("{margin}{open}")];
    let mut line = String::new();
    for item in items {
        let longer = inner.len() + line.chars().count() + item.chars().count() + ", ".len();
        if !line.is_empty() && longer > WIDTH {
            lines.push(format!("{inner}{}", line.trim_end()));
            line.clear();
        }
        line.push_str(item);
        line.push_str(", ");
    }
    lines.push(format!("{inner}{}", line.trim_end()));
    lines.push(format!("{margin}{close}"));
    lines
}

/// `code` with a comment: behind it where the line holds both, in front of it otherwise.
pub(super) fn commented(indent: usize, code: &str, comment: &str) -> Vec<String> {
    let margin = " ".repeat(indent);
    if comment.is_empty() {
        return vec![format!("{margin}{code}")];
    }
    let line = format!("{margin}{code}  # {comment}");
    if line.chars().count() <= WIDTH {
        return vec![line];
    }
    vec![format!("{margin}# {comment}"), format!("{margin}{code}")]
}

/// Paragraphs of a docstring, broken into lines.
pub(super) fn wrapped(indent: usize, text: &str) -> Vec<String> {
    let margin = " ".repeat(indent);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = indent + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && longer > WIDTH {
            lines.push(format!("{margin}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(format!("{margin}{line}"));
    lines
}

/// A string literal: letters and signs as they are, everything else escaped.
pub(super) fn string(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            ' '..='~' => literal.push(c),
            _ if c.is_alphanumeric() => literal.push(c),
            _ => {
                let escaped = format!("\\U{:08x}", u32::from(c));
                literal.push_str(&escaped);
            }
        }
    }
    literal.push('"');
    literal
}

/// A number that Python reads as a double and PyTorch rounds to exactly `value`.
pub(super) fn number(value: f32) -> String {
    let shortest = format!("{value:?}");
    let read = shortest.parse::<f64>().map(|double| double as f32);
    if read == Ok(value) {
        return shortest;
    }
    format!("{:?}", f64::from(value))
}

/// One number where both are equal, a tuple otherwise.
pub(super) fn size(axes: &[usize]) -> String {
    match axes {
        [first, rest @ ..] if rest.iter().all(|axis| axis == first) => first.to_string(),
        _ => tuple(axes),
    }
}

/// `(1, 2)`.
pub(super) fn tuple(values: &[usize]) -> String {
    let values: Vec<String> = values.iter().map(usize::to_string).collect();
    format!("({})", values.join(", "))
}

const KEYWORDS: [&str; 35] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Whether `name` can stand behind a dot inside a class. (Two underscores in front would get the
/// class's name before them.)
pub(super) fn is_attribute(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    starts && name.chars().all(plain) && !name.starts_with("__") && !KEYWORDS.contains(&name)
}

/// Whether `code` mentions the module `name`.
pub(super) fn mentions(code: &str, name: &str) -> bool {
    let dotted = format!("{name}.");
    code.match_indices(&dotted).any(|(place, _)| {
        let before = code[..place].chars().next_back();
        before.is_none_or(|c| !c.is_ascii_alphanumeric() && !"._".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hold_what_they_hold_in_python() {
        assert_eq!(string("wa\"lk\\"), r#""wa\"lk\\""#);
        assert_eq!(string("Fuß\n\u{202e}"), r#""Fuß\U0000000a\U0000202e""#);
    }

    #[test]
    fn numbers_survive_the_way_through_a_double() {
        for value in [0.1, 1.0, -2.5e-8, f32::MIN_POSITIVE, f32::MAX, 0.130_660_47] {
            assert_eq!(number(value).parse::<f64>().unwrap() as f32, value);
        }
        assert_eq!(number(0.1), "0.1");
    }

    #[test]
    fn long_calls_have_a_line_for_each_item() {
        let long = "a".repeat(60);
        let inner = call("nn.Linear").with(1).named("bias", "False");
        let outer = Expression::Items {
            open: "Group(".into(),
            items: vec![(format!("{long}="), inner.clone()), ("b=".into(), inner)],
            close: ")",
        };
        let mut lines = Vec::new();
        outer.lay_out(4, "self.x = ", "", &mut lines);
        let expected = [
            "    self.x = Group(".to_string(),
            format!("        {long}=nn.Linear(1, bias=False),"),
            "        b=nn.Linear(1, bias=False),".into(),
            "    )".into(),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn modules_are_found_by_whole_names() {
        assert!(mentions("x = F.pad(x)", "F") && mentions("F.pad(x)", "F"));
        assert!(!mentions("CONF.pad", "F") && !mentions("self.math.x", "math"));
    }
}
