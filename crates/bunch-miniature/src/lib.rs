//! The small synthetic world in which everything runs without a download.

pub mod world;
