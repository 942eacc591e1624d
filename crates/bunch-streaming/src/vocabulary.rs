//! The merged model's tokenizer, chat template and the other files next to its weights.

use bunch_checkpoint::{GENERATION_CONFIG, TOKENIZER_FILES};
use bunch_recipe::{ModelReference, Recipe, TokenName, TokenSource, TokenizerSection, TokenizerSource};
use bunch_vocabulary::{
    EmbeddingSource, MergedVocabulary, ModelVocabulary, TokenReference, TokenRule, Tokenizer, VocabularyRequest,
    chat_template_of, choose_chat_template, merge_vocabularies, set_chat_template,
};
use std::collections::BTreeMap;

use crate::error::StreamingError;
use crate::input_model::InputModel;
use crate::problem::Problem;

/// What is copied besides the tokenizer's files.
const OTHER_FILES: [&str; 3] = [GENERATION_CONFIG, "preprocessor_config.json", "processor_config.json"];

/// The merged model's tokenizer and the other files next to its weights.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// None if vocabularies are taken as they are.
    pub(crate) merged: Option<MergedVocabulary>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) problems: Vec<Problem>,
}

/// Merges the vocabularies as the recipe says. The first `merged` models are those whose weights are merged.
pub(crate) fn merge(recipe: &Recipe, models: &[InputModel], merged: usize) -> Result<Vocabulary, StreamingError> {
    let mut vocabulary = Vocabulary { merged: None, files: BTreeMap::new(), problems: Vec::new() };
    let Some(donor) = models.first() else { return Ok(vocabulary) };
    vocabulary.files = match &recipe.tokenizer {
        None => files_of(donor, &TOKENIZER_FILES),
        Some(section) => match vocabularies(models) {
            Ok(vocabularies) => {
                let merged = merge_as(recipe, section, models, &vocabularies?, merged)?;
                let files = merged.files.clone();
                vocabulary.merged = Some(merged);
                files
            }
            Err(problems) => {
                vocabulary.problems = problems;
                BTreeMap::new()
            }
        },
    };
    if let Some(setting) = &recipe.chat_template {
        let template_of = |model: &InputModel| chat_template_of(&files_of(model, &TOKENIZER_FILES));
        let templates: Vec<Option<String>> = models.iter().map(template_of).collect();
        if let Some(template) = choose_chat_template(setting, &templates)? {
            if vocabulary.files.contains_key("tokenizer_config.json") {
                set_chat_template(&mut vocabulary.files, &template)?;
            } else {
                vocabulary.problems.push(Problem::NoTokenizerConfig { model: donor.name() });
            }
        }
    }
    vocabulary.files.extend(files_of(donor, &OTHER_FILES));
    if donor.config().get("auto_map").is_some() {
        vocabulary.files.extend(code_of(donor));
    }
    Ok(vocabulary)
}

/// The files of these names that the model has.
fn files_of(model: &InputModel, names: &[&str]) -> BTreeMap<String, Vec<u8>> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), model.file(name)?))).collect()
}

/// The Python files of a model that comes with its own code.
fn code_of(model: &InputModel) -> BTreeMap<String, Vec<u8>> {
    let names = std::fs::read_dir(model.dir())
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.filter(|name| name.ends_with(".py")).collect();
    files_of(model, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Each model's tokenizer with the number of its rows, or why there is none.
fn vocabularies(models: &[InputModel]) -> Result<Result<Vec<ModelVocabulary>, StreamingError>, Vec<Problem>> {
    let unknown = models.iter().filter(|model| model.vocabulary_size().is_none());
    let problems: Vec<Problem> = unknown.map(|model| Problem::NoVocabularySize { model: model.name() }).collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let vocabulary = |model: &InputModel| {
        let files = files_of(model, &TOKENIZER_FILES);
        let has_tokenizer = files.contains_key("tokenizer.json") || files.contains_key("tokenizer.model");
        let tokenizer = has_tokenizer.then(|| Tokenizer::new(files)).transpose()?;
        Ok(ModelVocabulary { name: model.name(), vocab_size: model.vocabulary_size().unwrap_or(0), tokenizer })
    };
    Ok(models.iter().map(vocabulary).collect())
}

fn merge_as(
    recipe: &Recipe,
    section: &TokenizerSection,
    models: &[InputModel],
    vocabularies: &[ModelVocabulary],
    merged: usize,
) -> Result<MergedVocabulary, StreamingError> {
    let position = |reference: &ModelReference| {
        models.iter().position(|model| model.reference == *reference).unwrap_or(usize::MAX)
    };
    let source = match &section.source {
        TokenizerSource::Base => bunch_vocabulary::TokenizerSource::Base,
        TokenizerSource::Union => bunch_vocabulary::TokenizerSource::Union,
        TokenizerSource::Model(model) => match position(model) {
            model if model < merged => bunch_vocabulary::TokenizerSource::Model(model),
            model => bunch_vocabulary::TokenizerSource::Outside(Box::new(vocabularies[model].clone())),
        },
    };
    let rule = |rule: &bunch_recipe::TokenRule| {
        let source = rule.source.as_ref().map(|source| match source {
            TokenSource::Zero => EmbeddingSource::Zero,
            TokenSource::Model(model) => EmbeddingSource::Model(position(model)),
            TokenSource::ModelToken { model, token } => {
                let token = match token {
                    TokenName::Text(token) => TokenReference::Token(token.clone()),
                    TokenName::Id(id) => TokenReference::Id(u32::try_from(*id).unwrap_or(u32::MAX)),
                };
                EmbeddingSource::ModelToken { model: position(model), token }
            }
        });
        TokenRule { source, force: rule.force }
    };
    let request = VocabularyRequest {
        models: &vocabularies[..merged],
        base: recipe.base_model.as_ref().map(position).filter(|base| *base < merged),
        source,
        tokens: section.tokens.iter().map(|(token, wanted)| (token.clone(), rule(wanted))).collect(),
        pad_to_multiple_of: section.pad_to_multiple_of,
    };
    Ok(merge_vocabularies(&request)?)
}
