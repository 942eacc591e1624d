//! Chat templates of real models render what jinja2 renders, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_lm::{ChatTemplate, LmError, Message};
use serde_json::Value;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where a template of the test vectors lies: judges' own are part of the project's data.
fn template_path(name: &str) -> PathBuf {
    match name.starts_with("chat_") {
        true => here().join("tests/chat-templates").join(format!("{name}.jinja")),
        false => here().join("../../data/judges/templates").join(format!("{name}.jinja")),
    }
}

fn render(source: &str, messages: &[Message], add_generation_prompt: bool) -> Result<String, LmError> {
    ChatTemplate::new(source)?.render(messages, add_generation_prompt, &BTreeMap::new())
}

fn message_of(error: LmError) -> String {
    match error {
        LmError::ChatTemplate { what } => what,
        other => panic!("{other}"),
    }
}

#[test]
fn templates_of_models_render_as_with_jinja2() {
    let text = fs::read_to_string(here().join("tests/chat-templates/rendered.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let (mut rendered_count, mut error_count) = (0, 0);
    for (name, vector) in vectors.as_object().unwrap().iter().filter(|(name, _)| !name.starts_with('_')) {
        let template = ChatTemplate::new(fs::read_to_string(template_path(name)).unwrap()).unwrap();
        let special = ["bos_token", "eos_token"];
        let special = special.map(|key| (key.to_owned(), vector[key].as_str().unwrap().to_owned())).into();
        for (case, expected) in vector["rendered"].as_object().unwrap() {
            let (conversation, prompt) = case.split_once("|add_generation_prompt=").unwrap();
            let messages: Vec<Message> = serde_json::from_value(vectors["_messages"][conversation].clone()).unwrap();
            let rendered = template.render(&messages, prompt == "true", &special);
            match expected.as_str() {
                Some(expected) => {
                    assert_eq!(rendered.unwrap(), expected, "{name}, {case}");
                    rendered_count += 1;
                }
                None => {
                    let message = message_of(rendered.unwrap_err());
                    assert_eq!(message, expected["error"].as_str().unwrap(), "{name}, {case}");
                    error_count += 1;
                }
            }
        }
    }
    assert_eq!((rendered_count, error_count), (64, 8));
}

#[test]
fn a_template_that_raises_says_why_in_its_own_words() {
    let source = "{% for m in messages %}\n{% if m.role == 'tool' %}{{ raise_exception('No <tools> here: ' + m.content) }}\
                  {% endif %}{% endfor %}";
    assert_eq!(render(source, &[Message::user("x")], false).unwrap(), "");
    let error = render(source, &[Message::user("x"), Message::new("tool", "é")], false).unwrap_err();
    assert_eq!(error.to_string(), "chat template: No <tools> here: é");
    // Inside of a macro, too.
    let source = "{% macro stop(why) %}{{ raise_exception(why) }}{% endmacro %}{{ stop('never') }}";
    assert_eq!(message_of(render(source, &[], false).unwrap_err()), "never");
}

#[test]
fn what_jinja_cannot_do_is_named_with_its_line() {
    let error = message_of(ChatTemplate::new("a\n{% if %}").unwrap_err());
    assert!(error.contains("chat_template:2"), "{error}");
    let error = message_of(render("a\n\n{{ messages[0].content + 1 }}", &[Message::user("x")], false).unwrap_err());
    assert!(error.starts_with("line 3: "), "{error}");
    // No file can be read from a template.
    assert!(render("{% include '/etc/hostname' %}", &[], false).is_err());
}

#[test]
fn transformers_functions_and_pythons_methods_are_there() {
    let cases = [
        ("{{ strftime_now('%Y')|length }}", "4"),
        ("{{ messages|tojson }}", r#"[{"role": "user", "content": " <b>é\n\"q\" "}]"#),
        ("{{ messages[0]|tojson(indent=1) }}", "{\n \"role\": \"user\",\n \"content\": \" <b>é\\n\\\"q\\\" \"\n}"),
        ("{{ messages[0]['content'].strip() }}", "<b>é\n\"q\""),
        ("{{ messages[0].content|trim }}", "<b>é\n\"q\""),
        ("{{ messages[0].content.split('\n')[0].upper() }}", " <B>É"),
        ("{{ messages[0].role.startswith('us') }} {{ 'tools' in messages[0] }}", "True False"),
        ("{% for k, v in messages[0].items() %}{{ k }};{% endfor %}", "role;content;"),
        ("{{ messages[0].get('name', 'nobody') }}", "nobody"),
        ("{% if tools is none and documents is none %}x{% endif %}", "x"),
        ("{% if custom is defined %}x{% else %}y{% endif %}", "y"),
        (
            "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "013",
        ),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 5 %}{% endfor %}{{ ns.n }}", "5"),
        ("{% generation %}{{ 1 + 1 }}{% endgeneration %}", "2"),
        ("{{ messages[1:]|length }}{{ messages[-1].role }}{{ messages[::-1][0].role }}", "0useruser"),
        ("{% for m in messages %}{{ loop.index0 }}{{ loop.last }}{% endfor %}", "0True"),
        ("{{ add_generation_prompt }}{{ none }}{{ [1, 'a'] }}", "TrueNone[1, 'a']"),
        // trim_blocks and lstrip_blocks; the last line break of a template is none of its text.
        ("{% if true %}\n  x\n  {% endif %}\ny\n", "  x\ny"),
        ("a\r\nb\r\n", "a\nb"),
    ];
    let messages = [Message::user(" <b>é\n\"q\" ")];
    for (source, expected) in cases {
        assert_eq!(render(source, &messages, true).unwrap_or_else(|error| error.to_string()), expected, "{source}");
    }
}
