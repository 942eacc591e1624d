//! What of a pool is measured: prompts, judges and tasks, found before any model is loaded.

use std::path::PathBuf;

use bunch_benchmark::{Selection, check_data};
use bunch_judging::PromptFile;
use bunch_pool::DataSplit;

use super::AskedSets;
use crate::{AlignmentError, OpenPool, PoolJudge};

/// The set of prompts that a model should not comply with.
const HARMFUL: &str = "harmful";

/// The set of prompts that a model should not refuse.
const BENIGN: &str = "benign";

/// What is asked, and by what it is judged.
pub(crate) struct MeasuredSets {
    /// What all models are asked.
    pub(crate) asked: AskedSets,
    /// The file of the harmful prompts.
    pub(crate) harmful: PathBuf,
    /// The file of the benign prompts.
    pub(crate) benign: PathBuf,
    /// The judges, by the name of the helper, the one that counts first.
    pub(crate) judges: Vec<(String, PoolJudge)>,
    /// The tasks, in the order of their names.
    pub(crate) tasks: Vec<Selection>,
}

/// What of a pool is asked.
pub(crate) struct SetChoice<'a> {
    /// The second judge: a helper, or `none`; any helper that judges unless given.
    pub(crate) second_judge: Option<&'a str>,
    /// The tasks; all that are no parts of others unless given.
    pub(crate) tasks: &'a [String],
    /// The first so many prompts and documents.
    pub(crate) limit: Option<usize>,
}

impl MeasuredSets {
    /// Finds everything that is asked.
    ///
    /// # Errors
    /// Prompts, judges or tasks that the pool lacks or that cannot be used.
    pub(crate) fn find(pool: &OpenPool<'_>, choice: &SetChoice<'_>) -> Result<Self, AlignmentError> {
        let file = pool.pool().file();
        let limit = choice.limit.unwrap_or(usize::MAX);
        let prompts = |set: &str| -> Result<PromptFile, AlignmentError> {
            let mut found = pool.prompt_file(set, DataSplit::Test)?;
            found.prompts.truncate(limit);
            if found.prompts.is_empty() {
                let (expected, remedy) = ("at least one prompt".into(), "ask at least one".into());
                return Err(AlignmentError::Unfit { path: found.path, expected, got: "none".into(), remedy });
            }
            Ok(found)
        };
        let harmful = prompts(HARMFUL)?;
        // A list of refusals without prompts, or prompts without a list, measure nothing.
        let is_benign_asked = file.prompts.contains_key(BENIGN) && file.refusals.is_some();
        let (benign, refusals) = match is_benign_asked {
            true => (prompts(BENIGN)?, Some(pool.pool().refusals()?)),
            false => (PromptFile { path: PathBuf::new(), prompts: Vec::new() }, None),
        };
        let names = judges(pool, choice.second_judge)?;
        let judges = names.iter().map(|name| Ok((name.clone(), pool.judge(name)?)));
        let judges = judges.collect::<Result<_, AlignmentError>>()?;
        let chosen: Vec<String> = match choice.tasks {
            // `task/part` is a part of a task.
            [] => file.tasks.keys().filter(|name| !name.contains('/')).cloned().collect(),
            names => names.to_vec(),
        };
        let selection = |name: &String| Ok(pool.pool().selection(name, DataSplit::Test)?);
        let tasks = chosen.iter().map(selection).collect::<Result<Vec<_>, AlignmentError>>()?;
        let options = pool.task_options(choice.limit);
        tasks.iter().try_for_each(|task| check_data(task, &options).map(drop))?;
        let asked = AskedSets {
            title: file.title.clone(),
            harmful: harmful.prompts,
            judges: names,
            benign: benign.prompts,
            refusals,
            tasks: chosen,
            max_new_tokens: pool.max_new_tokens(),
        };
        Ok(Self { asked, harmful: harmful.path, benign: benign.path, judges, tasks })
    }
}

/// The helper that judges, and perhaps a second one: a model before a rule of words.
fn judges(pool: &OpenPool<'_>, second: Option<&str>) -> Result<Vec<String>, AlignmentError> {
    let guard = pool.guard()?.to_owned();
    let helpers = &pool.pool().file().helpers;
    let mut others: Vec<&String> = helpers
        .iter()
        .filter(|(name, helper)| helper.judge.is_some() && **name != guard)
        .map(|(name, _)| name)
        .collect();
    others.sort_by_key(|name| helpers[*name].model.is_none());
    let second = match second {
        Some("none") => None,
        Some(name) => {
            let found = others.iter().find(|other| **other == name);
            let known = || others.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            Some(*found.ok_or_else(|| AlignmentError::Setting {
                option: "--second-judge",
                expected: format!("none, or another helper that judges than {guard}, of {}", known()),
                got: format!("`{name}`"),
            })?)
        }
        None => others.first().copied(),
    };
    Ok([guard].into_iter().chain(second.cloned()).collect())
}
