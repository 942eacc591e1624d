//! Where the rows of the output's vocabulary tensors come from.

use std::collections::{BTreeMap, BTreeSet};

use crate::vocabulary::Vocabulary;
use crate::{EmbeddingSource, ModelVocabulary, RowSource, TokenReference, VocabularyError, VocabularyRequest};

/// More padding than this is no wish but a mistake, and would not fit into memory.
const LARGEST_MULTIPLE: usize = 1 << 20;

/// For each row of the output, the row of each model that holds the same token, and the recipe's rule for it.
#[derive(Debug, Clone)]
pub(crate) struct RowPlan {
    names: Vec<String>,
    /// `[model][row]`
    own: Vec<Vec<Option<usize>>>,
    rules: BTreeMap<usize, Rule>,
    tokens: usize,
    size: usize,
}

#[derive(Debug, Clone)]
struct Rule {
    token: String,
    source: Option<Source>,
    force: bool,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Model(usize),
    Row { model: usize, row: usize },
    Zero,
}

impl RowPlan {
    /// The plan for the tokens `output`, where token `i` has row `i`. `base` has the tokens of models without tokenizer.
    pub(crate) fn new(
        request: &VocabularyRequest,
        base: &Vocabulary,
        output: &[&str],
    ) -> Result<Self, VocabularyError> {
        let row_of = |model: &ModelVocabulary, token: &str| -> Option<usize> {
            let vocabulary = model.tokenizer.as_ref().and_then(|tokenizer| tokenizer.vocabulary()).unwrap_or(base);
            usize::try_from(vocabulary.id(token)?).ok().filter(|&row| row < model.vocab_size)
        };
        let own =
            request.models.iter().map(|model| output.iter().map(|token| row_of(model, token)).collect()).collect();

        let ids: BTreeMap<&str, usize> = output.iter().enumerate().map(|(id, &token)| (token, id)).collect();
        let mut rules = BTreeMap::new();
        for (token, rule) in &request.tokens {
            let model = |index: usize| {
                let models = request.models.len();
                let absent = || VocabularyError::RuleModel { rule: token.clone(), index, models };
                request.models.get(index).ok_or_else(absent)
            };
            let source = match &rule.source {
                None => None,
                Some(EmbeddingSource::Zero) => Some(Source::Zero),
                Some(EmbeddingSource::Model(index)) => {
                    let model = model(*index)?;
                    if row_of(model, token).is_none() {
                        return Err(unknown(token, token, model));
                    }
                    Some(Source::Model(*index))
                }
                Some(EmbeddingSource::ModelToken { model: index, token: reference }) => {
                    let model = model(*index)?;
                    let row = match reference {
                        TokenReference::Token(name) => {
                            row_of(model, name).ok_or_else(|| unknown(token, name, model))?
                        }
                        TokenReference::Id(id) => usize::try_from(*id)
                            .ok()
                            .filter(|&row| row < model.vocab_size)
                            .ok_or_else(|| VocabularyError::RuleId {
                                rule: token.clone(),
                                id: *id,
                                model: model.name.clone(),
                                vocab_size: model.vocab_size,
                            })?,
                    };
                    Some(Source::Row { model: *index, row })
                }
            };
            if let Some(&id) = ids.get(token.as_str()) {
                rules.insert(id, Rule { token: token.clone(), source, force: rule.force });
            }
        }
        let names = request.models.iter().map(|model| model.name.clone()).collect();
        let tokens = output.len();
        let size = padded(tokens, request.pad_to_multiple_of)?;
        Ok(Self { names, own, rules, tokens, size })
    }

    /// The plan that leaves `size` rows of every model as they are.
    pub(crate) fn identity(models: &[ModelVocabulary], size: usize) -> Self {
        Self {
            names: models.iter().map(|model| model.name.clone()).collect(),
            own: models.iter().map(|_| (0..size).map(Some).collect()).collect(),
            rules: BTreeMap::new(),
            tokens: size,
            size,
        }
    }

    /// Rows with a token.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// All rows.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The rows that none of the models has and no rule is for.
    pub(crate) fn orphans(&self) -> Vec<usize> {
        let lacking = |row: &usize| self.own.iter().all(|own| own.get(*row).copied().flatten().is_none());
        (0..self.tokens).filter(|row| !self.rules.contains_key(row)).filter(lacking).collect()
    }

