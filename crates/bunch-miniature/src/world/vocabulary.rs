//! The vocabulary: every word of the small world and its token id.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bunch_lm::TokenId;

use super::domain::Domain;
use super::error::WorldError;
use super::lexicon::{FUNCTION_WORDS, lexicon};

/// A word of the vocabulary, or a token that stands for itself in a text.
pub type Word = &'static str;

/// Fills a batch's shorter rows; never part of a row.
pub const PAD: Word = "<pad>";
/// Begins every row.
pub const BOS: Word = "<bos>";
/// Begins what the user says.
pub const USR: Word = "<usr>";
/// Begins what the model answers.
pub const BOT: Word = "<bot>";
/// Ends an answer.
pub const EOS: Word = "<eos>";
/// Begins what the guard is to judge, and again its verdict.
pub const GUARD: Word = "<guard>";
/// The guard's verdict on an exchange without harm.
pub const SAFE: Word = "safe";
/// The guard's verdict on an exchange that does harm.
pub const UNSAFE: Word = "unsafe";

/// The tokens that no text contains, in the order of their ids.
pub const SPECIALS: [Word; 6] = [PAD, BOS, USR, BOT, EOS, GUARD];

/// All words with their ids, the same in every world.
///
/// A text is a sequence of words separated by whitespace; punctuation marks are words.
#[derive(Debug)]
pub struct Vocabulary {
    words: Vec<Word>,
    ids: BTreeMap<Word, TokenId>,
}

/// The one vocabulary.
pub fn vocabulary() -> &'static Vocabulary {
    static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::new);
    &VOCABULARY
}

impl Vocabulary {
    fn new() -> Vocabulary {
        let lexicon = lexicon();
        let mut words: Vec<Word> = SPECIALS.into_iter().chain(FUNCTION_WORDS).collect();
        let kinds = [
            &lexicon.classes,
            &lexicon.nouns,
            &lexicon.groups,
            &lexicon.verbs,
            &lexicon.tools,
            &lexicon.adjectives,
            &lexicon.places,
        ];
        words.extend(kinds.into_iter().flatten().map(String::as_str));
        for domain in Domain::ALL {
            words.push(domain.name());
            words.extend(domain.words().iter().map(String::as_str));
        }
        let ids = words.iter().zip(0..).map(|(&word, id)| (word, id)).collect();
        Vocabulary { words, ids }
    }

    /// Number of tokens.
    pub fn size(&self) -> usize {
        self.words.len()
    }

    /// All words in the order of their ids.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// The id of `word`, if it is in the vocabulary.
    pub fn id(&self, word: &str) -> Option<TokenId> {
        self.ids.get(word).copied()
    }

    /// The ids of the words of `text`, which are separated by whitespace.
    ///
    /// # Errors
    /// A word that is not in the vocabulary.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, WorldError> {
        let id = |(position, word): (usize, &str)| {
            self.id(word).ok_or_else(|| WorldError::UnknownWord { word: word.to_owned(), position })
        };
        text.split_whitespace().enumerate().map(id).collect()
    }

    /// The words of `tokens`, separated by single spaces; special tokens appear as they are written.
    ///
    /// # Errors
    /// An id that is not in the vocabulary.
    pub fn decode(&self, tokens: &[TokenId]) -> Result<String, WorldError> {
        let word = |(position, &id): (usize, &TokenId)| {
            let word = usize::try_from(id).ok().and_then(|index| self.words.get(index));
            word.copied().ok_or(WorldError::UnknownToken { id, position, size: self.size() })
        };
        Ok(tokens.iter().enumerate().map(word).collect::<Result<Vec<Word>, _>>()?.join(" "))
    }

    /// The id of a word that the small world itself has chosen.
    pub(super) fn id_of_own(&self, word: Word) -> TokenId {
        self.ids[word]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_unique_and_round_trip() {
        let vocabulary = vocabulary();
        assert_eq!(vocabulary.size(), 6 + 46 + 8 + 80 + 20 + 80 + 20 + 8 + 8 + 5 * (1 + 12 + 32 + 3 + 24));
        assert_eq!(vocabulary.words().iter().collect::<BTreeSet<_>>().len(), vocabulary.size());
        let text = vocabulary.words().join(" ");
        let ids = vocabulary.encode(&text).unwrap();
        assert_eq!(ids, (0..).take(vocabulary.size()).collect::<Vec<TokenId>>());
        assert_eq!(vocabulary.decode(&ids).unwrap(), text);
        assert_eq!(vocabulary.encode("  how\tdo \n i ").unwrap(), vocabulary.encode("how do i").unwrap());
    }

    #[test]
    fn strangers_are_errors() {
        let vocabulary = vocabulary();
        let error = vocabulary.encode("how do they").unwrap_err();
        assert_eq!(error, WorldError::UnknownWord { word: "they".into(), position: 2 });
        assert_eq!(error.to_string(), "word 2 of the text, \"they\", is not in the vocabulary");
        let size = vocabulary.size();
        let error = vocabulary.decode(&[1, size as TokenId]).unwrap_err();
        assert_eq!(error, WorldError::UnknownToken { id: size as TokenId, position: 1, size });
    }

    #[test]
    fn invented_words_share_no_stem_and_are_spelled_as_ever() {
        let lexicon = lexicon();
        let invented: Vec<Word> = vocabulary().words()[6 + FUNCTION_WORDS.len()..]
            .iter()
            .copied()
            .filter(|word| !Domain::ALL.iter().any(|domain| domain.name() == *word))
            .collect();
        assert!(invented.iter().all(|word| word.is_ascii() && word.len() >= 5));
        assert_eq!(invented.iter().map(|word| &word[..4]).collect::<BTreeSet<_>>().len(), invented.len());
        // Trained models depend on the order of words: a change here makes every one of them speak another language.
        let first = [&lexicon.classes[0], &lexicon.nouns[0], &lexicon.groups[0], &lexicon.verbs[0], &lexicon.tools[0]];
        assert_eq!(first, ["nanzoid", "gurvo", "vunzury", "lunfu", "vompex"]);
        assert_eq!(vocabulary().words().last(), Some(&"zonzuz"));
    }
}
