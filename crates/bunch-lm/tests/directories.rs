//! Model directories in the styles that transformers 4 and 5 write them, against what transformers reads from them.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_lm::{AddBos, LmError, Message, TokenId, Tokenizer};
use serde_json::{Map, Value, json};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn base(model: &str) -> Value {
    read(&tests().join("oracle/models").join(model).join("tokenizer.json"))
}

/// A directory with `tokenizer.json` and the other files, JSON or text, by name.
fn directory(tokenizer: &Value, files: &Map<String, Value>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    for (name, content) in files {
        let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

fn ids(value: &Value) -> Vec<TokenId> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn directories_are_read_as_transformers_reads_them() {
    let golden = read(&tests().join("golden/directories.json"));
    let texts = golden["texts"].as_array().unwrap();
    let conversations: Vec<Vec<Message>> = serde_json::from_value(golden["conversations"].clone()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut tokenizer = base(case["base"].as_str().unwrap());
        let changes = |of: &str| case["changes"].get(of).and_then(Value::as_object).into_iter().flatten();
        for (key, value) in changes("tokenizer") {
            tokenizer[key] = value.clone();
        }
        for (key, value) in changes("model") {
            tokenizer["model"][key] = value.clone();
        }
        let folder = directory(&tokenizer, case["files"].as_object().unwrap());
        let tokenizer = Tokenizer::from_directory(folder.path()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = &case["expected"];
        for (got, key) in [(tokenizer.bos(), "bos"), (tokenizer.eos(), "eos"), (tokenizer.pad(), "pad")] {
            assert_eq!(json!(got), expected[key], "{name}: {key}");
        }
        for (index, text) in texts.iter().enumerate() {
            let text = text.as_str().unwrap();
            let bare = tokenizer.encode(text, AddBos::Never).unwrap();
            assert_eq!(bare, ids(&expected["bare_ids"][index]), "{name}: {text:?}");
            // As lm-evaluation-harness: no second prefix token before a text that begins with its text.
            let prefix = tokenizer.prefix_token().map(|id| tokenizer.decode(&[id], false).unwrap()).unwrap();
            let with_special = ids(&expected["ids"][index]);
            let auto = if text.starts_with(&prefix) { &bare } else { &with_special };
            assert_eq!(&tokenizer.encode(text, AddBos::Auto).unwrap(), auto, "{name}: {text:?}");
            assert_eq!(tokenizer.decode(&with_special, true).unwrap(), expected["decoded"][index], "{name}: {text:?}");
            let all = tokenizer.decode(&with_special, false).unwrap();
            assert_eq!(all, expected["decoded_all"][index], "{name}: {text:?}");
        }
        for (index, chat) in expected["chats"].as_array().unwrap().iter().enumerate() {
            let rendered = tokenizer.render_chat(&conversations[index / 2], index % 2 == 1);
            match (chat.get("text"), rendered) {
                (Some(text), Ok(rendered)) => {
                    assert_eq!(rendered, text.as_str().unwrap(), "{name}");
                    assert_eq!(tokenizer.encode(&rendered, AddBos::Never).unwrap(), ids(&chat["ids"]), "{name}");
                }
                (None, Err(LmError::ChatTemplate { what })) => {
                    assert_eq!(what, chat["error"].as_str().unwrap(), "{name}")
                }
                (None, Err(LmError::NoChatTemplate { .. })) => assert_eq!(name, "no template"),
                (text, rendered) => panic!("{name}: expected {text:?}, got {rendered:?}"),
            }
        }
    }
}

#[test]
fn tokens_that_end_an_answer_come_from_the_first_file_that_names_them() {
    let tokenizer = base("llama-gqa-untied");
    let named = json!({ "eos_token": "<|eot_id|>" });
    let stop = |files: Value| {
        let folder = directory(&tokenizer, &object(files));
        Tokenizer::from_directory(folder.path()).unwrap().stop_tokens().to_vec()
    };
    assert_eq!(stop(json!({ "tokenizer_config.json": named })), [1023]);
    assert_eq!(stop(json!({ "tokenizer_config.json": named, "config.json": { "eos_token_id": 1020 } })), [1020]);
    let generation = json!({ "eos_token_id": [1020, 1023] });
    let files = json!({
        "tokenizer_config.json": named, "config.json": { "eos_token_id": 7 }, "generation_config.json": generation
    });
    assert_eq!(stop(files), [1020, 1023]);
    assert!(stop(json!({ "config.json": { "eos_token_id": null } })).is_empty());
}

#[test]
fn config_json_names_tokens_where_nothing_else_does() {
    let tokenizer = base("llama-gqa-untied");
    let config = json!({ "bos_token_id": 1019, "eos_token_id": [1023, 1020] });
    let read = |files: Value| Tokenizer::from_directory(directory(&tokenizer, &object(files)).path()).unwrap();
    let alone = read(json!({ "config.json": config }));
    assert_eq!((alone.bos(), alone.eos(), alone.pad()), (Some(1019), Some(1023), None));
    let beside = read(json!({ "config.json": config, "tokenizer_config.json": { "eos_token": "<|eot_id|>" } }));
    assert_eq!((beside.bos(), beside.eos()), (None, Some(1023)));
    assert_eq!(beside.prefix_token(), Some(1023));
    assert_eq!((alone.bos_text(), beside.bos_text()), (Some("<|begin_of_text|>"), None));
}

#[test]
fn text_without_a_context_starts_from_the_prefix_token() {
    let tokenizer = base("llama-gqa-untied");
    let read = |files: Value| Tokenizer::from_directory(directory(&tokenizer, &object(files)).path()).unwrap();
    let llama =
        read(json!({ "tokenizer_config.json": { "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>" } }));
    let plain = llama.encode("the apples", AddBos::Never).unwrap();
    for add_bos in [AddBos::Auto, AddBos::Never] {
        assert_eq!(llama.encode_pair("", "the apples", add_bos).unwrap(), (vec![1019], plain.clone()));
        let with_prefix = llama.encode_pair("", "<|begin_of_text|>the apples", add_bos).unwrap();
        assert_eq!(with_prefix, (vec![1019], plain.clone()));
    }
    // Whitespace at the end of the context is scored with the continuation.
    let (context, continuation) = llama.encode_pair("the \n\n", "apples", AddBos::Never).unwrap();
    assert_eq!(llama.decode(&context, false).unwrap(), "the");
    assert_eq!(llama.decode(&continuation, false).unwrap(), " \n\napples");
    let eos_only = read(json!({ "tokenizer_config.json": { "eos_token": "<|eot_id|>" } }));
    assert_eq!(eos_only.encode_pair("", "the apples", AddBos::Auto).unwrap().0, [1023]);
    let neither = read(json!({ "tokenizer_config.json": {} }));
    assert!(matches!(neither.encode_pair("", "the apples", AddBos::Auto), Err(LmError::NoPrefixToken)));
}

#[test]
fn a_directory_that_cannot_be_used_says_why() {
    let empty = tempfile::tempdir().unwrap();
    let error = Tokenizer::from_directory(empty.path()).unwrap_err();
    assert!(matches!(&error, LmError::NoTokenizer { folder } if folder == empty.path()), "{error}");
    let start = format!("{}: has no tokenizer.json", empty.path().display());
    assert!(error.to_string().starts_with(&start), "{error}");

    let tokenizer = base("llama-gqa-untied");
    let refuse = |tokenizer: &Value, files: Value| {
        Tokenizer::from_directory(directory(tokenizer, &object(files)).path()).unwrap_err().to_string()
    };
    assert!(refuse(&json!({ "model": {} }), json!({})).contains("tokenizer.json: "));
    for (file, content) in [
        ("tokenizer_config.json", json!([])),
        ("tokenizer_config.json", json!({ "bos_token": 5 })),
        ("tokenizer_config.json", json!({ "added_tokens_decoder": { "x": "y" } })),
        ("tokenizer_config.json", json!({ "added_tokens_decoder": { "3": 4 } })),
        ("special_tokens_map.json", json!({ "eos_token": { "text": "x" } })),
        ("generation_config.json", json!("half a downl")),
        ("config.json", json!("{")),
    ] {
        let error = refuse(&tokenizer, json!({ file: content }));
        assert!(error.contains(&format!("{file}: ")), "{error}");
    }

    // A chat template that is broken matters to those only who need it.
    let folder = directory(&tokenizer, &object(json!({ "tokenizer_config.json": { "chat_template": "{% if %}" } })));
    let tokenizer = Tokenizer::from_directory(folder.path()).unwrap();
    assert!(tokenizer.chat_template().is_none());
    let error = tokenizer.render_chat(&[Message::user("x")], true).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{}: tokenizer_config.json: chat template: ", folder.path().display())),
        "{error}"
    );
}
