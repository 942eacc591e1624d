//! An evaluation's results.

use std::collections::BTreeMap;

use bunch_lm::{LanguageModel, Tokenizer};
use bunch_progress::Progress;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::answer::Answers;
use crate::outcome::Outcome;
use crate::output_type::OutputType;
use crate::plan::{self, PlannedDoc, PlannedTask, hexadecimal};
use crate::run::Run;
use crate::{BenchmarkError, Options, Selection, python, summary, table};

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// lm-eval's results file: `results`, `groups`, `group_subtasks`, `configs`, `versions`, `n-shot`,
    /// `higher_is_better`, `n-samples`, `config`, `task_hashes` and more; `identity` says what the numbers follow from.
    pub results: Map<String, Value>,
    /// lm-eval's samples, task by task: one for each document and filter, what was asked, answered and scored. Empty
    /// unless they were asked for.
    pub samples: BTreeMap<String, Vec<Value>>,
    /// What a reader of the results should know.
    pub notes: Vec<String>,
}

/// Evaluates a model: reads the data, asks the model and scores its answers.
///
/// # Errors
/// Data that is missing or not as it should be, a document or prompt that cannot be scored: all of it before the model is
/// asked anything. Then a model that fails or answers with what is no number; what was answered before is kept in the
/// journal.
pub fn evaluate(
    selection: &Selection,
    model: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Evaluation, BenchmarkError> {
    options.check()?;
    let window = model.context_window();
    let tasks = plan::plan(selection, options, tokenizer, window, progress)?;
    let mut notes = Vec::new();
    for task in tasks.iter().filter(|task| task.system_dropped) {
        let note = "the chat template refuses a system message, so description and system instruction are left out";
        notes.push(format!("{}: {note}, as lm-eval does", task.task.task));
    }
    notes.extend(tasks.iter().filter_map(|task| note_of_cut(task, window)));
    notes.iter().for_each(|note| progress.note(note));
    let answers = Run { model, tokenizer, options }.answers(&tasks, progress)?;

    let mut scores: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut samples = BTreeMap::new();
    let mut hashes = Map::new();
    for (task, answers) in tasks.iter().zip(&answers) {
        let outcomes = outcomes(task, answers)?;
        scores.insert(task.task.task.clone(), summary::task_scores(&task.task, &outcomes));
        let hashed: Vec<DocHashes> = task.docs.iter().map(DocHashes::new).collect();
        let joined: String = hashed.iter().map(DocHashes::joined).collect();
        hashes.insert(task.task.task.clone(), sha256(&joined).into());
        if options.log_samples {
            let docs = task.docs.iter().zip(answers).zip(outcomes).zip(&hashed).enumerate();
            let rows = docs.flat_map(|(at, (((doc, answers), outcomes), hashes))| {
                outcomes.into_iter().map(move |outcome| sample(task, at, doc, answers, &outcome, hashes))
            });
            samples.insert(task.task.task.clone(), rows.collect());
        }
    }
    let mut results = summarise(selection, &tasks, &scores);
    results.insert("task_hashes".to_string(), Value::Object(hashes));
    describe(&mut results, &tasks, tokenizer, options, window);
    results.insert("notes".to_string(), json!(notes));
    Ok(Evaluation { results, samples, notes })
}

/// How many of a task's prompts do not fit into the window, and by how much.
fn note_of_cut(task: &PlannedTask, window: usize) -> Option<String> {
    let cut = || task.docs.iter().map(|doc| doc.requests.cut).filter(|&cut| cut > 0);
    let most = cut().max()?;
    Some(format!(
        "{}: the prompts of {} of {} documents do not fit into the window of {window} tokens beside their answers and lose \
         their beginning, up to {most} tokens, as in lm-eval",
        task.task.task,
        cut().count(),
        task.docs.len()
    ))
}

impl Evaluation {
    /// One score: `score("arc_easy", "acc_norm,none")`, or a standard error: `acc_norm_stderr,none`. None where there is
    /// none, or it is no number.
    #[must_use]
    pub fn score(&self, name: &str, metric: &str) -> Option<f64> {
        self.results.get("results")?.get(name)?.get(metric)?.as_f64()
    }

    /// lm-eval's tables in Markdown: of the tasks, and of the groups where there are any.
    #[must_use]
    pub fn table(&self) -> String {
        table::tables(&self.results)
    }
}

/// What each document's answers are worth, filter by filter.
pub(crate) fn outcomes(task: &PlannedTask, answers: &[Answers]) -> Result<Vec<Vec<Outcome>>, BenchmarkError> {
    let outcome = |(at, (doc, answers)): (usize, (&PlannedDoc, &Answers))| {
        let outcomes = task.task.outcomes(&doc.doc, &doc.prompt, answers, &doc.lengths());
        outcomes.map_err(|reason| BenchmarkError::Doc { task: task.task.task.clone(), doc: at, reason })
    };
    task.docs.iter().zip(answers).enumerate().map(outcome).collect()
}

fn summarise(
    selection: &Selection,
    tasks: &[PlannedTask],
    scores: &BTreeMap<String, Map<String, Value>>,
) -> Map<String, Value> {
    let in_order = |tasks: &[PlannedTask]| {
        let one =
            |task: &PlannedTask| Some((task.task.task.clone(), Value::Object(scores.get(&task.task.task)?.clone())));
        tasks.iter().filter_map(one).collect::<Map<String, Value>>()
    };
    let mut all = in_order(tasks);
    let group =
        |group: &crate::Group| (group.group.clone(), Value::Object(summary::group_scores(group, selection, scores)));
    let groups: Map<String, Value> = selection.groups.iter().map(group).collect();
    all.extend(groups.clone());
    let mut versions: BTreeMap<&str, Value> =
        selection.tasks.iter().map(|task| (task.task.as_str(), task.version())).collect();
    versions.extend(selection.groups.iter().map(|group| (group.group.as_str(), group.version())));
    let subtasks: Map<String, Value> =
        selection.groups.iter().map(|group| (group.group.clone(), json!(group.task))).collect();
    let config = |task: &PlannedTask| {
        let mut config = json!(*task.task);
        config["num_fewshot"] = task.n_shot.into();
        (task.task.task.clone(), config)
    };
    let configs: BTreeMap<String, Value> = tasks.iter().map(config).collect();
    let shots = summary::shots(selection, tasks.iter().map(|task| (task.task.task.as_str(), task.n_shot)));
    let count =
        |task: &PlannedTask| (task.task.task.clone(), json!({"original": task.original, "effective": task.docs.len()}));
    let counts: Map<String, Value> = tasks.iter().map(count).collect();

    let mut results = Map::new();
    results.insert("results".to_string(), Value::Object(all));
    if !groups.is_empty() {
        results.insert("groups".to_string(), Value::Object(groups));
    }
    results.insert("group_subtasks".to_string(), Value::Object(subtasks));
    results.insert("configs".to_string(), json!(configs));
    results.insert("versions".to_string(), json!(versions));
    results.insert("n-shot".to_string(), json!(shots));
    results.insert("higher_is_better".to_string(), json!(summary::directions(selection)));
    results.insert("n-samples".to_string(), Value::Object(counts));
    results
}

/// Adds what the numbers follow from.
fn describe(
    results: &mut Map<String, Value>,
    tasks: &[PlannedTask],
    tokenizer: &Tokenizer,
    options: &Options,
    window: usize,
) {
    let mut config = options.model.clone();
    config.extend(options.describe());
    results.insert("config".to_string(), Value::Object(config));
    let template = tokenizer.chat_template().filter(|_| options.apply_chat_template).map(|template| template.source());
    results.insert("chat_template".to_string(), json!(template));
    results.insert("chat_template_sha".to_string(), json!(template.map(sha256)));
    results.insert("fewshot_as_multiturn".to_string(), options.multiturn().into());
    results.insert("system_instruction".to_string(), json!(options.system_instruction));
    results.insert("system_instruction_sha".to_string(), json!(options.system_instruction.as_deref().map(sha256)));
    for (name, text, id) in [
        ("tokenizer_eos_token", tokenizer.eos_text(), tokenizer.eos()),
        ("tokenizer_bos_token", tokenizer.bos_text(), tokenizer.bos()),
    ] {
        results.insert(name.to_string(), json!([text, id.map_or("None".to_string(), |id| id.to_string())]));
    }
    results.insert("eot_token_id".to_string(), json!(tokenizer.eos()));
    results.insert("max_length".to_string(), window.into());
    let mut files: BTreeMap<String, &str> = BTreeMap::new();
    for file in tasks.iter().flat_map(|task| &task.files) {
        let relative = options.data_dir.as_deref().and_then(|folder| file.path.strip_prefix(folder).ok());
        let name = relative.or(file.path.file_name().map(std::path::Path::new)).unwrap_or(&file.path);
        files.insert(name.display().to_string(), &file.sha256);
    }
    let requests: Map<String, Value> = tasks.iter().map(|task| (task.task.task.clone(), task.identity())).collect();
    let identity = json!({
        "bunch_version": env!("CARGO_PKG_VERSION"),
        "lm_eval_protocol": "0.4.13",
        "data": files,
        "tasks": requests,
    });
    results.insert("identity".to_string(), identity);
}

/// lm-eval's hashes of a document, its first prompt and its target.
struct DocHashes {
    doc: String,
    prompt: String,
    target: String,
}

impl DocHashes {
    fn new(doc: &PlannedDoc) -> Self {
        let text = serde_json::to_string_pretty(&doc.doc).unwrap_or_default();
        let (context, continuation) = doc.requests.arguments.first().cloned().unwrap_or_default();
        // A text that is scored as a whole is its only argument.
        let whole = doc.requests.arguments.len() == 1 && context.is_empty();
        let prompt = if whole { continuation.as_str() } else { &context };
        Self { doc: sha256(&text), prompt: sha256(prompt), target: sha256(&python::to_text(&doc.prompt.target)) }
    }

    fn joined(&self) -> String {
        format!("{}{}{}", self.doc, self.prompt, self.target)
    }
}

fn sha256(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

fn sample(
    task: &PlannedTask,
    at: usize,
    doc: &PlannedDoc,
    answers: &Answers,
    outcome: &Outcome,
    hashes: &DocHashes,
) -> Value {
    let argument = |(at, (context, continuation)): (usize, &(std::sync::Arc<str>, String))| {
        let argument = match task.task.output_type {
            OutputType::MultipleChoice => json!({"arg_0": &**context, "arg_1": continuation}),
            OutputType::GenerateUntil => json!({"arg_0": &**context, "arg_1": task.task.generation_kwargs}),
            OutputType::LoglikelihoodRolling => json!({"arg_0": continuation}),
        };
        (format!("gen_args_{at}"), argument)
    };
    let arguments: Map<String, Value> = doc.requests.arguments.iter().enumerate().map(argument).collect();
    // lm-eval lists the answers to each repeat of a request; there is one.
    let responses: Vec<Value> =
        answers.to_json().as_array().into_iter().flatten().map(|answer| json!([answer])).collect();
    let names: Vec<&str> = task.task.metric_list.iter().map(|metric| metric.metric.name()).collect();
    let mut sample = json!({
        "doc_id": at,
        "doc": doc.doc,
        "target": doc.prompt.target,
        "arguments": arguments,
        "resps": responses,
        "filtered_resps": outcome.filtered,
        "filter": outcome.filter,
        "metrics": names,
        "doc_hash": hashes.doc,
        "prompt_hash": hashes.prompt,
        "target_hash": hashes.target,
    });
    for (name, value) in names.iter().zip(&outcome.values) {
        sample[*name] = json!(value);
    }
    sample
}
