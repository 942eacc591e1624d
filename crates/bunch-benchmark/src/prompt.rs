//! The prompt of a document: description, few-shot examples and question, as plain text or by the chat template.

mod shots;

use bunch_lm::{LmError, Message, Tokenizer};
use serde_json::Value;

use crate::output_type::OutputType;
use crate::python;
use crate::task::Question;
use crate::template::Templates;
use crate::{BenchmarkError, Doc, Options, Task};
pub(crate) use shots::Shots;

/// A part of a prompt.
#[derive(Debug, Clone)]
struct Turn {
    role: &'static str,
    content: String,
    /// Text after the content where turns are joined.
    delimiter: String,
}

/// Writes the prompts of one task.
pub(crate) struct Prompter<'run> {
    task: &'run Task,
    templates: &'run Templates,
    tokenizer: &'run Tokenizer,
    options: &'run Options,
    shots: Shots<'run>,
    /// Whether the choices are contexts, as the first document shows.
    choices_are_contexts: bool,
    /// Whether the chat template refused a system message.
    pub system_dropped: bool,
}

/// What is asked about one document.
#[derive(Debug, Clone)]
pub(crate) struct Prompt {
    /// One context, or one for each choice where the choices are contexts.
    pub contexts: Vec<String>,
    /// The choices; none where the task has none.
    pub choices: Option<Vec<String>>,
    /// The answer.
    pub target: Value,
    /// The right context's index where the choices are contexts.
    pub right_context: Option<i64>,
}

/// Why a document has no prompt.
#[derive(Debug)]
pub(crate) enum PromptError {
    /// The document does not fit the task.
    Doc(String),
    /// The tokenizer or its chat template refuses.
    Text(LmError),
}

impl From<String> for PromptError {
    fn from(reason: String) -> Self {
        Self::Doc(reason)
    }
}

impl From<LmError> for PromptError {
    fn from(error: LmError) -> Self {
        Self::Text(error)
    }
}

impl PromptError {
    pub(crate) fn of(self, task: &Task, doc: usize) -> BenchmarkError {
        let task = task.task.clone();
        match self {
            Self::Doc(reason) => BenchmarkError::Doc { task, doc, reason },
            Self::Text(source) => BenchmarkError::Text { task, doc, source },
        }
    }
}

impl<'run> Prompter<'run> {
    /// A writer of prompts for `task`, whose first document is `first`.
    pub(crate) fn new(
        task: &'run Task,
        templates: &'run Templates,
        tokenizer: &'run Tokenizer,
        options: &'run Options,
        shots: Shots<'run>,
        first: &Doc,
    ) -> Result<Self, PromptError> {
        let choices_are_contexts = matches!(task.question(first, templates)?, Question::Index(_));
        Ok(Self { task, templates, tokenizer, options, shots, choices_are_contexts, system_dropped: false })
    }

    /// The prompt of the next document; documents come in their order, since few-shot examples are drawn in turn.
    pub(crate) fn prompt(&mut self, doc: &Doc) -> Result<Prompt, PromptError> {
        let (task, templates) = (self.task, self.templates);
        if task.output_type == OutputType::LoglikelihoodRolling {
            // The text stands alone.
            let target = task.target(doc, templates)?;
            return Ok(Prompt { contexts: Vec::new(), choices: None, target, right_context: None });
        }
        let mut turns = Vec::new();
        let system = self.system(doc)?;
        if !system.is_empty() {
            turns.push(Turn { role: "system", content: system, delimiter: String::new() });
        }
        for shot in self.shots.draw(doc)? {
            turns.extend(self.example(shot)?);
        }
        let choices = task.choices(doc, templates)?;
        let target = task.target(doc, templates)?;
        let (questions, right_context) = match (task.question(doc, templates)?, &choices) {
            (Question::Text(text), _) if !self.choices_are_contexts => (vec![text], None),
            (Question::Index(index), Some(choices)) if self.choices_are_contexts => (choices.clone(), Some(index)),
            (got, _) => {
                return Err(PromptError::Doc(format!("doc_to_text: other than the first document's, got {got:?}")));
            }
        };
        let mut contexts = Vec::new();
        for content in questions {
            let question = Turn { role: "user", content, delimiter: String::new() };
            let all: Vec<Turn> = turns.iter().cloned().chain([question]).collect();
            contexts.push(self.render(all)?);
        }
        Ok(Prompt { contexts, choices, target, right_context })
    }

