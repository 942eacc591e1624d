//! The output vocabularies of mergekit.

use std::collections::{BTreeMap, BTreeSet};

use bunch_vocabulary::{
    EmbeddingSource, MergedVocabulary, ModelVocabulary, RowSource, TokenReference, TokenRule, Tokenizer,
    TokenizerSource, VocabularyRequest, merge_vocabularies,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Input {
    vocab_size: usize,
    files: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    models: Vec<String>,
    base: Option<String>,
    source: String,
    tokens: Vec<(String, Rule)>,
    pad_to_multiple_of: Option<usize>,
    tensors: Vec<String>,
    #[serde(default)]
    vocab: Vec<String>,
    #[serde(default)]
    added: Vec<(u32, String, bool, bool, bool, bool, bool)>,
    #[serde(default)]
    embeddings: Vec<Vec<f64>>,
    #[serde(default)]
    encodings: Vec<(String, Vec<String>)>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    source: Source,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Model(String),
    Kind { kind: String, model: Option<String>, token: Option<String>, token_id: Option<u32> },
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("golden/cases.json")).unwrap()
}

fn models(case: &Case) -> Vec<ModelVocabulary> {
    let inputs: BTreeMap<String, Input> = serde_json::from_str(include_str!("golden/tokenizers.json")).unwrap();
    let model = |name: &String| {
        let input = &inputs[name];
        let files: BTreeMap<String, Vec<u8>> =
            input.files.iter().map(|(file, json)| (file.clone(), json.to_string().into_bytes())).collect();
        let tokenizer = (!files.is_empty()).then(|| Tokenizer::new(files).unwrap());
        ModelVocabulary { name: name.clone(), vocab_size: input.vocab_size, tokenizer }
    };
    case.models.iter().map(model).collect()
}

fn index(case: &Case, name: &str) -> usize {
    case.models.iter().position(|model| model == name).unwrap()
}

fn rule(case: &Case, rule: &Rule) -> TokenRule {
    let source = match &rule.source {
        Source::Model(model) => EmbeddingSource::Model(index(case, model)),
        Source::Kind { kind, .. } if kind == "zero" => EmbeddingSource::Zero,
        Source::Kind { kind, model, token: name, token_id } => {
            assert_eq!(kind, "model_token");
            let token = name.clone().map_or_else(|| TokenReference::Id(token_id.unwrap()), TokenReference::Token);
            EmbeddingSource::ModelToken { model: index(case, model.as_ref().unwrap()), token }
        }
    };
    TokenRule { source: Some(source), force: rule.force }
}

fn merge(case: &Case, models: &[ModelVocabulary]) -> MergedVocabulary {
    let source = match case.source.as_str() {
        "base" => TokenizerSource::Base,
        "union" => TokenizerSource::Union,
        model => TokenizerSource::Model(index(case, model)),
    };
    let request = VocabularyRequest {
        models,
        base: case.base.as_ref().map(|base| index(case, base)),
        source,
        tokens: case.tokens.iter().map(|(token, wanted)| (token.clone(), rule(case, wanted))).collect(),
        pad_to_multiple_of: case.pad_to_multiple_of,
    };
    merge_vocabularies(&request).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// The goldens' values of a model's old rows.
fn old_row(model: usize, row: usize) -> f64 {
    6.0 * (1000.0 * (model as f64 + 1.0) + row as f64)
}

/// A model's new column.
fn column(model: usize, rows: &[RowSource], tokens: usize) -> Vec<f64> {
    let mut column: Vec<f64> = Vec::new();
    for source in rows {
        column.push(match source {
            RowSource::Own(row) => old_row(model, *row),
            RowSource::Of { model, row } => old_row(*model, *row),
            RowSource::Mean(rows) => {
                rows.iter().map(|(model, row)| old_row(*model, *row)).sum::<f64>() / rows.len() as f64
            }
            RowSource::Zero => 0.0,
            RowSource::MeanOfRows => column[..tokens].iter().sum::<f64>() / tokens as f64,
        });
    }
    column
}

/// The output's tokenizer as its files say it.
fn written(merged: &MergedVocabulary) -> Tokenizer {
    Tokenizer::new(merged.files.clone()).unwrap()
}

fn tokens(merged: &MergedVocabulary) -> Vec<String> {
    written(merged).tokens().into_iter().map(|(_, token)| token.to_owned()).collect()
}

/// What a case's base and added tokens do not settle: tokens whose ids mergekit draws.
fn unordered(case: &Case, models: &[ModelVocabulary]) -> BTreeSet<String> {
    let regular = |model: &ModelVocabulary| -> BTreeSet<String> {
        let Some(tokenizer) = &model.tokenizer else { return BTreeSet::new() };
        let json: Value = serde_json::from_slice(&tokenizer.files()["tokenizer.json"]).unwrap();
        let added: BTreeSet<&str> =
            json["added_tokens"].as_array().unwrap().iter().map(|token| token["content"].as_str().unwrap()).collect();
        let all = tokenizer.tokens().into_iter().map(|(_, token)| token);
        all.filter(|token| !added.contains(token)).map(str::to_owned).collect()
    };
    let base = case.base.as_ref().map_or(0, |base| index(case, base));
    let others = models.iter().enumerate().filter(|(model, _)| *model != base);
    others
        .flat_map(|(_, model)| regular(model))
        .collect::<BTreeSet<_>>()
        .difference(&regular(&models[base]))
        .cloned()
        .collect()
}

fn compare(case: &Case) {
    let name = &case.name;
    let models = models(case);
    let merged = merge(case, &models);
    let got = tokens(&merged);
    assert_eq!(merged.tokens, got.len(), "{name}");
    assert_eq!(merged.size, case.embeddings[0].len(), "{name}");
    assert_eq!(got.len(), case.vocab.len(), "{name}");
    let free = if case.source == "union" { unordered(case, &models) } else { BTreeSet::new() };
    for (id, (got, want)) in got.iter().zip(&case.vocab).enumerate() {
        let same = got == want || (free.contains(got) && free.contains(want));
        assert!(same, "{name}: id {id}: expected {want:?}, got {got:?}");
    }
    let ids: BTreeMap<&String, usize> = got.iter().enumerate().map(|(id, token)| (token, id)).collect();
    assert_eq!(ids.len(), got.len(), "{name}: a token stands twice");

    let json: Value = serde_json::from_slice(&merged.files["tokenizer.json"]).unwrap();
    let mut added: Vec<_> = Vec::new();
    for token in json["added_tokens"].as_array().unwrap() {
        let flag = |name: &str| token[name].as_bool().unwrap();
        let id = u32::try_from(token["id"].as_u64().unwrap()).unwrap();
        let content = token["content"].as_str().unwrap().to_owned();
        let (single_word, lstrip, rstrip) = (flag("single_word"), flag("lstrip"), flag("rstrip"));
        added.push((id, content, single_word, lstrip, rstrip, flag("normalized"), flag("special")));
    }
    let mut want = case.added.clone();
    for token in &mut want {
        token.0 = u32::try_from(ids[&token.1]).unwrap();
    }
    want.sort();
    assert_eq!(added, want, "{name}: added tokens");

    let base = case.base.as_ref().map(|base| index(case, base));
    let part: Vec<usize> = case.tensors.iter().map(|model| index(case, model)).collect();
    let rows = merged.rows_of(&part, base).unwrap();
    if case.tensors == case.models {
        assert_eq!(rows, merged.rows, "{name}");
    }
    for ((&model, rows), want) in part.iter().zip(&rows).zip(&case.embeddings) {
        let column = column(model, rows, merged.tokens);
        assert_eq!(column.len(), want.len(), "{name}");
        for (token, want) in case.vocab.iter().zip(want) {
            assert_eq!(column[ids[token]], *want, "{name}: model {model}: {token:?}");
        }
        assert_eq!(column[merged.tokens..], want[merged.tokens..], "{name}: model {model}: padding");
    }
}

#[test]
fn vocabularies_and_rows_are_those_of_mergekit() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.error.is_none() && case.name != "spare-row") {
        compare(case);
        compared += 1;
    }
    assert_eq!(compared, 27);
}

