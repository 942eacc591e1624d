//! An experiment as data: one TOML file for one table of a paper.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bunch_report::{Claim, Shape};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::declared::column::{Column, Metric, Part};
use crate::declared::derived::DerivedModel;
use crate::declared::figure_spec::Drawing;
use crate::declared::scale::{Scale, WorldKind};
use crate::weighting::{Data, Weighting};

/// One table of a paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Title of the table, without the scale.
    pub title: String,
    /// What the table asks.
    pub question: String,
    /// What came out, rendered under the table; written after the result.
    #[serde(default)]
    pub analysis: String,
    /// Where the original stands.
    pub paper: Paper,
    /// Pools of models.
    #[serde(rename = "block")]
    pub blocks: Vec<Block>,
    /// Methods, in the order of the table.
    #[serde(rename = "row")]
    pub rows: Vec<Row>,
    /// Metrics, in the order of the table.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
    /// Models that are merges of others, in the order in which they are made.
    #[serde(default, rename = "model", skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<DerivedModel>,
    /// What the figure shows, where one column against another says it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<FigureAxes>,
    /// Further figures.
    #[serde(default, rename = "drawing", skip_serializing_if = "Vec::is_empty")]
    pub drawings: Vec<Drawing>,
    /// What the paper claims, and the rule that decides whether it holds.
    #[serde(default, rename = "claim")]
    pub claims: Vec<Claim>,
    /// What each scale changes.
    pub scale: BTreeMap<String, Scale>,
}

/// Where the original of a table stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Folder of the paper in `data/papers`, `experiments` and `results`.
    pub key: String,
    /// arXiv identifier.
    pub arxiv: String,
    /// The item, such as `Table 1`.
    pub item: String,
    /// File of published values in `data/papers/<key>`; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<String>,
}

/// A pool of models and what its experts are good at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Name in cells and published values.
    pub name: String,
    /// Heading in the table.
    pub title: String,
    /// The aligned model, as the paper names it.
    pub base: String,
    /// The experts, as the paper names them.
    pub experts: Vec<String>,
    /// The task that each accuracy column measures here.
    #[serde(default)]
    pub tasks: BTreeMap<String, String>,
    /// Rows that the block has; all unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<String>,
    /// Where the block stands on the axes of figures, by name of the axis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at: BTreeMap<String, f64>,
    /// The tasks whose dev accuracy selects among models; those of the accuracy columns unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select_on: Vec<String>,
    /// The tensors that metrics of likeness look at; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

impl Block {
    /// Whether the block has the row of that name.
    pub fn has_row(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|name| name == row)
    }
}

/// A method of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Name in cells and claims.
    pub name: String,
    /// Label in the table.
    pub label: String,
    /// What neighbouring rows have in common.
    #[serde(default)]
    pub group: String,
    /// Row whose difference is shown in brackets.
    #[serde(default)]
    pub baseline: Option<String>,
    /// Mark in the figure.
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Which line of the published values this row is; none unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedKey>,
    /// Where the row stands on the axes of figures, by name of the axis.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub at: BTreeMap<String, f64>,
    /// Where the weights of the row's model come from.
    pub weighting: Weighting,
}

/// The first columns of a line of published values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// Column `merging`.
    #[serde(default)]
    pub merging: String,
    /// Column `task_weighting`.
    #[serde(default)]
    pub task_weighting: String,
    /// Column `data`.
    #[serde(default)]
    pub data: String,
    /// Further columns by name.
    #[serde(flatten)]
    pub more: BTreeMap<String, String>,
}

