//! One measured number, and the CSV file that holds them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use bunch_statistics::Estimate;

use crate::{ReportError, Summary};

/// Columns of a file of cells, before its `detail.<name>` columns.
const COLUMNS: [&str; 8] = ["block", "row", "column", "seed", "value", "stderr", "n", "cell_id"];
const DETAIL: &str = "detail.";

/// One measured number: what a row's model scores in a column's metric, within a block, for one seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Name of the row (a method).
    pub row: String,
    /// Name of the column (a metric).
    pub column: String,
    /// Name of the block (a model pool).
    pub block: String,
    /// Seed of the whole world the cell was measured in.
    pub seed: u64,
    /// The measurement, in the column's unit (percent unless the table says otherwise).
    pub value: f64,
    /// Standard error of `value` over the test items, in the same unit.
    pub stderr: f64,
    /// Number of test items.
    pub n: u64,
    /// Content address of the cell: hash of everything it was computed from.
    pub cell_id: String,
    /// Further numbers worth keeping (found weights, losses), by name.
    #[serde(default)]
    pub detail: BTreeMap<String, f64>,
}

impl Cell {
    fn key(&self) -> (&str, &str, &str, u64) {
        (&self.block, &self.row, &self.column, self.seed)
    }

    fn place(&self) -> String {
        format!("cell {}/{}/{} of seed {}", self.block, self.row, self.column, self.seed)
    }

    fn validate(&self) -> Result<(), ReportError> {
        let own = [("value", self.value), ("stderr", self.stderr)];
        let detail = self.detail.iter().map(|(name, &value)| (name.as_str(), value));
        for (field, got) in own.into_iter().chain(detail) {
            if !got.is_finite() {
                return Err(ReportError::NotFinite { place: self.place(), field: field.into(), got });
            }
        }
        if self.stderr < 0.0 {
            return Err(ReportError::Negative { place: self.place(), field: "stderr".into(), got: self.stderr });
        }
        Ok(())
    }
}

/// The text of `cells.csv`: sorted by block, row, column and seed, so that it does not depend on the order of computing.
///
/// Numbers are written in the shortest form that reads back to the same bits; a detail that a cell lacks is empty.
///
/// # Errors
/// If a number is not finite, a standard error is negative, or two cells are of the same place and seed.
pub fn write_cells(cells: &[Cell]) -> Result<String, ReportError> {
    CellIndex::new(cells)?;
    let mut sorted: Vec<&Cell> = cells.iter().collect();
    sorted.sort_by(|a, b| a.key().cmp(&b.key()));
    let details: BTreeSet<&str> = cells.iter().flat_map(|cell| cell.detail.keys().map(String::as_str)).collect();
    let mut rows = vec![
        COLUMNS.iter().map(|&name| name.into()).chain(details.iter().map(|name| format!("{DETAIL}{name}"))).collect(),
    ];
    for cell in sorted {
        let own = [
            cell.block.clone(),
            cell.row.clone(),
            cell.column.clone(),
            cell.seed.to_string(),
            cell.value.to_string(),
            cell.stderr.to_string(),
            cell.n.to_string(),
            cell.cell_id.clone(),
        ];
        let detail = details.iter().map(|&name| cell.detail.get(name).map(f64::to_string).unwrap_or_default());
        rows.push(own.into_iter().chain(detail).collect());
    }
    Ok(crate::layout::csv_text(&rows))
}

