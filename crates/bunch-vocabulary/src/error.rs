//! Why vocabularies cannot be merged.

use crate::vocabulary::ModelKind;

/// A list for a message, shortened if it is long.
pub(crate) fn listed<T: AsRef<str>>(items: &[T]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = items.iter().take(SHOWN).map(|item| format!("{:?}", item.as_ref())).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What went wrong while reading tokenizers, merging their vocabularies or choosing a chat template.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VocabularyError {
    /// A file that is not the expected JSON.
    #[error("{file}: {source}")]
    Json {
        /// The file's name.
        file: &'static str,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A field of a file that does not hold what it should.
    #[error("{file}: `{field}`: {source}")]
    JsonField {
        /// The file's name.
        file: &'static str,
        /// The field.
        field: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A field of a file with an unknown value.
    #[error("{file}: `{field}`: expected {expected}, got {got}")]
    Field {
        /// The file's name.
        file: &'static str,
        /// The field.
        field: String,
        /// What it may hold.
        expected: &'static str,
        /// What it holds.
        got: String,
    },
    /// Files without any vocabulary.
    #[error("no tokenizer.json and no other vocabulary among the tokenizer files {got:?}")]
    NoVocabularyFile {
        /// The files' names.
        got: Vec<String>,
    },
    /// An added token that readers give another id than the file says.
    #[error("{file}: added token {token:?} is declared with id {expected}, but readers give it id {got}")]
    AddedTokenId {
        /// The file's name.
        file: &'static str,
        /// The token.
        token: String,
        /// The declared id.
        expected: u32,
        /// The id that it gets: the next one behind the model's vocabulary and the added tokens before it.
        got: u32,
    },
    /// Nothing to merge.
    #[error("no models, so no vocabulary")]
    NoModels,
    /// An index that is none of the models'.
    #[error("the {role} is model {index}, but there are {models} models, counted from 0")]
    NoSuchModel {
        /// What the index is for.
        role: &'static str,
        /// The index.
        index: usize,
        /// The number of models.
        models: usize,
    },
    /// A model without a tokenizer, where one is needed.
    #[error("{model}: no tokenizer files, but its tokenizer is needed as the {role}")]
    NoTokenizer {
        /// The model.
        model: String,
        /// What for.
        role: &'static str,
    },
    /// A tokenizer without tokenizer.json.
    #[error(
        "{model}: its tokenizer has no tokenizer.json (it has {}) and so cannot be merged; \
         `transformers.AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)` writes one",
        files.join(", ")
    )]
    NoTokenizerJson {
        /// The model.
        model: String,
        /// Its vocabulary files.
        files: Vec<String>,
    },
    /// Tokens without a row, in a tokenizer from which they cannot be removed.
    #[error(
        "{model}: {} of its tokens ({}) have no row in its vocabulary of {vocab_size}; they can only be dropped from a \
         BPE tokenizer, got {kind}",
        tokens.len(),
        listed(tokens)
    )]
    CannotStrip {
        /// The model.
        model: String,
        /// The tokens.
        tokens: Vec<String>,
        /// The model's rows.
        vocab_size: usize,
        /// The kind of its tokenizer.
        kind: String,
    },
    /// A union of tokenizers that cut text in different ways.
    #[error("{model}: its tokenizer is of kind {got}, which has no union with the {expected} of {base}")]
    KindMismatch {
        /// The model.
        model: String,
        /// The kind of its tokenizer.
        got: String,
        /// The model whose tokenizer the union starts from.
        base: String,
        /// The kind of that one's tokenizer.
        expected: String,
    },
    /// Two tokens of the output with one id.
    #[error("tokens {first:?} and {second:?} of the output tokenizer have the same id {id}")]
    SharedId {
        /// The id.
        id: u32,
        /// A token.
        first: String,
        /// Another one.
        second: String,
    },
    /// A token of the output whose id is no row, because the ids have gaps.
    #[error("token {token:?} of the output tokenizer has id {id}, but the ids of its {size} tokens must be 0 to {}", size - 1)]
    IdBeyondSize {
        /// The token with the largest id.
        token: String,
        /// Its id.
        id: u32,
        /// The number of tokens.
        size: usize,
    },
    /// No token is left.
    #[error("{model}: the output tokenizer, made from this model's, has no tokens")]
    NoTokens {
        /// The model.
        model: String,
    },
    /// Rounding up to multiples of 0, or of more than any vocabulary has.
    #[error("pad_to_multiple_of: expected 1 to {limit}, got {got}")]
    PadMultiple {
        /// The largest multiple.
        limit: usize,
        /// The given one.
        got: usize,
    },
    /// Two rules for one token.
    #[error("token {rule:?}: two rules")]
    RuleTwice {
        /// The token.
        rule: String,
    },
    /// A rule for the empty token.
    #[error("a rule for the empty token")]
    RuleForNothing,
    /// A rule that does not say where the row comes from, and a model needs it.
    #[error(
        "token {rule:?}: its rule has no source, but {model} needs one (it lacks the token, or the rule is forced)"
    )]
    RuleWithoutSource {
        /// The token whose rule it is.
        rule: String,
        /// The model.
        model: String,
    },
    /// A rule names a model that is not merged.
    #[error("token {rule:?}: its source is model {index}, but there are {models} models, counted from 0")]
    RuleModel {
        /// The token whose rule it is.
        rule: String,
        /// The index.
        index: usize,
        /// The number of models.
        models: usize,
    },
    /// A rule names a model that has no part in the tensor.
    #[error("token {rule:?}: its source is {model}, which has no part in this tensor")]
    RuleModelAbsent {
        /// The token whose rule it is.
        rule: String,
        /// The model.
        model: String,
    },
    /// A rule names a token that the model does not have.
    #[error("token {rule:?}: its source is token {token:?} of {model}, which has no such token")]
    RuleToken {
        /// The token whose rule it is.
        rule: String,
        /// The token that is not there.
        token: String,
        /// The model.
        model: String,
    },
    /// A rule names a row that the model does not have.
    #[error("token {rule:?}: its source is row {id} of {model}, which has {vocab_size} rows")]
    RuleId {
        /// The token whose rule it is.
        rule: String,
        /// The row.
        id: u32,
        /// The model.
        model: String,
        /// Its number of rows.
        vocab_size: usize,
    },
    /// A chat template that is neither a name nor Jinja text.
    #[error("chat_template: {got:?} is neither Jinja text nor one of auto, {}", known.join(", "))]
    UnknownChatTemplate {
        /// What the recipe says.
        got: String,
        /// The names of the built-in templates.
        known: Vec<&'static str>,
    },
}

impl VocabularyError {
    pub(crate) fn cannot_strip(model: &str, tokens: Vec<String>, vocab_size: usize, kind: ModelKind) -> Self {
        Self::CannotStrip { model: model.to_owned(), tokens, vocab_size, kind: kind.to_string() }
    }
}
