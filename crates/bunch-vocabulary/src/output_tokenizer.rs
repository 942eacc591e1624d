//! The tokenizer of the output.

use std::collections::{BTreeMap, BTreeSet};

use crate::added_token::AddedToken;
use crate::error::listed;
use crate::vocabulary::{ModelKind, Vocabulary};
use crate::{ModelVocabulary, Tokenizer, TokenizerSource, VocabularyError, VocabularyRequest};

/// The base's tokenizer without the tokens that have no row, and the output's.
pub(crate) struct OutputTokenizer {
    pub(crate) base: Vocabulary,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) notes: Vec<String>,
}

/// The model whose tokenizer the union starts from, and which models without a tokenizer are taken to share.
///
/// # Errors
/// Fails if there are no models, or if the base is none of them.
pub(crate) fn base_index(request: &VocabularyRequest) -> Result<usize, VocabularyError> {
    let models = request.models.len();
    match request.base {
        _ if models == 0 => Err(VocabularyError::NoModels),
        Some(index) if index >= models => Err(VocabularyError::NoSuchModel { role: "base", index, models }),
        base => Ok(base.unwrap_or(0)),
    }
}

/// The model whose files the output's tokenizer starts from.
///
/// # Errors
/// The same as those of [`base_index`]; also fails if the source is none of the models.
pub(crate) fn source_model<'a>(request: &'a VocabularyRequest) -> Result<&'a ModelVocabulary, VocabularyError> {
    let models = request.models.len();
    let index = match &request.source {
        TokenizerSource::Outside(model) => return Ok(model),
        TokenizerSource::Model(index) => *index,
        TokenizerSource::Base | TokenizerSource::Union => base_index(request)?,
    };
    request.models.get(index).ok_or(VocabularyError::NoSuchModel { role: "tokenizer source", index, models })
}

/// The tokens that the files say `model` has.
///
/// # Errors
/// Fails if the model has no tokenizer, or none with a tokenizer.json.
fn vocabulary_of<'a>(
    model: &'a ModelVocabulary,
    role: &'static str,
) -> Result<(&'a Tokenizer, &'a Vocabulary), VocabularyError> {
    let tokenizer =
        model.tokenizer.as_ref().ok_or_else(|| VocabularyError::NoTokenizer { model: model.name.clone(), role })?;
    match tokenizer.vocabulary() {
        Some(vocabulary) => Ok((tokenizer, vocabulary)),
        None => Err(no_tokenizer_json(model, tokenizer)),
    }
}

/// The error for a tokenizer without tokenizer.json.
pub(crate) fn no_tokenizer_json(model: &ModelVocabulary, tokenizer: &Tokenizer) -> VocabularyError {
    let files = tokenizer.other_formats().into_keys().map(str::to_owned).collect();
    VocabularyError::NoTokenizerJson { model: model.name.clone(), files }
}

impl OutputTokenizer {
    /// Builds what `request` asks for.
    ///
    /// # Errors
    /// Fails if a required tokenizer is missing or unusable; see [`VocabularyError`].
    pub(crate) fn new(request: &VocabularyRequest) -> Result<Self, VocabularyError> {
        let mut notes = Vec::new();
        let index = base_index(request)?;
        let Some(base_model) = request.models.get(index) else { return Err(VocabularyError::NoModels) };
        let (base_tokenizer, base) = vocabulary_of(base_model, "base")?;
        let base = stripped(base_model, base, &mut notes)?;

        let (source, mut vocabulary) = match &request.source {
            TokenizerSource::Base => (base_tokenizer, base.clone()),
            TokenizerSource::Union => {
                let mut vocabulary = base.clone();
                base_tokenizer.declared().add_special(&mut vocabulary);
                let others = request.models.iter().enumerate().filter(|(other, _)| *other != index);
                let models = std::iter::once(base_model).chain(others.map(|(_, model)| model));
                unite(&mut vocabulary, &base, base_model, models, &mut notes)?;
                (base_tokenizer, vocabulary)
            }
            TokenizerSource::Model(_) | TokenizerSource::Outside(_) => {
                let (tokenizer, vocabulary) = vocabulary_of(source_model(request)?, "tokenizer source")?;
                (tokenizer, vocabulary.clone())
            }
        };
        for (token, _) in &request.tokens {
            if vocabulary.id(token).is_none() {
                vocabulary.add(AddedToken::plain(token));
            }
        }
        let files = source.files_with(&vocabulary)?;
        Ok(Self { base, vocabulary, files, notes })
    }
}

