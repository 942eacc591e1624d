//! The chat template: a conversation becomes one text, as transformers renders it.

use std::collections::BTreeMap;
use std::error::Error as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

use crate::date::Date;
use crate::generation_block::without_generation_blocks;
use crate::json_text::tojson;
use crate::{LmError, Message, whitespace};

/// The only template of an environment.
const NAME: &str = "chat_template";

/// A model's chat template, a Jinja program, in the environment that transformers gives it.
///
/// That is: `trim_blocks` and `lstrip_blocks`, `break` and `continue`, `{% generation %}` blocks, `raise_exception`,
/// `strftime_now`, a `tojson` without HTML escaping, the methods of Python's strings, lists and dictionaries, and no
/// automatic escaping. A template cannot reach files, the network or the process.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
}

impl ChatTemplate {
    /// Reads a template's source.
    ///
    /// # Errors
    /// A source that is no Jinja; the message names the line.
    pub fn new(source: impl Into<String>) -> Result<Self, LmError> {
        let source = source.into();
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| LmError::ChatTemplate { what: error.to_string() })?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(python_method);
        environment.add_filter("tojson", tojson);
        environment.add_filter("trim", trim);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message.clone()).with_source(Raised(message)))
        });
        environment.add_function("strftime_now", |pattern: String| Date::now().format(&pattern));
        // Jinja reads every line ending as \n, even inside of string literals.
        let lines = source.replace("\r\n", "\n").replace('\r', "\n");
        environment
            .add_template_owned(NAME, without_generation_blocks(&lines))
            .map_err(|error| LmError::ChatTemplate { what: error.to_string() })?;
        Ok(Self { environment, source })
    }

    /// The template as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text of a conversation. `special_tokens` are the tokenizer's named ones (`bos_token`, `eos_token`, ..), which
    /// templates refer to by name; `add_generation_prompt` opens the assistant's next turn where the template knows it.
    ///
    /// # Errors
    /// A conversation that the template refuses, with the message that it gives to `raise_exception`, or an expression
    /// that Jinja cannot compute.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
        special_tokens: &BTreeMap<String, String>,
    ) -> Result<String, LmError> {
        let pair = |message: &Message| {
            Value::from_pairs([("role", message.role.as_str()), ("content", message.content.as_str())])
        };
        let fixed = [
            ("messages", messages.iter().map(pair).collect()),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
        ];
        let named = special_tokens.iter().map(|(name, token)| (name.as_str(), Value::from(token.as_str())));
        let rendered = self.environment.get_template(NAME);
        let rendered = rendered.and_then(|template| template.render(Value::from_pairs(named.chain(fixed))));
        rendered.map_err(|error| LmError::ChatTemplate { what: described(&error) })
    }
}

/// What a template said when it called `raise_exception`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

/// The template's own words where it raised an exception, else the engine's, with the line.
fn described(error: &Error) -> String {
    let mut cause = error.source();
    while let Some(source) = cause {
        if let Some(Raised(message)) = source.downcast_ref() {
            return message.clone();
        }
        cause = source.source();
    }
    match (error.detail(), error.line()) {
        (Some(detail), Some(line)) => format!("line {line}: {}: {detail}", error.kind()),
        _ => error.to_string(),
    }
}

/// `trim` of Jinja, which strips what Python's `str.strip` does.
fn trim(value: &Value, characters: Option<String>) -> String {
    let text = value.to_string();
    match characters {
        Some(characters) => text.trim_matches(&*characters.chars().collect::<Vec<_>>()).to_owned(),
        None => whitespace::strip(&text).to_owned(),
    }
}

/// Methods of Python's types. Those that strip whitespace follow Python's notion of it.
fn python_method(state: &mut State, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match (value.as_str(), method, arguments) {
        (Some(text), "strip", []) => Ok(whitespace::strip(text).into()),
        (Some(text), "lstrip", []) => Ok(whitespace::strip_start(text).into()),
        (Some(text), "rstrip", []) => Ok(whitespace::strip_end(text).into()),
        _ => unknown_method_callback(state, value, method, arguments),
    }
}
