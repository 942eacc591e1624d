//! An experiment as data: one TOML file for one table of a paper.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_recipe::open_toml;
use bunch_report::Claim;
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::declared::block::{Block, BlockValues};
use crate::declared::column::{Column, Metric};
use crate::declared::derived::DerivedModel;
use crate::declared::figure_spec::Drawing;
use crate::declared::row::Row;
use crate::declared::scale::Scale;

/// One table of a paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Title of the table, without the scale.
    pub title: String,
    /// What the table asks.
    pub(crate) question: String,
    /// What came out, rendered under the table; written after the result.
    #[serde(default)]
    pub(crate) analysis: String,
    /// Where the original stands.
    pub(crate) paper: Paper,
    /// Pools of models.
    #[serde(rename = "block")]
    pub(crate) blocks: Vec<Block>,
    /// Methods, in the order of the table.
    #[serde(rename = "row")]
    pub(crate) rows: Vec<Row>,
    /// Metrics, in the order of the table.
    #[serde(rename = "column")]
    pub(crate) columns: Vec<Column>,
    /// Models that are merges of others, in the order in which they are made.
    #[serde(default, rename = "model", skip_serializing_if = "Vec::is_empty")]
    pub(crate) derived: Vec<DerivedModel>,
    /// What the figure shows, where one column against another says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) figure: Option<FigureAxes>,
    /// Further figures.
    #[serde(default, rename = "drawing", skip_serializing_if = "Vec::is_empty")]
    pub(crate) drawings: Vec<Drawing>,
    /// What the paper claims, and the rule that decides whether it holds.
    #[serde(default, rename = "claim")]
    pub(crate) claims: Vec<Claim>,
    /// What each scale changes.
    pub(crate) scale: BTreeMap<String, Scale>,
}

/// Where the original of a table stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paper {
    /// Folder of the paper in `data/papers`, `experiments` and `results`.
    pub(crate) key: String,
    /// arXiv identifier.
    pub(crate) arxiv: String,
    /// The item, such as `Table 1`.
    pub(crate) item: String,
    /// File of published values in `data/papers/<key>`; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) values: Option<String>,
}

/// What the figure puts on its axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FigureAxes {
    /// Column on the horizontal axis.
    pub(crate) x: String,
    /// Column on the vertical axis.
    pub(crate) y: String,
}

impl Experiment {
    /// Reads `experiments/<name>.toml` below `root` and checks that every name in it is declared.
    ///
    /// # Errors
    /// An unknown name, unknown fields (with line and column), or contradictions.
    pub fn load(root: &Path, name: &str) -> Result<Experiment, ExperimentError> {
        let known = list_experiments(root)?;
        if !known.iter().any(|known| known == name) {
            let known = known.join(", ");
            return Err(ExperimentError::UnknownExperiment { name: name.into(), known });
        }
        let path = root.join("experiments").join(format!("{name}.toml"));
        let experiment: Experiment = open_toml(&path)?;
        experiment.check(&path)?;
        Ok(experiment)
    }

    /// The scale of that name.
    ///
    /// # Errors
    /// A name the experiment does not have.
    pub(crate) fn scale(&self, name: &str) -> Result<&Scale, ExperimentError> {
        self.scale.get(name).ok_or_else(|| ExperimentError::UnknownScale {
            name: name.into(),
            known: self.scale.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// The experiment as the scale runs it: its blocks, its sizes of searches and grids, its analysis.
    pub(crate) fn at(&self, scale: &Scale) -> Experiment {
        let mut experiment = self.clone();
        experiment.blocks.retain(|block| scale.runs(&block.name));
        let sizes = scale.strategy_sizes();
        for row in &mut experiment.rows {
            row.strategy.resize(&sizes);
        }
        if let Some(analysis) = &scale.analysis {
            experiment.analysis.clone_from(analysis);
        }
        experiment
    }

    /// Every row of every block.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&Block, &Row)> {
        self.blocks
            .iter()
            .flat_map(|block| self.rows.iter().filter(|row| block.has_row(&row.name)).map(move |row| (block, row)))
    }

    /// Where a block's published values stand; `None` if nothing is published.
    pub(crate) fn published_place(&self, block: &Block) -> Option<BlockValues> {
        let of_paper = |file: &String| BlockValues {
            file: format!("{}/{file}", self.paper.key),
            source: self.paper.item.clone(),
            columns: BTreeMap::new(),
        };
        block.values.clone().or_else(|| self.paper.values.as_ref().map(of_paper))
    }

    /// The tasks whose dev accuracy selects among models of a block.
    pub(crate) fn selection(&self, block: &Block) -> Vec<String> {
        if !block.select_on.is_empty() {
            return block.select_on.clone();
        }
        let accuracy = self.columns.iter().filter(|column| column.metric == Metric::Acc);
        accuracy.map(|column| block.tasks[&column.name].clone()).collect()
    }
}

/// Names of all experiments below `root`, sorted: `<paper>/<item>`.
///
/// # Errors
/// A folder that cannot be read.
pub fn list_experiments(root: &Path) -> Result<Vec<String>, ExperimentError> {
    let folder = root.join("experiments");
    let entries = |path: PathBuf| -> Result<Vec<PathBuf>, ExperimentError> {
        let entries = fs::read_dir(&path).map_err(ExperimentError::io(&path))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let mut names = Vec::new();
    for paper in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        for item in entries(paper.clone())?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "toml")) {
            if let (Some(paper), Some(item)) = (paper.file_name(), item.file_stem()) {
                names.push(format!("{}/{}", paper.to_string_lossy(), item.to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
