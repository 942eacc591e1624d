//! Tokens next to tokenizer.json.

use serde_json::json;

use super::*;
use crate::vocabulary::ModelKind;

fn files(entries: &[(&str, Value)]) -> BTreeMap<String, Vec<u8>> {
    entries.iter().map(|(name, json)| ((*name).to_owned(), json.to_string().into_bytes())).collect()
}

/// What the files add to the tokens `a` and `b`.
fn added(entries: &[(&str, Value)]) -> Vec<(u32, AddedToken)> {
    let mut vocabulary = Vocabulary::new(ModelKind::Bpe, BTreeMap::from([("a".to_owned(), 0), ("b".to_owned(), 1)]));
    let declared = DeclaredTokens::read(&files(entries), None).unwrap();
    let changed = declared.add_all(&mut vocabulary).unwrap();
    assert_eq!(changed, vocabulary.added().count() > 0);
    vocabulary.added().map(|(id, token)| (id, token.clone())).collect()
}

#[test]
fn nothing_declared_adds_nothing() {
    assert_eq!(added(&[]), []);
    let switches = json!({"add_bos_token": true, "bos_token": null, "model_max_length": 8});
    assert_eq!(added(&[(TOKENIZER_CONFIG, switches)]), []);
}

#[test]
fn named_tokens_come_in_their_fixed_order_and_before_the_others() {
    let config = json!({
        "extra_special_tokens": ["<x>"], "image_token": "<image>", "pad_token": "<pad>", "bos_token": "a",
        "eos_token": {"content": "</s>", "lstrip": true, "normalized": false},
    });
    let got = added(&[(TOKENIZER_CONFIG, config)]);
    let want = [
        (0, AddedToken::special("a")),
        (2, AddedToken { lstrip: true, ..AddedToken::special("</s>") }),
        (3, AddedToken::special("<pad>")),
        (4, AddedToken::special("<image>")),
        (5, AddedToken::special("<x>")),
    ];
    assert_eq!(got, want);
}

#[test]
fn the_map_file_counts_only_without_a_decoder() {
    let map = (SPECIAL_TOKENS_MAP, json!({"pad_token": "<map>"}));
    assert_eq!(added(std::slice::from_ref(&map)), [(2, AddedToken::special("<map>"))]);
    let config = json!({"pad_token": "<pad>", "added_tokens_decoder": {"2": {"content": "<note>"}}});
    let got = added(&[(TOKENIZER_CONFIG, config), map]);
    assert_eq!(got, [(2, AddedToken::plain("<note>")), (3, AddedToken::special("<pad>"))]);
}

#[test]
fn the_old_list_of_added_tokens_is_read() {
    let config = (TOKENIZER_CONFIG, json!({"pad_token": "<pad>"}));
    let list = (ADDED_TOKENS, json!({"<note>": 3, "<pad>": 2}));
    assert_eq!(added(&[config, list]), [(2, AddedToken::special("<pad>")), (3, AddedToken::plain("<note>"))]);
}

#[test]
fn a_declared_id_that_readers_do_not_give_is_an_error() {
    let config = json!({"added_tokens_decoder": {"7": {"content": "<far>"}}});
    let declared = DeclaredTokens::read(&files(&[(TOKENIZER_CONFIG, config)]), None).unwrap();
    let mut vocabulary = Vocabulary::new(ModelKind::Bpe, BTreeMap::from([("a".to_owned(), 0)]));
    let message = declared.add_all(&mut vocabulary).unwrap_err().to_string();
    let want = "tokenizer_config.json: added token \"<far>\" is declared with id 7, but readers give it id 1";
    assert_eq!(message, want);
}

#[test]
fn values_that_are_no_tokens_are_errors() {
    let message =
        |config: Value| DeclaredTokens::read(&files(&[(TOKENIZER_CONFIG, config)]), None).unwrap_err().to_string();
    let want = "tokenizer_config.json: `pad_token`: expected a token: a string or an object with its settings, got 3";
    assert_eq!(message(json!({"pad_token": 3})), want);
    let want = "tokenizer_config.json: `extra_special_tokens`: expected a list or an object of tokens, got \"<x>\"";
    assert_eq!(message(json!({"extra_special_tokens": "<x>"})), want);
    assert!(message(json!({"added_tokens_decoder": {"x": {"content": "<x>"}}})).contains("`added_tokens_decoder`"));
    assert!(message(json!([])).starts_with("tokenizer_config.json: invalid type"));
}

#[test]
fn dropped_tokens_are_not_declared_any_more() {
    let json = json!({
        "pad_token": {"content": "<pad>"}, "eos_token": "</s>", "extra_special_tokens": ["<x>", "<pad>"],
        "additional_special_tokens": {"own": "<x>"}, "padding_side": "<x>",
    });
    let Value::Object(mut config) = json else { panic!("an object") };
    undeclare(&mut config, &BTreeSet::from(["<pad>", "<x>"]));
    let want = json!({
        "eos_token": "</s>", "extra_special_tokens": [], "additional_special_tokens": {}, "padding_side": "<x>",
    });
    assert_eq!(Value::Object(config), want);
}
