//! The output's vocabulary.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::listed;
use crate::output_tokenizer::{OutputTokenizer, no_tokenizer_json, source_model};
use crate::row_plan::RowPlan;
use crate::{Tokenizer, TokenizerSource, VocabularyError, VocabularyRequest};

/// Where the values of one row of a model's new vocabulary tensor come from. Models are indices into
/// [`VocabularyRequest::models`], rows are those of the models' tensors as they are on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowSource {
    /// A row of the model itself.
    Own(usize),
    /// A row of another model.
    Of {
        /// The other model.
        model: usize,
        /// Its row.
        row: usize,
    },
    /// The mean of the given (model, row) pairs.
    Mean(Vec<(usize, usize)>),
    /// Zeros.
    Zero,
    /// A padding row: the mean of the first [`MergedVocabulary::tokens`] rows of this model's new tensor.
    MeanOfRows,
}

/// The output's tokenizer, and where the rows of each model's vocabulary tensors come from.
#[derive(Debug, Clone)]
pub struct MergedVocabulary {
    /// The output's rows, padding included: `vocab_size` of its config.json.
    pub size: usize,
    /// The output's rows with a token.
    pub tokens: usize,
    /// `[model][row]`, for a tensor in which all models have a part. Every row that occurs is below the `vocab_size` of
    /// its model.
    pub rows: Vec<Vec<RowSource>>,
    /// The output's tokenizer files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether every model's vocabulary tensors stay as they are.
    pub is_identity: bool,
    /// What a user should know: tokens dropped, tokens without a row anywhere, settings that differ.
    pub notes: Vec<String>,
    plan: RowPlan,
}

impl MergedVocabulary {
    /// [`rows`](Self::rows) for a tensor in which only `models` have a part, as in a merge of slices: a token that only
    /// the other models have is one that no model has. `[model in the order of models][row]`; the models in the sources
    /// are indices into [`VocabularyRequest::models`] as everywhere. `base` is the base of this tensor's merge.
    ///
    /// # Errors
    /// Fails if an index is not one of a model, or if a rule's source has no part in the tensor.
    pub fn rows_of(&self, models: &[usize], base: Option<usize>) -> Result<Vec<Vec<RowSource>>, VocabularyError> {
        self.plan.rows(models, base)
    }
}

/// The vocabulary of a merge.
///
/// A row of the output that stands for a token holds, in each model's new tensor,
/// - the model's own row of that token if it has one (a tokenizer that has the token, with an id below its
///   `vocab_size`) and no forced rule is for the token;
/// - else the row that the recipe's rule for the token says;
/// - else, without a rule: the row of the only model that has the token; the base's, if the base has it; the mean of
///   the models that have it; zeros if none has.
///
/// Rows beyond the tokens are padding. Rows of a model for which the output has no token are left out.
///
/// Tokens for which the base has no row are dropped from its tokenizer with their merges and declarations, so that reading
/// the output's files gives the output's tokens and no more. (mergekit leaves `pad_token` and its like declared, so that
/// readers give such a token an id beyond the last row.) Tokens of rules that the tokenizer lacks are added to it as plain
/// added tokens. A token new to the tokenizer is new to the base as well, even where the base's tensors have spare rows
/// (with the base's tokenizer as the source, mergekit takes such a spare row for the token's).
///
/// If a tokenizer has no tokenizer.json, its tokens are unknown, and only a merge that leaves the vocabulary as it is works:
/// all models have the same vocabulary files and number of rows, and the recipe asks for no tokens and no padding.
///
/// # Errors
/// See [`VocabularyError`]: everything that the request names must exist and be usable.
pub fn merge_vocabularies(request: &VocabularyRequest) -> Result<MergedVocabulary, VocabularyError> {
    check_rules(request)?;
    if let Some(merged) = without_tokenizer_json(request)? {
        return Ok(merged);
    }
    let OutputTokenizer { base, vocabulary, files, mut notes } = OutputTokenizer::new(request)?;
    let output = vocabulary.rows()?;
    if output.is_empty() {
        return Err(VocabularyError::NoTokens { model: source_model(request)?.name.clone() });
    }
    let plan = RowPlan::new(request, &base, &output)?;
    let orphans: Vec<&str> = plan.orphans().into_iter().filter_map(|row| output.get(row).copied()).collect();
    if !orphans.is_empty() {
        notes.push(format!("{} tokens have a row in no model and get zeros: {}", orphans.len(), listed(&orphans)));
    }
    finish(request, plan, files, notes)
}

fn finish(
    request: &VocabularyRequest,
    plan: RowPlan,
    files: BTreeMap<String, Vec<u8>>,
    notes: Vec<String>,
) -> Result<MergedVocabulary, VocabularyError> {
    let all: Vec<usize> = (0..request.models.len()).collect();
    let rows = plan.rows(&all, request.base)?;
    let (size, tokens) = (plan.size(), plan.tokens());
    let stays = |rows: &[RowSource]| rows.iter().enumerate().all(|(row, source)| *source == RowSource::Own(row));
    let is_identity = request.models.iter().zip(&rows).all(|(model, rows)| model.vocab_size == size && stays(rows));
    Ok(MergedVocabulary { size, tokens, rows, files, is_identity, notes, plan })
}

/// Each rule is for one token, and each token has one rule.
fn check_rules(request: &VocabularyRequest) -> Result<(), VocabularyError> {
    let mut seen = BTreeSet::new();
    for (token, _) in &request.tokens {
        if token.is_empty() {
            return Err(VocabularyError::RuleForNothing);
        }
        if !seen.insert(token) {
            return Err(VocabularyError::RuleTwice { rule: token.clone() });
        }
    }
    Ok(())
}

/// The result if a tokenizer has no tokenizer.json; `None` if all have one.
///
/// # Errors
/// Fails if such a tokenizer would have to be changed or compared token by token.
fn without_tokenizer_json(request: &VocabularyRequest) -> Result<Option<MergedVocabulary>, VocabularyError> {
    let source = source_model(request)?;
    let outside = matches!(request.source, TokenizerSource::Outside(_)).then_some(source);
    let with_tokenizer =
        || request.models.iter().chain(outside).filter_map(|model| Some((model, model.tokenizer.as_ref()?)));
    let Some((model, opaque)) = with_tokenizer().find(|(_, tokenizer)| tokenizer.vocabulary().is_none()) else {
        return Ok(None);
    };
    let same_files =
        |tokenizer: &Tokenizer| tokenizer.vocabulary().is_none() && tokenizer.other_formats() == opaque.other_formats();
    let same_rows = request.models.iter().all(|other| other.vocab_size == model.vocab_size);
    let nothing_wanted = request.tokens.is_empty() && request.pad_to_multiple_of.is_none();
    match &source.tokenizer {
        Some(tokenizer) if nothing_wanted && same_rows && with_tokenizer().all(|(_, other)| same_files(other)) => {
            let plan = RowPlan::identity(request.models, model.vocab_size);
            finish(request, plan, tokenizer.files().clone(), Vec::new()).map(Some)
        }
        _ => Err(no_tokenizer_json(model, opaque)),
    }
}
