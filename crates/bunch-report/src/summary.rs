//! What is known about one place of a table from its cells.

use bunch_statistics::{Estimate, pooled_stderr};

use crate::Cell;

/// What is known about one place of a table from its cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Mean and interval over seeds: how much another seed would change the number.
    pub estimate: Estimate,
    /// Standard error over the test items of all seeds: how much other test items would change it.
    pub pooled_stderr: f64,
    /// Fewest test items of a seed.
    pub n_min: u64,
    /// Most test items of a seed.
    pub n_max: u64,
}

impl Summary {
    /// The summary of the cells of one place, one per seed; `None` if there are none. The interval of percentages stays within
    /// them ([`Estimate::of_percentages`]).
    pub fn of(cells: &[&Cell], is_percent: bool) -> Option<Self> {
        let values: Vec<f64> = cells.iter().map(|cell| cell.value).collect();
        let items = cells.iter().map(|cell| cell.n).sum();
        Some(Self {
            estimate: if is_percent { Estimate::of_percentages(&values, items)? } else { Estimate::of(&values)? },
            pooled_stderr: pooled_stderr(&cells.iter().map(|cell| (cell.n, cell.stderr)).collect::<Vec<_>>()),
            n_min: cells.iter().map(|cell| cell.n).min()?,
            n_max: cells.iter().map(|cell| cell.n).max()?,
        })
    }
}
