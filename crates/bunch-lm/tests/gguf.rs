//! Tokenizers from the metadata of GGUF files.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_lm::{AddBos, GgufTokenizer, LmError, Message, TokenId, Tokenizer};
use serde_json::{Map, Value, json};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn model_folder(model: &str) -> PathBuf {
    tests().join("oracle/models").join(model)
}

/// The metadata that llama.cpp's converter writes for a model of the oracle, as far as they are about tokens.
fn metadata(model: &str) -> Map<String, Value> {
    let tokenizer = read(&model_folder(model).join("tokenizer.json"));
    let config = read(&model_folder(model).join("tokenizer_config.json"));
    let mut tokens = vec![String::new(); 1024];
    let mut kinds = vec![1; 1024];
    for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
        let id = id.as_u64().unwrap() as usize;
        tokens[id] = token.clone();
        if token.starts_with("<0x") {
            kinds[id] = 6;
        }
    }
    for token in tokenizer["added_tokens"].as_array().unwrap() {
        let id = token["id"].as_u64().unwrap() as usize;
        tokens[id] = token["content"].as_str().unwrap().to_owned();
        kinds[id] = if tokens[id] == "<unk>" { 2 } else { 3 };
    }
    let id = |name: &str| tokens.iter().position(|token| config[name] == **token);
    let mut pairs = json!({
        "general.architecture": "llama", "llama.context_length": 160, "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.bos_token_id": id("bos_token"),
        "tokenizer.ggml.eos_token_id": id("eos_token"), "tokenizer.chat_template": config["chat_template"]
    });
    let merges = tokenizer["model"]["merges"].as_array().unwrap().iter();
    let merges: Vec<String> =
        merges.map(|pair| format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect();
    if model.starts_with("llama") {
        pairs["tokenizer.ggml.model"] = "gpt2".into();
        pairs["tokenizer.ggml.pre"] = "llama-bpe".into();
        pairs["tokenizer.ggml.merges"] = json!(merges);
    } else {
        pairs["tokenizer.ggml.model"] = "llama".into();
        pairs["tokenizer.ggml.unknown_token_id"] = 0.into();
        pairs["tokenizer.ggml.scores"] = (0..1024).map(|id| f64::from(-id)).collect();
    }
    match pairs {
        Value::Object(pairs) => pairs,
        _ => unreachable!("an object was made above"),
    }
}

/// The same metadata with some of them changed, or with null removed.
fn changed(metadata: &Map<String, Value>, changes: Value) -> Map<String, Value> {
    let mut metadata = metadata.clone();
    for (key, value) in changes.as_object().unwrap() {
        metadata.insert(key.clone(), value.clone());
        metadata.retain(|_, value| !value.is_null());
    }
    metadata
}

fn from_gguf(metadata: &Map<String, Value>) -> Tokenizer {
    Tokenizer::from_gguf(Path::new("model.gguf"), metadata).unwrap()
}

/// Texts of all kinds: those of the goldens and the documents of the oracle.
fn texts() -> Vec<String> {
    serde_json::from_value(read(&tests().join("golden/gguf.json"))["texts"].clone()).unwrap()
}

fn refuse(metadata: &Map<String, Value>, changes: Value) -> String {
    Tokenizer::from_gguf(Path::new("model.gguf"), &changed(metadata, changes)).unwrap_err().to_string()
}

#[test]
fn the_tokenizer_of_a_file_is_that_of_the_model_it_was_made_of() {
    let conversation = [Message::user(" Hi there "), Message::assistant("Hello."), Message::user("Bye")];
    for model in ["llama-gqa-untied", "mistral-swa16"] {
        let own = Tokenizer::from_directory(&model_folder(model)).unwrap();
        let got = from_gguf(&metadata(model));
        for text in texts() {
            for add_bos in [AddBos::Auto, AddBos::Never] {
                let ids = own.encode(&text, add_bos).unwrap();
                assert_eq!(got.encode(&text, add_bos).unwrap(), ids, "{model}: {text:?}");
                for skip_special in [false, true] {
                    assert_eq!(got.decode(&ids, skip_special).unwrap(), own.decode(&ids, skip_special).unwrap());
                }
            }
        }
        for id in 0..1024 {
            assert_eq!(got.decode(&[id], false).unwrap(), own.decode(&[id], false).unwrap(), "{model}: {id}");
        }
        assert_eq!((got.bos(), got.eos(), got.pad()), (own.bos(), own.eos(), own.pad()));
        assert_eq!((got.vocab_size(), got.model_max_length()), (own.vocab_size(), own.model_max_length()));
        assert_eq!(got.stop_tokens(), own.stop_tokens());
        assert_eq!(got.render_chat(&conversation, true).unwrap(), own.render_chat(&conversation, true).unwrap());
    }
}

