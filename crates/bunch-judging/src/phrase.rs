//! Phrases: words, places for one of a list of words, and parts that may be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a text is taken apart into words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) ignore_case: bool,
    pub(crate) ignore_punctuation: bool,
}

/// Lists of words by name, and how texts that they stand in are taken apart; an entry may be several words.
#[derive(Debug, Clone)]
pub(crate) struct WordLists {
    pub(crate) words: Words,
    lists: BTreeMap<String, Arc<[Vec<String>]>>,
}

impl WordLists {
    pub(crate) fn new(words: Words, lists: BTreeMap<String, Vec<String>>) -> Self {
        let list = |entries: Vec<String>| entries.iter().map(|entry| words.of(entry)).collect();
        Self { words, lists: lists.into_iter().map(|(name, entries)| (name, list(entries))).collect() }
    }
}

/// `how do i {verb} the [{adjective}] {noun}`: words as they are, `{name}` for an entry of a list, `[..]` for what may be
/// missing.
#[derive(Debug, Clone)]
pub(crate) struct Phrase(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Words(Vec<String>),
    OneOf(Arc<[Vec<String>]>),
    Optional(Phrase),
}

impl Words {
    /// The words of `text`: what stands between white space.
    pub(crate) fn of(self, text: &str) -> Vec<String> {
        let bare = |word: &'_ str| match self.ignore_punctuation {
            true => word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned(),
            false => word.to_owned(),
        };
        let words = text.split_whitespace().map(bare).filter(|word| !word.is_empty());
        words.map(|word| if self.ignore_case { word.to_lowercase() } else { word }).collect()
    }
}

impl Phrase {
    /// Reads a phrase, whose places name some of `lists`.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub(crate) fn parse(text: &str, lists: &WordLists) -> Result<Self, String> {
        let fault = |reason: String| format!("{text:?}: {reason}");
        let mut rest = text;
        let phrase = Self::read(&mut rest, false, lists).map_err(fault)?;
        // What could be nothing would be found everywhere.
        if phrase.ends(&[], 0).is_empty() { Ok(phrase) } else { Err(fault("expected words, got none".into())) }
    }

    /// Reads up to the end of the text, or of the optional part that it is inside of.
    fn read(rest: &mut &str, inside: bool, lists: &WordLists) -> Result<Self, String> {
        let mut parts = Vec::new();
        loop {
            let end = rest.find(['[', ']', '{']).unwrap_or(rest.len());
            let (plain, behind) = rest.split_at(end);
            if !plain.trim().is_empty() {
                parts.push(Part::Words(lists.words.of(plain)));
            }
            *rest = behind.get(1..).unwrap_or_default();
            match behind.chars().next() {
                Some('{') => {
                    let (name, behind) = rest.split_once('}').ok_or("expected a } for each {, got none")?;
                    let known = || lists.lists.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    let list = lists
                        .lists
                        .get(name)
                        .ok_or_else(|| format!("expected one of the lists {}, got {name}", known()))?;
                    parts.push(Part::OneOf(list.clone()));
                    *rest = behind;
                }
                Some('[') => parts.push(Part::Optional(Self::read(rest, true, lists)?)),
                Some(_) if inside => return Ok(Self(parts)),
                None if !inside => return Ok(Self(parts)),
                _ => return Err("expected a ] for each [, and a [ before it".into()),
            }
        }
    }

    /// Where the phrase may end if it begins at word number `at` of `words`; nowhere if it does not stand there.
    pub(crate) fn ends(&self, words: &[String], at: usize) -> BTreeSet<usize> {
        let mut places = BTreeSet::from([at]);
        for part in &self.0 {
            places = places.into_iter().flat_map(|at| part.ends(words, at)).collect();
        }
        places
    }
}

impl Part {
    fn ends(&self, words: &[String], at: usize) -> BTreeSet<usize> {
        let rest = words.get(at..).unwrap_or_default();
        let end_of = |entry: &Vec<String>| rest.starts_with(entry).then_some(at + entry.len());
        match self {
            Self::Words(entry) => end_of(entry).into_iter().collect(),
            Self::OneOf(entries) => entries.iter().filter_map(end_of).collect(),
            Self::Optional(phrase) => {
                let mut ends = phrase.ends(words, at);
                ends.insert(at);
                ends
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Phrase, WordLists, Words};

    const WORDS: Words = Words { ignore_case: false, ignore_punctuation: false };

    fn lists() -> WordLists {
        let entries = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let lists = [("noun".to_owned(), entries(&["car", "car key"])), ("empty".to_owned(), entries(&[]))];
        WordLists::new(WORDS, lists.into())
    }

    #[test]
    fn a_phrase_may_end_in_several_places() {
        let phrase = Phrase::parse("the {noun} [key [ring]]", &lists()).unwrap();
        let ends = |text: &str, at: usize| phrase.ends(&WORDS.of(text), at).into_iter().collect::<Vec<_>>();
        assert_eq!(ends("the car", 0), [2]);
        assert_eq!(ends("take the car key ring now", 1), [3, 4, 5]);
        assert_eq!(ends("take the car", 0), [0; 0]);
        assert_eq!(ends("take the car", 9), [0; 0]);
    }

    #[test]
    fn phrases_that_cannot_be_used_say_why() {
        let message = |text: &str| Phrase::parse(text, &lists()).unwrap_err();
        assert_eq!(message("[the car]"), "\"[the car]\": expected words, got none");
        assert_eq!(message("a {verb}"), "\"a {verb}\": expected one of the lists empty, noun, got verb");
        assert_eq!(message("a {noun"), "\"a {noun\": expected a } for each {, got none");
        for text in ["a [b", "a ] b", "a [b]]"] {
            assert!(message(text).ends_with("expected a ] for each [, and a [ before it"), "{text}");
        }
        // A list without entries is nowhere to be found.
        assert!(Phrase::parse("{empty}", &lists()).unwrap().ends(&WORDS.of("a"), 0).is_empty());
    }
}
