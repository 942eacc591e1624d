//! What a recipe says about the vocabulary of the merged model.

use crate::model_reference::ModelReference;
use crate::node::Value;
use crate::reader::{Field, Reader, Table};

/// What the merged model's vocabulary is.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenizerSection {
    /// Whose vocabulary it is.
    pub source: TokenizerSource,
    /// Where the embeddings of single tokens come from, in the order of the recipe; unknown tokens are added.
    pub tokens: Vec<(String, TokenRule)>,
    /// The number of rows is rounded up to a multiple of this, which is at least 1.
    pub pad_to_multiple_of: Option<usize>,
}

/// Whose vocabulary the merged model has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerSource {
    /// The base's.
    Base,
    /// The tokens of all models.
    Union,
    /// That of one model.
    Model(ModelReference),
}

/// Where the embedding of a token comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenRule {
    /// The embedding of the token; none if the base's or the mean over the models that have it will do.
    pub source: Option<TokenSource>,
    /// Whether it replaces the embeddings of models that have the token.
    pub force: bool,
}

/// An embedding for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// Zeros.
    Zero,
    /// That of the same token in a model.
    Model(ModelReference),
    /// That of another token in a model.
    ModelToken {
        /// The model.
        model: ModelReference,
        /// The token there.
        token: TokenName,
    },
}

/// A token of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenName {
    /// By its text.
    Text(String),
    /// By its index in the vocabulary.
    Id(usize),
}

impl TokenizerSection {
    /// The models referred to.
    pub(crate) fn models(&self) -> impl Iterator<Item = &ModelReference> {
        let own = match &self.source {
            TokenizerSource::Model(model) => Some(model),
            _ => None,
        };
        own.into_iter().chain(self.tokens.iter().filter_map(|(_, rule)| match rule.source.as_ref()? {
            TokenSource::Model(model) | TokenSource::ModelToken { model, .. } => Some(model),
            TokenSource::Zero => None,
        }))
    }
}

impl Reader {
    /// What `tokenizer` or `tokenizer_source` say.
    pub(crate) fn tokenizer(&mut self, recipe: &Table<'_>) -> Option<TokenizerSection> {
        let (section, source) = (recipe.get("tokenizer"), recipe.get("tokenizer_source"));
        match (section, source) {
            (Some(_), Some(source)) => {
                self.expect_one_tokenizer(&source);
                None
            }
            (Some(section), None) => self.tokenizer_section(&section),
            (None, Some(source)) => {
                let source = self.tokenizer_source(&source)?;
                Some(TokenizerSection { source, tokens: Vec::new(), pad_to_multiple_of: None })
            }
            (None, None) => None,
        }
    }

    fn expect_one_tokenizer(&mut self, source: &Field<'_>) {
        let fault = crate::problem::Fault::expected("either `tokenizer` or `tokenizer_source`", "both");
        self.problems.push(source.problem(fault));
    }

    fn tokenizer_source(&mut self, field: &Field<'_>) -> Option<TokenizerSource> {
        match &field.node.value {
            Value::Text(text) if text == "base" => Some(TokenizerSource::Base),
            Value::Text(text) if text == "union" => Some(TokenizerSource::Union),
            _ => self.model(field).map(TokenizerSource::Model),
        }
    }

    fn tokenizer_section(&mut self, field: &Field<'_>) -> Option<TokenizerSection> {
        let table = self.table(field, "a table", &["source", "tokens", "pad_to_multiple_of"])?;
        let source = match table.get("source") {
            None => Some(TokenizerSource::Union),
            Some(source) => self.tokenizer_source(&source),
        };
        let mut tokens = Vec::new();
        let rules = table.get("tokens").and_then(|rules| self.any_table(&rules, "a table of tokens"));
        for (entry, rule) in rules.iter().flat_map(Table::fields) {
            if let Some(rule) = self.token_rule(&rule) {
                tokens.push((entry.key.clone(), rule));
            }
        }
        let pad_to_multiple_of = table.get("pad_to_multiple_of").and_then(|field| self.whole(&field, 1));
        Some(TokenizerSection { source: source?, tokens, pad_to_multiple_of })
    }

    fn token_rule(&mut self, field: &Field<'_>) -> Option<TokenRule> {
        let table = self.table(field, "a table with `source` and possibly `force`", &["source", "force"])?;
        let source = match table.get("source") {
            None => None,
            Some(source) => Some(self.token_source(&source)?),
        };
        let force = table.get("force").map_or(Some(false), |force| self.boolean(&force))?;
        Some(TokenRule { source, force })
    }

    fn token_source(&mut self, field: &Field<'_>) -> Option<TokenSource> {
        let kind = match &field.node.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == "kind"),
            _ => None,
        };
        if kind.is_none() {
            return self.model(field).map(TokenSource::Model);
        }
        let table = self.any_table(field, "a table")?;
        let kind = self.require(&table, "kind", "`zero` or `model_token`")?;
        match self.text(&kind, "`zero` or `model_token`")? {
            "zero" => self.table(field, "a table", &["kind"]).map(|_| TokenSource::Zero),
            "model_token" => {
                let table = self.table(field, "a table", &["kind", "model", "token", "token_id"])?;
                let model = self.require(&table, "model", "a model").and_then(|model| self.model(&model));
                let token = match (table.get("token"), table.get("token_id")) {
                    (Some(token), None) => self.text(&token, "a token").map(|token| TokenName::Text(token.to_owned())),
                    (None, Some(id)) => self.whole(&id, 0).map(TokenName::Id),
                    (token, _) => {
                        let got = if token.is_some() { "both" } else { "none" };
                        let fault = crate::problem::Fault::expected("either `token` or `token_id`", got);
                        self.problems.push(table.problem("", fault));
                        None
                    }
                };
                Some(TokenSource::ModelToken { model: model?, token: token? })
            }
            _ => {
                self.expect(&kind, "`zero` or `model_token`");
                None
            }
        }
    }
}
