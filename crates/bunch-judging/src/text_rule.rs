//! A rule of words for one text: which phrases it has to be, begin with or contain.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::JudgingError;
use crate::phrase::{Phrase, WordLists, Words};

/// What a text has to say: any of these phrases.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrases {
    /// The whole text is the phrase.
    #[serde(default)]
    whole: Vec<String>,
    /// The text begins with the phrase.
    #[serde(default)]
    begins: Vec<String>,
    /// The phrase stands anywhere.
    #[serde(default)]
    contains: Vec<String>,
}

/// A file that holds nothing but such a rule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    #[allow(dead_code, reason = "for who reads the file")]
    title: String,
    /// Whether upper and lower case are the same.
    #[serde(default)]
    ignore_case: bool,
    /// Whether punctuation around a word is no part of it.
    #[serde(default)]
    ignore_punctuation: bool,
    /// What the text has to say.
    text: Phrases,
    /// Lists of words that phrases may name.
    #[serde(default)]
    words: BTreeMap<String, Vec<String>>,
}

/// Holds of texts that say any of some phrases.
#[derive(Debug, Clone)]
pub struct TextRule {
    words: Words,
    whole: Vec<Phrase>,
    begins: Vec<Phrase>,
    contains: Vec<Phrase>,
}

impl TextRule {
    /// The rule in the TOML file `path`: a `title`, phrases in `[text]`, and the lists of words that they name in `[words]`.
    ///
    /// # Errors
    /// A file that cannot be read or is no such rule.
    pub fn load(path: &Path) -> Result<Self, JudgingError> {
        let text = std::fs::read_to_string(path).map_err(JudgingError::io(path))?;
        let file = path.display().to_string();
        let definition: Definition = toml::from_str(&text).map_err(|error| JudgingError::definition(&file, error))?;
        let Definition { ignore_case, ignore_punctuation, text, words, .. } = definition;
        let lists = WordLists::new(Words { ignore_case, ignore_punctuation }, words);
        Self::new(text, &lists).map_err(|reason| JudgingError::definition(&file, format!("text: {reason}")))
    }

    /// The rule of these phrases, which may name `lists`.
    ///
    /// # Errors
    /// No phrase, one without words, or one that names no list; in words.
    pub(crate) fn new(phrases: Phrases, lists: &WordLists) -> Result<Self, String> {
        let Phrases { whole, begins, contains } = phrases;
        if [&whole, &begins, &contains].iter().all(|phrases| phrases.is_empty()) {
            return Err("expected phrases in whole, begins or contains, got none".into());
        }
        let parse = |texts: Vec<String>| texts.iter().map(|text| Phrase::parse(text, lists)).collect();
        let (whole, begins, contains): (Result<_, _>, Result<_, _>, Result<_, _>) =
            (parse(whole), parse(begins), parse(contains));
        Ok(Self { words: lists.words, whole: whole?, begins: begins?, contains: contains? })
    }

    /// Whether it holds of `text`.
    pub fn is_met_by(&self, text: &str) -> bool {
        let words = &self.words.of(text);
        self.whole.iter().any(|phrase| phrase.ends(words, 0).contains(&words.len()))
            || self.begins.iter().any(|phrase| !phrase.ends(words, 0).is_empty())
            || self.contains.iter().any(|phrase| (0..words.len()).any(|at| !phrase.ends(words, at).is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<TextRule, JudgingError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("questions.toml");
        std::fs::write(&path, text).unwrap();
        TextRule::load(&path)
    }

    #[test]
    fn a_file_says_which_texts_are_meant() {
        let rule = rule(
            "title = 'Questions'\nignore_case = true\ntext.whole = ['what is the {thing} ?']\nwords.thing = ['time', 'last word']",
        );
        let rule = rule.unwrap();
        for (text, expected) in [
            ("What is the last word ?", true),
            ("what is  the time ?\n", true),
            ("what is the time", false),
            ("", false),
        ] {
            assert_eq!(rule.is_met_by(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_rule_that_says_nothing_is_refused_with_its_file() {
        let error = rule("title = 'Questions'\ntext.whole = []").unwrap_err().to_string();
        assert!(
            error.ends_with("questions.toml: text: expected phrases in whole, begins or contains, got none"),
            "{error}"
        );
        assert!(rule("title = 'Questions'").unwrap_err().to_string().contains("missing field `text`"));
    }
}