#[test]
fn output_tokenizers_cut_texts_as_those_of_mergekit() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.error.is_none()) {
        let merged = merge(case, &models(case));
        let tokenizer = tokenizers::Tokenizer::from_bytes(&merged.files["tokenizer.json"]).unwrap();
        let ids: BTreeMap<String, u32> = tokenizer.get_vocab(true).into_iter().collect();
        let own: BTreeMap<String, u32> =
            written(&merged).tokens().into_iter().map(|(id, token)| (token.to_owned(), id)).collect();
        assert_eq!(ids, own, "{}", case.name);
        for (text, want) in &case.encodings {
            let got = tokenizer.encode(text.as_str(), false).unwrap();
            assert_eq!(got.get_tokens(), want, "{}: {text:?}", case.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 28 * 4);
}

/// With the base's tokenizer as the source, mergekit adds the tokens of rules to the very tokenizer in which it then looks
/// up the base's tokens, and so takes a spare row of the base's for the new token's. Here the rule's source is used.
#[test]
fn a_new_token_does_not_take_a_spare_row_of_the_base() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "spare-row").unwrap();
    let merged = merge(case, &models(case));
    assert_eq!(tokens(&merged), case.vocab);
    let new = case.vocab.iter().position(|token| token == "<new>").unwrap();
    for (model, (rows, want)) in merged.rows.iter().zip(&case.embeddings).enumerate() {
        for (row, (got, want)) in column(model, rows, merged.tokens).iter().zip(want).enumerate() {
            match (model, row == new) {
                (0, true) => {
                    assert_eq!(*want, old_row(0, new), "mergekit's spare row");
                    assert_eq!(*got, old_row(1, 7), "the rule's row");
                }
                _ => assert_eq!(got, want, "model {model}, row {row}"),
            }
        }
    }
}

/// The requests that end in an exception there because a token's id has no row in a model.
#[test]
fn requests_that_fail_in_mergekit_follow_the_rules_here() {
    let cases = cases();
    let failing: Vec<&Case> = cases.iter().filter(|case| case.error.is_some()).collect();
    assert_eq!(failing.len(), 2);
    for case in failing {
        assert_eq!(case.error.as_deref(), Some("KeyError"));
        let models = models(case);
        let merged = merge(case, &models);
        let output = tokens(&merged);
        match case.name.as_str() {
            "no-spare-row" => {
                assert_eq!(output.last().map(String::as_str), Some("<new>"));
                assert!(merged.rows.iter().all(|rows| rows.last() == Some(&RowSource::Zero)));
            }
            "stripped-as-model" => {
                assert_eq!(&output[output.len() - 2..], ["[PAD]", "<late>"]);
                assert_eq!(merged.rows[1][output.len() - 2..], [RowSource::Zero, RowSource::Zero]);
                assert_eq!(merged.notes.len(), 1, "{:?}", merged.notes);
            }
            other => panic!("{other}"),
        }
    }
}
