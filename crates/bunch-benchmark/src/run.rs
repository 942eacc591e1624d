//! Asking the model: window by window, each kept in the journal as soon as it is answered.

use std::ops::Range;
use std::path::Path;

use bunch_journal::Journal;
use bunch_lm::{GenerateConfig, LanguageModel, LmError, LoglikelihoodRequest, Sampling, TokenId, Tokenizer};
use serde_json::{Map, Value, json};

use crate::answer::Answers;
use crate::observer::{Observer, Work};
use crate::plan::{PlannedDoc, PlannedTask};
use crate::request::Requests;
use crate::{BenchmarkError, Options, Task};

/// How many times more tokens a call may hold that generates: its time goes into steps, which many prompts share.
const GENERATION_WINDOWS: usize = 4;

/// What a run needs to ask the model.
pub(crate) struct Run<'run> {
    pub model: &'run dyn LanguageModel,
    pub tokenizer: &'run Tokenizer,
    pub options: &'run Options,
}

impl Run<'_> {
    /// The answers to all tasks' documents, in their order.
    pub(crate) fn answers(
        &self,
        tasks: &[PlannedTask],
        observer: &mut dyn Observer,
    ) -> Result<Vec<Vec<Answers>>, BenchmarkError> {
        let mut total = Work::default();
        tasks.iter().flat_map(|task| &task.docs).for_each(|doc| total += doc.work);
        let mut journal = self.options.journal.as_deref().map(|path| self.open(path, tasks)).transpose()?;
        let done = journal.as_ref().map_or(Ok(Vec::new()), |(path, journal)| kept(path, journal, tasks))?;
        let mut done = done.into_iter();
        let mut answers: Vec<Vec<Answers>> =
            tasks.iter().map(|task| done.by_ref().take(task.docs.len()).collect()).collect();
        let mut kept = Work::default();
        for (task, answers) in tasks.iter().zip(&answers) {
            task.docs.iter().take(answers.len()).for_each(|doc| kept += doc.work);
        }
        observer.start(total, kept);
        for (task, answers) in tasks.iter().zip(&mut answers) {
            for window in self.windows(task, answers.len()) {
                let docs = &task.docs[window.clone()];
                let new = self.ask(task.task, docs, &window)?;
                if let Some((_, journal)) = &mut journal {
                    let answered = window.clone().zip(&new);
                    let line = |(doc_id, answers): (usize, &Answers)| json!({"task": task.task.task, "doc_id": doc_id, "resps": answers.to_json()});
                    let lines: Vec<Value> = answered.map(line).collect();
                    journal.append(&lines)?;
                }
                answers.extend(new);
                let mut work = Work::default();
                docs.iter().for_each(|doc| work += doc.work);
                observer.advance(&task.task.task, work);
            }
        }
        if let Some((_, journal)) = journal {
            journal.finish()?;
        }
        Ok(answers)
    }

    fn open<'path>(&self, path: &'path Path, tasks: &[PlannedTask]) -> Result<(&'path Path, Journal), BenchmarkError> {
        let mut identity = self.options.describe();
        identity.insert("model".to_string(), Value::Object(self.options.model.clone()));
        identity.insert("max_length".to_string(), self.model.context_window().into());
        let tasks: Map<String, Value> = tasks.iter().map(|task| (task.task.task.clone(), task.identity())).collect();
        identity.insert("tasks".to_string(), Value::Object(tasks));
        Ok((path, Journal::open(path, &identity, self.options.replace_journal)?))
    }

    /// Consecutive documents that are asked about in one call.
    fn windows(&self, task: &PlannedTask, from: usize) -> Vec<Range<usize>> {
        let mut windows = Vec::new();
        let (mut start, mut tokens) = (from, 0);
        for at in from..task.docs.len() {
            let doc = &task.docs[at];
            let (most, alone) = match doc.requests.tokens {
                // Each drawn answer has a seed of its own, and a call has one.
                Requests::Generate(_) => (GENERATION_WINDOWS * self.options.window_tokens, task.task.draws()),
                _ => (self.options.window_tokens, false),
            };
            if at > start && (alone || tokens + doc.work.tokens > most) {
                windows.push(start..at);
                (start, tokens) = (at, 0);
            }
            tokens += doc.work.tokens;
        }
        if start < task.docs.len() {
            windows.push(start..task.docs.len());
        }
        windows
    }

    fn ask(&self, task: &Task, docs: &[PlannedDoc], window: &Range<usize>) -> Result<Vec<Answers>, BenchmarkError> {
        let name = || task.task.clone();
        let (first, last) = (window.start, window.end - 1);
        let failed = |source: LmError| BenchmarkError::Model { task: name(), first, last, source };
        let miscounted =
            |expected: usize, got: usize| BenchmarkError::AnswerCount { task: name(), first, last, expected, got };
        let prompt = |doc: &PlannedDoc| match &doc.requests.tokens {
            Requests::Generate(prompt) => Some(prompt.clone()),
            _ => None,
        };
        let prompts: Vec<Vec<TokenId>> = docs.iter().filter_map(prompt).collect();
        if !prompts.is_empty() {
            let config = self.generate_config(task, first);
            let generated = self.model.generate(&prompts, &config).map_err(failed)?;
            if generated.len() != prompts.len() {
                return Err(miscounted(prompts.len(), generated.len()));
            }
            let text = |ids: Vec<TokenId>| self.tokenizer.decode(&ids, true).map(|text| self.cut(task, text));
            let texts = generated.into_iter().map(|ids| text(ids).map(Answers::Text));
            return texts.collect::<Result<_, _>>().map_err(failed);
        }
        let requests: Vec<LoglikelihoodRequest> =
            docs.iter().flat_map(|doc| doc.requests.scored()).map(crate::request::Scored::request).collect();
        let scores = self.model.loglikelihood(&requests).map_err(failed)?;
        if scores.len() != requests.len() {
            return Err(miscounted(requests.len(), scores.len()));
        }
        let mut rest = scores.as_slice();
        let mut answers = Vec::new();
        for (at, doc) in docs.iter().enumerate() {
            let own;
            (own, rest) = rest.split_at(doc.requests.scored().len());
            if let Some(request) = own.iter().position(|score| !score.sum.is_finite()) {
                let value = own[request].sum;
                return Err(BenchmarkError::NotALikelihood { task: name(), doc: first + at, request, value });
            }
            answers.push(match doc.requests.tokens {
                Requests::Rolling(_) => Answers::Rolling(own.iter().map(|score| score.sum).sum()),
                _ => Answers::Scores(own.iter().map(|score| (score.sum, score.is_greedy)).collect()),
            });
        }
        Ok(answers)
    }

    fn generate_config(&self, task: &Task, doc: usize) -> GenerateConfig {
        let kwargs = task.generation_kwargs.clone().unwrap_or_default();
        let mut stop: Vec<TokenId> = self.tokenizer.stop_tokens().to_vec();
        // A stop text that is one token ends the answer there, even where decoding leaves the token out.
        let texts = task.stop_texts(self.tokenizer);
        stop.extend(texts.iter().filter_map(|text| self.tokenizer.token_id(text)).chain(self.tokenizer.eos()));
        stop.sort_unstable();
        stop.dedup();
        let sampling = if task.draws() {
            let doc = doc.to_string();
            let seed = bunch_random::derived_seed(self.options.fewshot_seed, &["benchmark", &task.task, &doc]);
            Sampling::Temperature { temperature: kwargs.temperature, top_p: kwargs.top_p, seed }
        } else {
            Sampling::Greedy
        };
        GenerateConfig { max_new_tokens: kwargs.max_gen_toks, stop, sampling }
    }

    /// The text before the first occurrence of each stop text in turn.
    fn cut(&self, task: &Task, mut text: String) -> String {
        for stop in task.stop_texts(self.tokenizer).iter().filter(|stop| !stop.is_empty()) {
            if let Some(at) = text.find(stop.as_str()) {
                text.truncate(at);
            }
        }
        text
    }
}

