//! Requests by hand: what rows come out, and what is refused.

use std::collections::BTreeMap;

use bunch_vocabulary::{
    EmbeddingSource, MergedVocabulary, ModelVocabulary, RowSource, TokenReference, TokenRule, Tokenizer,
    TokenizerSource, VocabularyError, VocabularyRequest, merge_vocabularies,
};
use serde_json::{Value, json};

fn tokenizer_of(files: &[(&str, Vec<u8>)]) -> Result<Tokenizer, VocabularyError> {
    Tokenizer::new(files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect())
}

fn tokenizer_json(kind: &str, tokens: &[&str], added: &[&str]) -> Value {
    let vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), json!(id))).collect();
    let added: Vec<Value> = added
        .iter()
        .enumerate()
        .map(|(id, token)| json!({"id": tokens.len() + id, "content": token, "special": false}))
        .collect();
    json!({"version": "1.0", "added_tokens": added, "model": {"type": kind, "vocab": vocab, "merges": []}})
}

fn model_of(name: &str, json: &Value, vocab_size: usize) -> ModelVocabulary {
    let tokenizer = tokenizer_of(&[("tokenizer.json", json.to_string().into_bytes())]).unwrap();
    ModelVocabulary { name: name.to_owned(), vocab_size, tokenizer: Some(tokenizer) }
}

fn model(name: &str, tokens: &[&str]) -> ModelVocabulary {
    model_of(name, &tokenizer_json("BPE", tokens, &[]), tokens.len())
}

fn request(models: &[ModelVocabulary], source: TokenizerSource) -> VocabularyRequest<'_> {
    VocabularyRequest { models, base: Some(0), source, tokens: Vec::new(), pad_to_multiple_of: None }
}

fn with_rule<'a>(mut request: VocabularyRequest<'a>, token: &str, source: EmbeddingSource) -> VocabularyRequest<'a> {
    request.tokens.push((token.to_owned(), TokenRule { source: Some(source), force: false }));
    request
}

fn message(request: &VocabularyRequest) -> String {
    merge_vocabularies(request).unwrap_err().to_string()
}

fn tokens(merged: &MergedVocabulary) -> Vec<String> {
    let tokenizer = Tokenizer::new(merged.files.clone()).unwrap();
    tokenizer.tokens().into_iter().map(|(_, token)| token.to_owned()).collect()
}

#[test]
fn a_union_adds_what_the_base_lacks() {
    let models = [model("m/base", &["a", "b"]), model("m/expert", &["b", "c", "a"])];
    let merged = merge_vocabularies(&request(&models, TokenizerSource::Union)).unwrap();
    assert_eq!((merged.size, merged.tokens, merged.is_identity), (3, 3, false));
    assert_eq!(tokens(&merged), ["a", "b", "c"]);
    assert_eq!(merged.rows[0], [RowSource::Own(0), RowSource::Own(1), RowSource::Of { model: 1, row: 1 }]);
    assert_eq!(merged.rows[1], [RowSource::Own(2), RowSource::Own(0), RowSource::Own(1)]);
    assert_eq!(merged.notes.len(), 1);
    assert!(merged.notes[0].starts_with("1 tokens that m/base lacks are added whole"), "{:?}", merged.notes);
}

#[test]
fn without_a_base_a_missing_row_is_the_mean_of_the_others() {
    let models = [model("x", &["a"]), model("y", &["b", "a"]), model("z", &["a", "b"])];
    let mut request = request(&models, TokenizerSource::Union);
    request.base = None;
    let merged = merge_vocabularies(&request).unwrap();
    assert_eq!(merged.rows[0], [RowSource::Own(0), RowSource::Mean(vec![(1, 0), (2, 1)])]);
    assert_eq!(merged.rows_of(&[0, 2], None).unwrap()[0][1], RowSource::Of { model: 2, row: 1 });
    assert_eq!(merged.rows_of(&[0], None).unwrap(), [[RowSource::Own(0), RowSource::Zero]]);
    request.base = Some(1);
    let merged = merge_vocabularies(&request).unwrap();
    assert_eq!(merged.rows[0][0], RowSource::Of { model: 1, row: 0 });
}

#[test]
fn a_token_beyond_the_rows_does_not_count() {
    let short = ModelVocabulary { vocab_size: 1, ..model("short", &["a", "b"]) };
    let models = [model("base", &["a", "b"]), short];
    let merged = merge_vocabularies(&request(&models, TokenizerSource::Base)).unwrap();
    assert_eq!(merged.rows[1], [RowSource::Own(0), RowSource::Of { model: 0, row: 1 }]);
}

#[test]
fn stripping_takes_the_merges_and_declarations_along() {
    strip_with(&json!([["a", "##b"], ["b", "##a"], ["ab", "##a"]]));
    strip_with(&json!(["a ##b", "b ##a", "ab ##a"]));
}