/// What the figure puts on its axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureAxes {
    /// Column on the horizontal axis.
    pub x: String,
    /// Column on the vertical axis.
    pub y: String,
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
        let text = fs::read_to_string(&path).map_err(ExperimentError::io(&path))?;
        let experiment: Experiment = toml::from_str(&text)
            .map_err(|source| ExperimentError::Format { path: path.clone(), source: Box::new(source) })?;
        experiment.check(&path)?;
        Ok(experiment)
    }

    /// The scale of that name.
    ///
    /// # Errors
    /// A name the experiment does not have.
    pub fn scale(&self, name: &str) -> Result<&Scale, ExperimentError> {
        self.scale.get(name).ok_or_else(|| ExperimentError::UnknownScale {
            name: name.into(),
            known: self.scale.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// The experiment as the scale runs it: its blocks, its sizes of searches and grids, its analysis.
    pub(crate) fn at(&self, scale: &Scale) -> Experiment {
        let mut experiment = self.clone();
        experiment.blocks.retain(|block| scale.runs(&block.name));
        for row in &mut experiment.rows {
            row.weighting.resize(scale);
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

    /// The tasks whose dev accuracy selects among models of a block.
    pub(crate) fn selection(&self, block: &Block) -> Vec<String> {
        if !block.select_on.is_empty() {
            return block.select_on.clone();
        }
        let accuracy = self.columns.iter().filter(|column| column.metric == Metric::Acc);
        accuracy.map(|column| block.tasks[&column.name].clone()).collect()
    }

    /// A derived model comes after those that it is made of, so that none is made of itself.
    fn check_derived(&self) -> Result<(), String> {
        for (index, derived) in self.derived.iter().enumerate() {
            let name = &derived.name;
            let later = &self.derived[index..];
            if let Some(of) = derived.of.iter().find(|of| later.iter().any(|later| later.name == **of)) {
                return Err(format!("model `{name}` is made of `{of}`, which is not made before it"));
            }
            if self.derived[..index].iter().any(|other| other.name == *name) {
                return Err(format!("two models are called `{name}`"));
            }
            let Some(experts) = derived.of.len().checked_sub(1) else {
                return Err(format!("model `{name}` is made of nothing"));
            };
            derived.merge.validate(experts).map_err(|error| format!("model `{name}`: {error}"))?;
        }
        Ok(())
    }

    fn check_columns(&self) -> Result<(), String> {
        for column in &self.columns {
            let (name, metric) = (&column.name, column.metric);
            if metric.is_likeness() != column.to.is_some() {
                return Err(format!("column `{name}`: `to` belongs to metrics of likeness, which need it"));
            }
            if (metric == Metric::Detail) != column.key.is_some() {
                return Err(format!("column `{name}`: `key` belongs to metric \"detail\", which needs it"));
            }
            if (metric == Metric::Mean) == column.of.is_empty() {
                return Err(format!("column `{name}`: `of` belongs to metric \"mean\", which needs it"));
            }
            let is_plain = |of: &&String| {
                let other = self.columns.iter().find(|other| other.name == **of);
                other.is_none_or(|other| other.metric == Metric::Mean || other.metric == Metric::Detail)
            };
            if let Some(of) = column.of.iter().find(is_plain) {
                return Err(format!("column `{name}`: `{of}` is no column of scores"));
            }
            if let Some(to) = column.to
                && let Some(block) = self.blocks.iter().find(|block| to > block.experts.len())
            {
                return Err(format!("column `{name}`: block `{}` has no member {to}", block.name));
            }
            let asks = column.prompts != Default::default() || column.judge != Default::default();
            if (asks || column.category.is_some()) && !metric.is_safety() {
                return Err(format!("column `{name}`: `judge`, `prompts` and `category` belong to metrics of safety"));
            }
        }
        Ok(())
    }

    pub(crate) fn check(&self, path: &Path) -> Result<(), ExperimentError> {
        let fail = |what: String| Err(ExperimentError::Inconsistent { path: path.into(), what });
        let table = self.table_spec("check");
        table.validate()?;
        for claim in &self.claims {
            claim.validate(&table)?;
        }
        let has_column = |name: &String| self.columns.iter().any(|column| column.name == *name);
        for name in self.figure.iter().flat_map(|axes| [&axes.x, &axes.y]) {
            if !has_column(name) {
                return fail(format!("figure: unknown column `{name}`"));
            }
        }
        self.check_columns().or_else(fail)?;
        self.check_derived().or_else(fail)?;
        let mut names = BTreeSet::from_iter(self.figure.is_some().then_some("figure"));
        for drawing in &self.drawings {
            if !names.insert(&drawing.name) {
                return fail(format!("two drawings are called `{}`", drawing.name));
            }
            drawing.check(self).or_else(|what| fail(format!("drawing `{}`: {what}", drawing.name)))?;
        }
        for (name, scale) in &self.scale {
            if scale.seeds.is_empty() {
                return fail(format!("scale `{name}`: no seeds"));
            }
            let known = |name: &String| self.blocks.iter().any(|block| block.name == *name);
            if let Some(unknown) = scale.blocks.iter().flatten().find(|name| !known(name)) {
                return fail(format!("scale `{name}`: unknown block `{unknown}`"));
            }
            if scale.blocks.as_ref().is_some_and(Vec::is_empty) {
                return fail(format!("scale `{name}`: no blocks"));
            }
            if (scale.world == WorldKind::Small) != scale.base.is_some() {
                return fail(format!("scale `{name}`: `base` belongs to world \"small\", which needs it"));
            }
            for block in self.blocks.iter().filter(|block| scale.runs(&block.name)) {
                for model in [&block.base].into_iter().chain(&block.experts) {
                    let is_derived = self.derived.iter().any(|derived| derived.name == *model);
                    // At the scale of the paper a model stands for itself.
                    let stands_for_itself = scale.world == WorldKind::Paper;
                    if !is_derived && !stands_for_itself && !scale.models.contains_key(model) {
                        return fail(format!(
                            "scale `{name}` says nothing of model `{model}` of block `{}`",
                            block.name
                        ));
                    }
                }
                if let Some(task) = block.select_on.iter().find(|task| !scale.tasks.contains_key(*task)) {
                    return fail(format!("scale `{name}` says nothing of task `{task}` of block `{}`", block.name));
                }
                for column in self.columns.iter().filter(|column| column.metric == Metric::Acc) {
                    let Some(task) = block.tasks.get(&column.name) else {
                        return fail(format!("block `{}` has no task for column `{}`", block.name, column.name));
                    };
                    if !scale.tasks.contains_key(task) {
                        return fail(format!("scale `{name}` says nothing of task `{task}` of block `{}`", block.name));
                    }
                }
            }
        }
        for (name, scale) in &self.scale {
            let experiment = self.at(scale);
            for (block, row) in experiment.places() {
                let checked = row.weighting.check(block);
                checked.or_else(|what| fail(format!("scale `{name}`, row `{}`: {what}", row.name)))?;
            }
        }
        Ok(())
    }
}

impl Row {
    /// The kinds of generated data the row's weighting looks at.
    pub fn data(&self) -> &[Data] {
        self.weighting.data()
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
