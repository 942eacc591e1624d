//! What is drawn beside a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::runner::experiment::Experiment;

/// A figure, drawn from the cells or from what stands behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawing {
    /// Name of the files, without extension.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Kind and contents.
    pub draw: DrawingKind,
}

/// The kinds of figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawingKind {
    /// One column against another, a mark per row, a panel per block.
    Scatter(Axes),
    /// Columns against a coordinate of the rows, a line per group of rows, a panel per block and column.
    Curve(Curve),
    /// Columns against a coordinate of the blocks, a line per row and a panel per column; blocks at one place are averaged.
    BlockCurve(Curve),
    /// Columns by block as a map, a picture per row.
    Map(Selection),
    /// Columns as categories, a mark with its interval per row, a picture per block.
    Dots(Selection),
    /// A column over two coordinates of the rows, as a map, a picture per block.
    Plane(Plane),
    /// Best loss so far of every search, a line per row and a panel per block, averaged over seeds.
    Convergence(Selection),
    /// Hypervolume of sets of rows in the plane of two columns, as a file of numbers.
    Front(Front),
}

/// Two columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axes {
    /// Column on the horizontal axis.
    pub x: String,
    /// Column on the vertical axis.
    pub y: String,
    /// Rows; all unless given.
    #[serde(default)]
    pub rows: Vec<String>,
}

/// Columns against a coordinate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// The coordinate, a key of `at` of rows or blocks; those without it are left out.
    pub x: String,
    /// Its label.
    pub label: String,
    /// Columns.
    pub columns: Vec<String>,
}

/// Columns and rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Columns; all unless given.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Rows; all unless given.
    #[serde(default)]
    pub rows: Vec<String>,
}

/// A column over two coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plane {
    /// The horizontal coordinate, a key of the rows' `at`.
    pub x: String,
    /// The vertical coordinate.
    pub y: String,
    /// The column.
    pub column: String,
}

/// Sets of rows in the plane of two columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Front {
    /// One column, the more the better.
    pub x: String,
    /// The other, the more the better.
    pub y: String,
    /// Where volumes begin: points below count for nothing.
    pub reference: [f64; 2],
    /// Rows by the name of their set.
    pub fronts: BTreeMap<String, Vec<String>>,
}

impl Drawing {
    /// Refuses names that the experiment does not declare.
    pub(crate) fn check(&self, experiment: &Experiment) -> Result<(), String> {
        let unknown = |what: &str, known: Vec<&String>, names: Vec<&String>| {
            let unknown = names.into_iter().find(|name| !known.contains(name));
            unknown.map_or(Ok(()), |name| Err(format!("unknown {what} `{name}`")))
        };
        let (columns, rows): (Vec<&String>, Vec<&String>) = match &self.draw {
            DrawingKind::Scatter(axes) => (vec![&axes.x, &axes.y], axes.rows.iter().collect()),
            DrawingKind::Curve(curve) | DrawingKind::BlockCurve(curve) => (curve.columns.iter().collect(), vec![]),
            DrawingKind::Front(front) => (vec![&front.x, &front.y], front.fronts.values().flatten().collect()),
            DrawingKind::Map(all) | DrawingKind::Dots(all) | DrawingKind::Convergence(all) => {
                (all.columns.iter().collect(), all.rows.iter().collect())
            }
            DrawingKind::Plane(plane) => (vec![&plane.column], vec![]),
        };
        unknown("column", experiment.columns.iter().map(|column| &column.name).collect(), columns)?;
        unknown("row", experiment.rows.iter().map(|row| &row.name).collect(), rows)?;
        let (of_rows, of_blocks): (Vec<&String>, Vec<&String>) = match &self.draw {
            DrawingKind::Curve(curve) => (vec![&curve.x], vec![]),
            DrawingKind::BlockCurve(curve) => (vec![], vec![&curve.x]),
            DrawingKind::Plane(plane) => (vec![&plane.x, &plane.y], vec![]),
            _ => Default::default(),
        };
        unknown("coordinate of rows", experiment.rows.iter().flat_map(|row| row.at.keys()).collect(), of_rows)?;
        unknown("coordinate of blocks", experiment.blocks.iter().flat_map(|block| block.at.keys()).collect(), of_blocks)
    }
}