    /// The rows of a tensor in which only `models` have a part, `[model in the order of models][row]`.
    pub(crate) fn rows(&self, models: &[usize], base: Option<usize>) -> Result<Vec<Vec<RowSource>>, VocabularyError> {
        let mut own: Vec<(usize, &[Option<usize>])> = Vec::new();
        for &index in models {
            let rows = self.own.get(index);
            let role = "tensor's model";
            let models = self.own.len();
            own.push((index, rows.ok_or(VocabularyError::NoSuchModel { role, index, models })?));
        }
        let present: BTreeSet<usize> = models.iter().copied().collect();
        let mut result: Vec<Vec<RowSource>> = models.iter().map(|_| Vec::with_capacity(self.size)).collect();
        for token in 0..self.tokens {
            let holders: Vec<(usize, usize)> =
                own.iter().filter_map(|(model, rows)| Some((*model, rows.get(token).copied().flatten()?))).collect();
            let rule = self.rules.get(&token);
            let automatic = automatic(&holders, base);
            for ((model, rows), result) in own.iter().zip(&mut result) {
                let own_row = rows.get(token).copied().flatten().filter(|_| !rule.is_some_and(|rule| rule.force));
                let source = match (own_row, rule) {
                    (Some(row), _) => RowSource::Own(row),
                    (None, None) => automatic.clone(),
                    (None, Some(rule)) => self.by_rule(rule, token, *model, &present)?,
                };
                result.push(match source {
                    RowSource::Of { model: source, row } if source == *model => RowSource::Own(row),
                    source => source,
                });
            }
        }
        for rows in &mut result {
            rows.resize(self.size, RowSource::MeanOfRows);
        }
        Ok(result)
    }

    /// The row that a rule gives to `model`.
    fn by_rule(
        &self,
        rule: &Rule,
        token: usize,
        model: usize,
        present: &BTreeSet<usize>,
    ) -> Result<RowSource, VocabularyError> {
        let name = |index: usize| self.names.get(index).cloned().unwrap_or_default();
        let source = match rule.source {
            None => {
                return Err(VocabularyError::RuleWithoutSource { rule: rule.token.clone(), model: name(model) });
            }
            Some(Source::Zero) => return Ok(RowSource::Zero),
            Some(Source::Row { model, row }) => (model, row),
            Some(Source::Model(source)) => {
                let row = self.own.get(source).and_then(|rows| rows.get(token).copied().flatten());
                let lacking = || VocabularyError::RuleToken {
                    rule: rule.token.clone(),
                    token: rule.token.clone(),
                    model: name(source),
                };
                (source, row.ok_or_else(lacking)?)
            }
        };
        if !present.contains(&source.0) {
            return Err(VocabularyError::RuleModelAbsent { rule: rule.token.clone(), model: name(source.0) });
        }
        Ok(RowSource::Of { model: source.0, row: source.1 })
    }
}

fn unknown(rule: &str, token: &str, model: &ModelVocabulary) -> VocabularyError {
    VocabularyError::RuleToken { rule: rule.to_owned(), token: token.to_owned(), model: model.name.clone() }
}

/// The row for a model that lacks a token without a rule, from the models that have it.
fn automatic(holders: &[(usize, usize)], base: Option<usize>) -> RowSource {
    match holders {
        [] => RowSource::Zero,
        [(model, row)] => RowSource::Of { model: *model, row: *row },
        _ => match holders.iter().find(|(model, _)| Some(*model) == base) {
            Some(&(model, row)) => RowSource::Of { model, row },
            None => RowSource::Mean(holders.to_vec()),
        },
    }
}

/// `tokens`, rounded up.
fn padded(tokens: usize, multiple: Option<usize>) -> Result<usize, VocabularyError> {
    match multiple {
        None => Ok(tokens),
        Some(multiple) if (1..=LARGEST_MULTIPLE).contains(&multiple) => Ok(tokens.next_multiple_of(multiple)),
        Some(got) => Err(VocabularyError::PadMultiple { limit: LARGEST_MULTIPLE, got }),
    }
}
