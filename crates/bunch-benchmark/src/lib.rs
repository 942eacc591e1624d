//! Benchmarks as lm-evaluation-harness runs them.
//!
//! A [`Task`] says which documents of a data set become which prompts and what is measured; it is a TOML file with the keys
//! of lm-eval's task files, in `data/tasks` or anywhere. A [`Group`] summarises tasks. [`Catalog::select`] finds them by
//! name, [`evaluate`] asks a model and scores its answers, [`Evaluation`] is lm-eval's results file.
//!
//! ```no_run
//! use bunch_benchmark::{Catalog, Options, evaluate};
//! # fn model() -> Box<dyn bunch_lm::LanguageModel> { unreachable!() }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let selection = Catalog::builtin()?.select(&["arc_easy", "mmlu_stem", "my/task.toml"])?;
//! let tokenizer = bunch_lm::Tokenizer::from_directory("SmolLM2-135M".as_ref())?;
//! let options = Options { data_dir: Some("datasets".into()), limit: Some(200), ..Options::default() };
//! let evaluation = evaluate(&selection, &*model(), &tokenizer, &options, &bunch_progress::Quiet)?;
//! println!("{}", evaluation.table());
//! let accuracy = evaluation.score("arc_easy", "acc_norm,none");
//! # Ok(())
//! # }
//! ```
//!
//! # What is the same as in lm-eval, and what is not
//!
//! Prompts, tokens, scores, standard errors and groups are those of lm-eval 0.4.13: the tests compare them with its own
//! records and runs, document by document, for plain prompts, few-shot examples (also those drawn at random), chat
//! templates, mutual information and rolling log-likelihoods. [`Options::add_bos`] and [`Options::fewshot_as_multiturn`]
//! have the defaults of earlier versions, the papers' among them.
//!
//! * Log-likelihoods are summed in f64 over the model's f32 log-probabilities; lm-eval sums in the logits' type.
//! * A log-likelihood that is infinite or no number is an error, and so is a request without tokens.
//! * Perplexities have no standard error, as in lm-eval with the metrics' own aggregation.
//! * Generation runs to `max_gen_toks` unless a stop token comes, and is cut at the first stop text afterwards. The text
//!   is lm-eval's; the time is not.
//! * `doc_hash`, and with it `task_hashes`, depends on the order of a document's columns, which differs from that of the
//!   Hugging Face data sets where another layout is read.
//!
//! # Data
//!
//! `data/datasets.toml` says of each data set its licence, where to get it and which files are understood: the publishers'
//! and the Hugging Face layouts, as JSON, JSON lines, CSV and parquet. They are looked for below [`Options::data_dir`].
//! What is missing is an error that says all this; [`check_data`] finds out before a model is loaded.
//!
//! # AdaptLLM's tasks
//!
//! `adaptllm_*` follow the inference code of AdaptLLM, which MergeAlign's authors used: [`Protocol::Adaptllm`].

#![forbid(unsafe_code)]

mod answer;
mod dataset;
mod doc;
mod error;
mod evaluation;
mod filter;
mod metric;
mod options;
mod outcome;
mod output_type;
mod plan;
mod prepared;
mod prompt;
mod python;
mod questions;
mod request;
mod run;
mod summary;
mod table;
mod task;
mod template;

pub use dataset::{DataFile, DatasetDefinition, datasets};
pub use doc::Doc;
pub use error::BenchmarkError;
pub use evaluation::{Evaluation, evaluate};
pub use filter::{Filter, FilterPipeline};
pub use metric::{Metric, MetricConfig, MetricValue};
pub use options::Options;
pub use output_type::OutputType;
pub use plan::check_data;
pub use prepared::PreparedTasks;
pub use questions::questions;
pub use task::{
    AggregateMetric, Catalog, Choices, FewshotConfig, GenerationKwargs, Group, ProcessDocs, Protocol, SamplerName,
    Selection, Task,
};
