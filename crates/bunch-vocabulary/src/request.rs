//! What a recipe asks of the output's tokenizer.

use crate::Tokenizer;

/// One model's tokenizer, as its directory holds it.
#[derive(Debug, Clone)]
pub struct ModelVocabulary {
    /// The model as the recipe names it, for messages.
    pub name: String,
    /// `vocab_size` of config.json: the rows of its vocabulary tensors. Tokens with this id and more do not count.
    pub vocab_size: usize,
    /// `None` if the directory has no tokenizer: it is then taken to be the base's.
    pub tokenizer: Option<Tokenizer>,
}

/// Whose tokenizer the output has (mergekit's `tokenizer_source`).
#[derive(Debug, Clone, Default)]
pub enum TokenizerSource {
    /// The base's, without the tokens for which the base has no row.
    Base,
    /// The base's, with the tokens of all other models added.
    #[default]
    Union,
    /// That of one of the models, as it is. An index into [`VocabularyRequest::models`].
    Model(usize),
    /// That of a model that is not merged, as it is.
    Outside(Box<ModelVocabulary>),
}

/// A token of a model, named or by its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenReference {
    /// The token as it stands in the tokenizer.
    Token(String),
    /// Its id.
    Id(u32),
}

/// Where a token's row comes from, for the models that lack it. Models are indices into [`VocabularyRequest::models`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbeddingSource {
    /// The same token's row of a model.
    Model(usize),
    /// The row of a (usually different) token of a model.
    ModelToken {
        /// The model.
        model: usize,
        /// The token.
        token: TokenReference,
    },
    /// Zeros.
    Zero,
}

/// What a recipe says about one token of the output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRule {
    /// Where the row comes from. May be missing only where no model needs it.
    pub source: Option<EmbeddingSource>,
    /// Whether the source's row replaces that of the models that have the token, too.
    pub force: bool,
}

/// The input of [`merge_vocabularies`](crate::merge_vocabularies).
#[derive(Debug, Clone)]
pub struct VocabularyRequest<'a> {
    /// The merged models in the recipe's order.
    pub models: &'a [ModelVocabulary],
    /// The recipe's base, an index into `models`. Without one, the first model's tokenizer stands for the base's, but
    /// its rows have no precedence.
    pub base: Option<usize>,
    /// Whose tokenizer the output has.
    pub source: TokenizerSource,
    /// Rules for single tokens, in the recipe's order. Tokens that the tokenizer lacks are added in this order.
    pub tokens: Vec<(String, TokenRule)>,
    /// The output's number of rows is rounded up to a multiple of this.
    pub pad_to_multiple_of: Option<usize>,
}
