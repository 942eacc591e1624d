//! Every token id of the oracle that lm-evaluation-harness and transformers made, from their texts.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_lm::{AddBos, Message, TokenId, Tokenizer};
use serde_json::Value;

fn oracle() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

fn expected(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(oracle().join("expected").join(name)).unwrap()).unwrap()
}

fn tokenizer(model: &str) -> Tokenizer {
    Tokenizer::from_directory(&oracle().join("models").join(model)).unwrap()
}

fn ids(value: &Value) -> Vec<TokenId> {
    serde_json::from_value(value.clone()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn requests_have_the_ids_of_lm_evaluation_harness() {
    let runs = [
        ("llama-gqa-tied", "0shot", AddBos::Auto, 315),
        ("llama-gqa-untied", "0shot", AddBos::Auto, 315),
        ("llama-gqa-untied", "0shot-nobos", AddBos::Never, 295),
        ("llama-gqa-untied", "2shot", AddBos::Auto, 271),
        ("llama-gqa-untied", "0shot-chat", AddBos::Auto, 291),
        ("mistral-swa16", "0shot", AddBos::Auto, 315),
    ];
    for (model, run, add_bos, requests) in runs {
        let tokenizer = tokenizer(model);
        let expected = expected(&format!("{model}.{run}.json"));
        assert_eq!(tokenizer.prefix_token().map(Value::from), Some(expected["prefix_token_id"].clone()));
        assert_eq!(tokenizer.model_max_length().map(Value::from), Some(expected["max_length"].clone()));
        let mut count = 0;
        let samples = expected["samples"].as_object().unwrap().values().flat_map(|samples| samples.as_array().unwrap());
        for request in samples.flat_map(|sample| sample["requests"].as_array().unwrap()) {
            count += 1;
            if let Some(rolling) = request.get("text") {
                assert_eq!(
                    tokenizer.encode(text(rolling), add_bos).unwrap(),
                    ids(&request["ids"]),
                    "{model}.{run}: {request}"
                );
                continue;
            }
            let context = text(&request["context"]);
            match request.get("continuation") {
                Some(continuation) => {
                    let pair = tokenizer.encode_pair(context, text(continuation), add_bos).unwrap();
                    let expected = (ids(&request["context_ids"]), ids(&request["continuation_ids"]));
                    assert_eq!(pair, expected, "{model}.{run}: {request}");
                }
                // Of a prompt too long for the model the last part is left.
                None => {
                    let got = tokenizer.encode(context, add_bos).unwrap();
                    assert!(got.ends_with(&ids(&request["context_ids"])), "{model}.{run}: {request}");
                }
            }
        }
        assert_eq!(count, requests, "{model}.{run}");
    }
}

#[test]
fn generations_have_the_ids_and_texts_of_transformers() {
    for model in ["llama-gqa-untied", "llama3-rope-scaled", "mistral-swa16"] {
        let tokenizer = tokenizer(model);
        let expected = expected(&format!("{model}.generations.json"));
        let generations = expected["generations"].as_array().unwrap();
        assert_eq!(generations.len(), 20);
        for generation in generations {
            let prompt = text(&generation["prompt"]);
            let is_chat = generation["chat"].as_bool().unwrap();
            let prompt = match is_chat {
                true => tokenizer.render_chat(&[Message::user(prompt)], true).unwrap(),
                false => prompt.to_owned(),
            };
            assert_eq!(prompt, text(&generation["text"]));
            // The rendered text begins with BOS, which is not put there twice.
            assert_eq!(
                tokenizer.encode(&prompt, AddBos::Auto).unwrap(),
                ids(&generation["input_ids"]),
                "{model}: {prompt}"
            );
            if is_chat {
                assert_eq!(tokenizer.encode(&prompt, AddBos::Never).unwrap(), ids(&generation["input_ids"]));
            }
            let new_ids = ids(&generation["new_ids"]);
            assert_eq!(tokenizer.decode(&new_ids, true).unwrap(), text(&generation["new_text"]));
            assert_eq!(tokenizer.decode(&new_ids, false).unwrap(), text(&generation["new_text_with_specials"]));
        }
        assert_eq!(tokenizer.bos().map(Value::from), Some(expected["bos_token_id"].clone()));
        assert_eq!(tokenizer.eos().map(Value::from), Some(expected["eos_token_id"].clone()));
        assert_eq!(tokenizer.stop_tokens(), tokenizer.eos().as_slice());

        let chat = &expected["chat_render"];
        let messages: Vec<Message> = serde_json::from_value(chat["messages"].clone()).unwrap();
        assert_eq!(messages.len(), 3);
        assert_eq!(tokenizer.render_chat(&messages, false).unwrap(), text(&chat["without"]));
        let rendered = tokenizer.render_chat(&messages, true).unwrap();
        assert_eq!(rendered, text(&chat["with_generation_prompt"]));
        for add_bos in [AddBos::Auto, AddBos::Never] {
            let got = tokenizer.encode(&rendered, add_bos).unwrap();
            assert_eq!(got, ids(&chat["ids_with_generation_prompt"]), "{model}");
        }
    }
}

#[test]
fn losses_are_of_the_ids_that_lm_cocktail_sees() {
    let expected = expected("response-loss.json");
    let samples = expected["samples"].as_array().unwrap();
    for model in ["llama-gqa-untied", "llama3-rope-scaled", "mistral-swa16"] {
        let tokenizer = tokenizer(model);
        let per_sample = expected[model]["lm_cocktail_per_sample"].as_array().unwrap();
        assert_eq!(per_sample.len(), samples.len());
        for (sample, expected) in samples.iter().zip(per_sample) {
            let (prompt, response) = (text(&sample["prompt"]), text(&sample["response"]));
            let mut got = tokenizer.encode(&format!("{prompt} {response}"), AddBos::Auto).unwrap();
            got.extend(tokenizer.eos());
            assert_eq!(got, ids(&expected["input_ids"]), "{model}: {prompt}");
            let masked = tokenizer.encode(prompt, AddBos::Auto).unwrap().len();
            assert_eq!(got.len() - masked, expected["scored_tokens"].as_u64().unwrap() as usize);
        }
    }
}

#[test]
fn both_ways_to_store_a_model_give_one_tokenizer() {
    let texts = ["How many apples? 12345\n", "<|begin_of_text|>café 日本", ""];
    let whole = tokenizer("llama-gqa-untied");
    for other in ["llama-gqa-untied-sharded", "llama-gqa-untied-bf16", "llama3-rope-scaled"] {
        let other = tokenizer(other);
        for text in texts {
            assert_eq!(other.encode(text, AddBos::Auto).unwrap(), whole.encode(text, AddBos::Auto).unwrap());
        }
    }
}