#[test]
fn merges_are_made_of_scores_as_transformers_makes_them() {
    let golden = read(&tests().join("golden/gguf.json"));
    let tokenizer = GgufTokenizer::from_metadata(&metadata("mistral-swa16")).unwrap();
    let json: Value = serde_json::from_str(&tokenizer.files()["tokenizer.json"]).unwrap();
    assert_eq!(json["model"]["merges"].as_array().unwrap().len() as u64, golden["merges"].as_u64().unwrap());
    let tokenizer = from_gguf(&metadata("mistral-swa16"));
    let ids: Vec<Vec<TokenId>> = serde_json::from_value(golden["bare_ids"].clone()).unwrap();
    for (text, ids) in texts().iter().zip(ids) {
        assert_eq!(tokenizer.encode(text, AddBos::Never).unwrap(), ids, "{text:?}");
    }
    // A file that lists its merges has those and no other.
    let own = read(&model_folder("mistral-swa16").join("tokenizer.json"))["model"]["merges"].clone();
    let lines: Vec<String> = own.as_array().unwrap()[..100]
        .iter()
        .map(|pair| format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .collect();
    let listed = changed(&metadata("mistral-swa16"), json!({ "tokenizer.ggml.merges": lines }));
    let json: Value =
        serde_json::from_str(&GgufTokenizer::from_metadata(&listed).unwrap().files()["tokenizer.json"]).unwrap();
    assert_eq!(json["model"]["merges"].as_array().unwrap()[..], own.as_array().unwrap()[..100]);
}

#[test]
fn files_in_a_directory_give_the_same_tokenizer() {
    for model in ["llama-gqa-untied", "mistral-swa16"] {
        let metadata = changed(&metadata(model), json!({ "tokenizer.ggml.eot_token_id": 1020 }));
        let folder = tempfile::tempdir().unwrap();
        let files = GgufTokenizer::from_metadata(&metadata).unwrap().files();
        assert_eq!(
            files.keys().copied().collect::<Vec<_>>(),
            ["generation_config.json", "tokenizer.json", "tokenizer_config.json"]
        );
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let (written, direct) = (Tokenizer::from_directory(folder.path()).unwrap(), from_gguf(&metadata));
        for text in texts() {
            let ids = direct.encode(&text, AddBos::Auto).unwrap();
            assert_eq!(written.encode(&text, AddBos::Auto).unwrap(), ids);
            assert_eq!(written.decode(&ids, true).unwrap(), direct.decode(&ids, true).unwrap());
        }
        let expected = [direct.eos().unwrap(), 1020];
        assert_eq!((written.stop_tokens(), direct.stop_tokens()), (&expected[..], &expected[..]));
        // Files have precedence; `from_model` looks for them.
        let text = "the apples";
        for dir in [folder.path(), tempfile::tempdir().unwrap().path()] {
            let found = Tokenizer::from_model(dir, Some(&metadata)).unwrap();
            assert_eq!(found.encode(text, AddBos::Auto).unwrap(), direct.encode(text, AddBos::Auto).unwrap());
        }
        fs::write(folder.path().join("tokenizer.json"), "{").unwrap();
        assert!(Tokenizer::from_model(folder.path(), Some(&metadata)).is_err());
        let chat = [Message::user("x")];
        assert_eq!(written.render_chat(&chat, true).unwrap(), direct.render_chat(&chat, true).unwrap());
        assert_eq!(written.prefix_token(), direct.prefix_token());
        assert_eq!(written.model_max_length(), direct.model_max_length());
    }
}

#[test]
fn text_is_cut_as_the_name_of_the_pattern_says() {
    let llama = metadata("llama-gqa-untied");
    let pieces = |pre: Value, text: &str| {
        let metadata = changed(&llama, json!({ "tokenizer.ggml.pre": pre, "tokenizer.ggml.add_bos_token": false }));
        let tokenizer = from_gguf(&metadata);
        let ids = tokenizer.encode(text, AddBos::Auto).unwrap();
        ids.iter().map(|id| tokenizer.decode(&[*id], false).unwrap()).collect::<Vec<_>>()
    };
    // 140 is a token, which Llama 3's way takes whole; Qwen 2 and SmolLM see digits, GPT-2 merges what it can.
    assert_eq!(pieces("llama-bpe".into(), "140"), ["140"]);
    assert_eq!(pieces("qwen2".into(), "140"), ["1", "4", "0"]);
    assert_eq!(pieces("smollm".into(), " 140"), [" ", "1", "4", "0"]);
    assert_eq!(pieces("gpt-2".into(), "140"), ["140"]);
    assert_eq!(pieces("gpt-2".into(), "1400"), pieces(Value::Null, "1400"));
    // Qwen 2 composes characters before it cuts.
    let tokenizer = |pre: &str| from_gguf(&changed(&llama, json!({ "tokenizer.ggml.pre": pre })));
    let [composed, decomposed] = ["caf\u{e9}", "cafe\u{301}"];
    let ids = |pre: &str, text: &str| tokenizer(pre).encode(text, AddBos::Never).unwrap();
    assert_eq!(ids("qwen2", composed), ids("qwen2", decomposed));
    assert_ne!(ids("llama-bpe", composed), ids("llama-bpe", decomposed));
}

#[test]
fn bos_and_eos_are_put_around_a_text_as_the_file_says_or_llama_cpp_assumes() {
    let around = |model: &str, changes: Value| {
        let ids = from_gguf(&changed(&metadata(model), changes)).encode("x", AddBos::Auto).unwrap();
        (ids[0], ids[ids.len() - 1])
    };
    let (llama, mistral) = ("llama-gqa-untied", "mistral-swa16");
    assert_eq!(around(llama, json!({})).0, 1019);
    assert_ne!(around(llama, json!({ "tokenizer.ggml.pre": "gpt-2" })).0, 1019);
    assert_eq!(around(llama, json!({ "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.add_bos_token": true })).0, 1019);
    assert_ne!(around(llama, json!({ "tokenizer.ggml.add_bos_token": false })).0, 1019);
    assert_eq!(around(llama, json!({ "tokenizer.ggml.add_eos_token": true })), (1019, 1023));
    // A sentencepiece vocabulary that names no token has llama.cpp's.
    let unnamed = json!({ "tokenizer.ggml.bos_token_id": null, "tokenizer.ggml.eos_token_id": null,
                          "tokenizer.ggml.unknown_token_id": null, "tokenizer.ggml.add_eos_token": true });
    assert_eq!(around(mistral, unnamed), (1, 2));
}

#[test]
fn user_defined_tokens_are_found_whole_but_are_text() {
    let mut metadata = metadata("llama-gqa-untied");
    metadata["tokenizer.ggml.tokens"][1021] = "<think>".into();
    metadata["tokenizer.ggml.token_type"][1021] = 4.into();
    let tokenizer = from_gguf(&metadata);
    assert_eq!(tokenizer.encode("<think>", AddBos::Never).unwrap(), [1021]);
    assert_eq!(tokenizer.decode(&[1021, 1023], true).unwrap(), "<think>");
}

#[test]
fn a_space_before_the_text_can_be_switched_off() {
    let metadata = changed(&metadata("mistral-swa16"), json!({ "tokenizer.ggml.add_space_prefix": false }));
    let (with, without) = (from_gguf(&self::metadata("mistral-swa16")), from_gguf(&metadata));
    let ids = with.encode("the", AddBos::Never).unwrap();
    assert_eq!(without.encode(" the", AddBos::Never).unwrap(), ids);
    assert_ne!(without.encode("the", AddBos::Never).unwrap(), ids);
    assert_eq!((with.decode(&ids, true).unwrap(), without.decode(&ids, true).unwrap()), ("the".into(), " the".into()));
}

#[test]
fn metadata_that_make_no_tokenizer_are_refused_by_key() {
    let (llama, mistral) = (metadata("llama-gqa-untied"), metadata("mistral-swa16"));
    let cases = [
        (&llama, "tokenizer.ggml.model", Value::Null, "is missing: the file has no tokenizer"),
        (&llama, "tokenizer.ggml.model", json!("bert"), "expected \"gpt2\" or \"llama\", got \"bert\""),
        (&llama, "tokenizer.ggml.model", json!(3), "expected a text, got 3"),
        (&llama, "tokenizer.ggml.pre", json!("viking"), "\"viking\" is not known; known are default, gpt-2, "),
        (&llama, "tokenizer.ggml.tokens", Value::Null, "is missing"),
        (&llama, "tokenizer.ggml.tokens", json!("abc"), "expected a list of texts, got \"abc\""),
        (&llama, "tokenizer.ggml.tokens", json!(["a", 1]), "element 1: expected texts, got 1"),
        (&llama, "tokenizer.ggml.tokens", json!(["a", "b", "a"]), "\"a\" is there twice, as token 0 and as token 2"),
        (&llama, "tokenizer.ggml.token_type", json!([1, 2]), "expected 1024, one for each token, got 2"),
        (&llama, "tokenizer.ggml.merges", Value::Null, "is missing"),
        (&llama, "tokenizer.ggml.merges", json!(["a b c"]), "element 0: expected two tokens with a space between"),
        (&llama, "tokenizer.ggml.eos_token_id", json!(1024), "expected the id of one of 1024 tokens, got 1024"),
        (&llama, "tokenizer.ggml.eos_token_id", json!(-1), "expected a number >= 0, got -1"),
        (&llama, "tokenizer.ggml.add_bos_token", json!(1), "expected true or false, got 1"),
        (&llama, "tokenizer.chat_template", json!(["x"]), "expected a text, got a list of 1"),
        (&mistral, "tokenizer.ggml.scores", Value::Null, "is missing, and so are the merges"),
        (&mistral, "tokenizer.ggml.scores", json!([0.5]), "expected 1024, one for each token, got 1"),
        (&mistral, "tokenizer.ggml.scores", json!([null]), "element 0: expected finite numbers, got no finite number"),
    ];
    for (metadata, key, value, what) in cases {
        let mut metadata = metadata.clone();
        match value {
            Value::Null => metadata.remove(key),
            value => metadata.insert(key.into(), value),
        };
        let error = Tokenizer::from_gguf(Path::new("model.gguf"), &metadata).unwrap_err();
        assert!(matches!(error, LmError::Gguf { .. }), "{error}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("GGUF metadata, {key}: {what}")), "{message}");
    }
    // Llama 3's way begins a text with BOS, which must then be there.
    let error = refuse(&llama, json!({ "tokenizer.ggml.bos_token_id": null }));
    assert_eq!(error, "GGUF metadata, tokenizer.ggml.add_bos_token: the file has no bos_token");
    // Merges of other tokens.
    let error = refuse(&llama, json!({ "tokenizer.ggml.merges": ["qqq zzz"] }));
    assert!(error.starts_with("model.gguf: ") && error.contains("qqq"), "{error}");
}

#[test]
fn a_file_without_a_chat_template_is_a_model_all_the_same() {
    let metadata = changed(&metadata("llama-gqa-untied"), json!({ "tokenizer.chat_template": null }));
    let error = from_gguf(&metadata).render_chat(&[Message::user("x")], true).unwrap_err();
    assert_eq!(error.to_string(), "model.gguf: the model has no chat template");
}

#[test]
fn smollm2_has_the_ids_of_its_own_tokenizer() {
    let Some(path) = std::env::var_os("BUNCH_SMOLLM2_GGUF") else {
        eprintln!("skipped: BUNCH_SMOLLM2_GGUF does not name the GGUF file of SmolLM2-135M-Instruct");
        return;
    };
    let path = Path::new(&path);
    let checkpoint = bunch_checkpoint::Checkpoint::open(path).unwrap();
    let tokenizer = Tokenizer::from_gguf(path, &checkpoint.gguf_metadata().unwrap().unwrap()).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.pad()), (Some(1), Some(2), Some(2)));
    assert_eq!((tokenizer.vocab_size(), tokenizer.model_max_length()), (49_152, Some(8192)));
    assert_eq!(tokenizer.stop_tokens(), [2]);
    let ids = |text: &str| tokenizer.encode(text, AddBos::Auto).unwrap();
    // The ids of transformers 4.56.2 with the model's own tokenizer.json.
    assert_eq!(ids("The capital of France is"), [504, 3575, 282, 4649, 314]);
    let water = "Water boils at 100 degrees Celsius, and ice melts at 0 degrees.";
    let expected = [12615, 36411, 418, 216, 33, 32, 32, 5027, 20590, 28, 284, 3908, 34294, 418, 216, 32, 5027, 30];
    assert_eq!(ids(water), expected);
    let mixed = "<|im_start|>user\nHow do I pick 1234 locks?  It's  café 日本 🙂\n\n\tx<|im_end|>\n";
    let expected = [
        1, 4093, 198, 2020, 536, 339, 4491, 216, 33, 34, 35, 36, 24100, 47, 216, 657, 506, 216, 37366, 17097, 241, 115,
        40993, 47526, 1116, 197, 104, 2, 198,
    ];
    assert_eq!(ids(mixed), expected);
    assert_eq!(tokenizer.decode(&expected, false).unwrap(), mixed);
    let chat = tokenizer.render_chat(&[Message::user("What is the capital of France?")], true).unwrap();
    let expected = [
        1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407, 19712, 8182, 2,
        198, 1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198,
    ];
    assert_eq!(ids(&chat), expected);
    assert_eq!(tokenizer.encode(&chat, AddBos::Never).unwrap(), expected);
}
