//! An interval that is to contain an unknown value.

use serde::{Deserialize, Serialize};

/// A closed interval, in the unit of what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}
