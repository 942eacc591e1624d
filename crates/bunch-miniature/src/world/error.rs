//! What can go wrong when the small world is asked for something.

use bunch_lm::TokenId;

use super::split::Split;

/// A request that the small world cannot fulfil.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// A text with a word outside the vocabulary.
    #[error("word {position} of the text, {word:?}, is not in the vocabulary")]
    UnknownWord {
        /// The word.
        word: String,
        /// Its position in the text, from 0.
        position: usize,
    },
    /// A token id outside the vocabulary.
    #[error("token id {id} at position {position} is not below the vocabulary's size, {size}")]
    UnknownToken {
        /// The id.
        id: TokenId,
        /// Its position in the sequence, from 0.
        position: usize,
        /// Number of tokens in the vocabulary.
        size: usize,
    },
    /// More items of an evaluation set than exist.
    #[error("the {split} split has {available} {set}, {asked} were asked for")]
    TooMany {
        /// What the set holds.
        set: &'static str,
        /// The split asked of.
        split: Split,
        /// How many were asked for.
        asked: usize,
        /// How many can be had.
        available: usize,
    },
    /// A mixture from which nothing can be drawn.
    #[error("mixture {name:?} has no part with a weight above 0")]
    EmptyMixture {
        /// The mixture's name.
        name: String,
    },
    /// A mixture whose weights make no shares.
    #[error("the weights of mixture {name:?} are not all numbers of at least 0 with a finite sum")]
    OddMixture {
        /// The mixture's name.
        name: String,
    },
}
