//! Shares, estimates over seeds, paired comparisons, agreement, and how sure each of them is.
//!
//! Everything here is a function of plain numbers: what was counted, and by whom, is the caller's business. The crate has two
//! rooms. `counting` is about the test items of one model and uses nothing else; `comparing` is about several models or
//! seeds and may use `counting`. What is measured once and kept depends on `counting` alone, so a change of a test does not
//! make kept measurements old.

#![forbid(unsafe_code)]

mod comparing;
mod counting;

pub use comparing::{Estimate, Nested, NestedValue, PairedCounts, SeedTest, holm, pooled_stderr};
pub use counting::{Agreement, Interval, Proportion, Share, StatisticsError};