/// The cells in the text of a `cells.csv`; `file` is its name for error messages.
///
/// # Errors
/// If the text is not such a file, a number is malformed or not finite, or two cells are of the same place and seed.
pub fn read_cells(text: &str, file: &str) -> Result<Vec<Cell>, ReportError> {
    let csv_error = |source| ReportError::Csv { file: file.into(), source };
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(csv_error)?.clone();
    let names: Vec<&str> = header.iter().collect();
    let details: Vec<&str> = names.iter().skip(COLUMNS.len()).filter_map(|name| name.strip_prefix(DETAIL)).collect();
    if !names.starts_with(&COLUMNS) || details.len() + COLUMNS.len() != names.len() {
        let (expected, got) = (COLUMNS.join(","), names.join(","));
        return Err(ReportError::CsvHeader { file: file.into(), expected, got });
    }
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        let line = record.position().map_or(0, csv::Position::line);
        let bad = |column: usize, expected| ReportError::Number {
            file: file.into(),
            line,
            column: names[column].into(),
            expected,
            got: record[column].into(),
        };
        let integer = |column: usize| record[column].parse::<u64>().map_err(|_| bad(column, "a whole number"));
        let number = |column: usize| match record[column].parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(bad(column, "a finite number")),
        };
        let mut detail = BTreeMap::new();
        for (offset, name) in details.iter().enumerate() {
            let column = COLUMNS.len() + offset;
            if !record[column].is_empty() {
                detail.insert((*name).to_string(), number(column)?);
            }
        }
        cells.push(Cell {
            block: record[0].into(),
            row: record[1].into(),
            column: record[2].into(),
            seed: integer(3)?,
            value: number(4)?,
            stderr: number(5)?,
            n: integer(6)?,
            cell_id: record[7].into(),
            detail,
        });
    }
    CellIndex::new(&cells)?;
    Ok(cells)
}

/// Cells by place, each place's by seed.
#[derive(Debug, Clone)]
pub struct CellIndex<'a> {
    places: BTreeMap<(&'a str, &'a str, &'a str), BTreeMap<u64, &'a Cell>>,
}

impl<'a> CellIndex<'a> {
    /// Indexes `cells`, in any order.
    ///
    /// # Errors
    /// If a number is not finite, a standard error is negative, or two cells are of the same place and seed.
    pub fn new(cells: &'a [Cell]) -> Result<Self, ReportError> {
        let mut places: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for cell in cells {
            cell.validate()?;
            let place: &mut BTreeMap<u64, &Cell> =
                places.entry((cell.block.as_str(), cell.row.as_str(), cell.column.as_str())).or_default();
            if place.insert(cell.seed, cell).is_some() {
                return Err(ReportError::Duplicate { what: "cell", name: cell.place() });
            }
        }
        Ok(Self { places })
    }

