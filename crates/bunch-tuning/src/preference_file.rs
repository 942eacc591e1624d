//! Preferences as text: one pair of conversations a line.

use std::path::{Path, PathBuf};

use bunch_lm::Message;
use serde_json::{Map, Value};

use crate::TuningError;
use crate::conversation::{field, kind, object, some_turns, system, turns};

/// Two conversations that differ in their last turn, the assistant's, at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferencePair {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The prompt's turns and the better response.
    pub chosen: Vec<Message>,
    /// The prompt's turns and the worse response.
    pub rejected: Vec<Message>,
}

/// The pairs of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceFile {
    /// Where they come from.
    pub path: PathBuf,
    /// In the order of the lines.
    pub pairs: Vec<PreferencePair>,
}

impl PreferenceFile {
    /// Reads JSON lines in TRL's forms: `{"prompt": .., "chosen": .., "rejected": ..}`, each a text or a list of messages `{"role":
    /// .., "content": ..}`, with a `system` text next to a prompt if wanted. `chosen` and `rejected` as lists are the response
    /// alone, or the prompt's messages too, and then there need be no `prompt`. Other fields are left alone; empty lines
    /// are skipped.
    ///
    /// # Errors
    /// A file that cannot be read or has no pair; a line that is none, with the line and the field.
    pub fn read(path: &Path) -> Result<Self, TuningError> {
        let text = std::fs::read_to_string(path).map_err(|source| TuningError::Io { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// [`read`](Self::read) for lines in memory, as if they stood in `path`.
    ///
    /// # Errors
    /// As `read`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, TuningError> {
        let mut pairs = Vec::new();
        for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let line = index + 1;
            let pair = pair(text).map_err(|what| TuningError::Line { path: path.into(), line, what })?;
            pairs.push(PreferencePair { line, chosen: pair.0, rejected: pair.1 });
        }
        if pairs.is_empty() {
            return Err(TuningError::Line { path: path.into(), line: 1, what: "the file has no pair".into() });
        }
        Ok(Self { path: path.into(), pairs })
    }
}

/// Chosen and rejected conversation of a line.
fn pair(line: &str) -> Result<(Vec<Message>, Vec<Message>), String> {
    let fields = object(line)?;
    let prompt = prompt(&fields)?;
    let [chosen, rejected] = ["chosen", "rejected"].map(|name| conversation(prompt.as_deref(), name, &fields));
    let (chosen, rejected) = (chosen?, rejected?);
    if chosen[..chosen.len() - 1] != rejected[..rejected.len() - 1] {
        return Err("`chosen` and `rejected` answer different prompts".into());
    }
    Ok((chosen, rejected))
}

/// The prompt's turns, where it stands by itself.
fn prompt(fields: &Map<String, Value>) -> Result<Option<Vec<Message>>, String> {
    let system = system(fields)?;
    let turns = match (fields.get("prompt"), &system) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err("has `system` but no `prompt`".into()),
        (Some(value @ Value::Array(_)), _) => some_turns("prompt", value)?,
        (Some(_), _) => vec![Message::user(field(fields, "prompt")?)],
    };
    match turns.is_empty() {
        true => Err("`prompt` is empty".into()),
        false => Ok(Some(system.into_iter().chain(turns).collect())),
    }
}

