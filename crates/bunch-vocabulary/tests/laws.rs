//! What holds for every merge of vocabularies.

use std::collections::{BTreeMap, BTreeSet};

use bunch_vocabulary::{
    EmbeddingSource, MergedVocabulary, ModelVocabulary, RowSource, TokenRule, Tokenizer, TokenizerSource,
    VocabularyRequest, merge_vocabularies,
};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::json;

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "<g>", "<h>", "<i>", "<j>", "ab", "ba"];

/// A model whose tokens are `tokens`, the last `added` of them added ones, with `spare` rows more (or fewer) than tokens.
fn model(tokens: &[&str], added: usize, spare: i32) -> ModelVocabulary {
    let (regular, added) = tokens.split_at(tokens.len() - added);
    let vocab: BTreeMap<&str, usize> = regular.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let entry =
        |(id, token): (usize, &&str)| json!({"id": regular.len() + id, "content": token, "special": id % 2 == 0});
    let added: Vec<_> = added.iter().enumerate().map(entry).collect();
    let json = json!({"added_tokens": added, "model": {"type": "BPE", "vocab": vocab, "merges": []}});
    let files = BTreeMap::from([("tokenizer.json".to_owned(), json.to_string().into_bytes())]);
    let rows = i32::try_from(tokens.len()).unwrap() + spare;
    ModelVocabulary {
        name: tokens.concat(),
        vocab_size: usize::try_from(rows.max(1)).unwrap(),
        tokenizer: Some(Tokenizer::new(files).unwrap()),
    }
}

fn any_model() -> impl Strategy<Value = ModelVocabulary> {
    (subsequence(NAMES.to_vec(), 2..=NAMES.len()).prop_shuffle(), 0_usize..3, -2_i32..4)
        .prop_map(|(tokens, added, spare)| model(&tokens, added.min(tokens.len() - 1), spare))
}

#[derive(Debug, Clone)]
struct Wish {
    models: Vec<ModelVocabulary>,
    base: Option<usize>,
    source: TokenizerSource,
    tokens: Vec<(String, TokenRule)>,
    multiple: Option<usize>,
}

impl Wish {
    fn merged(&self) -> MergedVocabulary {
        let request = VocabularyRequest {
            models: &self.models,
            base: self.base,
            source: self.source.clone(),
            tokens: self.tokens.clone(),
            pad_to_multiple_of: self.multiple,
        };
        merge_vocabularies(&request).unwrap()
    }
}

fn any_wish() -> impl Strategy<Value = Wish> {
    let models = prop::collection::vec(any_model(), 1..4);
    let rules =
        prop::collection::btree_map(prop::sample::select(vec!["a", "<g>", "<new>", "<newer>"]), any::<bool>(), 0..3);
    (models, any::<prop::sample::Index>(), 0..4, rules, prop::option::of(1_usize..9)).prop_map(
        |(models, pick, kind, rules, multiple)| {
            let picked = pick.index(models.len());
            let source = match kind {
                0 => TokenizerSource::Base,
                1 => TokenizerSource::Model(picked),
                _ => TokenizerSource::Union,
            };
            let rule = |force| TokenRule { source: Some(EmbeddingSource::Zero), force };
            let tokens = rules.into_iter().map(|(token, force)| (token.to_owned(), rule(force))).collect();
            Wish { base: (kind != 3).then_some(picked), models, source, tokens, multiple }
        },
    )
}

/// The row of a model that holds a token.
fn row_of(model: &ModelVocabulary, token: &str) -> Option<usize> {
    let id = model.tokenizer.as_ref().unwrap().id(token)?;
    usize::try_from(id).ok().filter(|row| *row < model.vocab_size)
}

fn tokens(merged: &MergedVocabulary) -> Vec<String> {
    let tokenizer = Tokenizer::new(merged.files.clone()).unwrap();
    tokenizer.tokens().into_iter().map(|(_, token)| token.to_owned()).collect()
}

