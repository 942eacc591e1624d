//! An experiment as data: one TOML file for one table of a paper.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_report::{Claim, Shape};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
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
    /// What the figure shows.
    pub figure: FigureAxes,
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
    /// File of published values in `data/papers/<key>`.
    pub values: String,
}

/// A pool of models and what its experts are good at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub tasks: BTreeMap<String, String>,
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
    /// Which line of the published values this row is.
    pub published: PublishedKey,
    /// Where the weights of the row's model come from.
    pub weighting: Weighting,
}

/// The first columns of a line of published values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedKey {
    /// Column `merging`.
    pub merging: String,
    /// Column `task_weighting`.
    #[serde(default)]
    pub task_weighting: String,
    /// Column `data`.
    #[serde(default)]
    pub data: String,
}

/// A metric of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name in cells, claims and published values.
    pub name: String,
    /// Label in the table.
    pub label: String,
    /// What is measured.
    pub metric: Metric,
}

/// What a column measures, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of harmful test prompts whose greedy answer the guard judges safe: the papers' alignment.
    SafeRate,
    /// The same, judged by the world's own rule instead of the guard.
    TrueSafeRate,
    /// Share of exchanges on which guard and rule agree.
    GuardAgreement,
    /// Share of benign test prompts that are refused.
    RefusalRate,
    /// Share of multiple-choice questions answered right, by log-likelihood; the block says of which task.
    Acc,
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

/// Which world's models are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorldKind {
    /// The small synthetic world: models of 450,000 parameters, trained from nothing.
    #[default]
    Miniature,
    /// A pretrained model that the user fetched, and what is fine-tuned from it.
    Small,
}

impl WorldKind {
    /// Absent in files and hashes where it says nothing new.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Values that replace those of every grid.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridValues {
    /// Values of each expert's weight.
    pub weight: Vec<f64>,
    /// Values of the density that all experts share.
    pub density: Vec<f64>,
    /// Values of t.
    pub t: Vec<f64>,
}

/// What a scale changes: sizes, seeds, and which models and tasks stand for the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The world that models and tasks belong to.
    #[serde(default, skip_serializing_if = "WorldKind::is_default")]
    pub world: WorldKind,
    /// The pretrained model that a small world starts from, by its id in `data/models.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The blocks that are run; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Vec<String>>,
    /// Merges that each search may evaluate, instead of the rows' own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluations: Option<usize>,
    /// Values of the grids, instead of the rows' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridValues>,
    /// What came out at this scale, instead of the experiment's analysis; not part of the experiment's identity either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<String>,
    /// Seeds; each is a world of its own.
    pub seeds: Vec<u64>,
    /// K: pairs of D_safety, and of D_expert.
    pub pairs: usize,
    /// Harmful test prompts.
    pub harmful_prompts: usize,
    /// Benign test prompts.
    pub benign_prompts: usize,
    /// Multiple-choice test questions per task.
    pub questions: usize,
    /// Multiple-choice dev questions per task, on which grids are selected.
    pub dev_questions: usize,
    /// The model of the world that stands for each of the paper's models.
    pub models: BTreeMap<String, String>,
    /// The domain of the world that stands for each task.
    pub tasks: BTreeMap<String, String>,
}

impl Scale {
    /// Whether the scale runs the block of that name.
    pub fn runs(&self, block: &str) -> bool {
        self.blocks.as_ref().is_none_or(|blocks| blocks.iter().any(|name| name == block))
    }
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

    fn check(&self, path: &Path) -> Result<(), ExperimentError> {
        let fail = |what: String| Err(ExperimentError::Inconsistent { path: path.into(), what });
        let table = self.table_spec("check");
        table.validate()?;
        for claim in &self.claims {
            claim.validate(&table)?;
        }
        for column in [&self.figure.x, &self.figure.y] {
            if !self.columns.iter().any(|c| c.name == *column) {
                return fail(format!("figure: unknown column `{column}`"));
            }
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
                    if !scale.models.contains_key(model) {
                        return fail(format!(
                            "scale `{name}` says nothing of model `{model}` of block `{}`",
                            block.name
                        ));
                    }
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
            for (block, row) in experiment.blocks.iter().flat_map(|b| experiment.rows.iter().map(move |row| (b, row))) {
                let checked = row.weighting.check(block);
                checked.or_else(|what| fail(format!("scale `{name}`, row `{}`: {what}", row.name)))?;
            }
        }
        Ok(())
    }
}

impl Row {
    /// The generated data the row's weighting looks at.
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
