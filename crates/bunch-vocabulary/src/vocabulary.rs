//! A tokenizer's tokens and their ids.

use std::collections::BTreeMap;

use crate::VocabularyError;
use crate::added_token::AddedToken;

/// The kind of a tokenizer's model: how it cuts text into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelKind {
    Bpe,
    Unigram,
    WordPiece,
    WordLevel,
}

impl std::fmt::Display for ModelKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Bpe => "BPE",
            Self::Unigram => "Unigram",
            Self::WordPiece => "WordPiece",
            Self::WordLevel => "WordLevel",
        })
    }
}

/// The model's own tokens and the added ones. An added token may be one of the model's, and then has its id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vocabulary {
    pub(crate) kind: ModelKind,
    model: BTreeMap<String, u32>,
    added: BTreeMap<u32, AddedToken>,
    added_ids: BTreeMap<String, u32>,
}

impl Vocabulary {
    /// A model's own tokens.
    pub(crate) fn new(kind: ModelKind, model: BTreeMap<String, u32>) -> Self {
        Self { kind, model, added: BTreeMap::new(), added_ids: BTreeMap::new() }
    }

    pub(crate) fn id(&self, token: &str) -> Option<u32> {
        self.added_ids.get(token).or_else(|| self.model.get(token)).copied()
    }

    /// The number of different tokens.
    pub(crate) fn len(&self) -> usize {
        self.model.len() + self.added_ids.keys().filter(|token| !self.model.contains_key(*token)).count()
    }

    /// The added tokens in the order of their ids.
    pub(crate) fn added(&self) -> impl Iterator<Item = (u32, &AddedToken)> {
        self.added.iter().map(|(&id, token)| (id, token))
    }

    /// Whether `token` is an added one (the model may have it as well).
    pub(crate) fn is_added(&self, token: &str) -> bool {
        self.added_ids.contains_key(token)
    }

    /// Whether the model itself has `token`.
    pub(crate) fn is_regular(&self, token: &str) -> bool {
        self.model.contains_key(token)
    }

    /// Every token with its id, in the order of the ids.
    pub(crate) fn by_id(&self) -> Vec<(u32, &str)> {
        let added = self.added_ids.iter().filter(|(token, _)| !self.model.contains_key(*token));
        let mut all: Vec<(u32, &str)> =
            self.model.iter().chain(added).map(|(token, &id)| (id, token.as_str())).collect();
        all.sort_unstable();
        all
    }

    /// Adds a token, or changes the settings of one that is already added, and returns its id (`None` for the empty
    /// token, which is never added). Ids are those that the `tokenizers` library gives: the model's own, else the next
    /// one behind the model and all added tokens.
    pub(crate) fn add(&mut self, token: AddedToken) -> Option<u32> {
        if token.content.is_empty() {
            return None;
        }
        let id = self.id(&token.content).unwrap_or_else(|| self.next_id());
        self.added_ids.insert(token.content.clone(), id);
        self.added.insert(id, token);
        Some(id)
    }

    fn next_id(&self) -> u32 {
        let size = u32::try_from(self.model.len()).unwrap_or(u32::MAX);
        match self.added.last_key_value() {
            Some((&max, _)) if max >= size => max.saturating_add(1),
            _ => size,
        }
    }

    /// Drops the tokens with an id of `size` and more, and returns them in the order of their ids.
    pub(crate) fn strip(&mut self, size: usize) -> Vec<String> {
        let used = |id: u32| usize::try_from(id).is_ok_and(|id| id < size);
        let dropped =
            self.by_id().into_iter().filter(|&(id, _)| !used(id)).map(|(_, token)| token.to_owned()).collect();
        self.model.retain(|_, id| used(*id));
        self.added.retain(|id, _| used(*id));
        self.added_ids.retain(|_, id| used(*id));
        dropped
    }

    /// The tokens, where token `i` has id `i`.
    ///
    /// # Errors
    /// Fails if the ids are not exactly 0, 1, ..., `len() - 1`, and so cannot be rows of a tensor of `len()` rows.
    pub(crate) fn rows(&self) -> Result<Vec<&str>, VocabularyError> {
        let all = self.by_id();
        for (pair, next) in all.iter().zip(all.iter().skip(1)) {
            if pair.0 == next.0 {
                return Err(VocabularyError::SharedId {
                    id: pair.0,
                    first: pair.1.to_owned(),
                    second: next.1.to_owned(),
                });
            }
        }
        match all.last() {
            Some(&(id, token)) if usize::try_from(id).is_ok_and(|id| id >= all.len()) => {
                Err(VocabularyError::IdBeyondSize { token: token.to_owned(), id, size: all.len() })
            }
            _ => Ok(all.into_iter().map(|(_, token)| token).collect()),
        }
    }
}

#[cfg(test)]
mod tests;
