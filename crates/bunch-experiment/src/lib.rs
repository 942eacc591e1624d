//! Reads experiments, plans their cells, runs or reuses them, records results.
//!
//! [`Experiment`] is a TOML file of `experiments/`: rows (a strategy that finds a model), columns (a metric), the
//! published values, the claims, and what each scale changes. [`Run`] plans one cell for each block, row and seed, takes
//! what is cached, computes the rest on the cores there are, and writes the results folder. [`Suite`] does that for several,
//! and [`Committed`] holds results against their files, their claims and a run anew.

mod data;
mod derived;
mod error;
mod evaluation;
mod likeness;
mod measurement;
mod metric;
mod miniature;
mod objective;
mod preference;
mod runner;
mod scale;
mod scoring;
mod small;
mod workbench;
mod world;

pub use derived::DerivedModel;
pub use error::ExperimentError;
pub use metric::{Column, JudgeName, Metric, Part, PromptSet};
pub use runner::deviation::Deviation;
pub use runner::dossier::results_page;
pub use runner::drawing::{Drawing, DrawingKind};
pub use runner::experiment::{Block, Experiment, Paper, Row, list_experiments};
pub use runner::outlook::Outlook;
pub use runner::results::between_writes;
pub use runner::run::{Finished, Options, Run};
pub use runner::suite::{Failure, Suite};
pub use runner::verification::{Checked, Committed, Compared, ResultsPlace, Selection, tolerance_reason};
pub use scale::{Scale, WorldKind};