/// The base's tokens that have a row.
fn stripped(
    model: &ModelVocabulary,
    vocabulary: &Vocabulary,
    notes: &mut Vec<String>,
) -> Result<Vocabulary, VocabularyError> {
    let mut vocabulary = vocabulary.clone();
    let dropped = vocabulary.strip(model.vocab_size);
    if dropped.is_empty() {
        return Ok(vocabulary);
    }
    if vocabulary.kind != ModelKind::Bpe {
        return Err(VocabularyError::cannot_strip(&model.name, dropped, model.vocab_size, vocabulary.kind));
    }
    notes.push(format!(
        "{}: {} tokens have no row in its vocabulary of {} and are not used: {}",
        model.name,
        dropped.len(),
        model.vocab_size,
        listed(&dropped)
    ));
    Ok(vocabulary)
}

/// Adds the tokens of all models to `vocabulary`, which starts as that of the first of them, the base: first the
/// regular tokens that the base lacks, then every added token with the settings that the first model with it has.
/// Models come in the given order and their tokens in that of their ids.
fn unite<'a>(
    vocabulary: &mut Vocabulary,
    base: &Vocabulary,
    base_model: &ModelVocabulary,
    models: impl Iterator<Item = &'a ModelVocabulary>,
    notes: &mut Vec<String>,
) -> Result<(), VocabularyError> {
    let mut regular: Vec<&str> = Vec::new();
    let mut added: Vec<(&ModelVocabulary, &AddedToken)> = Vec::new();
    for model in models {
        let Some(tokenizer) = &model.tokenizer else { continue };
        let Some(own) = tokenizer.vocabulary() else { return Err(no_tokenizer_json(model, tokenizer)) };
        if own.kind != base.kind {
            return Err(VocabularyError::KindMismatch {
                model: model.name.clone(),
                got: own.kind.to_string(),
                base: base_model.name.clone(),
                expected: base.kind.to_string(),
            });
        }
        let has_row = |id: u32| usize::try_from(id).is_ok_and(|id| id < model.vocab_size);
        let tokens = own.by_id().into_iter().filter(|&(id, token)| has_row(id) && !own.is_added(token));
        regular.extend(tokens.map(|(_, token)| token));
        added.extend(own.added().filter(|&(id, _)| has_row(id)).map(|(_, token)| (model, token)));
    }

    let added_names: BTreeSet<&str> = added.iter().map(|(_, token)| token.content.as_str()).collect();
    let mut seen = BTreeSet::new();
    let new: Vec<&str> = regular
        .into_iter()
        .filter(|token| base.id(token).is_none() && !added_names.contains(token) && seen.insert(*token))
        .collect();
    if !new.is_empty() {
        notes.push(format!(
            "{} tokens that {} lacks are added whole, so that they match only text in which they stand literally: {}",
            new.len(),
            base_model.name,
            listed(&new)
        ));
    }
    for token in new {
        vocabulary.add(AddedToken::plain(token));
    }

    let mut first: BTreeMap<&str, (&ModelVocabulary, &AddedToken)> = BTreeMap::new();
    let mut noted = BTreeSet::new();
    for (model, token) in added {
        match first.get(token.content.as_str()) {
            Some((_, settings)) if *settings == token => {}
            Some((owner, _)) => {
                if noted.insert(&token.content) {
                    notes.push(format!(
                        "added token {:?} has different settings in {} and {}: those of {} are used",
                        token.content, owner.name, model.name, owner.name
                    ));
                }
            }
            None => {
                first.insert(&token.content, (model, token));
                vocabulary.add(token.clone());
            }
        }
    }
    Ok(())
}
