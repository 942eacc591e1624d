//! Reads experiments, plans their cells, runs or reuses them, records results.
//!
//! [`Experiment`] is a TOML file of `experiments/`: rows (a merge method and how it is weighted), columns (a metric), the
//! published values, the claims, and what each scale changes. [`Run`] plans one cell for each block, row and seed, takes
//! what is cached, computes the rest on the cores there are, and writes the results folder. [`Suite`] does that for several,
//! and [`Committed`] holds results against their files, their claims and a run anew.

mod costs;
mod criterion;
mod declared;
mod error;
mod evomm;
mod front_search;
mod miniature;
mod planning;
mod preference;
mod recording;
mod running;
mod small;
mod verifying;
mod weighting;
mod workbench;
mod world;

pub use declared::column::{Column, JudgeName, Metric, Part, PromptSet};
pub use declared::derived::DerivedModel;
pub use declared::experiment::{Block, Experiment, Paper, Row, list_experiments};
pub use declared::figure_spec::{Drawing, DrawingKind};
pub use declared::scale::{GridValues, Scale, WorldKind};
pub use error::ExperimentError;
pub use evomm::{Evomm, Family, Variant};
pub use front_search::FrontSearch;
pub use preference::Preference;
pub use recording::results::between_writes;
pub use running::dry_run::Outlook;
pub use running::run::{Finished, Options, Run};
pub use running::suite::{Failure, Suite};
pub use verifying::deviation::Deviation;
pub use verifying::results_page::results_page;
pub use verifying::verification::{Checked, Committed, Compared, ResultsPlace, Selection, tolerance_reason};
pub use weighting::{Data, Source, Weighting};
