//! Equality of texts after normalising both, as `exact_match` of Hugging Face's `evaluate` and lm-evaluation-harness do.

use super::MetricConfig;
use crate::python::Pattern;

impl MetricConfig {
    /// Whether two texts are equal once what is to be ignored is removed from both.
    ///
    /// # Errors
    /// A pattern without end, in words.
    pub(crate) fn texts_match(&self, prediction: &str, reference: &str) -> Result<bool, String> {
        Ok(self.normalise(prediction)? == self.normalise(reference)?)
    }

    /// Expressions first, then case, punctuation and digits.
    fn normalise(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_string();
        for pattern in &self.regexes_to_ignore {
            text = Pattern::new(pattern)?.remove(&text)?;
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        if self.ignore_punctuation {
            text.retain(|character| !character.is_ascii_punctuation());
        }
        if self.ignore_numbers {
            text.retain(|character| !character.is_ascii_digit());
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::MetricConfig;

    fn config(keys: &str) -> MetricConfig {
        toml::from_str(&format!("metric = 'exact_match'\n{keys}")).expect("a metric")
    }

    #[test]
    fn gsm8k_ignores_signs_and_reasoning() {
        let gsm8k = config(
            r#"ignore_case = true
            regexes_to_ignore = [",", "\\$", "(?s).*#### ", "\\.$"]"#,
        );
        for (prediction, reference, equal) in [
            ("$1,234.", "so\nit is\n#### 1234", true),
            ("1234.0", "#### 1234", false),
            ("[INVALID]", "[invalid]", true),
            ("12.\n", "12\n", true),
        ] {
            assert_eq!(gsm8k.texts_match(prediction, reference), Ok(equal), "{prediction}");
        }
    }

    #[test]
    fn each_switch_alone() {
        assert_eq!(config("").texts_match("A", "a"), Ok(false));
        assert_eq!(config("ignore_case = true").texts_match("É", "é"), Ok(true));
        assert_eq!(config("ignore_punctuation = true").texts_match("a-b_c!", "abc"), Ok(true));
        assert_eq!(config("ignore_punctuation = true").texts_match("a…", "a"), Ok(false));
        assert_eq!(config("ignore_numbers = true").texts_match("a12", "a"), Ok(true));
        assert_eq!(config("").texts_match("a1", "a"), Ok(false));
    }
}
