//! Choosing, writing and finding chat templates, and what the built-in ones make.

use minijinja::{Environment, context};
use serde_json::json;

use super::*;

const TEXT: &str = "{% for message in messages %}{{ message }}{% endfor %}";

fn own(templates: &[&str]) -> Vec<Option<String>> {
    templates.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
}

fn files(entries: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    entries.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

#[test]
fn auto_takes_the_most_frequent_template() {
    let choose = |templates: &[&str]| choose_chat_template("auto", &own(templates)).unwrap();
    assert_eq!(choose(&["x", "y", "y"]).as_deref(), Some("y"));
    assert_eq!(choose(&["x", "y\n", " y"]).as_deref(), Some("y"));
    assert_eq!(choose(&["", " ", ""]), None);
    assert_eq!(choose(&[]), None);
}

#[test]
fn auto_takes_the_first_of_equally_frequent_ones() {
    let choose = |templates: &[&str]| choose_chat_template("auto", &own(templates)).unwrap();
    assert_eq!(choose(&["", "z", "a"]).as_deref(), Some("z"));
    assert_eq!(choose(&["once", "z", "a", "a", "z"]).as_deref(), Some("z"));
}

#[test]
fn names_and_texts_are_taken_whatever_the_models_have() {
    assert_eq!(choose_chat_template(TEXT, &own(&["x"])).unwrap().as_deref(), Some(TEXT));
    let chatml = choose_chat_template("chatml", &own(&["x"])).unwrap().unwrap();
    assert!(chatml.contains("<|im_start|>"));
}

#[test]
fn other_settings_are_errors() {
    for setting in ["", "chat-ml", "{{ short }}", "a long text without any braces at all", "Auto"] {
        let message = choose_chat_template(setting, &[]).unwrap_err().to_string();
        let names = "auto, alpaca, chatml, exaone, llama3, mistral";
        assert_eq!(message, format!("chat_template: {setting:?} is neither Jinja text nor one of {names}"));
    }
}

#[test]
fn the_file_wins_over_the_configuration() {
    let config = (TOKENIZER_CONFIG, r#"{"chat_template": "in the configuration"}"#);
    assert_eq!(chat_template_of(&files(&[config])).as_deref(), Some("in the configuration"));
    let both = files(&[config, (TEMPLATE_FILE, "in the file")]);
    assert_eq!(chat_template_of(&both).as_deref(), Some("in the file"));
    let named = r#"{"chat_template": [{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}]}"#;
    assert_eq!(chat_template_of(&files(&[(TOKENIZER_CONFIG, named)])).as_deref(), Some("d"));
    assert_eq!(chat_template_of(&files(&[(TOKENIZER_CONFIG, "{}")])), None);
    assert_eq!(chat_template_of(&files(&[])), None);
}

#[test]
fn a_template_that_is_set_is_found() {
    for old in [
        files(&[]),
        files(&[(TOKENIZER_CONFIG, r#"{"z": 1, "chat_template": "old", "a": 2}"#)]),
        files(&[(TOKENIZER_CONFIG, "{}"), (TEMPLATE_FILE, "old"), (PROCESSOR_FILE, r#"{"chat_template": "old"}"#)]),
    ] {
        let mut new = old.clone();
        set_chat_template(&mut new, TEXT).unwrap();
        assert_eq!(chat_template_of(&new).as_deref(), Some(TEXT));
        assert_eq!(object(&new, TOKENIZER_CONFIG).unwrap()[KEY], json!(TEXT));
        assert!(!new.values().any(|bytes| String::from_utf8_lossy(bytes).contains("old")));
        let names: Vec<&String> = new.keys().filter(|name| *name != TOKENIZER_CONFIG).collect();
        assert_eq!(names, old.keys().filter(|name| *name != TOKENIZER_CONFIG).collect::<Vec<_>>());
    }
}

#[test]
fn a_broken_configuration_is_an_error_and_nothing_changes() {
    let old = files(&[(TOKENIZER_CONFIG, "{}"), (PROCESSOR_FILE, "[]")]);
    let mut new = old.clone();
    let message = set_chat_template(&mut new, TEXT).unwrap_err().to_string();
    assert!(message.starts_with("chat_template.json: invalid type"), "{message}");
    assert_eq!(new, old);
}

/// A conversation with a system message, in a built-in template with and without the prompt for an answer.
fn rendered(name: &str) -> (String, String) {
    let ChatTemplate::Text(text) = ChatTemplate::new(name).unwrap() else { panic!("{name} is built in") };
    let mut environment = Environment::new();
    environment.add_template(name, &text).unwrap();
    let message = |role: &str, content: &str| context! { role, content };
    let messages =
        [message("system", "Be kind."), message("user", "Hi"), message("assistant", "Hello"), message("user", "Bye")];
    let render = |add_generation_prompt: bool| {
        let template = environment.get_template(name).unwrap();
        template
            .render(context! { messages => &messages, add_generation_prompt, bos_token => "<s>", eos_token => "</s>" })
            .unwrap()
    };
    (render(false), render(true))
}

#[test]
fn built_in_templates_make_their_published_formats() {
    let formats = [
        (
            "chatml",
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
             <|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n",
            "<|im_start|>assistant\n",
        ),
        (
            "llama3",
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>",
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        ("mistral", "<s>[INST] Be kind.\n\nHi [/INST] Hello</s>[INST] Bye [/INST]", ""),
        (
            "alpaca",
            "Be kind.\n\n### Instruction:\nHi\n\n### Response:\nHello</s>\n\n### Instruction:\nBye\n\n",
            "### Response:\n",
        ),
        (
            "exaone",
            "[|system|]Be kind.[|endofturn|]\n[|user|]Hi\n[|assistant|]Hello[|endofturn|]\n[|user|]Bye\n",
            "[|assistant|]",
        ),
    ];
    assert_eq!(formats.len(), BUILT_IN.len());
    for (name, want, prompt) in formats {
        let (without, with) = rendered(name);
        assert_eq!(without, want, "{name}");
        assert_eq!(with, format!("{want}{prompt}"), "{name}");
    }
}
