//! The keys of a task's file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::BenchmarkError;
use crate::filter::FilterPipeline;
use crate::metric::{Metric, MetricConfig};
use crate::output_type::OutputType;
use crate::task::process::ProcessDocs;

/// A task as its TOML file says; unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name.
    pub task: String,
    /// The name in tables; the task's own where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_alias: Option<String>,
    /// Id in `data/datasets.toml`; either this or `data_files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Configuration or subject of the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    /// Per split a file, relative to the task file's folder or else to the data folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data_files: BTreeMap<String, String>,
    /// What is asked of the model.
    pub output_type: OutputType,
    /// Split for few-shot examples where `fewshot_split` is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_split: Option<String>,
    /// Split that is scored where there is no `test_split`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_split: Option<String>,
    /// Split that is scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_split: Option<String>,
    /// Split that few-shot examples are taken from; else training, validation, test, whichever is first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewshot_split: Option<String>,
    /// How few-shot examples are chosen.
    #[serde(default)]
    pub fewshot_config: FewshotConfig,
    /// A change of every document before the templates see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_docs: Option<ProcessDocs>,
    /// Text before everything else, a template; with a chat template it is the system message.
    #[serde(default)]
    pub description: String,
    /// The question: a column's name or a template. A number means that the choices are contexts and the target is the
    /// one continuation (partial evaluation, as in WinoGrande).
    pub doc_to_text: String,
    /// The answer: a column's name or a template; with choices a number is the right choice's index.
    pub doc_to_target: String,
    /// The choices: a list, a column's name, or a template of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc_to_choice: Option<Choices>,
    /// Text between question and answer; nothing with a chat template.
    #[serde(default = "space")]
    pub target_delimiter: String,
    /// Text after every few-shot example.
    #[serde(default = "blank_line")]
    pub fewshot_delimiter: String,
    /// Number of few-shot examples unless the caller names one; 0 cannot be overridden, as in lm-eval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_fewshot: Option<usize>,
    /// How answers are generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation_kwargs: Option<GenerationKwargs>,
    /// How answers are extracted from generated text; none: the text is the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filter_list: Vec<FilterPipeline>,
    /// What is measured, the task's main metric first.
    pub metric_list: Vec<MetricConfig>,
    /// Whose rules the details follow.
    #[serde(default)]
    pub protocol: Protocol,
    /// Version and notes.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// The folder of the task's file.
    #[serde(skip)]
    pub(crate) folder: Option<PathBuf>,
}

/// Choices of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choices {
    /// The same for every document.
    List(Vec<String>),
    /// A column's name or a template of a Python list.
    Template(String),
}

/// How few-shot examples are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FewshotConfig {
    /// The sampler.
    #[serde(default)]
    pub sampler: SamplerName,
}

/// A way to choose few-shot examples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerName {
    /// `random.Random(1234).sample`, its state carried from document to document.
    #[default]
    Default,
    /// The first rows of the split.
    FirstN,
}

/// Whose rules a task's details follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// lm-evaluation-harness: spaces at a context's end move to the continuation, choices compare by summed
    /// log-likelihood, what is too long loses its beginning.
    #[default]
    LmEval,
    /// AdaptLLM (Cheng et al. 2024, inference code): nothing is moved, choices compare by mean log-likelihood per token,
    /// choice prompts are never truncated and generation prompts keep their BOS when they are.
    Adaptllm,
}

/// How answers are generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationKwargs {
    /// Texts that end the answer, besides the end-of-sequence tokens; the few-shot delimiter where missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Vec<String>>,
    /// Whether tokens are drawn; false: the most probable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    /// Above 0 with `do_sample`.
    #[serde(default)]
    pub temperature: f32,
    /// Smallest set of tokens drawn from, in (0, 1].
    #[serde(default = "one")]
    pub top_p: f32,
    /// Upper limit on generated tokens.
    #[serde(default = "max_gen_toks")]
    pub max_gen_toks: usize,
    /// Upper limit on the prompt's tokens besides the context window's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ctx_toks: Option<usize>,
}