    /// The cells of one place in the order of their seeds.
    pub fn cells(&self, block: &str, row: &str, column: &str) -> Vec<&'a Cell> {
        self.places.get(&(block, row, column)).map(|seeds| seeds.values().copied().collect()).unwrap_or_default()
    }

    /// Statistics over the seeds of one place, or `None` where nothing was measured; `is_percent` says whether the column's
    /// numbers are percentages.
    pub fn summary(&self, block: &str, row: &str, column: &str, is_percent: bool) -> Option<Summary> {
        Summary::of(&self.cells(block, row, column), is_percent)
    }

    /// `row - other` within each seed that has both, in the order of seeds.
    ///
    /// Models of different seeds differ by more than methods do, so methods are compared within a seed.
    pub fn differences(&self, block: &str, column: &str, row: &str, other: &str) -> Vec<(u64, f64)> {
        let pairs = self.pairs(block, column, row, other);
        pairs.into_iter().map(|[cell, other]| (cell.seed, cell.value - other.value)).collect()
    }

    /// The cells of `row` and `other` within each seed that has both, in the order of seeds.
    pub(crate) fn pairs(&self, block: &str, column: &str, row: &str, other: &str) -> Vec<[&'a Cell; 2]> {
        let others = self.cells(block, other, column);
        let other = |cell: &'a Cell| others.iter().find(|other| other.seed == cell.seed).copied();
        self.cells(block, row, column).into_iter().filter_map(|cell| Some([cell, other(cell)?])).collect()
    }

    /// Mean and interval over seeds of [`differences`](Self::differences), or `None` without a common seed.
    pub fn difference(&self, block: &str, column: &str, row: &str, other: &str) -> Option<Estimate> {
        let values: Vec<f64> =
            self.differences(block, column, row, other).into_iter().map(|(_, value)| value).collect();
        Estimate::of(&values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::cell;
    use proptest::prelude::*;

    #[test]
    fn the_file_is_sorted_and_reads_back() {
        let mut first = cell("p", "ties", "alignment", 1, 61.6);
        first.detail.insert("density".into(), 0.1 + 0.2);
        let second = cell("p", "dare, \"x\"", "alignment", 0, 1.0 / 3.0);
        let text = write_cells(&[first.clone(), second.clone()]).unwrap();
        assert_eq!(
            text,
            "block,row,column,seed,value,stderr,n,cell_id,detail.density\n\
             p,\"dare, \"\"x\"\"\",alignment,0,0.3333333333333333,1,100,id,\n\
             p,ties,alignment,1,61.6,1,100,id,0.30000000000000004\n"
        );
        assert_eq!(write_cells(&[second.clone(), first.clone()]).unwrap(), text);
        assert_eq!(read_cells(&text, "cells.csv").unwrap(), [second, first]);
    }

    #[test]
    fn bad_files_are_refused_with_their_place() {
        let header = "block,row,column,seed,value,stderr,n,cell_id\n";
        let message = |text: String| read_cells(&text, "cells.csv").unwrap_err().to_string();
        assert_eq!(
            message(format!("{header}p,r,c,0,1,1,5,id\np,r,c,1,x,1,5,id\n")),
            "cells.csv, line 3, column `value`: `x` is not a finite number"
        );
        assert!(message(format!("{header}p,r,c,0,NaN,1,5,id\n")).contains("`NaN` is not a finite number"));
        assert!(message(format!("{header}p,r,c,-1,1,1,5,id\n")).contains("column `seed`: `-1`"));
        assert_eq!(
            message(format!("{header}p,r,c,0,1,1,5,id\np,r,c,0,1,1,5,id\n")),
            "cell appears twice: cell p/r/c of seed 0"
        );
        assert!(message(format!("{header}p,r,c,0,1,-1,5,id\n")).contains("`stderr` is -1, expected at least 0"));
        assert!(message("block,row\n".into()).contains("columns are block,row, expected block,row,column"));
        assert!(message(header.replace("cell_id", "cell_id,extra")).contains("columns are"));
        assert!(message(format!("{header}p,r\n")).contains("cells.csv: CSV error"));
    }

    #[test]
    fn numbers_that_are_not_finite_are_not_written() {
        let error = write_cells(&[cell("p", "r", "c", 0, f64::NAN)]).unwrap_err();
        assert_eq!(error.to_string(), "cell p/r/c of seed 0: `value` is NaN, expected a finite number");
        let mut broken = cell("p", "r", "c", 0, 1.0);
        broken.detail.insert("loss".into(), f64::INFINITY);
        assert!(write_cells(&[broken]).unwrap_err().to_string().contains("`loss` is inf"));
    }

    #[test]
    fn differences_pair_seeds() {
        let cells = [
            cell("p", "a", "c", 0, 5.0),
            cell("p", "a", "c", 1, 7.0),
            cell("p", "a", "c", 2, 9.0),
            cell("p", "b", "c", 1, 1.0),
            cell("p", "b", "c", 2, 2.0),
            cell("q", "b", "c", 0, 100.0),
        ];
        let index = CellIndex::new(&cells).unwrap();
        assert_eq!(index.differences("p", "c", "a", "b"), [(1, 6.0), (2, 7.0)]);
        assert_eq!(index.difference("p", "c", "a", "b").unwrap().mean, 6.5);
        assert_eq!(index.difference("q", "c", "a", "b"), None);
    }

    proptest! {
        #[test]
        fn any_finite_cells_read_back_bit_for_bit(
            values in prop::collection::vec((any::<f64>(), any::<f64>(), any::<u64>(), prop::option::of(any::<f64>())), 0..8),
            name in "(?s).{0,12}",
        ) {
            let finite = |x: f64| if x.is_finite() { x } else { 0.5 };
            let cells: Vec<Cell> = values.iter().enumerate().map(|(seed, &(value, stderr, n, detail))| Cell {
                block: name.clone(), row: "r".into(), column: name.clone(), seed: seed as u64, value: finite(value),
                stderr: finite(stderr).abs(), n, cell_id: name.clone(),
                detail: detail.map(|x| (name.clone(), finite(x))).into_iter().collect(),
            }).collect();
            prop_assert_eq!(read_cells(&write_cells(&cells).unwrap(), "x").unwrap(), cells);
        }
    }
}