fn strip_with(all_merges: &Value) {
    let mut json = tokenizer_json("BPE", &["a", "b", "##b", "##a", "ab", "ba", "aba"], &["<pad>"]);
    json["model"]["continuing_subword_prefix"] = json!("##");
    json["model"]["merges"] = all_merges.clone();
    json["padding"] = json!({"pad_token": "<pad>", "pad_id": 7});
    let config = json!({"pad_token": "<pad>", "eos_token": "a", "added_tokens_decoder": {"7": {"content": "<pad>"}}});
    let files = [
        ("tokenizer.json", json.to_string().into_bytes()),
        ("tokenizer_config.json", config.to_string().into_bytes()),
        ("special_tokens_map.json", br#"{"pad_token": "<pad>"}"#.to_vec()),
        ("vocab.json", b"{}".to_vec()),
        ("chat_template.jinja", b"{{ messages }}".to_vec()),
    ];
    let tokenizer = Some(tokenizer_of(&files).unwrap());
    for (vocab_size, merges) in [(7, 3), (6, 2), (5, 1), (4, 0), (3, 0)] {
        let models = [ModelVocabulary { name: "m".to_owned(), vocab_size, tokenizer: tokenizer.clone() }];
        let merged = merge_vocabularies(&request(&models, TokenizerSource::Base)).unwrap();
        assert_eq!(merged.size, vocab_size);
        assert_eq!(tokens(&merged), ["a", "b", "##b", "##a", "ab", "ba", "aba"][..vocab_size]);
        assert!(merged.is_identity);
        let json: Value = serde_json::from_slice(&merged.files["tokenizer.json"]).unwrap();
        assert_eq!(json["model"]["merges"].as_array().unwrap().len(), merges);
        assert_eq!(json["padding"], Value::Null);
        tokenizers::Tokenizer::from_bytes(&merged.files["tokenizer.json"]).unwrap();
        let config: Value = serde_json::from_slice(&merged.files["tokenizer_config.json"]).unwrap();
        let eos = json!({
            "content": "a", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true
        });
        assert_eq!(config, json!({"eos_token": "a", "added_tokens_decoder": {"0": eos}}));
        assert_eq!(merged.files["special_tokens_map.json"], b"{}");
        assert_eq!(merged.files["chat_template.jinja"], b"{{ messages }}");
        assert!(!merged.files.contains_key("vocab.json"));
        assert!(merged.notes[0].starts_with(&format!("m: {} tokens have no row", 8 - vocab_size)));
    }
    let models = [ModelVocabulary { name: "m".to_owned(), vocab_size: 0, tokenizer }];
    assert!(message(&request(&models, TokenizerSource::Base)).contains("has no tokens"));
}

#[test]
fn only_bpe_tokenizers_can_be_stripped() {
    let models = [model_of("m", &tokenizer_json("WordLevel", &["a", "b"], &["<late>"]), 2)];
    let want = "m: 1 of its tokens (\"<late>\") have no row in its vocabulary of 2; they can only be dropped from a BPE \
                tokenizer, got WordLevel";
    assert_eq!(message(&request(&models, TokenizerSource::Base)), want);
}

#[test]
fn settings_that_differ_are_noted_and_the_first_win() {
    let token = |special: bool| {
        let mut json = tokenizer_json("BPE", &["a"], &["<t>"]);
        json["added_tokens"][0]["special"] = json!(special);
        json
    };
    let models = [model_of("x", &token(true), 2), model_of("y", &token(false), 2), model_of("z", &token(false), 2)];
    let merged = merge_vocabularies(&request(&models, TokenizerSource::Union)).unwrap();
    assert_eq!(merged.notes, ["added token \"<t>\" has different settings in x and y: those of x are used"]);
    assert!(merged.is_identity);
    assert_eq!(&merged.files, models[0].tokenizer.as_ref().unwrap().files());
}

#[test]
fn the_tokenizer_of_a_model_that_is_not_merged_can_be_the_output() {
    let models = [model("x", &["a", "b"])];
    let outside = TokenizerSource::Outside(Box::new(model("out", &["c", "b"])));
    let merged = merge_vocabularies(&request(&models, outside)).unwrap();
    assert_eq!(merged.rows, [[RowSource::Zero, RowSource::Own(1)]]);
    assert_eq!(merged.notes, ["1 tokens have a row in no model and get zeros: \"c\""]);
}

#[test]
fn models_without_a_tokenizer_have_that_of_the_base() {
    let bare = |name: &str| ModelVocabulary { name: name.to_owned(), vocab_size: 2, tokenizer: None };
    let models = [model("base", &["a", "b"]), bare("bare")];
    let merged = merge_vocabularies(&request(&models, TokenizerSource::Union)).unwrap();
    assert!(merged.is_identity);
    let want = "bare: no tokenizer files, but its tokenizer is needed as the tokenizer source";
    assert_eq!(message(&request(&models, TokenizerSource::Model(1))), want);
    let models = [bare("bare"), model("x", &["a", "b"])];
    let want = "bare: no tokenizer files, but its tokenizer is needed as the base";
    assert_eq!(message(&request(&models, TokenizerSource::Union)), want);
}

#[test]
fn models_that_are_not_there_are_errors() {
    assert_eq!(message(&request(&[], TokenizerSource::Base)), "no models, so no vocabulary");
    let models = [model("x", &["a"])];
    let want = "the tokenizer source is model 1, but there are 1 models, counted from 0";
    assert_eq!(message(&request(&models, TokenizerSource::Model(1))), want);
    let mut no_base = request(&models, TokenizerSource::Model(0));
    no_base.base = Some(3);
    assert_eq!(message(&no_base), "the base is model 3, but there are 1 models, counted from 0");
    let merged = merge_vocabularies(&request(&models, TokenizerSource::Base)).unwrap();
    let message = merged.rows_of(&[1], None).unwrap_err().to_string();
    assert_eq!(message, "the tensor's model is model 1, but there are 1 models, counted from 0");
}

#[test]
fn kinds_that_differ_have_no_union() {
    let models = [model("x", &["a"]), model_of("y", &tokenizer_json("WordPiece", &["a"], &[]), 1)];
    let want = "y: its tokenizer is of kind WordPiece, which has no union with the BPE of x";
    assert_eq!(message(&request(&models, TokenizerSource::Union)), want);
    assert!(merge_vocabularies(&request(&models, TokenizerSource::Base)).unwrap().is_identity);
}

#[test]
fn rules_that_point_nowhere_are_errors() {
    let models = [model("x", &["a", "b"]), model("y", &["a"])];
    let rule = |source: EmbeddingSource| message(&with_rule(request(&models, TokenizerSource::Base), "b", source));
    let row = |model: usize, token: TokenReference| EmbeddingSource::ModelToken { model, token };
    let absent = "token \"b\": its source is model 2, but there are 2 models, counted from 0";
    assert_eq!(rule(EmbeddingSource::Model(2)), absent);
    assert_eq!(rule(row(2, TokenReference::Id(0))), absent);
    let unknown = |token: &str| format!("token \"b\": its source is token {token:?} of y, which has no such token");
    assert_eq!(rule(EmbeddingSource::Model(1)), unknown("b"));
    assert_eq!(rule(row(1, TokenReference::Token("c".to_owned()))), unknown("c"));
    let want = "token \"b\": its source is row 1 of y, which has 1 rows";
    assert_eq!(rule(row(1, TokenReference::Id(1))), want);
}

#[test]
fn rules_that_say_too_little_or_too_much_are_errors() {
    let models = [model("x", &["a", "b"]), model("y", &["a"])];
    let mut sourceless = request(&models, TokenizerSource::Base);
    sourceless.tokens = vec![("a".to_owned(), TokenRule::default())];
    assert!(merge_vocabularies(&sourceless).is_ok(), "no model needs the source");
    for (token, force, model) in [("b", false, "y"), ("a", true, "x")] {
        sourceless.tokens = vec![(token.to_owned(), TokenRule { source: None, force })];
        assert!(
            message(&sourceless).starts_with(&format!("token {token:?}: its rule has no source, but {model} needs"))
        );
    }
    let twice = with_rule(request(&models, TokenizerSource::Base), "b", EmbeddingSource::Zero);
    assert_eq!(message(&with_rule(twice, "b", EmbeddingSource::Zero)), "token \"b\": two rules");
    let nothing = with_rule(request(&models, TokenizerSource::Base), "", EmbeddingSource::Zero);
    assert_eq!(message(&nothing), "a rule for the empty token");
}

#[test]
fn a_rule_needs_its_model_in_the_tensor() {
    let models = [model("x", &["a", "b"]), model("y", &["a"])];
    let wanted = with_rule(request(&models, TokenizerSource::Base), "b", EmbeddingSource::Model(0));
    let merged = merge_vocabularies(&wanted).unwrap();
    let message = merged.rows_of(&[1], Some(0)).unwrap_err().to_string();
    assert_eq!(message, "token \"b\": its source is x, which has no part in this tensor");
    assert_eq!(merged.rows_of(&[0], None).unwrap(), [[RowSource::Own(0), RowSource::Own(1)]]);
}

#[test]
fn padding_rounds_up() {
    let models = [model("x", &["a", "b", "c"])];
    let padded =
        |multiple| VocabularyRequest { pad_to_multiple_of: Some(multiple), ..request(&models, TokenizerSource::Base) };
    for wrong in [0, (1 << 20) + 1, usize::MAX] {
        assert_eq!(message(&padded(wrong)), format!("pad_to_multiple_of: expected 1 to 1048576, got {wrong}"));
    }
    let merged = merge_vocabularies(&padded(2)).unwrap();
    assert_eq!((merged.size, merged.tokens, merged.is_identity), (4, 3, false));
    assert_eq!(merged.rows[0][3], RowSource::MeanOfRows);
    assert!(merge_vocabularies(&padded(3)).unwrap().is_identity);
}

fn sentencepiece(name: &str, bytes: &[u8], vocab_size: usize) -> ModelVocabulary {
    let tokenizer = tokenizer_of(&[("tokenizer.model", bytes.to_vec())]).unwrap();
    assert!(tokenizer.is_empty() && tokenizer.id("a").is_none());
    ModelVocabulary { name: name.to_owned(), vocab_size, tokenizer: Some(tokenizer) }
}

#[test]
fn a_tokenizer_without_tokenizer_json_can_only_stay_as_it_is() {
    let bare = ModelVocabulary { name: "bare".to_owned(), vocab_size: 5, tokenizer: None };
    let same = [sentencepiece("x", b"sp", 5), sentencepiece("y", b"sp", 5), bare];
    for source in [TokenizerSource::Base, TokenizerSource::Union, TokenizerSource::Model(1)] {
        let merged = merge_vocabularies(&request(&same, source)).unwrap();
        assert!(merged.is_identity);
        assert_eq!((merged.size, merged.tokens, merged.rows.len()), (5, 5, 3));
        assert_eq!(merged.files, BTreeMap::from([("tokenizer.model".to_owned(), b"sp".to_vec())]));
    }
    let want = "x: its tokenizer has no tokenizer.json (it has tokenizer.model) and so cannot be merged; \
                `transformers.AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)` writes one";
    let wanted = with_rule(request(&same, TokenizerSource::Base), "b", EmbeddingSource::Zero);
    assert_eq!(message(&wanted), want);
    let mut padded = request(&same, TokenizerSource::Base);
    padded.pad_to_multiple_of = Some(5);
    assert_eq!(message(&padded), want);
    let x = || sentencepiece("x", b"sp", 5);
    for other in [sentencepiece("y", b"other", 5), sentencepiece("y", b"sp", 6), model("y", &["a"])] {
        assert_eq!(message(&request(&[x(), other], TokenizerSource::Base)), want);
    }
}

#[test]
fn broken_tokenizer_files_are_errors() {
    let message = |files: &[(&str, &str)]| {
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
        tokenizer_of(&files).unwrap_err().to_string()
    };
    let want = "no tokenizer.json and no other vocabulary among the tokenizer files [\"tokenizer_config.json\"]";
    assert_eq!(message(&[("tokenizer_config.json", "{}")]), want);
    assert!(message(&[("tokenizer.json", "{")]).starts_with("tokenizer.json: EOF"));
    assert!(message(&[("tokenizer.json", "{}")]).contains("missing field `model`"));
    let twice = r#"{"model": {"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}}"#;
    assert!(message(&[("tokenizer.json", twice)]).contains("token \"a\" stands twice in the vocabulary: 0, 1"));
    let kind = r#"{"model": {"type": "Char", "vocab": {"a": 0}}}"#;
    let want = "tokenizer.json: `model.type`: expected BPE, Unigram, WordPiece or WordLevel, got Char";
    assert_eq!(message(&[("tokenizer.json", kind)]), want);
    let far = r#"{"added_tokens": [{"id": 5, "content": "<t>"}], "model": {"type": "BPE", "vocab": {"a": 0}}}"#;
    let want = "tokenizer.json: added token \"<t>\" is declared with id 5, but readers give it id 1";
    assert_eq!(message(&[("tokenizer.json", far)]), want);
}

#[test]
fn unnamed_kinds_are_known_by_their_fields() {
    let kind = |model: Value| {
        let json = json!({"model": model, "added_tokens": [{"id": 1, "content": "<late>"}]});
        message(&request(&[model_of("m", &json, 1)], TokenizerSource::Base))
    };
    assert!(kind(json!({"vocab": [["a", -1.5]]})).ends_with("got Unigram"));
    assert!(kind(json!({"vocab": {"a": 0}, "max_input_chars_per_word": 9})).ends_with("got WordPiece"));
    assert!(kind(json!({"vocab": {"a": 0}})).ends_with("got WordLevel"));
    let bpe = json!({"model": {"vocab": {"a": 0}, "merges": []}, "added_tokens": [{"id": 1, "content": "<late>"}]});
    assert!(merge_vocabularies(&request(&[model_of("m", &bpe, 1)], TokenizerSource::Base)).is_ok());
}