impl Task {
    /// Whether generated tokens are drawn.
    fn draws(&self) -> bool {
        let kwargs = self.generation_kwargs.clone().unwrap_or_default();
        kwargs.do_sample.unwrap_or(kwargs.temperature > 0.0)
    }

    /// The texts that end a generated answer, the text of EOS last.
    fn stop_texts(&self, tokenizer: &Tokenizer) -> Vec<String> {
        let kwargs = self.generation_kwargs.clone().unwrap_or_default();
        let mut texts = kwargs.until.unwrap_or_else(|| vec![self.fewshot_delimiter.clone()]);
        let eos = tokenizer.eos_text().map(str::to_string).filter(|eos| !texts.contains(eos));
        texts.extend(eos);
        texts
    }
}

/// The answers that a journal holds, each of which must be the one whose turn it is.
fn kept(path: &Path, journal: &Journal, tasks: &[PlannedTask]) -> Result<Vec<Answers>, BenchmarkError> {
    let mut docs =
        tasks.iter().flat_map(|task| task.docs.iter().enumerate().map(move |(at, doc)| (task.task, at, doc)));
    let mut kept = Vec::new();
    for (index, line) in journal.done().iter().enumerate() {
        let (task, at, doc) = docs.next().ok_or_else(|| BenchmarkError::JournalLine {
            path: path.to_path_buf(),
            line: index + 1,
            task: "no task".to_string(),
            doc: 0,
            got: line.to_string(),
        })?;
        let belongs = line.get("task").and_then(Value::as_str) == Some(&task.task)
            && line.get("doc_id").and_then(Value::as_u64) == Some(at as u64);
        let like = match &doc.requests.tokens {
            Requests::Score(requests) => Answers::Scores(vec![(0.0, false); requests.len()]),
            Requests::Rolling(_) => Answers::Rolling(0.0),
            Requests::Generate(_) => Answers::Text(String::new()),
        };
        let answers = line.get("resps").filter(|_| belongs).and_then(|resps| Answers::from_json(resps, &like));
        kept.push(answers.ok_or_else(|| BenchmarkError::JournalLine {
            path: path.to_path_buf(),
            line: index + 1,
            task: task.task.clone(),
            doc: at,
            got: line.to_string(),
        })?);
    }
    Ok(kept)
}
