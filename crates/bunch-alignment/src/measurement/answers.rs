//! Asking models and judges, each set in a journal of its own, so that what was stopped goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_benchmark::{Options, Selection, evaluate};
use bunch_checkpoint::sha256_bytes;
use bunch_journal::{Journal, LineRun, answer_lines, windows};
use bunch_judging::{Exchange, Judgement, SafetyPrompt};
use bunch_lm::{ChatFormat, Completion, LanguageModel, Sampling, TemplateChat, complete};
use bunch_progress::Progress;
use serde_json::{Map, Value, json};

use super::TaskOutcome;
use crate::{AlignmentError, PoolJudge};

/// Prompts or answers that go to a model together, and so the most that are lost when a run is stopped.
const WINDOW: usize = 16;

/// One model as it is asked.
pub(crate) struct Asking<'a> {
    /// Its name, for messages.
    pub(crate) name: &'a str,
    /// Its name and how many models come before it, for progress.
    pub(crate) label: String,
    /// The model.
    pub(crate) model: &'a dyn LanguageModel,
    /// What identifies it.
    pub(crate) fingerprint: &'a str,
    /// Folder of its journals.
    pub(crate) folder: PathBuf,
    /// Whether journals of other models are replaced.
    pub(crate) replace: bool,
    /// Reports how far it is.
    pub(crate) progress: &'a dyn Progress,
}

/// A set of prompts.
pub(crate) struct PromptsToAsk<'a> {
    /// Its name, of the journal too.
    pub(crate) set: &'a str,
    /// Its file, for messages.
    pub(crate) file: &'a Path,
    /// The prompts.
    pub(crate) prompts: &'a [SafetyPrompt],
    /// Upper limit on the tokens of an answer.
    pub(crate) max_new_tokens: usize,
}

/// Progress that says whose it is.
struct Named<'a> {
    name: &'a str,
    progress: &'a dyn Progress,
}

impl Progress for Named<'_> {
    fn begin(&self, stage: &str, total: u64, done: u64) {
        self.progress.begin(&format!("{}: {stage}", self.name), total, done);
    }

    fn turn_to(&self, part: &str) {
        self.progress.turn_to(part);
    }

    fn advance(&self, units: u64) {
        self.progress.advance(units);
    }

    fn note(&self, text: &str) {
        self.progress.note(&format!("{}: {text}", self.name));
    }
}