proptest! {
    /// Every model has a source for every row, and every source is a row that exists.
    #[test]
    fn rows_are_a_total_map(wish in any_wish()) {
        let merged = wish.merged();
        let multiple = wish.multiple.unwrap_or(1);
        prop_assert_eq!(merged.size % multiple, 0);
        prop_assert!(merged.tokens <= merged.size && merged.size - merged.tokens < multiple);
        prop_assert_eq!(merged.rows.len(), wish.models.len());
        let exists = |model: usize, row: usize| row < wish.models[model].vocab_size;
        for (model, rows) in merged.rows.iter().enumerate() {
            prop_assert_eq!(rows.len(), merged.size);
            for (row, source) in rows.iter().enumerate() {
                match source {
                    RowSource::Own(own) => prop_assert!(exists(model, *own)),
                    RowSource::Of { model: other, row } => prop_assert!(*other != model && exists(*other, *row)),
                    RowSource::Mean(of) => {
                        prop_assert!(of.len() > 1 && of.iter().all(|(other, row)| *other != model && exists(*other, *row)));
                    }
                    RowSource::Zero | RowSource::MeanOfRows => {}
                }
                prop_assert_eq!(*source == RowSource::MeanOfRows, row >= merged.tokens);
            }
        }
    }

    /// A source holds the same token as the row, and a model's own row comes first.
    #[test]
    fn rows_hold_their_tokens(wish in any_wish()) {
        let merged = wish.merged();
        let output = tokens(&merged);
        prop_assert_eq!(output.len(), merged.tokens);
        for (model, rows) in merged.rows.iter().enumerate() {
            for (token, source) in output.iter().zip(rows) {
                let rule = wish.tokens.iter().find(|(name, _)| name == token).map(|(_, rule)| rule);
                let own = row_of(&wish.models[model], token);
                let holders: Vec<(usize, usize)> = wish.models.iter().enumerate()
                    .filter_map(|(model, vocabulary)| Some((model, row_of(vocabulary, token)?))).collect();
                let base = holders.iter().find(|(model, _)| Some(*model) == wish.base);
                let want = match (rule, own) {
                    (Some(TokenRule { force: true, .. }), _) | (Some(_), None) => RowSource::Zero,
                    (_, Some(row)) => RowSource::Own(row),
                    (None, None) => match (&holders[..], base) {
                        ([], _) => RowSource::Zero,
                        ([(model, row)], _) | (_, Some((model, row))) => RowSource::Of { model: *model, row: *row },
                        _ => RowSource::Mean(holders),
                    },
                };
                prop_assert_eq!(source, &want, "{} of model {}", token, model);
            }
        }
    }

    /// A union has the tokens of all models that have a row, each once, and the base's keep their ids.
    #[test]
    fn a_union_has_every_token(mut wish in any_wish()) {
        wish.source = TokenizerSource::Union;
        let output = tokens(&wish.merged());
        let mut want: BTreeSet<String> = wish.tokens.iter().map(|(token, _)| token.clone()).collect();
        for model in &wish.models {
            let tokens = model.tokenizer.as_ref().unwrap().tokens();
            want.extend(tokens.iter().filter(|(_, token)| row_of(model, token).is_some()).map(|(_, token)| (*token).to_owned()));
        }
        prop_assert_eq!(output.iter().cloned().collect::<BTreeSet<_>>(), want);
        let base = &wish.models[wish.base.unwrap_or(0)];
        for (id, token) in output.iter().enumerate() {
            prop_assert!(row_of(base, token).is_none_or(|row| row == id));
        }
    }

    /// One model, or several with one tokenizer, stay as they are, files included.
    #[test]
    fn one_tokenizer_changes_nothing(one in any_model(), copies in 1_usize..4, union in any::<bool>()) {
        let rows = one.tokenizer.as_ref().unwrap().len();
        let models = vec![ModelVocabulary { vocab_size: rows, ..one.clone() }; copies];
        let source = if union { TokenizerSource::Union } else { TokenizerSource::Base };
        let merged = Wish { models, base: Some(0), source, tokens: Vec::new(), multiple: None }.merged();
        prop_assert!(merged.is_identity && merged.notes.is_empty());
        prop_assert_eq!(&merged.files, one.tokenizer.as_ref().unwrap().files());
        prop_assert!(merged.rows.iter().flat_map(|rows| rows.iter().enumerate()).all(|(row, own)| *own == RowSource::Own(row)));
    }

    /// The same request gives the same bytes.
    #[test]
    fn the_result_is_the_same_every_time(wish in any_wish()) {
        let (one, other) = (wish.merged(), wish.merged());
        prop_assert_eq!(one.rows, other.rows);
        prop_assert_eq!(one.files, other.files);
        prop_assert_eq!(one.notes, other.notes);
    }
}
