//! Everything that will be asked of the model, known before it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use bunch_lm::{TokenId, Tokenizer};
use bunch_progress::Progress;

use crate::dataset::{DataFile, Split, Wanted, datasets, read_file};
use crate::output_type::OutputType;
use crate::prompt::{Prompt, Prompter, Shots};
use crate::request::{DocRequests, Encoder, Requests};
use crate::template::Templates;
use crate::{BenchmarkError, DatasetDefinition, Doc, Options, Selection, Task};

/// The splits of one task.
#[derive(Debug, Clone)]
pub(crate) struct TaskData {
    pub docs: Vec<Doc>,
    shots: Vec<Doc>,
    files: Vec<DataFile>,
}

/// One task's documents and requests.
#[derive(Debug)]
pub(crate) struct PlannedTask {
    pub task: Arc<Task>,
    pub n_shot: usize,
    pub docs: Vec<PlannedDoc>,
    /// Documents of the split, however many are scored.
    pub original: usize,
    pub files: Vec<DataFile>,
    /// SHA-256 of all requests' tokens, in hexadecimal.
    pub requests_sha256: String,
    /// Whether the chat template refused the system message.
    pub system_dropped: bool,
}

/// A document with what is asked about it. The prompt's contexts are in the requests.
#[derive(Debug)]
pub(crate) struct PlannedDoc {
    pub doc: Doc,
    pub prompt: Prompt,
    pub requests: DocRequests,
    /// Tokens that the model reads for it, beginnings shared with the document before counted once, plus the most that it
    /// may generate.
    pub tokens: usize,
}

/// Reads all files that a selection needs.
pub(crate) fn load(
    selection: &Selection,
    options: &Options,
    templates: &Templates,
) -> Result<Vec<TaskData>, BenchmarkError> {
    if selection.tasks.is_empty() {
        return Err(BenchmarkError::Options("no task is selected".to_string()));
    }
    let definitions = datasets()?;
    selection.tasks.iter().map(|task| load_task(task, options, &definitions, templates)).collect()
}

fn load_task(
    task: &Task,
    options: &Options,
    definitions: &BTreeMap<String, DatasetDefinition>,
    templates: &Templates,
) -> Result<TaskData, BenchmarkError> {
    let read = |split: &str| -> Result<Split, BenchmarkError> {
        let Split { mut docs, files } = match &task.dataset {
            Some(dataset) => {
                let definition = definitions.get(dataset).ok_or_else(|| BenchmarkError::Task {
                    task: task.task.clone(),
                    reason: format!("data/datasets.toml has no dataset {dataset:?}"),
                })?;
                let name = task.dataset_name.as_deref().unwrap_or_default();
                let data_dir = options.data_dir.as_deref();
                definition.read(Wanted { task: &task.task, dataset, name, split, data_dir }, templates)?
            }
            None => read_file(&task.data_file(split, options.data_dir.as_deref())?)?,
        };
        if let Some(change) = task.process_docs {
            for (at, doc) in docs.iter_mut().enumerate() {
                let wrong = |reason| BenchmarkError::Doc { task: task.task.clone(), doc: at, reason };
                change.apply(doc).map_err(wrong)?;
            }
        }
        Ok(Split { docs, files })
    };
    let Split { docs, mut files } = read(task.eval_split())?;
    let mut shots = Vec::new();
    if shots_needed(task, options) > 0 {
        if task.shot_split() == task.eval_split() {
            shots.clone_from(&docs);
        } else {
            let split = read(task.shot_split())?;
            shots = split.docs;
            files.extend(split.files);
        }
    }
    Ok(TaskData { docs, shots, files })
}

/// The number of few-shot examples before each document; a text that is scored as a whole has none.
fn shots_needed(task: &Task, options: &Options) -> usize {
    if task.output_type == OutputType::LoglikelihoodRolling { 0 } else { task.n_shot(options.n_shot) }
}