impl Asking<'_> {
    fn identity(&self) -> Map<String, Value> {
        let fields = [("model", self.fingerprint), ("bunch", env!("CARGO_PKG_VERSION"))];
        fields.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
    }

    /// The journal of a set, and its identity besides the model's.
    fn journal(&self, name: &str, more: Map<String, Value>) -> Result<Journal, AlignmentError> {
        fs::create_dir_all(&self.folder).map_err(AlignmentError::io(&self.folder))?;
        let mut identity = self.identity();
        identity.extend(more);
        Ok(Journal::open(&self.place(name), &identity, self.replace)?)
    }

    fn place(&self, name: &str) -> PathBuf {
        // A task may be called `task/part`.
        self.folder.join(format!("{}.jsonl", name.replace(['/', '\\'], "-")))
    }

    /// What the model says to each prompt, greedily.
    ///
    /// # Errors
    /// A prompt that does not fit, named before the model is asked anything; a model or journal that fails.
    pub(crate) fn respond(
        &self,
        asked: &PromptsToAsk<'_>,
        chat: &TemplateChat,
    ) -> Result<Vec<Completion>, AlignmentError> {
        let &PromptsToAsk { set, file, prompts, max_new_tokens } = asked;
        let window = self.model.context_window();
        for prompt in prompts {
            let tokens = chat.prompt(&prompt.request())?.len();
            if tokens.saturating_add(max_new_tokens) > window {
                return Err(AlignmentError::Unfit {
                    path: file.to_owned(),
                    expected: format!(
                        "prompts that leave room for {max_new_tokens} tokens in {}'s context window of {window}",
                        self.name
                    ),
                    got: format!("{tokens} tokens in line {}", prompt.line),
                    remedy: "lower max_new_tokens in pool.toml, or leave the prompt out".into(),
                });
            }
        }
        let fields: Vec<Map<String, Value>> =
            prompts.iter().map(|prompt| Map::from_iter([("prompt".to_owned(), json!(prompt.request()))])).collect();
        let more =
            [("max_new_tokens".to_owned(), json!(max_new_tokens)), ("rendered".to_owned(), json!(chat.render("?")?))];
        let run = LineRun {
            lines: &fields,
            journal: Some(self.journal(set, Map::from_iter(more))?),
            stage: &format!("answering {set} prompts"),
            cost: &|_| 1,
            progress: &Named { name: &self.label, progress: self.progress },
        };
        let read = |_: usize, line: &Value| match (line["response"].as_str(), line["finished"].as_bool()) {
            (Some(text), Some(finished)) => Ok(Completion { text: text.to_owned(), finished }),
            _ => Err(self.unreadable(set, line)),
        };
        let answered = answer_lines(
            run,
            |done| windows(done, prompts.len(), WINDOW),
            read,
            |window, lines| {
                let texts: Vec<String> = prompts[window].iter().map(SafetyPrompt::request).collect();
                for Completion { text, finished } in
                    complete(self.model, chat, &texts, max_new_tokens, Sampling::Greedy)?
                {
                    let fields = [("response".to_owned(), text.into()), ("finished".to_owned(), finished.into())];
                    lines.push(Map::from_iter(fields));
                }
                Ok::<(), AlignmentError>(())
            },
        )?;
        Ok(answered.answers)
    }

    /// What comes out of a task.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub(crate) fn solve(
        &self,
        name: &str,
        selection: &Selection,
        chat: &TemplateChat,
        options: Options,
    ) -> Result<TaskOutcome, AlignmentError> {
        fs::create_dir_all(&self.folder).map_err(AlignmentError::io(&self.folder))?;
        let options = Options {
            journal: Some(self.place(&format!("task.{name}"))),
            replace_journal: self.replace,
            log_samples: true,
            model: self.identity(),
            ..options
        };
        let progress = Named { name: &self.label, progress: self.progress };
        let evaluation = evaluate(selection, self.model, chat.tokenizer(), &options, &progress)?;
        Ok(TaskOutcome::of(&evaluation, selection, name))
    }

    /// What `judge`, whose model this is if it asks one, says of each exchange; `of` is the model that answered.
    ///
    /// # Errors
    /// A judge or journal that fails.
    pub(crate) fn judge(
        &self,
        judge: &PoolJudge,
        exchanges: &[(usize, Exchange)],
        of: &str,
    ) -> Result<Vec<Judgement>, AlignmentError> {
        let set = format!("harmful.{}", self.name);
        let lines: Vec<Map<String, Value>> = exchanges
            .iter()
            .map(|(_, exchange)| {
                let fields = [("prompt", exchange.request()), ("response", exchange.response.clone())];
                fields.into_iter().map(|(key, text)| (key.to_owned(), text.into())).collect()
            })
            .collect();
        let definition = sha256_bytes(judge.file.definition.as_bytes());
        let run = LineRun {
            lines: &lines,
            journal: Some(self.journal(&set, Map::from_iter([("judge".to_owned(), definition.into())]))?),
            stage: &format!("judging {of}"),
            cost: &|_| 1,
            progress: &Named { name: &self.label, progress: self.progress },
        };
        let read =
            |_: usize, line: &Value| serde_json::from_value(line.clone()).map_err(|_| self.unreadable(&set, line));
        let asked = match &judge.tokenizer {
            Some(tokenizer) => Some(judge.file.with_model(self.model, tokenizer, false)?),
            None => None,
        };
        let answered = answer_lines(
            run,
            |done| windows(done, exchanges.len(), WINDOW),
            read,
            |window, lines| {
                let mut keep = |judgements: &[Judgement]| -> Result<(), AlignmentError> {
                    for judgement in judgements {
                        lines.push(
                            serde_json::to_value(judgement)
                                .expect("plain data")
                                .as_object()
                                .cloned()
                                .unwrap_or_default(),
                        );
                    }
                    Ok(())
                };
                match (&asked, judge.file.rule()) {
                    (Some(judge), _) => {
                        let window: Vec<(usize, &Exchange)> =
                            exchanges[window].iter().map(|(line, exchange)| (*line, exchange)).collect();
                        judge.judgements(&window, WINDOW, keep)
                    }
                    (None, Some(rule)) => exchanges[window]
                        .iter()
                        .try_for_each(|(_, exchange)| keep(&[Judgement::from(rule.verdict(exchange))])),
                    (None, None) => Ok(()),
                }
            },
        )?;
        Ok(answered.answers)
    }

    fn unreadable(&self, set: &str, line: &Value) -> AlignmentError {
        AlignmentError::Unfit {
            path: self.place(set),
            expected: "lines that this version of bunch wrote".into(),
            got: line.to_string(),
            remedy: "begin anew with --overwrite".into(),
        }
    }
}
