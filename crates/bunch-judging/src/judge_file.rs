//! Judge files: how a model is asked and read, or which words decide without one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use bunch_lm::{AddBos, LanguageModel, Tokenizer};

use crate::builtin::{self, JUDGES, TEMPLATES};
use crate::judge_prompt::{JudgePrompt, PromptDefinition};
use crate::model_judge::{Asking, ModelJudge, ReplyReading, VerdictWords};
use crate::verdict::VerdictRule;
use crate::word_rule::{RuleDefinition, WordRule};
use crate::{Exchange, JudgingError, RefusalList, definition};

/// What a judge is called in messages.
const KIND: &str = "judge";

/// A judge as its file describes it. If it asks a model, any checkpoint can be asked.
#[derive(Debug, Clone)]
pub struct JudgeFile {
    /// Its file's name without the ending.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// The checkpoint that it was made for, as the Hugging Face hub names it; none for a rule of words.
    pub model: Option<String>,
    /// Where its protocol comes from.
    pub source: String,
    /// The harms that it distinguishes, by code.
    pub categories: BTreeMap<String, String>,
    /// Its file's text and that of the files it names, one after the other: what its verdicts follow from besides the model.
    pub definition: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Model(Protocol),
    Rule(WordRule),
}

/// How a model is asked and read; it has a rule for the reply, or words to score, or both.
#[derive(Debug, Clone)]
struct Protocol {
    prompt: JudgePrompt,
    reply: Option<ReplyReading>,
    score: Option<Score>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    title: String,
    source: String,
    model: Option<String>,
    prompt: Option<PromptDefinition>,
    verdict: Option<VerdictRule>,
    score: Option<Score>,
    #[serde(default)]
    categories: BTreeMap<String, String>,
    rule: Option<RuleDefinition>,
}

/// Where P(unsafe) is measured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Score {
    /// What the judge writes before its verdict.
    after: String,
    /// The word for safe.
    safe: String,
    /// The word for unsafe.
    r#unsafe: String,
}