fn space() -> String {
    " ".to_string()
}

fn blank_line() -> String {
    "\n\n".to_string()
}

const fn one() -> f32 {
    1.0
}

const fn max_gen_toks() -> usize {
    256
}

impl Default for GenerationKwargs {
    fn default() -> Self {
        Self {
            until: None,
            do_sample: None,
            temperature: 0.0,
            top_p: one(),
            max_gen_toks: max_gen_toks(),
            max_ctx_toks: None,
        }
    }
}

impl Task {
    /// Reads a task's TOML file.
    ///
    /// # Errors
    /// A file that cannot be read or is no task; the message names file, line and key.
    pub fn load(path: &Path) -> Result<Self, BenchmarkError> {
        let source = std::fs::read_to_string(path).map_err(|error| BenchmarkError::read(path, error))?;
        Self::parse(&source, &path.display().to_string(), path.parent())
    }

    pub(crate) fn parse(source: &str, file: &str, folder: Option<&Path>) -> Result<Self, BenchmarkError> {
        let mut task: Self = toml::from_str(source).map_err(BenchmarkError::definition(file))?;
        task.folder = folder.map(Path::to_path_buf);
        task.check()?;
        Ok(task)
    }

    /// The split that is scored.
    #[must_use]
    pub(crate) fn eval_split(&self) -> &str {
        self.test_split.as_deref().or(self.validation_split.as_deref()).unwrap_or_default()
    }

    /// The split that few-shot examples come from.
    #[must_use]
    pub(crate) fn shot_split(&self) -> &str {
        let explicit = self.fewshot_split.as_deref().or(self.training_split.as_deref());
        explicit.or(self.validation_split.as_deref()).unwrap_or_else(|| self.eval_split())
    }

    /// Whether the scored document itself is kept out of its few-shot examples. lm-eval compares `fewshot_split` with
    /// `test_split`, so this also holds where both are missing.
    pub(crate) fn excludes_doc(&self) -> bool {
        self.fewshot_split == self.test_split
    }

    /// The number of few-shot examples: the task's own 0 first, then the caller's, then the task's.
    #[must_use]
    pub fn n_shot(&self, asked: Option<usize>) -> usize {
        match (self.num_fewshot, asked) {
            (Some(0), _) => 0,
            (own, asked) => asked.or(own).unwrap_or(0),
        }
    }

    /// Whether `metric` is one of the task's.
    pub(crate) fn measures(&self, metric: Metric) -> bool {
        self.metric_list.iter().any(|own| own.metric == metric)
    }

    /// The file of a split, for a task that names its files: relative to the task's file, or else below the data folder.
    ///
    /// # Errors
    /// No file is named for the split, or it is in neither place.
    pub(crate) fn data_file(&self, split: &str, data_dir: Option<&Path>) -> Result<PathBuf, BenchmarkError> {
        let wrong = |reason: String| BenchmarkError::Task { task: self.task.clone(), reason };
        let file = self.data_files.get(split).ok_or_else(|| {
            let named: Vec<&str> = self.data_files.keys().map(String::as_str).collect();
            wrong(format!("data_files has no split {split:?}, only {}", named.join(", ")))
        })?;
        let places: Vec<PathBuf> =
            [self.folder.as_deref(), data_dir].into_iter().flatten().map(|folder| folder.join(file)).collect();
        let places = if places.is_empty() { vec![PathBuf::from(file)] } else { places };
        let found = places.iter().find(|place| place.is_file()).cloned();
        found.ok_or_else(|| {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            wrong(format!("the file of its {split} split was not found; looked for {}", places.join(", ")))
        })
    }

    /// The name in tables.
    #[must_use]
    pub fn alias(&self) -> &str {
        self.task_alias.as_deref().unwrap_or(&self.task)
    }

    /// The version of the task's definition.
    #[must_use]
    pub fn version(&self) -> Value {
        self.metadata.get("version").cloned().unwrap_or_else(|| Value::String("Yaml".to_string()))
    }
}
