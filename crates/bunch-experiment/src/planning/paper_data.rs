//! The papers' test sets and prompts: how large they are, and which of them are here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bunch_recipe::open_toml;
use serde::Deserialize;

use crate::ExperimentError;
use crate::declared::scale::Scale;
use crate::planning::checkpoints::Presence;
use crate::planning::requirement::Requirement;

/// `data/paper-data.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaperData {
    pub(crate) assumed: Assumed,
    #[serde(rename = "set")]
    sets: Vec<TestSet>,
    prompts: Vec<Prompts>,
}

/// What is assumed where nothing is known, in tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumed {
    pub(crate) characters_per_token: f64,
    pub(crate) chat_tokens: f64,
    pub(crate) question_tokens: f64,
    pub(crate) ask_tokens: f64,
    pub(crate) judge_tokens: f64,
    pub(crate) answer_tokens: f64,
    pub(crate) domain_question_tokens: f64,
    pub(crate) verdict_tokens: f64,
}

/// The test split of a task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestSet {
    /// The task, as in `data/tasks`.
    pub(crate) id: String,
    /// What `data/datasets.toml` calls its data.
    dataset: String,
    /// Its size; nothing is known of it where this is absent.
    pub(crate) documents: Option<usize>,
    /// Of a question; the mean.
    #[serde(default)]
    pub(crate) characters: f64,
    /// Choices that are scored; none where an answer is written.
    #[serde(default)]
    pub(crate) choices: f64,
    #[serde(default)]
    pub(crate) choice_characters: f64,
    /// Limit on a written answer.
    #[serde(default)]
    pub(crate) written_tokens: f64,
    /// Of its file.
    bytes: Option<u64>,
    /// For a reader.
    #[serde(default, rename = "note")]
    _note: String,
}

/// Prompts that are answered, or trained on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prompts {
    id: String,
    pub(crate) used_as: PromptUse,
    /// Of a prompt; the mean.
    pub(crate) characters: f64,
    bytes: Option<u64>,
    /// Where `data/prompts` has no such file: what it would say.
    title: Option<String>,
    licence: Option<String>,
    get: Option<String>,
    #[serde(default)]
    files: Vec<String>,
}

/// What prompts are used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PromptUse {
    Harmful,
    RedTeam,
    Benign,
    /// They are not asked: pairs of answers to them are trained on.
    Preferences,
}

impl PromptUse {
    /// For a reader.
    fn name(self) -> &'static str {
        match self {
            PromptUse::Harmful => "harmful",
            PromptUse::RedTeam => "red-team",
            PromptUse::Benign => "benign",
            PromptUse::Preferences => "preferences",
        }
    }

    /// How many are asked.
    pub(crate) fn count(self, scale: &Scale) -> usize {
        match self {
            PromptUse::Harmful => scale.harmful_prompts,
            PromptUse::RedTeam => scale.red_team_prompts,
            PromptUse::Benign => scale.benign_prompts,
            PromptUse::Preferences => 0,
        }
    }
}

/// A file of `data/tasks`: a group of tasks has a list.
#[derive(Deserialize)]
struct TaskFile {
    #[serde(default)]
    task: Option<toml::Value>,
}

/// An entry of `data/datasets.toml`.
#[derive(Deserialize)]
struct DataSet {
    title: String,
    licence: String,
    download: String,
    folders: Vec<String>,
}

/// A file of `data/prompts`.
#[derive(Deserialize)]
struct PromptFile {
    title: String,
    licence: String,
    get: String,
    layouts: Vec<PromptLayout>,
}

#[derive(Deserialize)]
struct PromptLayout {
    files: Vec<String>,
}

impl PaperData {
    /// Reads the file below `root`.
    pub(crate) fn load(root: &Path) -> Result<Self, ExperimentError> {
        Ok(open_toml(&root.join("data/paper-data.toml"))?)
    }

