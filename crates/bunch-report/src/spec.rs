//! The declaration of a table: its blocks, rows and columns.

use crate::{ReportError, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A table: every block repeats the rows, every row has the columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Title, which names the scale the cells were measured at.
    pub title: String,
    /// Blocks in order, such as model pools; at least one.
    pub blocks: Vec<BlockSpec>,
    /// Rows in order; at least one.
    pub rows: Vec<RowSpec>,
    /// Columns in order; at least one.
    pub columns: Vec<ColumnSpec>,
    /// Why places stay empty on purpose.
    #[serde(default)]
    pub missing: Vec<Missing>,
}

/// One part of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSpec {
    /// Name in cells and published values.
    pub name: String,
    /// Heading; empty for none.
    #[serde(default)]
    pub title: String,
    /// Names of the rows this block has; empty for all.
    #[serde(default)]
    pub rows: Vec<String>,
}

/// One row: a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSpec {
    /// Name in cells and published values.
    pub name: String,
    /// Label in the table.
    pub label: String,
    /// What neighbouring rows have in common, such as the merge method; empty for none.
    #[serde(default)]
    pub group: String,
    /// Row of the same block whose difference is shown in brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Mark in figures; by default the next one within the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
}

impl RowSpec {
    /// Group and label, which together name the row to a reader.
    pub fn full_label(&self) -> String {
        if self.group.is_empty() { self.label.clone() } else { format!("{} {}", self.group, self.label) }
    }
}

/// One column: a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Name in cells and published values.
    pub name: String,
    /// Label in the table.
    pub label: String,
    /// Unit of the values, such as `%`; empty for none.
    #[serde(default)]
    pub unit: String,
    /// Digits after the point, 1 unless stated.
    #[serde(default = "one")]
    pub decimals: usize,
}

fn one() -> usize {
    1
}

impl ColumnSpec {
    /// Whether the column's numbers are percentages.
    pub(crate) fn is_percent(&self) -> bool {
        self.unit == "%"
    }

    /// Label and unit, as in `alignment (%)`.
    pub fn full_label(&self) -> String {
        if self.unit.is_empty() { self.label.clone() } else { format!("{} ({})", self.label, self.unit) }
    }
}

/// A place that is empty on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// Row.
    pub row: String,
    /// Column; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Block; all of them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// Short reason, shown in the place.
    pub reason: String,
}

impl TableSpec {
    /// Checks that names are unique and that every name used is declared.
    ///
    /// # Errors
    /// If there is no block, row or column, a name is declared twice, or a block's rows, a row's baseline or a missing
    /// place names what is not declared.
    pub fn validate(&self) -> Result<(), ReportError> {
        let place = format!("table `{}`", self.title);
        for (field, names) in
            [("blocks", self.block_names()), ("rows", self.row_names()), ("columns", self.column_names())]
        {
            if names.is_empty() {
                return Err(ReportError::Empty { place, field });
            }
            let mut seen = BTreeSet::new();
            if let Some(twice) = names.iter().find(|name| !seen.insert(**name)) {
                return Err(ReportError::Duplicate { what: "table entry", name: format!("{field}: `{twice}`") });
            }
        }
        for block in &self.blocks {
            for row in &block.rows {
                self.row(row, &place)?;
            }
        }
        for baseline in self.rows.iter().filter_map(|row| row.baseline.as_deref()) {
            self.row(baseline, &place)?;
        }
        for missing in &self.missing {
            self.row(&missing.row, &place)?;
            if let Some(column) = &missing.column {
                self.column(column, &place)?;
            }
            if let Some(block) = &missing.block {
                self.block(block, &place)?;
            }
        }
        Ok(())
    }

    fn block_names(&self) -> Vec<&str> {
        self.blocks.iter().map(|block| block.name.as_str()).collect()
    }

    fn row_names(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row.name.as_str()).collect()
    }

    fn column_names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// The row of that name; `place` says who asks.
    pub(crate) fn row(&self, name: &str, place: &str) -> Result<&RowSpec, ReportError> {
        let found = self.rows.iter().find(|row| row.name == name);
        found.ok_or_else(|| unknown(place, "row", name, &self.row_names()))
    }

    /// The column of that name; `place` says who asks.
    pub(crate) fn column(&self, name: &str, place: &str) -> Result<&ColumnSpec, ReportError> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| unknown(place, "column", name, &self.column_names()))
    }

    /// The block of that name; `place` says who asks.
    pub(crate) fn block(&self, name: &str, place: &str) -> Result<&BlockSpec, ReportError> {
        let found = self.blocks.iter().find(|block| block.name == name);
        found.ok_or_else(|| unknown(place, "block", name, &self.block_names()))
    }

    /// The rows of a block, in the table's order.
    pub(crate) fn rows_of<'a>(&'a self, block: &'a BlockSpec) -> impl Iterator<Item = &'a RowSpec> {
        self.rows.iter().filter(|row| block.has_row(&row.name))
    }

    /// The declared reason why a place is empty.
    pub(crate) fn reason(&self, block: &str, row: &str, column: &str) -> Option<&str> {
        let covers = |missing: &&Missing| {
            missing.row == row
                && missing.column.as_deref().is_none_or(|name| name == column)
                && missing.block.as_deref().is_none_or(|name| name == block)
        };
        self.missing.iter().find(covers).map(|missing| missing.reason.as_str())
    }
}

impl BlockSpec {
    /// Whether the block has the row of that name.
    pub(crate) fn has_row(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| row == name)
    }
}

fn unknown(place: &str, what: &'static str, got: &str, names: &[&str]) -> ReportError {
    ReportError::Unknown { place: place.into(), what, got: got.into(), expected: names.join(", ") }
}

#[cfg(test)]
mod tests {
    use crate::TableSpec;
    use crate::fixture::spec;

    #[test]
    fn undeclared_and_repeated_names_are_refused() {
        let message = |change: fn(&mut TableSpec)| {
            let mut spec = spec();
            change(&mut spec);
            spec.validate().unwrap_err().to_string()
        };
        assert!(spec().validate().is_ok());
        assert_eq!(
            message(|spec| spec.rows[1].baseline = Some("tise".into())),
            "table `Table 1 (miniature)`: unknown row `tise`, expected one of: aligned, ties-grid, ties-ours, cocktail"
        );
        assert!(message(|spec| spec.rows[1].name = "aligned".into()).contains("rows: `aligned`"));
        assert!(message(|spec| spec.columns.clear()).ends_with("`columns` is empty"));
        assert!(message(|spec| spec.blocks[0].rows = vec!["x".into()]).contains("unknown row `x`"));
        assert!(message(|spec| spec.missing[0].column = Some("x".into())).contains("unknown column `x`"));
        assert!(message(|spec| spec.missing[0].block = Some("x".into())).contains("unknown block `x`"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = "title = 'x'\nblocks = [{ name = 'a', titel = 'x' }]\nrows = []\ncolumns = []";
        assert!(toml::from_str::<TableSpec>(text).unwrap_err().to_string().contains("unknown field `titel`"));
    }
}
