//! Shares, estimates over seeds, paired comparisons, agreement, and how sure each of them is.
//!
//! Everything here is a function of plain numbers: what was counted, and by whom, is the caller's business.

#![forbid(unsafe_code)]

mod agreement;
mod error;
mod estimate;
mod holm;
mod interval;
mod paired;
mod proportion;
mod seed_test;
mod share;
mod special;

pub use agreement::Agreement;
pub use error::StatisticsError;
pub use estimate::{Estimate, pooled_stderr};
pub use holm::holm;
pub use interval::Interval;
pub use paired::PairedCounts;
pub use proportion::Proportion;
pub use seed_test::SeedTest;
pub use share::Share;
