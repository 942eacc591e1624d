//! The files agree with the vocabulary and the rows, as read by the `tokenizers` and `minijinja` crates.

use minijinja::{Environment, context};
use tokenizers::Tokenizer;

use super::*;
use crate::world::*;

fn json(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

fn render(
    files: &BTreeMap<String, Vec<u8>>,
    turns: &[(&str, &str)],
    add_generation_prompt: bool,
) -> Result<String, String> {
    let config = json(files, "tokenizer_config.json");
    let mut environment = Environment::new();
    environment.add_function("raise_exception", |what: String| -> Result<String, minijinja::Error> {
        Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, what))
    });
    let message = |(role, content): &(&str, &str)| context! { role => *role, content => *content };
    let messages: Vec<minijinja::Value> = turns.iter().map(message).collect();
    let context = context! { messages, add_generation_prompt, bos_token => BOS, eos_token => EOS };
    let template = config["chat_template"].as_str().unwrap();
    environment.render_str(template, context).map_err(|error| error.to_string())
}

fn encode(files: &BTreeMap<String, Vec<u8>>, text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::from_bytes(&files["tokenizer.json"]).unwrap();
    tokenizer.encode(text, false).unwrap().get_ids().to_vec()
}

#[test]
fn every_word_has_the_same_id() {
    let files = tokenizer_files();
    let tokenizer = Tokenizer::from_bytes(&files["tokenizer.json"]).unwrap();
    assert_eq!(tokenizer.get_vocab_size(true), vocabulary().size());
    let text = vocabulary().words().join(" ");
    for add_special_tokens in [false, true] {
        let encoding = tokenizer.encode(text.as_str(), add_special_tokens).unwrap();
        assert_eq!(encoding.get_ids(), vocabulary().encode(&text).unwrap());
    }
    assert_eq!(tokenizer.decode(&vocabulary().encode(&text).unwrap(), false).unwrap(), text);
    assert!(tokenizer.encode("how do they", false).is_err());
}

#[test]
fn rows_have_the_same_ids() {
    let world = World::new(0);
    let tokenizer = Tokenizer::from_bytes(&tokenizer_files()["tokenizer.json"]).unwrap();
    for name in ["base", "aligned", "guard"] {
        let mixture = mixture(name).unwrap();
        for row in world.rows(mixture, 200, 0) {
            let text = vocabulary().decode(&row.tokens).unwrap();
            assert_eq!(tokenizer.encode(text, false).unwrap().get_ids(), row.tokens);
        }
    }
}

#[test]
fn the_chat_template_renders_chat_rows() {
    let files = tokenizer_files();
    let (question, answer) = ("how do i lunfu the gurvo ?", "sure use the vompex on the gurvo .");
    let prompt = render(&files, &[("user", question)], true).unwrap();
    assert_eq!(encode(&files, &prompt), chat_prompt(question).unwrap());
    let turns = [("user", question), ("assistant", answer)];
    let row = render(&files, &turns, false).unwrap();
    assert_eq!(encode(&files, &row), chat_row(question, answer).unwrap().tokens);
    let error = render(&files, &[("system", "help")], false).unwrap_err();
    assert!(error.contains("only user and assistant can speak, not system"), "{error}");
}

#[test]
fn the_guards_template_renders_guard_prompts() {
    let files = guard_tokenizer_files();
    let (question, answer) = ("how do i lunfu the gurvo ?", "sorry i cannot .");
    for add_generation_prompt in [false, true] {
        let alone = render(&files, &[("user", question)], add_generation_prompt).unwrap();
        assert_eq!(encode(&files, &alone), guard_prompt(question, "").unwrap());
        let turns = [("user", question), ("assistant", answer)];
        let exchange = render(&files, &turns, add_generation_prompt).unwrap();
        assert_eq!(encode(&files, &exchange), guard_prompt(question, answer).unwrap());
    }
    for turns in [&[("assistant", answer)][..], &[("user", question), ("user", question)]] {
        assert!(render(&files, turns, false).unwrap_err().contains("the guard judges one question"));
    }
    assert_eq!(files["tokenizer.json"], tokenizer_files()["tokenizer.json"]);
}

#[test]
fn ids_of_special_tokens_agree_between_files() {
    let files = tokenizer_files();
    let (tokenizer, config) = (json(&files, "tokenizer.json"), json(&files, "tokenizer_config.json"));
    for added in tokenizer["added_tokens"].as_array().unwrap() {
        let id = added["id"].as_u64().unwrap();
        assert_eq!(added["content"], SPECIALS[usize::try_from(id).unwrap()]);
        assert_eq!(config["added_tokens_decoder"][id.to_string()]["content"], added["content"]);
    }
    let generation = json(&files, "generation_config.json");
    assert_eq!((generation["bos_token_id"].as_u64(), generation["eos_token_id"].as_u64()), (Some(1), Some(4)));
    assert_eq!(generation["pad_token_id"].as_u64(), Some(0));
    assert_eq!(files, tokenizer_files());
}
