//! Asking the model: window by window, each kept in the journal as soon as it is answered.

use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value};

use bunch_journal::{Journal, LineRun, answer_lines};
use bunch_lm::{GenerateConfig, LanguageModel, LmError, LoglikelihoodRequest, Sampling, TokenId, Tokenizer};
use bunch_progress::Progress;

use crate::answer::Answers;
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
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Answers>>, BenchmarkError> {
        let docs: Vec<(&PlannedTask, usize)> =
            tasks.iter().flat_map(|task| (0..task.docs.len()).map(move |at| (task, at))).collect();
        let line = |(task, at): &(&PlannedTask, usize)| {
            Map::from_iter([("task".into(), task.task.task.clone().into()), ("doc_id".into(), (*at).into())])
        };
        let requests: usize = docs.iter().map(|(task, at)| task.docs[*at].requests.arguments.len()).sum();
        let run = LineRun {
            lines: &docs.iter().map(line).collect::<Vec<_>>(),
            journal: self.options.journal.as_deref().map(|path| self.open(path, tasks)).transpose()?,
            stage: &format!("answering {requests} requests of {} documents", docs.len()),
            cost: &|index| docs[index].0.docs[docs[index].1].tokens as u64,
            progress,
        };
        let windows = |kept: usize| {
            let mut start = 0;
            tasks.iter().flat_map(move |task| {
                let first = start;
                start += task.docs.len();
                let windows = self.windows(task, kept.saturating_sub(first).min(task.docs.len()));
                windows.into_iter().map(move |window| first + window.start..first + window.end)
            })
        };
        let read = |index: usize, line: &Value| {
            let (task, at) = docs[index];
            task.docs[at].requests.read_answers(&line["resps"]).ok_or_else(|| BenchmarkError::JournalLine {
                path: self.options.journal.clone().unwrap_or_default(),
                line: index + 1,
                task: task.task.task.clone(),
                doc: at,
                got: line.to_string(),
            })
        };
        let answer = |window: Range<usize>, lines: &mut Vec<Map<String, Value>>| {
            let (task, first) = docs[window.start];
            let window = first..first + window.len();
            progress.turn_to(&task.task.task);
            let answers = self.ask(&task.task, &task.docs[window.clone()], &window)?;
            lines.extend(answers.iter().map(|answers| Map::from_iter([("resps".into(), answers.to_json())])));
            Ok(())
        };
        let mut answers = answer_lines(run, windows, read, answer)?.answers.into_iter();
        Ok(tasks.iter().map(|task| answers.by_ref().take(task.docs.len()).collect()).collect())
    }

    fn open(&self, path: &Path, tasks: &[PlannedTask]) -> Result<Journal, BenchmarkError> {
        let mut identity = self.options.describe();
        identity.insert("model".to_string(), Value::Object(self.options.model.clone()));
        identity.insert("max_length".to_string(), self.model.context_window().into());
        let tasks: Map<String, Value> = tasks.iter().map(|task| (task.task.task.clone(), task.identity())).collect();
        identity.insert("tasks".to_string(), Value::Object(tasks));
        Ok(Journal::open(path, &identity, self.options.replace_journal)?)
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
            if at > start && (alone || tokens + doc.tokens > most) {
                windows.push(start..at);
                (start, tokens) = (at, 0);
            }
            tokens += doc.tokens;
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