/// Reads all files that a selection needs, and nothing else: what is missing or wrong is known before a model is loaded.
///
/// # Errors
/// A data set that is not there, with where to get it; a file or column that is not as it should be.
pub fn check_data(selection: &Selection, options: &Options) -> Result<Vec<DataFile>, BenchmarkError> {
    options.check()?;
    let data = load(selection, options, &Templates::new())?;
    Ok(data.into_iter().flat_map(|data| data.files).collect())
}

/// Plans all tasks of a selection.
pub(crate) fn plan(
    selection: &Selection,
    options: &Options,
    tokenizer: &Tokenizer,
    window: usize,
    progress: &dyn Progress,
) -> Result<Vec<PlannedTask>, BenchmarkError> {
    let templates = Templates::new();
    let data = load(selection, options, &templates)?;
    let mut planned = Vec::new();
    for (task, data) in selection.tasks.iter().zip(data) {
        let limit = options.limit.unwrap_or(usize::MAX);
        progress.begin(&format!("reading {}, {} documents", task.task, data.docs.len().min(limit)), 0, 0);
        planned.push(plan_task(task, data, options, tokenizer, window, &templates)?);
    }
    Ok(planned)
}

fn plan_task(
    task: &Task,
    data: TaskData,
    options: &Options,
    tokenizer: &Tokenizer,
    window: usize,
    templates: &Templates,
) -> Result<PlannedTask, BenchmarkError> {
    // As lm-eval, which states the number even where no example stands before the text.
    let n_shot = task.n_shot(options.n_shot);
    let shots = Shots::new(task, &data.shots, shots_needed(task, options), options.fewshot_seed);
    let first = data.docs.first().ok_or_else(|| BenchmarkError::Task {
        task: task.task.clone(),
        reason: format!("the {} split has no documents", task.eval_split()),
    })?;
    let prompter = Prompter::new(task, templates, tokenizer, options, shots, first);
    let mut prompter = prompter.map_err(|error| error.of(task, 0))?;
    let encoder = Encoder { task, tokenizer, options, window };
    let mut hash = Sha256::new();
    let mut docs = Vec::new();
    let mut previous: Vec<TokenId> = Vec::new();
    let original = data.docs.len();
    for (at, doc) in data.docs.iter().take(options.limit.unwrap_or(original)).enumerate() {
        let mut prompt = prompter.prompt(doc).map_err(|error| error.of(task, at))?;
        let requests = encoder.requests(&prompt).map_err(|error| error.of(task, at))?;
        prompt.contexts.clear();
        requests.hash(&mut hash);
        let tokens = requests.tokens_to_read(&mut previous) + generated_at_most(task, &requests);
        docs.push(PlannedDoc { doc: doc.clone(), prompt, requests, tokens });
    }
    let requests_sha256 = hexadecimal(&hash.finalize());
    let system_dropped = prompter.system_dropped;
    let task = Arc::new(task.clone());
    Ok(PlannedTask { task, n_shot, docs, original, files: data.files, requests_sha256, system_dropped })
}

fn generated_at_most(task: &Task, requests: &DocRequests) -> usize {
    match requests.tokens {
        Requests::Generate(_) => task.generation_kwargs.clone().unwrap_or_default().max_gen_toks,
        _ => 0,
    }
}

/// Bytes in lower case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PlannedDoc {
    /// The number of tokens of each scored continuation.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.requests.scored().iter().map(|request| request.continuation.len()).collect()
    }
}

impl PlannedTask {
    /// What a run with the same answers has in common: definition, data and requests.
    pub(crate) fn identity(&self) -> Value {
        let definition = serde_json::to_string(&*self.task).unwrap_or_default();
        serde_json::json!({
            "definition_sha256": hexadecimal(&Sha256::digest(definition.as_bytes())),
            "data_sha256": self.files.iter().map(|file| file.sha256.as_str()).collect::<Vec<_>>(),
            "requests_sha256": self.requests_sha256,
            "docs": self.docs.len(),
        })
    }
}

#[cfg(test)]
mod tests;
