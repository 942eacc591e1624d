//! A task: which documents, how they become prompts, and what is measured; the keys of lm-evaluation-harness's task files.

mod catalog;
mod check;
mod definition;
mod family;
mod fields;
mod group;
mod process;

pub use catalog::{Catalog, Selection};
pub use definition::{Choices, FewshotConfig, GenerationKwargs, Protocol, SamplerName, Task};
pub(crate) use fields::Question;
pub(crate) use group::MAIN_METRIC;
pub use group::{AggregateMetric, Group};
pub use process::ProcessDocs;