/// The prompt with the response `name`.
fn conversation(prompt: Option<&[Message]>, name: &str, fields: &Map<String, Value>) -> Result<Vec<Message>, String> {
    let conversation = match (fields.get(name), prompt) {
        (None, _) => return Err(format!("`{name}` is missing")),
        (Some(Value::String(_)), None) => return Err("`prompt` is missing".into()),
        (Some(Value::String(text)), Some(prompt)) => [prompt, &[Message::assistant(text.clone())]].concat(),
        (Some(value @ Value::Array(_)), prompt) => {
            let turns = turns(name, value)?;
            match prompt {
                Some(prompt) if turns.len() == 1 => [prompt, &turns].concat(),
                Some(prompt) if turns[..turns.len() - 1] != *prompt => {
                    return Err(format!("`{name}` is neither one response nor `prompt` with a response"));
                }
                None if turns.len() == 1 => return Err("`prompt` is missing".into()),
                _ => turns,
            }
        }
        (Some(other), _) => return Err(format!("`{name}` is {}, expected a text or a list", kind(other))),
    };
    match conversation.last() {
        Some(response) if response.content.is_empty() => {
            Err(format!("`{name}` is empty, so that nothing but the end would be learned"))
        }
        _ => Ok(conversation),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bunch_lm::Message;
    use serde_json::{Value, json};

    use super::{PreferenceFile, PreferencePair};

    fn parse(line: &Value) -> Result<PreferencePair, String> {
        let file = PreferenceFile::parse(Path::new("pairs.jsonl"), &format!("\n{line}\n"));
        file.map(|mut file| file.pairs.remove(0)).map_err(|error| error.to_string())
    }

    fn turn(role: &str, content: &str) -> Value {
        json!({ "role": role, "content": content })
    }

    #[test]
    fn all_forms_are_one_pair() {
        let (user, good, bad) = (turn("user", "Q"), turn("assistant", "A"), turn("assistant", "B"));
        let side = |text: &str| vec![Message::user("Q"), Message::assistant(text)];
        let expected = PreferencePair { line: 2, chosen: side("A"), rejected: side("B") };
        for line in [
            json!({ "id": 3, "prompt": "Q", "chosen": "A", "rejected": "B" }),
            json!({ "prompt": [user], "chosen": [good], "rejected": "B" }),
            json!({ "prompt": "Q", "chosen": [user, good], "rejected": [user, bad] }),
            json!({ "chosen": [user, good], "rejected": [user, bad] }),
        ] {
            assert_eq!(parse(&line).as_ref(), Ok(&expected), "{line}");
        }
        let with_system = parse(&json!({ "system": "S", "prompt": "Q", "chosen": "A", "rejected": "B" })).unwrap();
        assert_eq!(with_system.rejected, [vec![Message::system("S")], side("B")].concat());
    }

    #[test]
    fn what_is_no_pair_is_refused_by_line_and_field() {
        let (user, good) = (turn("user", "Q"), turn("assistant", "A"));
        for (line, what) in [
            (json!({ "prompt": "Q", "chosen": "A" }), "`rejected` is missing"),
            (json!({ "chosen": "A", "rejected": "B" }), "`prompt` is missing"),
            (json!({ "chosen": [good], "rejected": [good] }), "`prompt` is missing"),
            (json!({ "prompt": [], "chosen": "A", "rejected": "B" }), "`prompt` is empty"),
            (
                json!({ "system": "S", "chosen": [user, good], "rejected": [user, good] }),
                "has `system` but no `prompt`",
            ),
            (json!({ "prompt": "Q", "chosen": "", "rejected": "B" }), "`chosen` is empty"),
            (json!({ "prompt": "Q", "chosen": 7, "rejected": "B" }), "`chosen` is a number"),
            (json!({ "prompt": "Q", "chosen": [user], "rejected": "B" }), "`chosen` ends with the role `user`"),
            (json!({ "prompt": "P", "chosen": [user, good], "rejected": "B" }), "`chosen` is neither one response"),
            (
                json!({ "chosen": [user, good], "rejected": [turn("user", "P"), good] }),
                "`chosen` and `rejected` answer different prompts",
            ),
        ] {
            let error = parse(&line).unwrap_err();
            assert!(error.starts_with(&format!("pairs.jsonl, line 2: {what}")), "{error}");
        }
        let empty = PreferenceFile::parse(Path::new("pairs.jsonl"), "\n").unwrap_err().to_string();
        assert_eq!(empty, "pairs.jsonl, line 1: the file has no pair");
    }
}
