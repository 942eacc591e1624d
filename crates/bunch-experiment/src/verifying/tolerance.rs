//! How far numbers of another type of machine may be from the committed ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bunch_recipe::open_toml;
use bunch_report::{Cell, CellIndex};
use bunch_statistics::Estimate;
use serde::Deserialize;

use crate::ExperimentError;
use crate::verifying::deviation::Deviation;

/// `data/verification.toml`, which says what each number means.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tolerance {
    /// Why these numbers.
    pub(crate) reason: String,
    half_widths: f64,
    points: f64,
    relative: f64,
}

impl Tolerance {
    /// Reads the file below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self, ExperimentError> {
        let path = root.join("data/verification.toml");
        let tolerance: Self = open_toml(&path)?;
        let numbers = [tolerance.half_widths, tolerance.points, tolerance.relative];
        if numbers.iter().any(|number| !(number.is_finite() && *number >= 0.0)) {
            let what = format!("{numbers:?} are not all finite and at least 0");
            return Err(ExperimentError::Inconsistent { path, what });
        }
        Ok(tolerance)
    }

    /// How far the mean over seeds may be from that of the committed `cells` of a place.
    fn allowed(&self, cells: &[&Cell], mean: f64, half_width: Option<f64>) -> f64 {
        let is_share = cells.iter().all(|cell| cell.n > 0);
        let least = if is_share { self.points } else { self.relative * mean.abs() };
        least.max(self.half_widths * half_width.unwrap_or(0.0))
    }

    /// Where the cells `got` differ from the committed ones by more than this, or are not of the same places, seeds and sizes.
    ///
    /// # Errors
    /// Cells that are not finite, or two of the same place and seed.
    pub(crate) fn deviations(&self, committed: &[Cell], got: &[Cell]) -> Result<Vec<Deviation>, ExperimentError> {
        const FILE: &str = "cells.csv";
        let (expected, made) = (CellIndex::new(committed)?, CellIndex::new(got)?);
        let places = |cells: &'_ [Cell]| -> BTreeSet<[String; 3]> {
            cells.iter().map(|cell| [&cell.block, &cell.row, &cell.column].map(String::clone)).collect()
        };
        let mut deviations = Vec::new();
        for place in places(committed).union(&places(got)) {
            let [block, row, column] = place.each_ref().map(String::as_str);
            let name = place.join("/");
            let (expected, made) = (expected.cells(block, row, column), made.cells(block, row, column));
            let sizes =
                |cells: &[&Cell]| -> BTreeMap<u64, u64> { cells.iter().map(|cell| (cell.seed, cell.n)).collect() };
            if sizes(&expected) != sizes(&made) {
                let shown = |cells| format!("{:?}", sizes(cells));
                deviations.push(Deviation::new([FILE, &name, "items by seed"], shown(&expected), shown(&made)));
                continue;
            }
            let estimate = |cells: &[&Cell]| Estimate::of(&cells.iter().map(|cell| cell.value).collect::<Vec<_>>());
            let (Some(committed), Some(got)) = (estimate(&expected), estimate(&made)) else { continue };
            let allowed = self.allowed(&expected, committed.mean, committed.half_width());
            if (got.mean - committed.mean).abs() > allowed {
                let expected = format!("{:.4} ± {allowed:.4}", committed.mean);
                let place = [FILE, &name, "mean of value over seeds"];
                deviations.push(Deviation::new(place, expected, format!("{:.4}", got.mean)));
            }
        }
        Ok(deviations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: Tolerance = Tolerance { reason: String::new(), half_widths: 1.0, points: 5.0, relative: 0.1 };

    fn cell(row: &str, seed: u64, value: f64, n: u64) -> Cell {
        let (row, column, block, cell_id) = (row.into(), "c".into(), "p".into(), String::new());
        Cell { row, column, block, seed, value, stderr: 0.0, n, cell_id, detail: BTreeMap::new() }
    }

    fn found(expected: &[Cell], got: &[Cell]) -> Vec<String> {
        TOLERANCE.deviations(expected, got).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn means_agree_within_points_or_the_interval() {
        // One seed: the points alone.
        let one = [cell("a", 0, 50.0, 100)];
        assert!(found(&one, &[cell("a", 0, 55.0, 100)]).is_empty());
        assert_eq!(
            found(&one, &[cell("a", 0, 55.5, 100)]),
            ["cells.csv, p/a/c, mean of value over seeds: expected 50.0000 ± 5.0000, got 55.5000"]
        );
        // Two seeds that are far apart: t of one degree of freedom times the standard error, 12.706 x 10.
        let two = [cell("a", 0, 40.0, 100), cell("a", 1, 60.0, 100)];
        assert!(found(&two, &[cell("a", 0, 170.0, 100), cell("a", 1, 180.0, 100)]).is_empty());
        assert_eq!(found(&two, &[cell("a", 0, 170.0, 100), cell("a", 1, 186.0, 100)]).len(), 1);
        // What is no share of items has no points.
        let number = [cell("a", 0, 0.5, 0)];
        assert!(found(&number, &[cell("a", 0, 0.54, 0)]).is_empty());
        assert_eq!(found(&number, &[cell("a", 0, 0.56, 0)]).len(), 1);
    }

    #[test]
    fn places_seeds_and_sizes_are_the_same() {
        let expected = [cell("a", 0, 50.0, 100)];
        assert_eq!(
            found(&expected, &[cell("a", 0, 50.0, 99)]),
            ["cells.csv, p/a/c, items by seed: expected {0: 100}, got {0: 99}"]
        );
        assert_eq!(found(&expected, &[cell("a", 1, 50.0, 100)]).len(), 1);
        assert_eq!(found(&expected, &[cell("b", 0, 50.0, 100)]).len(), 2, "one is missing, and one is extra");
    }

    #[test]
    fn the_file_says_what_is_allowed_and_why() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tolerance = Tolerance::load(&root).unwrap();
        assert!(tolerance.reason.contains("instruction set"), "{tolerance:?}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let text = "reason = \"\"\nhalf_widths = -1.0\npoints = 1.0\nrelative = 0.1\n";
        std::fs::write(folder.path().join("data/verification.toml"), text).unwrap();
        let error = Tolerance::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("verification.toml") && error.contains("-1.0"), "{error}");
    }
}
