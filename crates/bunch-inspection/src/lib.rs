//! What a model directory holds and what is wrong with it.
//!
//! [`describe`] gathers what files, headers and config.json say and holds them against each other; nothing that is wrong
//! with a directory makes it fail. A [`Description`] is printed as text or serialised.

#![forbid(unsafe_code)]

mod agreement;
mod config;
mod describe;
mod description;
mod problem;
mod text;
mod tokenizer;
mod values;

pub use describe::{DescribeOptions, describe};
pub use description::{
    Configured, Description, DtypeUse, LayerParameters, ListedFile, LoadingMemory, Parameters, ShardSummary,
    VocabularyRows,
};
pub use problem::Problem;