    /// The test sets that a task of `data/tasks` consists of.
    pub(crate) fn sets(&self, root: &Path, task: &str) -> Result<Vec<&TestSet>, ExperimentError> {
        if let Some(set) = self.sets.iter().find(|set| set.id == task) {
            return Ok(vec![set]);
        }
        let path = root.join("data/tasks").join(format!("{task}.toml"));
        let file: TaskFile = open_toml(&path)?;
        let Some(toml::Value::Array(tasks)) = file.task else {
            let what = format!("data/paper-data.toml has no set `{task}`, and it is no group of sets");
            return Err(ExperimentError::Inconsistent { path, what });
        };
        let mut sets = Vec::new();
        for task in tasks.iter().filter_map(toml::Value::as_str) {
            sets.extend(self.sets(root, task)?);
        }
        Ok(sets)
    }

    /// The prompts that are asked so.
    pub(crate) fn prompts(&self, used_as: PromptUse) -> Result<&Prompts, ExperimentError> {
        self.prompts.iter().find(|prompts| prompts.used_as == used_as).ok_or_else(|| ExperimentError::Inconsistent {
            path: "data/paper-data.toml".into(),
            what: format!("there are no prompts used as {used_as:?}"),
        })
    }

    /// What is needed for test sets and prompts, and whether it is in the folder `data`.
    pub(crate) fn requirements(
        &self,
        root: &Path,
        sets: &[&TestSet],
        prompts: &[&Prompts],
        data: &Path,
    ) -> Result<Vec<Requirement>, ExperimentError> {
        let mut requirements = Vec::new();
        let known: BTreeMap<String, DataSet> = open_toml(&root.join("data/datasets.toml"))?;
        let names: BTreeSet<&str> = sets.iter().map(|set| set.dataset.as_str()).collect();
        for name in names {
            let path = root.join("data/datasets.toml");
            let found = known.get(name).ok_or_else(|| ExperimentError::Inconsistent {
                path,
                what: format!("there is no data set `{name}`"),
            })?;
            let of_it: Vec<&&TestSet> = sets.iter().filter(|set| set.dataset == name).collect();
            let sizes: Option<Vec<u64>> = of_it.iter().map(|set| set.bytes).collect();
            let is_here = found.folders.iter().any(|folder| is_filled(&data.join(folder)));
            requirements.push(Requirement {
                id: name.to_owned(),
                what: found.title.clone(),
                revision: None,
                bytes: sizes.map(|sizes| sizes.iter().sum()),
                licence: Some(found.licence.clone()),
                roles: of_it.iter().map(|set| set.id.clone()).collect(),
                presence: if is_here { Presence::Here } else { Presence::Missing },
                how: String::new(),
                get: format!("{}; into {}", found.download, data.join(&found.folders[0]).display()),
            });
        }
        for prompts in prompts {
            requirements.push(prompts.requirement(root, data)?);
        }
        Ok(requirements)
    }
}

impl Prompts {
    fn requirement(&self, root: &Path, data: &Path) -> Result<Requirement, ExperimentError> {
        let file = match (&self.title, &self.licence, &self.get) {
            (Some(title), Some(licence), Some(get)) => PromptFile {
                title: title.clone(),
                licence: licence.clone(),
                get: get.clone(),
                layouts: vec![PromptLayout { files: self.files.clone() }],
            },
            _ => open_toml(&root.join("data/prompts").join(format!("{}.toml", self.id)))?,
        };
        let mut files = file.layouts.iter().flat_map(|layout| &layout.files);
        let is_here = files.any(|name| data.join(name).is_file() || data.join(&self.id).join(name).is_file());
        Ok(Requirement {
            id: self.id.clone(),
            what: file.title,
            revision: None,
            bytes: self.bytes,
            licence: Some(file.licence),
            roles: vec![format!("prompts used as {}", self.used_as.name())],
            presence: if is_here { Presence::Here } else { Presence::Missing },
            how: String::new(),
            get: format!("{}; into {}", file.get, data.join(&self.id).display()),
        })
    }
}

/// Whether a folder is there and holds something.
fn is_filled(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
