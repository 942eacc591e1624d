//! The vocabulary and the chat formats in Hugging Face's files, so that any tool can talk to the small models.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::row::MAX_ROW_TOKENS;
use super::vocabulary::{BOS, EOS, PAD, SPECIALS, Word, vocabulary};

/// `<bos> <usr> QUESTION <bot> ANSWER <eos>`, for any number of turns.
const CHAT_TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}\
    {% if message['role'] == 'user' %}{{ ' <usr> ' + message['content'] }}\
    {% elif message['role'] == 'assistant' %}{{ ' <bot> ' + message['content'] + ' ' + eos_token }}\
    {% else %}{{ raise_exception('only user and assistant can speak, not ' + message['role']) }}{% endif %}\
    {% endfor %}{% if add_generation_prompt %}{{ ' <bot>' }}{% endif %}";

/// `<bos> <guard> QUESTION <bot> ANSWER <guard>`: the guard always speaks next, and judges the question alone if there is
/// no answer.
pub const EXCHANGE_TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}\
    {% if message['role'] == 'user' and loop.first %}{{ ' <guard> ' + message['content'] + ' <bot>' }}\
    {% elif message['role'] == 'assistant' and loop.index0 == 1 %}{{ ' ' + message['content'] }}\
    {% else %}{{ raise_exception('the guard judges one question and its answer') }}{% endif %}\
    {% endfor %}{{ ' <guard>' }}";

/// The tokenizer files of a model that chats, by name: everything a checkpoint folder needs beside the configuration
/// `config.json` and the weights.
pub fn tokenizer_files() -> BTreeMap<String, Vec<u8>> {
    files(CHAT_TEMPLATE)
}

/// The tokenizer files of the guard, whose template renders an exchange to be judged.
pub fn guard_tokenizer_files() -> BTreeMap<String, Vec<u8>> {
    files(EXCHANGE_TEMPLATE)
}

fn files(template: &str) -> BTreeMap<String, Vec<u8>> {
    let files = [
        ("tokenizer.json", tokenizer()),
        ("tokenizer_config.json", tokenizer_config(template)),
        ("special_tokens_map.json", json!({ "bos_token": BOS, "eos_token": EOS, "pad_token": PAD })),
        ("generation_config.json", generation_config()),
    ];
    files.into_iter().map(|(name, value)| (name.to_owned(), format!("{value:#}\n").into_bytes())).collect()
}

/// Whole words separated by whitespace. There is no token for unknown words: they are errors.
fn tokenizer() -> Value {
    let vocab: Map<String, Value> =
        vocabulary().words().iter().zip(0..).map(|(word, id): (_, u32)| ((*word).to_owned(), id.into())).collect();
    let added: Vec<Value> = SPECIALS
        .iter()
        .map(|word| {
            let mut token = added_token(word);
            token.shift_insert(0, "id".to_owned(), vocabulary().id_of_own(word).into());
            token.into()
        })
        .collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "<unk>" },
    })
}

fn added_token(word: Word) -> Map<String, Value> {
    let mut token = Map::new();
    token.insert("content".to_owned(), word.into());
    for flag in ["single_word", "lstrip", "rstrip", "normalized"] {
        token.insert(flag.to_owned(), false.into());
    }
    token.insert("special".to_owned(), true.into());
    token
}

fn tokenizer_config(template: &str) -> Value {
    let decoder: Map<String, Value> = SPECIALS
        .iter()
        .map(|word| (vocabulary().id_of_own(word).to_string(), Value::from(added_token(word))))
        .collect();
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": decoder,
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": false,
        "model_input_names": ["input_ids", "attention_mask"],
        "chat_template": template,
    })
}

/// Greedy answers, long enough for everything that the models learn to say.
fn generation_config() -> Value {
    json!({
        "bos_token_id": vocabulary().id_of_own(BOS),
        "eos_token_id": vocabulary().id_of_own(EOS),
        "pad_token_id": vocabulary().id_of_own(PAD),
        "do_sample": false,
        "max_new_tokens": MAX_ROW_TOKENS,
    })
}

#[cfg(test)]
mod tests;
