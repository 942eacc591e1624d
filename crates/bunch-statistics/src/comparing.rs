//! Models compared with each other: item by item, and over seeds.

mod distribution;
mod estimate;
mod holm;
mod nested;
mod paired;
mod seed_test;

pub use estimate::{Estimate, pooled_stderr};
pub use holm::holm;
pub use nested::{Nested, NestedValue};
pub use paired::PairedCounts;
pub use seed_test::SeedTest;

#[cfg(test)]
mod simulation;
