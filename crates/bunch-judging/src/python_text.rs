//! Python's idea of white space, which the published judges and lists were written with.

/// What `str.strip` removes: Unicode white space and the separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `text.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The first word of `text.split()`.
pub(crate) fn first_word(text: &str) -> Option<&str> {
    text.split(is_space).find(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{first_word, strip};

    #[test]
    fn separators_are_white_space() {
        assert_eq!(strip(" \u{1c}\n\u{a0}safe\u{3000}\u{1f}"), "safe");
        assert_eq!(first_word("\n\nunsafe\u{1f}S1"), Some("unsafe"));
        assert_eq!(first_word(" \n"), None);
    }
}