    /// System instruction and description; the delimiter stands between them unless one of them has white space there.
    fn system(&self, doc: &Doc) -> Result<String, PromptError> {
        let description = match doc.get(&self.task.description) {
            Some(value) => python::to_text(value),
            None => {
                self.templates.render(&self.task.description, doc).map_err(|what| format!("description: {what}"))?
            }
        };
        let instruction = self.options.system_instruction.clone().unwrap_or_default();
        let spaced = instruction.ends_with(python::is_space) || description.starts_with(python::is_space);
        let between =
            if instruction.is_empty() || description.is_empty() || spaced { "" } else { &self.task.fewshot_delimiter };
        Ok(format!("{instruction}{between}{description}"))
    }

    /// A question with its answer.
    fn example(&self, shot: &Doc) -> Result<Vec<Turn>, PromptError> {
        let (task, templates) = (self.task, self.templates);
        let wrong = |what: String| PromptError::Doc(format!("few-shot example: {what}"));
        let choices = task.choices(shot, templates).map_err(wrong)?;
        let target = task.target(shot, templates).map_err(wrong)?;
        let choice = |index: i64| {
            let choice = choices.as_ref().and_then(|choices| choices.get(usize::try_from(index).ok()?));
            choice.cloned().ok_or_else(|| wrong(format!("there is no choice {index}")))
        };
        let (question, answer) = match task.question(shot, templates).map_err(wrong)? {
            Question::Index(index) => (choice(index)?, target),
            Question::Text(text) => match target.as_i64() {
                Some(index) => (text, Value::String(choice(index)?)),
                None => (text, target),
            },
        };
        let first = |answer: &Value| answer.as_array().and_then(|answers| answers.first()).cloned();
        let answer = first(&answer).unwrap_or(answer);
        let user = |delimiter: &str| Turn { role: "user", content: question.clone(), delimiter: delimiter.to_string() };
        match answer {
            Value::Null => Ok(vec![user("")]),
            Value::String(text) if text.is_empty() => Ok(vec![user("")]),
            Value::String(content) => {
                let answer = Turn { role: "assistant", content, delimiter: task.fewshot_delimiter.clone() };
                Ok(vec![user(&task.target_delimiter), answer])
            }
            other => Err(wrong(format!("doc_to_target: expected a text, got {other}"))),
        }
    }

    fn render(&mut self, turns: Vec<Turn>) -> Result<String, PromptError> {
        if !self.options.apply_chat_template {
            return Ok(joined(&turns));
        }
        let messages: Vec<Message> = if self.options.multiturn() {
            turns.into_iter().map(|turn| Message::new(turn.role, turn.content)).collect()
        } else {
            let (system, rest) = turns.split_at(usize::from(turns.first().is_some_and(|turn| turn.role == "system")));
            let system = system.iter().map(|turn| Message::system(turn.content.clone()));
            system.chain([Message::user(joined(rest))]).collect()
        };
        let rendered = match self.tokenizer.render_chat(&messages, true) {
            // As lm-eval does: some templates refuse a system message.
            Err(LmError::ChatTemplate { .. }) if messages.iter().any(|message| message.role == "system") => {
                let rest: Vec<Message> = messages.into_iter().filter(|message| message.role != "system").collect();
                let rendered = self.tokenizer.render_chat(&rest, true)?;
                self.system_dropped = true;
                rendered
            }
            other => other?,
        };
        Ok(rendered)
    }
}

fn joined(turns: &[Turn]) -> String {
    turns.iter().flat_map(|turn| [turn.content.as_str(), turn.delimiter.as_str()]).collect()
}
