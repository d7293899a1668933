//! Commands that a person can paste.

use std::path::Path;

/// `text` as one word of a shell: as it is, or in single quotes.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./,:=+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as one word of a shell.
pub(crate) fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
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
