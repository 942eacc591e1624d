//! A table of our numbers next to the paper's.

use std::collections::BTreeMap;

use bunch_statistics::{Estimate, Interval};

use crate::layout::{Align, TextGrid, csv_text, fixed, rounded, signed};
use crate::{BlockSpec, Cell, CellIndex, ColumnSpec, How, Published, ReportError, RowSpec, Summary, TableSpec};
use sheet::PlaceText;

mod html;
mod latex;
mod sheet;

/// Columns of a table as CSV.
const COLUMNS: [&str; 23] = [
    "block",
    "row",
    "group",
    "label",
    "column",
    "unit",
    "baseline",
    "paper",
    "paper_difference",
    "paper_how",
    "paper_source",
    "mean",
    "low",
    "high",
    "min",
    "max",
    "pooled_stderr",
    "difference",
    "difference_half_width",
    "seeds",
    "n_min",
    "n_max",
    "missing",
];
/// Stands where a value is missing, followed by the reason.
const DASH: &str = "—";

/// A table ready to be rendered.
#[derive(Debug, Clone)]
pub struct Table {
    spec: TableSpec,
    /// Per block and row of the specification, one entry per column. // [blocks][rows][columns]
    entries: Vec<Vec<Vec<Entry>>>,
    /// Per block and column, whether the paper has anything there. // [blocks][columns]
    published: Vec<Vec<bool>>,
}

/// Everything known about one place.
#[derive(Debug, Clone)]
struct Entry {
    paper: Option<Published>,
    paper_difference: Option<f64>,
    ours: Option<Summary>,
    difference: Option<Estimate>,
    /// Why `ours` is absent.
    missing: Option<String>,
}

impl Table {
    /// Puts `cells` and `published` values into the places that `spec` declares.
    ///
    /// Cells of undeclared rows, columns or blocks belong to other tables and are left out; a place without cells shows
    /// its declared reason, or `not run`. Differences are within seed: `row - baseline`, over the seeds that have both.
    ///
    /// # Errors
    /// If the specification is inconsistent, a published value names an undeclared place, appears twice or contradicts
    /// its `how`, a cell appears twice or a number is not finite.
    pub fn new(spec: &TableSpec, cells: &[Cell], published: &[Published]) -> Result<Self, ReportError> {
        spec.validate()?;
        let index = CellIndex::new(cells)?;
        let papers = papers(spec, published)?;
        let paper = |block: &str, row: &str, column: &str| papers.get(&(block, row, column)).copied();
        let entry = |block: &BlockSpec, row: &RowSpec, column: &ColumnSpec| {
            let value = |row: &str| paper(&block.name, row, &column.name).and_then(|paper| paper.value);
            let baseline = row.baseline.as_deref();
            let ours = index.summary(&block.name, &row.name, &column.name, column.is_percent());
            let reason = || spec.reason(&block.name, &row.name, &column.name).unwrap_or("not run").to_string();
            Entry {
                paper: paper(&block.name, &row.name, &column.name).cloned(),
                paper_difference: baseline.and_then(|baseline| Some(value(&row.name)? - value(baseline)?)),
                missing: ours.is_none().then(reason),
                ours,
                difference: baseline.and_then(|other| index.difference(&block.name, &column.name, &row.name, other)),
            }
        };
        let rows = |block| {
            spec.rows_of(block).map(|row| spec.columns.iter().map(|c| entry(block, row, c)).collect()).collect()
        };
        let in_paper =
            |block: &BlockSpec, c: &ColumnSpec| published.iter().any(|p| p.block == block.name && p.column == c.name);
        Ok(Self {
            entries: spec.blocks.iter().map(rows).collect(),
            published: spec
                .blocks
                .iter()
                .map(|block| spec.columns.iter().map(|c| in_paper(block, c)).collect())
                .collect(),
            spec: spec.clone(),
        })
    }

    /// `table.csv`: one line per place, everything known about it; derived numbers are rounded to 1e-6.
    pub fn csv(&self) -> String {
        let mut rows = vec![COLUMNS.map(String::from).to_vec()];
        for (block, entries) in self.spec.blocks.iter().zip(&self.entries) {
            for (row, entries) in self.spec.rows_of(block).zip(entries) {
                for (column, entry) in self.spec.columns.iter().zip(entries) {
                    rows.push(csv_row(block, row, column, entry));
                }
            }
        }
        csv_text(&rows)
    }

