//! Whitespace as Python's `str` methods see it.

/// Whether Python's `str.isspace` holds for `character`.
///
/// It is Unicode's White_Space plus the four information separators U+001C to U+001F, which Python counts by their
/// bidirectional class and Rust does not.
fn is_python_whitespace(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `text.lstrip()`.
pub(crate) fn strip_start(text: &str) -> &str {
    text.trim_start_matches(is_python_whitespace)
}

/// `text.rstrip()`.
pub(crate) fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_python_whitespace)
}

/// `text.strip()`.
pub(crate) fn strip(text: &str) -> &str {
    text.trim_matches(is_python_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_pythons() {
        // [c for c in range(0x110000) if chr(c).isspace()], Python 3.11.
        let python: Vec<u32> = (0x9..=0xd)
            .chain(0x1c..=0x20)
            .chain([0x85, 0xa0, 0x1680])
            .chain(0x2000..=0x200a)
            .chain([0x2028, 0x2029, 0x202f, 0x205f, 0x3000])
            .collect();
        let ours: Vec<u32> = ('\0'..=char::MAX).filter(|&c| is_python_whitespace(c)).map(u32::from).collect();
        assert_eq!(ours, python);
    }

    #[test]
    fn ends_are_stripped() {
        let text = " \t\u{1f}a b\u{1c}\n\u{3000}";
        assert_eq!(strip(text), "a b");
        assert_eq!(strip_start(text), "a b\u{1c}\n\u{3000}");
        assert_eq!(strip_end(text), " \t\u{1f}a b");
        // A zero-width space and a byte order mark are no whitespace in either language.
        assert_eq!(strip("\u{200b}\u{feff}"), "\u{200b}\u{feff}");
    }
}
