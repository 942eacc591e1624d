//! What has to be done for an experiment, and what that takes: cells, their addresses, what they need.

pub(crate) mod cells;
pub(crate) mod data_plan;
pub(crate) mod members;
pub(crate) mod run;
pub(crate) mod tasks;
