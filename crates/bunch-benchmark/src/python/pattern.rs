//! Python regular expressions: the syntax and the results of the module `re`.

use fancy_regex::{Captures, Regex};

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern written for Python.
    ///
    /// # Errors
    /// What is wrong with the pattern, in words.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let regex =
            Regex::new(&translate(pattern)).map_err(|error| format!("the regular expression {pattern:?}: {error}"))?;
        Ok(Self { regex })
    }

    /// `re.findall`: per match the groups' texts (empty where a group took no part), or the whole match where there are none.
    ///
    /// # Errors
    /// A pattern that backtracks without end.
    pub(crate) fn find_all(&self, text: &str) -> Result<Vec<Vec<String>>, String> {
        let mut found = Vec::new();
        for captures in self.regex.captures_iter(text) {
            let captures = captures.map_err(|error| error.to_string())?;
            let first = usize::from(captures.len() > 1);
            let group = |index| captures.get(index).map_or(String::new(), |group| group.as_str().to_string());
            found.push((first..captures.len()).map(group).collect());
        }
        Ok(found)
    }

    /// `re.sub(pattern, "", text)`.
    ///
    /// # Errors
    /// A pattern that backtracks without end.
    pub(crate) fn remove(&self, text: &str) -> Result<String, String> {
        let replaced = self.regex.try_replacen(text, 0, |_: &Captures| "");
        replaced.map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
    }

    /// `re.sub(pattern, replacement, text)` with a replacement without group references.
    ///
    /// # Errors
    /// A pattern that backtracks without end.
    pub(crate) fn replace(&self, text: &str, replacement: &str) -> Result<String, String> {
        let replaced = self.regex.try_replacen(text, 0, |_: &Captures| replacement);
        replaced.map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
    }
}

/// The same pattern in this crate's syntax: `$` also matches before a final newline, `\Z` is the end, and `\s` has the
/// separators U+001C to U+001F.
fn translate(pattern: &str) -> String {
    let multiline = pattern.starts_with("(?m") || pattern.starts_with("(?sm");
    let mut result = String::new();
    let mut in_class = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('s') if in_class => result.push_str(r"\s\x1c-\x1f"),
                Some('s') => result.push_str(r"[\s\x1c-\x1f]"),
                Some('S') if !in_class => result.push_str(r"[^\s\x1c-\x1f]"),
                Some('Z') if !in_class => result.push_str(r"\z"),
                Some(escaped) => result.extend(['\\', escaped]),
                None => result.push('\\'),
            },
            '[' if in_class => result.push_str(r"\["),
            '[' => {
                in_class = true;
                result.push('[');
                // A bracket right after the start is a literal one.
                let mut rest = characters.clone();
                let mut next = rest.next();
                if next == Some('^') {
                    result.push('^');
                    characters = rest.clone();
                    next = rest.next();
                }
                if next == Some(']') {
                    result.push_str(r"\]");
                    characters = rest;
                }
            }
            ']' if in_class => {
                in_class = false;
                result.push(']');
            }
            // In a class these are letters to Python and set operations here.
            '&' | '~' if in_class => result.extend(['\\', character]),
            '$' if !in_class && !multiline => result.push_str(r"(?=\n?\z)"),
            _ => result.push(character),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn find(pattern: &str, text: &str) -> Vec<Vec<String>> {
        Pattern::new(pattern).expect("a pattern").find_all(text).expect("an end")
    }

    #[test]
    fn groups_as_findall_gives_them() {
        let flexible = "(-?[$0-9.,]{2,})|(-?[0-9]+)";
        assert_eq!(find(flexible, "is $1,234.5 or -7"), [vec!["$1,234.5", ""], vec!["", "-7"]]);
        assert_eq!(find(r"#### (\-?[0-9\.\,]+)", "#### 12.\n#### -3"), [vec!["12."], vec!["-3"]]);
        assert_eq!(find(r"\d+", "1 22"), [vec!["1"], vec!["22"]]);
        assert_eq!(find("(?<=the answer is )(.)", "the answer is B"), [vec!["B"]]);
        assert!(find("x(y)?", "z").is_empty());
        assert_eq!(find("x(y)?", "x"), [vec![""]]);
    }

    #[test]
    fn a_dollar_stands_before_a_final_newline() {
        let dot = Pattern::new("\\.$").expect("a pattern");
        assert_eq!(dot.remove("18.").expect("text"), "18");
        assert_eq!(dot.remove("18.\n").expect("text"), "18\n");
        assert_eq!(dot.remove("18.\n\n").expect("text"), "18.\n\n");
        assert_eq!(Pattern::new(r"\$").expect("a pattern").remove("$1$").expect("text"), "1");
        assert_eq!(Pattern::new("[$]").expect("a pattern").remove("$1$").expect("text"), "1");
        assert_eq!(Pattern::new("(?s).*#### ").expect("a pattern").remove("a\n#### b\n#### c").expect("text"), "c");
    }

    #[test]
    fn classes_and_spaces() {
        assert_eq!(find(r"[^\s]+", "a\u{1c}b c"), [["a"], ["b"], ["c"]]);
        assert_eq!(find(r"\S+", "a\u{1c}b"), [["a"], ["b"]]);
        assert_eq!(find("[]a]+", "]a["), [["]a"]]);
        assert_eq!(find("[[a&&b]+", "[a&b"), [["[a&b"]]);
        assert!(Pattern::new("(").unwrap_err().contains("\"(\""));
    }
}
