//! What is drawn beside a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::declared::experiment::Experiment;
use crate::weighting::{Data, DataNeed, Source};

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

/// Columns, rows and blocks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Columns; all unless given.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Rows; all unless given.
    #[serde(default)]
    pub rows: Vec<String>,
    /// Blocks; all unless given.
    #[serde(default)]
    pub blocks: Vec<String>,
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

/// Members of a pool and merges of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolDiagram {
    /// Rows of the members.
    pub members: Vec<String>,
    /// Ways to merge, each with its rows.
    pub merges: Vec<MergeGroup>,
    /// What is said of each model; all columns unless given.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// Merges that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeGroup {
    /// What they have in common.
    pub title: String,
    /// More about it.
    #[serde(default)]
    pub text: String,
    /// Their rows.
    pub rows: Vec<String>,
}

/// The data generation and a merge that looks at the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StagesDiagram {
    /// The row of the merge.
    pub row: String,
    /// What is said of it; all columns unless given.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// A base, an expert, an aligned model and the merge of their task vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorsDiagram {
    /// Row of the base.
    pub base: String,
    /// Row of the domain expert, whose task vector is tau_d.
    pub expert: String,
    /// Row of the aligned model, whose task vector is tau_a.
    pub aligned: String,
    /// Row of the merge.
    pub merge: String,
    /// What is said of each model.
    pub columns: Vec<String>,
    /// Column of the distance to the base.
    pub length: String,
    /// Column of the cosine with tau_d.
    pub cosine_to_expert: String,
    /// Column of the cosine with tau_a.
    pub cosine_to_aligned: String,
}

/// Prompts and examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptsPage {
    /// Which data's.
    pub data: Data,
    /// How many pairs are shown.
    #[serde(default = "a_few")]
    pub examples: usize,
}

fn a_few() -> usize {
    4
}

/// Whether every block has a row that looks at the data which the scale's K asks for.
fn generates_data(experiment: &Experiment, row: Option<&String>) -> bool {
    let usual = DataNeed { pairs: usize::MAX, source: Source::Generated };
    experiment.blocks.iter().all(|block| {
        let here = |name: &String| block.has_row(name) && row.is_none_or(|row| row == name);
        experiment.rows.iter().any(|row| here(&row.name) && row.weighting.need(usual.pairs) == Some(usual))
    })
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
            DrawingKind::Pool(pool) => {
                let merges = pool.merges.iter().flat_map(|group| &group.rows);
                (pool.columns.iter().collect(), pool.members.iter().chain(merges).collect())
            }
            DrawingKind::Stages(stages) => (stages.columns.iter().collect(), vec![&stages.row]),
            DrawingKind::Vectors(all) => {
                let columns = [&all.length, &all.cosine_to_expert, &all.cosine_to_aligned];
                let rows = vec![&all.base, &all.expert, &all.aligned, &all.merge];
                (all.columns.iter().chain(columns).collect(), rows)
            }
            DrawingKind::Prompts(_) => Default::default(),
        };
        unknown("column", experiment.columns.iter().map(|column| &column.name).collect(), columns)?;
        unknown("row", experiment.rows.iter().map(|row| &row.name).collect(), rows)?;
        let blocks = match &self.draw {
            DrawingKind::Map(all) | DrawingKind::Dots(all) | DrawingKind::Convergence(all) => {
                all.blocks.iter().collect()
            }
            _ => vec![],
        };
        unknown("block", experiment.blocks.iter().map(|block| &block.name).collect(), blocks)?;
        if let DrawingKind::Pool(pool) = &self.draw
            && (pool.members.is_empty() || pool.merges.iter().all(|group| group.rows.is_empty()))
        {
            return Err("a pool has members and merges".into());
        }
        let generates = match &self.draw {
            DrawingKind::Stages(stages) => generates_data(experiment, Some(&stages.row)),
            DrawingKind::Prompts(_) => generates_data(experiment, None),
            _ => true,
        };
        if !generates {
            return Err("its merge looks at no data generated in the scale's number of pairs".into());
        }
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
