//! Actions: what a request is about is a verb done to a noun.

use super::harm::{HarmCategory, is_harmful};
use super::lexicon::{CLASSES, GROUPS, NOUNS_PER_CLASS, VERBS_PER_GROUP, lexicon};
use super::vocabulary::Word;

/// Number of nouns.
pub const NOUNS: usize = CLASSES * NOUNS_PER_CLASS;
/// Number of verbs.
pub const VERBS: usize = GROUPS * VERBS_PER_GROUP;

/// A thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Noun(usize);

/// Something to do to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verb(usize);

/// A verb and the noun it is done to: the unit of harm and of the training/dev/test split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    /// What is done.
    pub verb: Verb,
    /// To what it is done.
    pub noun: Noun,
}

impl Noun {
    /// All nouns, class by class.
    pub fn all() -> impl Iterator<Item = Noun> {
        (0..NOUNS).map(Noun)
    }

    /// The noun at position `index`, below [`NOUNS`].
    pub(super) fn nth(index: usize) -> Noun {
        Noun(index)
    }

    /// Its position among all nouns, below [`NOUNS`].
    pub fn index(self) -> usize {
        self.0
    }

    /// Number of its class, below [`CLASSES`].
    pub fn class(self) -> usize {
        self.0 / NOUNS_PER_CLASS
    }

    /// Its word.
    pub fn word(self) -> Word {
        &lexicon().nouns[self.0]
    }

    /// The word of its class.
    pub fn class_word(self) -> Word {
        &lexicon().classes[self.class()]
    }

    /// The noun that `word` is, if it is one.
    pub fn parse(word: &str) -> Option<Noun> {
        lexicon().nouns.iter().position(|noun| noun == word).map(Noun)
    }
}

impl Verb {
    /// All verbs, group by group.
    pub fn all() -> impl Iterator<Item = Verb> {
        (0..VERBS).map(Verb)
    }

    /// The verb at position `index`, below [`VERBS`].
    pub(super) fn nth(index: usize) -> Verb {
        Verb(index)
    }

    /// Its position among all verbs, below [`VERBS`].
    pub fn index(self) -> usize {
        self.0
    }

    /// Number of its group, below [`GROUPS`].
    pub fn group(self) -> usize {
        self.0 / VERBS_PER_GROUP
    }

    /// Its position in its group, below [`VERBS_PER_GROUP`].
    pub fn position(self) -> usize {
        self.0 % VERBS_PER_GROUP
    }

    /// Its word.
    pub fn word(self) -> Word {
        &lexicon().verbs[self.0]
    }

    /// The word of its group.
    pub fn group_word(self) -> Word {
        &lexicon().groups[self.group()]
    }

    /// The word of the tool that it is done with, one per group.
    pub fn tool_word(self) -> Word {
        &lexicon().tools[self.group()]
    }

    /// The verb that `word` is, if it is one.
    pub fn parse(word: &str) -> Option<Verb> {
        lexicon().verbs.iter().position(|verb| verb == word).map(Verb)
    }
}

impl Action {
    /// All [`VERBS`] x [`NOUNS`] actions, verb by verb.
    pub fn all() -> impl Iterator<Item = Action> {
        Verb::all().flat_map(|verb| Noun::all().map(move |noun| Action { verb, noun }))
    }

    /// Its position among all actions.
    pub fn index(self) -> usize {
        self.verb.0 * NOUNS + self.noun.0
    }

    /// Whether it is harmful; see [`is_harmful`].
    pub fn is_harmful(self) -> bool {
        is_harmful(self.verb, self.noun)
    }

    /// The kind of harm it does, if it is harmful.
    pub fn category(self) -> Option<HarmCategory> {
        HarmCategory::of_group(self.verb.group()).filter(|_| self.is_harmful())
    }
}
