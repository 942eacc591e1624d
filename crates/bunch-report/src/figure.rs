//! One metric against another, a mark per method: ours filled, the paper's open.

use serde::{Deserialize, Serialize};

use bunch_statistics::Estimate;

use crate::axis::Axis;
use crate::interval::ends;
use crate::legend::{Entry, Legend};
use crate::marker::{Mark, PALETTE, Shape};
use crate::picture::{PIXELS, Picture};
use crate::table::papers;
use crate::{BlockSpec, Cell, CellIndex, ColumnSpec, Published, ReportError, RowSpec, TableSpec};

mod canvas;
mod spread;

/// The declaration of a figure on a table's cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSpec {
    /// Title, which names the scale the cells were measured at.
    pub title: String,
    /// Column on the horizontal axis.
    pub x: String,
    /// Column on the vertical axis.
    pub y: String,
    /// Rows that get a mark; empty for all.
    #[serde(default)]
    pub rows: Vec<String>,
}

/// A figure ready to be drawn: one panel per block, one colour per group of rows, one shape per row of a group.
///
/// Marks that would hide each other are set around their common place, where their error bars cross.
#[derive(Debug, Clone)]
pub struct Figure {
    title: String,
    panels: Vec<Panel>,
    legend: Legend,
}

/// One block.
#[derive(Debug, Clone)]
struct Panel {
    title: String,
    x: Axis,
    y: Axis,
    points: Vec<Point>,
}

/// One method in one panel, as far as it is known.
#[derive(Debug, Clone)]
struct Point {
    mark: Mark,
    ours: Option<(Estimate, Estimate)>,
    paper: Option<(f64, f64)>,
}

impl Figure {
    /// Places the methods of `table` by their mean over seeds, with 95 % intervals, and by the paper's values.
    ///
    /// # Errors
    /// If a declaration is inconsistent or names what the table does not declare, a cell or published value appears
    /// twice or is not finite.
    pub fn new(
        spec: &FigureSpec,
        table: &TableSpec,
        cells: &[Cell],
        published: &[Published],
    ) -> Result<Self, ReportError> {
        let place = format!("figure `{}`", spec.title);
        table.validate()?;
        let (x, y) = (table.column(&spec.x, &place)?, table.column(&spec.y, &place)?);
        for row in &spec.rows {
            table.row(row, &place)?;
        }
        let index = CellIndex::new(cells)?;
        let papers = papers(table, published)?;
        let marks = marks(&table.rows);
        let point = |block: &BlockSpec, row: &RowSpec| {
            let ours = |column: &ColumnSpec| {
                Some(index.summary(&block.name, &row.name, &column.name, column.is_percent())?.estimate)
            };
            let paper = |column: &ColumnSpec| {
                papers.get(&(block.name.as_str(), row.name.as_str(), column.name.as_str()))?.value
            };
            let position = table.rows.iter().position(|other| other.name == row.name)?;
            Some(Point { mark: marks[position].clone(), ours: ours(x).zip(ours(y)), paper: paper(x).zip(paper(y)) })
        };
        let panel = |block: &BlockSpec| {
            let rows = table.rows_of(block).filter(|row| spec.rows.is_empty() || spec.rows.contains(&row.name));
            let known = |point: &Point| point.ours.is_some() || point.paper.is_some();
            let points: Vec<Point> = rows.filter_map(|row| point(block, row)).filter(known).collect();
            let title = if block.title.is_empty() { block.name.clone() } else { block.title.clone() };
            Panel { title, x: axis(x, &points, |pair| pair.0), y: axis(y, &points, |pair| pair.1), points }
        };
        let panels: Vec<Panel> = table.blocks.iter().map(panel).collect();
        let points = || panels.iter().flat_map(|panel| &panel.points);
        let shown = |mark: &Mark| points().any(|point| point.mark.label == mark.label);
        let has_bar = |point: &Point| point.ours.is_some_and(|(x, _)| x.interval.is_some());
        let has_bars = points().any(has_bar);
        let ours = if has_bars { "filled: ours, mean and 95 % interval over seeds" } else { "filled: ours" };
        let has_paper = points().any(|point| point.paper.is_some());
        let keys = [(points().any(|point| point.ours.is_some()), ours), (has_paper, "open: the paper")];
        let entry = |mark: &Mark| Entry { mark: mark.clone(), dash: None };
        let legend = Legend {
            entries: marks.iter().filter(|mark| shown(mark)).map(entry).collect(),
            keys: keys.into_iter().filter(|(shown, _)| *shown).map(|(_, key)| key.into()).collect(),
        };
        Ok(Self { title: spec.title.clone(), legend, panels })
    }

    /// The figure as SVG; text stays text, in DejaVu Sans or the viewer's sans-serif.
    ///
    /// # Errors
    /// If the drawing library fails.
    pub fn svg(&self) -> Result<String, ReportError> {
        self.to_svg()
    }

    /// The figure as PNG.
    ///
    /// # Errors
    /// If the drawing library fails, or the temporary file that it needs for encoding cannot be used.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        self.to_png(PIXELS)
    }
}

/// A mark per row: the next colour for each new group (or row without one), the next shape within it.
fn marks(rows: &[RowSpec]) -> Vec<Mark> {
    let key = |row: &RowSpec| if row.group.is_empty() { (row.name.clone(), false) } else { (row.group.clone(), true) };
    let mut groups: Vec<((String, bool), usize)> = Vec::new();
    rows.iter()
        .map(|row| {
            let group = groups.iter().position(|(name, _)| *name == key(row)).unwrap_or_else(|| {
                groups.push((key(row), 0));
                groups.len() - 1
            });
            let next = Shape::ALL[groups[group].1 % Shape::ALL.len()];
            groups[group].1 += 1;
            Mark { label: row.full_label(), shape: row.shape.unwrap_or(next), colour: PALETTE[group % PALETTE.len()] }
        })
        .collect()
}

/// An axis that holds every mark and bar of `points`, with a margin, from one round number to another.
fn axis(column: &ColumnSpec, points: &[Point], pick: fn((f64, f64)) -> f64) -> Axis {
    let ends = |point: &Point| {
        let ours = point.ours.map(|(x, y)| {
            let [x, y] = [x, y].map(|estimate| ends(estimate.mean, estimate.interval));
            [0, 1].map(|end| pick((x[end], y[end])))
        });
        let paper = point.paper.map(|paper| [pick(paper); 2]);
        ours.into_iter().chain(paper).flatten().collect::<Vec<f64>>()
    };
    let values: Vec<f64> = points.iter().flat_map(ends).collect();
    Axis::linear(column.full_label(), &values, column.is_percent())
}

#[cfg(test)]
mod tests;