    /// `table.md`: GitHub Markdown, one table per block.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n", self.spec.title);
        for (index, block) in self.spec.blocks.iter().enumerate() {
            if !block.title.is_empty() {
                text += &format!("\n### {}\n", block.title);
            }
            text += &format!("\n{}", self.grid(index).markdown());
        }
        for note in self.notes() {
            text += &format!("\n{note}\n");
        }
        text
    }

    /// The same table for a terminal.
    pub fn terminal(&self) -> String {
        let mut text = format!("{}\n", self.spec.title);
        for (index, block) in self.spec.blocks.iter().enumerate() {
            text += "\n";
            if !block.title.is_empty() {
                text += &format!("{}\n", block.title);
            }
            text += &self.grid(index).terminal();
        }
        text += "\n";
        for note in self.notes() {
            text += &format!("{note}\n");
        }
        text
    }

    fn grouped(&self) -> bool {
        self.spec.rows.iter().any(|row| !row.group.is_empty())
    }

    /// The text of one block.
    fn grid(&self, index: usize) -> TextGrid {
        let sheet = self.sheet(index);
        // The group has a column of its own, without a title.
        let heads = |group: &str, label: &str| {
            let group = self.grouped().then(|| group.to_string());
            group.into_iter().chain([label.to_string()]).collect::<Vec<_>>()
        };
        let mut header: Vec<_> = heads("", "method").into_iter().map(|title| (title, Align::Left)).collect();
        let mut counts = heads("", "n");
        for ((label, published), count) in sheet.columns.iter().zip(&sheet.counts) {
            if *published {
                header.push((format!("{label}: paper"), Align::Right));
                header.push(("ours".into(), Align::Right));
                counts.push(String::new());
            } else {
                header.push((format!("{label}: ours"), Align::Right));
            }
            counts.push(count.clone());
        }
        let mut grid = TextGrid::new(header);
        for line in &sheet.lines {
            let places = line.places.iter().flat_map(|(paper, ours)| paper.iter().chain([ours]));
            grid.push(heads(line.group, line.label).into_iter().chain(places.map(PlaceText::in_full)).collect());
        }
        grid.push(counts);
        grid
    }

    /// What the signs in the table mean; only those that occur.
    fn notes(&self) -> Vec<String> {
        let entries: Vec<&Entry> = self.entries.iter().flatten().flatten().collect();
        let ours: Vec<Estimate> = entries.iter().filter_map(|entry| entry.ours).map(|ours| ours.estimate).collect();
        let mut notes = Vec::new();
        if ours.iter().any(|estimate| estimate.interval.is_some()) {
            notes.push(
                "ours: mean over seeds [its 95 % interval]; one of percentages stays within 0 and 100.".to_string(),
            );
        }
        if ours.iter().any(|estimate| estimate.interval.is_none()) {
            notes.push("[se x]: one seed only; x is the standard error over its test items.".into());
        }
        if entries.iter().any(|entry| entry.difference.is_some() || entry.paper_difference.is_some()) {
            let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for row in &self.spec.rows {
                if let Some(baseline) = &row.baseline {
                    of.entry(baseline).or_default().push(&row.name);
                }
            }
            let label = |name: &str| self.spec.rows.iter().find(|row| row.name == name).map(RowSpec::full_label);
            let names: Vec<String> = self
                .spec
                .rows
                .iter()
                .filter(|row| of.contains_key(row.name.as_str()))
                .map(|baseline| {
                    let rows: Vec<String> = of[baseline.name.as_str()].iter().filter_map(|name| label(name)).collect();
                    format!("{} for {}", baseline.full_label(), rows.join(", "))
                })
                .collect();
            notes.push(format!(
                "In parentheses: difference to the baseline, ours as the mean within seeds; baselines are {}.",
                names.join("; ")
            ));
        }
        if !ours.is_empty() {
            notes.push(
                "n: test items per seed × seeds; se: largest standard error of an entry over the items of all its seeds."
                    .into(),
            );
        }
        for (how, meaning) in
            [(How::SecondHand, "second-hand value"), (How::Digitised, "value digitised from a figure")]
        {
            if entries.iter().any(|entry| entry.paper.as_ref().is_some_and(|paper| paper.how == how)) {
                notes.push(format!("{} {meaning}.", how.sign()));
            }
        }
        notes
    }
}

impl Entry {
    /// As the paper prints it: `61.6 (-11.1)`.
    fn paper_text(&self, decimals: usize) -> PlaceText {
        let Some(paper) = &self.paper else { return PlaceText::Missing("not in the paper".into()) };
        let Some(value) = paper.value else { return PlaceText::Missing("not found".into()) };
        let difference = bracketed(self.paper_difference, decimals);
        PlaceText::Known(format!("{}{}{difference}", fixed(value, decimals), paper.how.sign()))
    }

