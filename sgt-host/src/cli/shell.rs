//! Commands that a person can paste.

use std::path::Path;

/// `text` as one word of a shell: as it is, or in single quotes.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as one word of a shell.
pub(super) fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// The command of this process with `option` in place of those of `instead`.
pub(super) fn again(option: Option<&str>, instead: &[&str]) -> String {
    let arguments = std::env::args().skip(1);
    let kept = arguments.filter(|argument| {
        !instead.contains(&argument.as_str()) && Some(argument.as_str()) != option
    });
    let words = std::iter::once("sgt".to_string()).chain(kept);
    let words = words.chain(option.map(String::from));
    words
        .map(|word| quoted(&word))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_come_back_as_a_shell_reads_them() {
        for text in ["run", "", "a b", "$(touch x)", "it's", "`x`;y", "-o", "é\n"] {
            let script = format!("printf %s {}", quoted(text));
            let said = std::process::Command::new("sh")
                .args(["-c", &script])
                .output();
            assert_eq!(said.unwrap().stdout, text.as_bytes(), "{script}");
        }
        assert_eq!(quoted("runs/a-1.x"), "runs/a-1.x");
    }
}