impl JudgeFile {
    /// The names of the builtin judges, in order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        builtin::names(JUDGES)
    }

    /// The builtin judge `name`.
    ///
    /// # Errors
    /// No judge of that name; the message names those there are.
    pub fn builtin(name: &str) -> Result<Self, JudgingError> {
        let template = |path: &str| {
            let file = path.strip_prefix("templates/").unwrap_or(path);
            builtin::text("template", TEMPLATES, file).map(str::to_owned)
        };
        Self::parse(name, builtin::text(KIND, JUDGES, name)?, name, template)
    }

    /// A judge of the user's, in a TOML file like those of `data/judges`; its name is the file's, and the files that it names
    /// lie where it says, seen from its folder.
    ///
    /// # Errors
    /// A file or template that cannot be read or used.
    pub fn load(path: &Path) -> Result<Self, JudgingError> {
        let text = std::fs::read_to_string(path).map_err(JudgingError::io(path))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let file = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(JudgingError::io(&path))
        };
        Self::parse(&definition::stem(path), &text, &path.display().to_string(), file)
    }

    /// The judge `NAME.toml` of files that are in memory, by name; those that it names are among them.
    ///
    /// # Errors
    /// A file that is not there or cannot be used.
    pub fn from_files(name: &str, files: &BTreeMap<String, String>) -> Result<Self, JudgingError> {
        let known = || files.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let read = |file: &str| {
            let text = files.get(file).cloned();
            text.ok_or_else(|| JudgingError::definition(file, format!("expected one of the files {}", known())))
        };
        let file = format!("{name}.toml");
        Self::parse(name, &read(&file)?, &file, read)
    }

    /// The builtin judge `name`, or the judge in the file of that path if it ends in `.toml`.
    ///
    /// # Errors
    /// As [`Self::builtin`] and [`Self::load`].
    pub fn find(name: &str) -> Result<Self, JudgingError> {
        if definition::is_file(name) { Self::load(Path::new(name)) } else { Self::builtin(name) }
    }

    /// The judge in `text`; `read` gives the files that it names.
    fn parse(
        name: &str,
        text: &str,
        file: &str,
        read: impl Fn(&str) -> Result<String, JudgingError>,
    ) -> Result<Self, JudgingError> {
        let Definition { title, source, model, prompt, verdict, score, categories, rule } =
            toml::from_str(text).map_err(|error| JudgingError::definition(file, error))?;
        let fault = |reason: &str| Err(JudgingError::definition(file, reason));
        let definition = RefCell::new(text.to_owned());
        let read = |name: &str| {
            let text = read(name)?;
            definition.borrow_mut().push_str(&text);
            Ok(text)
        };
        let kind = match (prompt, rule) {
            (Some(prompt), None) => {
                if model.is_none() {
                    return fault("model: expected the checkpoint that the judge was made for, got none");
                }
                let codes = categories.keys().cloned().collect();
                let reply = match (verdict, prompt.max_new_tokens) {
                    (Some(rule), Some(max_new_tokens)) => {
                        if let Some(reason) = rule.fault() {
                            return fault(reason);
                        }
                        Some(ReplyReading { rule, max_new_tokens, categories: codes })
                    }
                    (Some(_), None) => {
                        return fault("prompt: max_new_tokens: expected with a table [verdict], got none");
                    }
                    (None, _) if score.is_none() => return fault("expected a table [verdict] or [score], got neither"),
                    (None, _) => None,
                };
                if score.as_ref().is_some_and(|score| score.safe.is_empty() || score.r#unsafe.is_empty()) {
                    return fault("score: expected a word for safe and one for unsafe, got an empty one");
                }
                Kind::Model(Protocol { prompt: JudgePrompt::new(prompt, file, read)?, reply, score })
            }
            (None, Some(rule)) => {
                if model.is_some() || verdict.is_some() || score.is_some() || !categories.is_empty() {
                    return fault(
                        "a judge with a table [rule] asks no model: expected no model, verdict, score or categories",
                    );
                }
                let list = |name: &str| match definition::is_file(name) {
                    true => RefusalList::parse(&definition::stem(Path::new(name)), &read(name)?, name),
                    false => RefusalList::builtin(name),
                };
                Kind::Rule(WordRule::new(rule, file, list)?)
            }
            _ => {
                return fault(
                    "expected a table [prompt], for a judge that asks a model, or [rule], got both or neither",
                );
            }
        };
        let definition = definition.into_inner();
        Ok(Self { name: name.to_owned(), title, model, source, categories, definition, kind })
    }

    /// The rule of a judge that asks no model.
    pub fn rule(&self) -> Option<&WordRule> {
        match &self.kind {
            Kind::Rule(rule) => Some(rule),
            Kind::Model(_) => None,
        }
    }

    /// The text that puts an exchange to the judge's model; `None` for a rule of words, which asks none.
    ///
    /// # Errors
    /// A template that refuses the exchange, or a model without the chat template that the judge relies on.
    pub fn render(&self, exchange: &Exchange, tokenizer: &Tokenizer) -> Result<Option<String>, JudgingError> {
        match &self.kind {
            Kind::Model(Protocol { prompt, .. }) => prompt.text(1, exchange, tokenizer).map(Some),
            Kind::Rule(_) => Ok(None),
        }
    }

    /// The judge with its model and the model's tokenizer. With `probability` it also measures P(unsafe), which takes a second
    /// pass of the model where a reply is read.
    ///
    /// # Errors
    /// A judge that asks no model, or that has no words to measure P(unsafe) by.
    pub fn with_model<'a>(
        &'a self,
        model: &'a dyn LanguageModel,
        tokenizer: &'a Tokenizer,
        probability: bool,
    ) -> Result<ModelJudge<'a>, JudgingError> {
        let Kind::Model(Protocol { prompt, reply, score }) = &self.kind else {
            return Err(JudgingError::definition(&self.name, "is a rule of words and asks no model"));
        };
        let words = match score {
            None if probability => {
                let reason = "expected a table [score] to measure P(unsafe), got none";
                return Err(JudgingError::definition(&self.name, reason));
            }
            Some(score) if probability || reply.is_none() => Some(VerdictWords {
                after: score.after.clone(),
                safe: tokenizer.encode(&score.safe, AddBos::Never)?,
                r#unsafe: tokenizer.encode(&score.r#unsafe, AddBos::Never)?,
            }),
            _ => None,
        };
        Ok(ModelJudge::new(model, Asking { judge: &self.name, prompt, tokenizer }, reply.clone(), words))
    }
}

#[cfg(test)]
mod tests;
