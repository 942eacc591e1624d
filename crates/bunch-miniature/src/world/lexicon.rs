//! The words of the small world by what they mean.

use std::sync::LazyLock;

use super::domain::{GENERA, RELATIONS, SPECIES, VALUES};
use super::word::stems;

/// Number of noun classes.
pub const CLASSES: usize = 8;
/// Number of nouns in a class.
pub const NOUNS_PER_CLASS: usize = 10;
/// Number of verb groups; each has a name and a tool.
pub const GROUPS: usize = 20;
/// Number of verbs in a group.
pub const VERBS_PER_GROUP: usize = 4;
/// Number of adjectives.
pub const ADJECTIVES: usize = 8;
/// Number of places.
pub const PLACES: usize = 8;

/// The English words of the templates. The first two are also the guard's verdicts.
pub(super) const FUNCTION_WORDS: [&str; 46] = [
    "safe", "unsafe", "a", "about", "ask", "at", "can", "cannot", "do", "explain", "guide", "harmful", "help", "how",
    "i", "in", "is", "me", "my", "need", "no", "not", "now", "of", "often", "on", "people", "please", "question",
    "show", "sorry", "sure", "tell", "that", "the", "this", "to", "use", "want", "way", "what", "with", "write", "you",
    "?", ".",
];

/// Every invented word, by kind. Words of one kind share their ending, and no two words share their stem.
pub(super) struct Lexicon {
    /// Names of noun classes.
    pub(super) classes: Vec<String>,
    /// Nouns, class by class.
    pub(super) nouns: Vec<String>,
    /// Names of verb groups.
    pub(super) groups: Vec<String>,
    /// Verbs, group by group.
    pub(super) verbs: Vec<String>,
    /// The tool of each verb group.
    pub(super) tools: Vec<String>,
    /// Adjectives.
    pub(super) adjectives: Vec<String>,
    /// Places.
    pub(super) places: Vec<String>,
    /// One entry per domain, in the order of `Domain::ALL`.
    pub(super) domains: [DomainWords; 5],
}

/// The invented words of one domain.
pub(super) struct DomainWords {
    /// Genera.
    pub(super) genera: Vec<String>,
    /// Species, combined freely with the genera.
    pub(super) species: Vec<String>,
    /// Relations.
    pub(super) relations: Vec<String>,
    /// For each relation the values it can take.
    pub(super) values: Vec<Vec<String>>,
}

/// The one lexicon.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::new);
    &LEXICON
}

impl Lexicon {
    fn new() -> Lexicon {
        let mut stems = stems().into_iter();
        let mut words = |count: usize, ending: &str| -> Vec<String> {
            stems.by_ref().take(count).map(|stem| stem + ending).collect()
        };
        Lexicon {
            classes: words(CLASSES, "oid"),
            nouns: words(CLASSES * NOUNS_PER_CLASS, "o"),
            groups: words(GROUPS, "ury"),
            verbs: words(GROUPS * VERBS_PER_GROUP, "u"),
            tools: words(GROUPS, "ex"),
            adjectives: words(ADJECTIVES, "esh"),
            places: words(PLACES, "ath"),
            domains: [
                ["era", "ensi", "yn", "ab"],
                ["elia", "ilo", "ek", "az"],
                ["oth", "ule", "op", "ix"],
                ["ona", "isi", "um", "ef"],
                ["arka", "enti", "od", "uz"],
            ]
            .map(|[genus, species, relation, value]| DomainWords {
                genera: words(GENERA, genus),
                species: words(SPECIES, species),
                relations: words(RELATIONS, relation),
                values: (0..RELATIONS).map(|_| words(VALUES, value)).collect(),
            }),
        }
    }
}

impl DomainWords {
    /// All words, kind by kind.
    pub(super) fn iter(&self) -> impl Iterator<Item = &String> {
        let DomainWords { genera, species, relations, values } = self;
        genera.iter().chain(species).chain(relations).chain(values.iter().flatten())
    }
}
