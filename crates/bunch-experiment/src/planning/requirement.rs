//! Something that an experiment needs and the project does not come with.

use crate::planning::checkpoints::Presence;

/// A checkpoint or a data set.
#[derive(Debug, Clone)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    /// Its place on the hub, or its title.
    pub(crate) what: String,
    /// For a checkpoint, the commit on the hub.
    pub(crate) revision: Option<String>,
    pub(crate) bytes: Option<u64>,
    pub(crate) licence: Option<String>,
    /// What it is needed for.
    pub(crate) roles: Vec<String>,
    pub(crate) presence: Presence,
    /// How that is known, where it is not the project's own data files that say so.
    pub(crate) how: String,
    /// How to get it.
    pub(crate) get: String,
}
