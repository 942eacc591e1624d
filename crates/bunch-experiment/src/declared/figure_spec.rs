//! What is drawn next to a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use bunch_evolution::Data;

/// A figure, drawn from the cells or from what stands behind them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drawing {
    /// Name of the files, without extension.
    pub(crate) name: String,
    /// What it shows.
    pub(crate) title: String,
    /// Kind and contents.
    pub(crate) draw: DrawingKind,
}

/// The kinds of figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DrawingKind {
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
    /// Boxes: the members of the pool, and what merging makes of them; a picture per block.
    Pool(PoolDiagram),
    /// Boxes: the stages of the data generation, and the merge that looks at the data; a picture per block.
    Stages(StagesDiagram),
    /// Boxes: a base, two models with their task vectors, and the merge of both; a picture per block.
    Vectors(VectorsDiagram),
    /// A page of text: the prompts that generated the data, and the first pairs that came out; a page per block.
    Prompts(PromptsPage),
}

/// Two columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Axes {
    /// Column on the horizontal axis.
    pub(crate) x: String,
    /// Column on the vertical axis.
    pub(crate) y: String,
    /// Rows; all unless given.
    #[serde(default)]
    pub(crate) rows: Vec<String>,
}

/// Columns against a coordinate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    /// The coordinate, a key of `at` of rows or blocks; those without it are left out.
    pub(crate) x: String,
    /// Its label.
    pub(crate) label: String,
    /// Columns.
    pub(crate) columns: Vec<String>,
}

/// Columns, rows and blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Selection {
    /// Columns; all unless given.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Rows; all unless given.
    #[serde(default)]
    pub(crate) rows: Vec<String>,
    /// Blocks; all unless given.
    #[serde(default)]
    pub(crate) blocks: Vec<String>,
}

/// A column over two coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plane {
    /// The horizontal coordinate, a key of the rows' `at`.
    pub(crate) x: String,
    /// The vertical coordinate.
    pub(crate) y: String,
    /// The column.
    pub(crate) column: String,
}

/// Sets of rows in the plane of two columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Front {
    /// One column, the more the better.
    pub(crate) x: String,
    /// The other, the more the better.
    pub(crate) y: String,
    /// Where volumes begin: points below count for nothing.
    pub(crate) reference: [f64; 2],
    /// Rows by the name of their set.
    pub(crate) fronts: BTreeMap<String, Vec<String>>,
}

/// Members of a pool and merges of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolDiagram {
    /// Rows of the members.
    pub(crate) members: Vec<String>,
    /// Ways to merge, each with its rows.
    pub(crate) merges: Vec<MergeGroup>,
    /// What is said of each model; all columns unless given.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
}

/// Merges that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeGroup {
    /// What they have in common.
    pub(crate) title: String,
    /// More about it.
    #[serde(default)]
    pub(crate) text: String,
    /// Their rows.
    pub(crate) rows: Vec<String>,
}

/// The data generation and a merge that looks at the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StagesDiagram {
    /// The row of the merge.
    pub(crate) row: String,
    /// What is said of it; all columns unless given.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
}

/// A base, an expert, an aligned model and the merge of their task vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VectorsDiagram {
    /// Row of the base.
    pub(crate) base: String,
    /// Row of the domain expert, whose task vector is tau_d.
    pub(crate) expert: String,
    /// Row of the aligned model, whose task vector is tau_a.
    pub(crate) aligned: String,
    /// Row of the merge.
    pub(crate) merge: String,
    /// What is said of each model.
    pub(crate) columns: Vec<String>,
    /// Column of the distance to the base.
    pub(crate) length: String,
    /// Column of the cosine with tau_d.
    pub(crate) cosine_to_expert: String,
    /// Column of the cosine with tau_a.
    pub(crate) cosine_to_aligned: String,
}

/// Prompts and examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptsPage {
    /// Which data's.
    pub(crate) data: Data,
    /// How many pairs are shown.
    #[serde(default = "a_few")]
    pub(crate) examples: usize,
}

fn a_few() -> usize {
    4
}
