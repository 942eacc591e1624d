//! Where results differ from what they should be.

use std::collections::BTreeMap;
use std::fmt;

use bunch_report::ReportError;

use crate::ExperimentError;

/// One difference, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// File within the results folder.
    pub file: String,
    /// Line or row; empty where the whole file is meant.
    pub row: String,
    /// Column, or what else of the row.
    pub column: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub got: String,
}

impl Deviation {
    pub(crate) fn new([file, row, column]: [&str; 3], expected: impl Into<String>, got: impl Into<String>) -> Self {
        let [file, row, column] = [file, row, column].map(str::to_owned);
        Self { file, row, column, expected: expected.into(), got: got.into() }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, row, column, expected, got } = self;
        let place = [file, row, column].into_iter().filter(|part| !part.is_empty()).map(String::as_str);
        write!(f, "{}: expected {expected}, got {got}", place.collect::<Vec<_>>().join(", "))
    }
}

/// Columns that identify a line of a file, for those files that a line may be missing from; in other files its number does.
fn key_columns(file: &str) -> &'static [&'static str] {
    match file {
        "cells.csv" => &["block", "row", "column", "seed"],
        "claims.csv" => &["claim", "block", "column", "row", "other", "seed"],
        _ => &[],
    }
}

/// The lines of a CSV file by what distinguishes them from others, and its columns.
struct Sheet {
    columns: Vec<String>,
    lines: BTreeMap<Vec<String>, Vec<String>>,
}

impl Sheet {
    fn read(file: &str, text: &str) -> Result<Self, ExperimentError> {
        let wrong = |source| ReportError::Csv { file: file.into(), source };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
        let keys: Vec<usize> =
            (key_columns(file).iter()).filter_map(|key| columns.iter().position(|column| column == key)).collect();
        let mut lines = BTreeMap::new();
        for (index, record) in reader.records().enumerate() {
            let line: Vec<String> = record.map_err(wrong)?.iter().map(str::to_owned).collect();
            // Padded, so that numbers sort as they stand.
            let key: Vec<String> = match keys.as_slice() {
                [] => vec![format!("line {:>6}", index + 2)],
                keys => keys.iter().map(|&key| line[key].clone()).collect(),
            };
            if lines.insert(key.clone(), line).is_some() {
                let name = key.join("/");
                return Err(ReportError::Duplicate { what: "line", name: format!("{file}: {name}") }.into());
            }
        }
        Ok(Self { columns, lines })
    }
}

/// Where the CSV text `got` differs from `expected`, both of the same `file`; columns in `ignored` may.
///
/// # Errors
/// One of the two is not CSV, or has two lines of the same place.
pub(crate) fn csv_deviations(
    file: &str,
    expected: &str,
    got: &str,
    ignored: &[&str],
) -> Result<Vec<Deviation>, ExperimentError> {
    let (expected, got) = (Sheet::read(file, expected)?, Sheet::read(file, got)?);
    if expected.columns != got.columns {
        let (expected, got) = (expected.columns.join(","), got.columns.join(","));
        return Ok(vec![Deviation::new([file, "", "columns"], expected, got)]);
    }
    let mut deviations: Vec<Deviation> = Vec::new();
    let name =
        |key: &[String]| key.join("/").replace("line  ", "line ").split_whitespace().collect::<Vec<_>>().join(" ");
    for (key, line) in &expected.lines {
        let Some(other) = got.lines.get(key) else {
            deviations.push(Deviation::new([file, &name(key), ""], "a line", "none"));
            continue;
        };
        for ((column, expected), got) in expected.columns.iter().zip(line).zip(other) {
            if expected == got || ignored.contains(&column.as_str()) {
                continue;
            }
            // A verdict is the claim's, and stands in each of its lines.
            let key = if column == "verdict" { &key[..1] } else { key };
            let deviation = Deviation::new([file, &name(key), column], quoted(expected), quoted(got));
            if !deviations.contains(&deviation) {
                deviations.push(deviation);
            }
        }
    }
    let extra = got.lines.keys().filter(|key| !expected.lines.contains_key(*key));
    deviations.extend(extra.map(|key| Deviation::new([file, &name(key), ""], "no line", "one")));
    Ok(deviations)
}

/// The text, with something to see where there is none.
fn quoted(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::csv_deviations;

    const CELLS: &str = "block,row,column,seed,value,cell_id\np,a,c,0,1.5,x\np,b,c,0,2.5,y\n";

    fn found(file: &str, expected: &str, got: &str) -> Vec<String> {
        csv_deviations(file, expected, got, &["cell_id"]).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_difference_has_file_row_and_column() {
        assert!(found("cells.csv", CELLS, &CELLS.replace(",y", ",z")).is_empty());
        let got = found("cells.csv", CELLS, &CELLS.replace("1.5", "1.25").replace("2.5", ""));
        assert_eq!(
            got,
            [
                "cells.csv, p/a/c/0, value: expected 1.5, got 1.25",
                "cells.csv, p/b/c/0, value: expected 2.5, got nothing"
            ]
        );
        let claims = "claim,verdict,seed\nc,holds,0\nc,holds,1\n";
        let got = found("claims.csv", claims, &claims.replace("holds", "partly"));
        assert_eq!(got, ["claims.csv, c, verdict: expected holds, got partly"], "once for the claim");
        let got = found("stages.csv", "stage,n\nwanted,3\nasked,5\n", "stage,n\nwanted,3\nasked,6\n");
        assert_eq!(got, ["stages.csv, line 3, n: expected 5, got 6"]);
    }

    #[test]
    fn lines_and_columns_that_only_one_has_are_found() {
        let got = found("cells.csv", CELLS, &CELLS.replace("p,a", "q,a"));
        assert_eq!(
            got,
            ["cells.csv, p/a/c/0: expected a line, got none", "cells.csv, q/a/c/0: expected no line, got one"]
        );
        assert_eq!(found("x.csv", "a\n1\n", "b\n1\n"), ["x.csv, columns: expected a, got b"]);
        assert_eq!(found("x.csv", "a\n1\n2\n", "a\n1\n"), ["x.csv, line 3: expected a line, got none"]);
        let twice = format!("{CELLS}p,a,c,0,9,x\n");
        let error = csv_deviations("cells.csv", CELLS, &twice, &[]).unwrap_err().to_string();
        assert_eq!(error, "line appears twice: cells.csv: p/a/c/0");
    }
}
