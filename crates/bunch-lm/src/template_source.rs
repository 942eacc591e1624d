//! Where a model directory keeps its chat template.

use serde_json::{Map, Value};

use crate::json_file::ModelFolder;
use crate::{ChatTemplate, LmError};

/// A model's chat template, or why it has none that can be used. Text is scored without one, so a template that is broken
/// is an error only for those who need it.
pub(crate) type FoundTemplate = Result<ChatTemplate, String>;

/// The chat template of a model directory: `chat_template.jinja`, else `additional_chat_templates/default.jinja`, else
/// `chat_template` of `tokenizer_config.json`, else `chat_template.json`, which older processors wrote.
///
/// The order is that of transformers 5 (`PreTrainedTokenizerBase._from_pretrained`).
pub(crate) fn find_template(
    files: ModelFolder<'_>,
    tokenizer_config: Option<&Map<String, Value>>,
) -> Result<FoundTemplate, LmError> {
    for file in ["chat_template.jinja", "additional_chat_templates/default.jinja"] {
        if let Some(source) = files.text(file)? {
            return Ok(parsed(file, &source));
        }
    }
    if let Some(value) =
        tokenizer_config.and_then(|config| config.get("chat_template")).filter(|value| !value.is_null())
    {
        return Ok(chosen("tokenizer_config.json", value));
    }
    let file = "chat_template.json";
    let legacy = files.object(file)?;
    Ok(template_in(file, legacy.as_ref().and_then(|object| object.get("chat_template"))))
}

/// The chat template in `value`, which `file` holds, if it does.
pub(crate) fn template_in(file: &str, value: Option<&Value>) -> FoundTemplate {
    match value {
        Some(value) => chosen(file, value),
        None => Err("the model has no chat template".into()),
    }
}

/// A template, or the one called `default` among several: `[{"name": .., "template": ..}]` or `{name: template}`.
fn chosen(file: &str, value: &Value) -> FoundTemplate {
    let default = match value {
        Value::String(source) => Some(source.as_str()),
        Value::Array(named) => {
            let is_default = |entry: &&Value| entry.get("name").and_then(Value::as_str) == Some("default");
            named.iter().find(is_default).and_then(|entry| entry.get("template")).and_then(Value::as_str)
        }
        Value::Object(named) => named.get("default").and_then(Value::as_str),
        _ => return Err(format!("{file}: chat_template is neither a text nor a list of named ones")),
    };
    match default {
        Some(source) => parsed(file, source),
        None => Err(format!("{file}: has several chat templates, but none is called `default`")),
    }
}

fn parsed(file: &str, source: &str) -> FoundTemplate {
    ChatTemplate::new(source).map_err(|error| format!("{file}: {error}"))
}