    fn our_text(&self, decimals: usize) -> PlaceText {
        let Some(ours) = self.ours else {
            return PlaceText::Missing(self.missing.clone().unwrap_or_default());
        };
        let spread = match ours.estimate.interval {
            Some(Interval { low, high }) => format!("[{}, {}]", fixed(low, decimals), fixed(high, decimals)),
            None if ours.n_max == 0 => String::new(),
            None => format!("[se {}]", fixed(ours.pooled_stderr, decimals)),
        };
        let difference = bracketed(self.difference.map(|difference| difference.mean), decimals);
        let text = format!("{} {spread}{difference}", fixed(ours.estimate.mean, decimals));
        PlaceText::Known(text.trim_end().to_owned())
    }
}

fn bracketed(difference: Option<f64>, decimals: usize) -> String {
    difference.map(|difference| format!(" ({})", signed(difference, decimals))).unwrap_or_default()
}

/// `700 × 3, se ≤ 1.1`: test items per seed, seeds, and the largest pooled standard error of a column in a block; a dash
/// where nothing was counted, as for a cosine.
fn count_text(summaries: &[Summary], decimals: usize) -> String {
    fn span<T: Copy + Ord + ToString>(values: impl Iterator<Item = T> + Clone) -> Option<String> {
        let (min, max) = (values.clone().min()?, values.max()?);
        Some(if min == max { min.to_string() } else { format!("{}–{}", min.to_string(), max.to_string()) })
    }
    let items = span(summaries.iter().flat_map(|summary| [summary.n_min, summary.n_max]));
    let seeds = span(summaries.iter().map(|summary| summary.estimate.seeds));
    let stderr = summaries.iter().map(|summary| summary.pooled_stderr).fold(0.0, f64::max);
    match (items, seeds) {
        (Some(items), Some(seeds)) if items != "0" => format!("{items} × {seeds}, se ≤ {}", fixed(stderr, decimals)),
        _ => DASH.into(),
    }
}

fn csv_row(block: &BlockSpec, row: &RowSpec, column: &ColumnSpec, entry: &Entry) -> Vec<String> {
    let number = |value: Option<f64>| value.map(rounded).unwrap_or_default();
    let paper = entry.paper.as_ref();
    let estimate = entry.ours.map(|ours| ours.estimate);
    let interval = estimate.and_then(|estimate| estimate.interval);
    let texts = [&block.name, &row.name, &row.group, &row.label, &column.name, &column.unit].map(String::clone);
    let values = [
        row.baseline.clone().unwrap_or_default(),
        number(paper.and_then(|paper| paper.value)),
        number(entry.paper_difference),
        paper.map(|paper| paper.how.name().into()).unwrap_or_default(),
        paper.map(|paper| paper.source.clone()).unwrap_or_default(),
        number(estimate.map(|estimate| estimate.mean)),
        number(interval.map(|interval| interval.low)),
        number(interval.map(|interval| interval.high)),
        number(estimate.map(|estimate| estimate.min)),
        number(estimate.map(|estimate| estimate.max)),
        number(entry.ours.map(|ours| ours.pooled_stderr)),
        number(entry.difference.map(|difference| difference.mean)),
        number(entry.difference.and_then(|difference| difference.half_width())),
        estimate.map(|estimate| estimate.seeds.to_string()).unwrap_or_default(),
        entry.ours.map(|ours| ours.n_min.to_string()).unwrap_or_default(),
        entry.ours.map(|ours| ours.n_max.to_string()).unwrap_or_default(),
        entry.missing.clone().unwrap_or_default(),
    ];
    texts.into_iter().chain(values).collect()
}

type Papers<'a> = BTreeMap<(&'a str, &'a str, &'a str), &'a Published>;

/// The published values by block, row and column.
pub(crate) fn papers<'a>(spec: &TableSpec, published: &'a [Published]) -> Result<Papers<'a>, ReportError> {
    let mut papers = BTreeMap::new();
    for paper in published {
        let place = format!("{}/{}/{}", paper.block, paper.row, paper.column);
        let name = format!("published {place}");
        spec.row(&paper.row, &name)?;
        spec.column(&paper.column, &name)?;
        spec.block(&paper.block, &name)?;
        if paper.value.is_some() == (paper.how == How::NotFound) {
            let state = if paper.value.is_some() { "given" } else { "absent" };
            return Err(ReportError::PublishedValue { place, how: paper.how.name(), state });
        }
        if let Some(got) = paper.value.filter(|value| !value.is_finite()) {
            return Err(ReportError::NotFinite { place: name, field: "value".into(), got });
        }
        if papers.insert((paper.block.as_str(), paper.row.as_str(), paper.column.as_str()), paper).is_some() {
            return Err(ReportError::Duplicate { what: "published value", name: place });
        }
    }
    Ok(papers)
}

#[cfg(test)]
mod tests;
