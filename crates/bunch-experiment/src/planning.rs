//! What has to be done for an experiment, and what that takes: cells, their addresses, what they need.

pub(crate) mod cells;
pub(crate) mod checkpoints;
pub(crate) mod estimate;
pub(crate) mod paper_data;
pub(crate) mod requirements;
pub(crate) mod workload;
