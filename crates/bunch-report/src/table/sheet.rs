//! A block of a table as the texts of its places, whatever format they are written in.

use super::{DASH, Entry, Table, count_text};
use crate::Summary;

/// One block.
pub(super) struct Sheet<'a> {
    /// Label with unit of each column, and whether the paper has anything there.
    pub(super) columns: Vec<(String, bool)>,
    pub(super) lines: Vec<Line<'a>>,
    /// Test items, seeds and standard errors of each column.
    pub(super) counts: Vec<String>,
}

/// One row.
pub(super) struct Line<'a> {
    /// The group, on its first row only; empty on the others and for none.
    pub(super) group: &'a str,
    pub(super) label: &'a str,
    /// Per column what the paper has, if it has anything in the column, and what we have.
    pub(super) places: Vec<(Option<PlaceText>, PlaceText)>,
}

/// The text of a place.
pub(super) enum PlaceText {
    /// A number with what belongs to it.
    Known(String),
    /// No number, and why.
    Missing(String),
}

impl PlaceText {
    /// The text where the reason has room next to the dash.
    pub(super) fn in_full(&self) -> String {
        match self {
            Self::Known(text) => text.clone(),
            Self::Missing(reason) => format!("{DASH} ({reason})"),
        }
    }
}

impl Table {
    pub(super) fn sheet(&self, index: usize) -> Sheet<'_> {
        let (block, entries, in_paper) = (&self.spec.blocks[index], &self.entries[index], &self.published[index]);
        let columns = || self.spec.columns.iter().zip(in_paper);
        let mut last_group = "";
        let mut lines = Vec::new();
        for (row, entries) in self.spec.rows_of(block).zip(entries) {
            let place = |((column, &published), entry): ((&crate::ColumnSpec, &bool), &Entry)| {
                (published.then(|| entry.paper_text(column.decimals)), entry.our_text(column.decimals))
            };
            let group = if row.group == last_group { "" } else { &row.group };
            last_group = &row.group;
            lines.push(Line { group, label: &row.label, places: columns().zip(entries).map(place).collect() });
        }
        let count = |(position, (column, _)): (usize, (&crate::ColumnSpec, &bool))| {
            let summaries: Vec<Summary> = entries.iter().filter_map(|row| row[position].ours).collect();
            count_text(&summaries, column.decimals)
        };
        Sheet {
            columns: columns().map(|(column, &published)| (column.full_label(), published)).collect(),
            counts: columns().enumerate().map(count).collect(),
            lines,
        }
    }
}
