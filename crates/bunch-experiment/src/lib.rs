//! Reads experiments, plans their cells, runs or reuses them, records results.
//!
//! [`Experiment`] is a TOML file of `experiments/`: rows (a merge method and how it is weighted), columns (a metric), the
//! published values, the claims, and what each scale changes. [`Run`] plans one cell for each block, row and seed, takes
//! what is cached, computes the rest on the cores there are, and writes the results folder. [`Suite`] does that for several,
//! and [`Committed`] holds results against their files, their claims and a run anew.

mod criterion;
mod data;
mod derived;
mod error;
mod evaluation;
mod evomm;
mod experts;
mod front_search;
mod likeness;
mod measurement;
mod metric;
mod miniature;
mod preference;
mod runner;
mod scale;
mod scoring;
mod small;
mod weighting;
mod workbench;
mod world;

pub use derived::DerivedModel;
pub use error::ExperimentError;
pub use evomm::{Evomm, Family, Variant};
pub use experts::Experts;
pub use front_search::FrontSearch;
pub use metric::{Column, JudgeName, Metric, Part, PromptSet};
pub use preference::Preference;
pub use runner::deviation::Deviation;
pub use runner::dossier::results_page;
pub use runner::drawing::{Drawing, DrawingKind};
pub use runner::experiment::{Block, Experiment, Paper, Row, list_experiments};
pub use runner::outlook::Outlook;
pub use runner::results::between_writes;
pub use runner::run::{Finished, Options, Run};
pub use runner::suite::{Failure, Suite};
pub use runner::verification::{Checked, Committed, Compared, ResultsPlace, Selection, tolerance_reason};
pub use scale::{GridValues, Scale, WorldKind};
pub use weighting::{Data, Source, Weighting};
