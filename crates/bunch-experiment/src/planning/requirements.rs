//! What an experiment with the paper's own models needs: checkpoints and data, and where to get what is missing.

use std::collections::BTreeMap;
use std::fmt;

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::Metric;
use crate::declared::pool_names::{HARMFUL, RED_TEAM};
use crate::planning::checkpoints::{Checkpoints, Presence};
use crate::planning::members::{helpers, members};
use crate::planning::paper_data::{PaperData, PromptUse, TestSet};
use crate::planning::requirement::Requirement;
use crate::planning::run::Run;

/// Everything that is needed.
pub(crate) struct Requirements {
    pub(crate) models: Vec<Requirement>,
    pub(crate) data: Vec<Requirement>,
}

impl Requirements {
    /// How many are not there.
    pub(crate) fn missing(&self) -> usize {
        self.models.iter().chain(&self.data).filter(|requirement| requirement.presence != Presence::Here).count()
    }
}

impl fmt::Display for Requirements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Models (sizes are two bytes for each parameter of the architecture)")?;
        for model in &self.models {
            let revision = match &model.revision {
                Some(revision) => format!("revision {revision}"),
                None => "revision unknown (pin before running)".into(),
            };
            write_requirement(f, model, &format!(", {revision}"))?;
        }
        writeln!(f, "Data")?;
        for set in &self.data {
            write_requirement(f, set, "")?;
        }
        let bytes = |of: &[Requirement]| of.iter().filter_map(|requirement| requirement.bytes).sum::<u64>();
        let unknown = self.data.iter().filter(|set| set.bytes.is_none()).count();
        write!(f, "In all {} models of {} ", self.models.len(), size(bytes(&self.models)))?;
        write!(f, "and {} data sets of {}", self.data.len(), size(bytes(&self.data)))?;
        if unknown > 0 {
            write!(f, " and {unknown} of unknown size")?;
        }
        writeln!(f, "; missing: {}.", self.missing())
    }
}

fn write_requirement(f: &mut fmt::Formatter<'_>, needed: &Requirement, revision: &str) -> fmt::Result {
    let state = match &needed.presence {
        Presence::Here => "here".to_owned(),
        Presence::Missing => "missing".to_owned(),
        Presence::Unusable(why) => format!("unusable ({why})"),
    };
    writeln!(f, "  {} for {}: {state}", needed.id, needed.roles.join(", "))?;
    let bytes = needed.bytes.map_or("size unknown".to_owned(), size);
    let licence = needed.licence.as_deref().unwrap_or("unknown");
    writeln!(f, "    {}{revision}, {bytes}, licence: {licence}", needed.what)?;
    if !needed.how.is_empty() {
        writeln!(f, "    known: {}", needed.how)?;
    }
    if needed.presence != Presence::Here {
        writeln!(f, "    get it: {}", needed.get)?;
    }
    Ok(())
}

/// Bytes in decimal units.
fn size(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.0} kB", bytes / 1e3),
    }
}

impl Run {
    /// What the experiment needs at the scale of the paper, and what of it is in the folders that the options name.
    pub(crate) fn requirements(
        &self,
        checkpoints: &Checkpoints,
        data: &PaperData,
    ) -> Result<Requirements, ExperimentError> {
        let mut models = Vec::new();
        for (id, roles) in self.checkpoint_roles() {
            let entry = checkpoints.entry(&id)?;
            let gate =
                format!("\n    first accept its licence at https://huggingface.co/{}, and set HF_TOKEN", entry.hub);
            models.push(Requirement {
                id,
                what: entry.hub.clone(),
                revision: entry.revision.clone(),
                bytes: Some(checkpoints.bytes(entry)?),
                licence: entry.licence.clone(),
                roles,
                presence: entry.presence(&self.options.models),
                how: entry.how.iter().map(|(what, how)| format!("{what}: {how}")).collect::<Vec<_>>().join("; "),
                get: entry.get(&self.options.models) + if entry.gated { &gate } else { "" },
            });
        }
        let mut sets: Vec<&TestSet> = Vec::new();
        for block in &self.experiment.blocks {
            for set in self.block_sets(data, block)? {
                if !sets.iter().any(|other| other.id == set.id) {
                    sets.push(set);
                }
            }
        }
        let trains = self.experiment.rows.iter().any(|row| row.strategy.trains());
        let used = self.asked().into_iter().chain(trains.then_some(PromptUse::Preferences));
        let prompts = used.map(|used_as| data.prompts(used_as));
        let prompts = prompts.collect::<Result<Vec<_>, _>>()?;
        let data = data.requirements(&self.root, &sets, &prompts, &self.options.data)?;
        Ok(Requirements { models, data })
    }

    /// The checkpoints by id, each with what it is needed for.
    fn checkpoint_roles(&self) -> BTreeMap<String, Vec<String>> {
        let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut add = |id: String, role: String| {
            let roles = roles.entry(id).or_default();
            if !roles.contains(&role) {
                roles.push(role);
            }
        };
        for block in &self.experiment.blocks {
            for (index, member) in members(block, &self.scale).into_iter().enumerate() {
                let role = if index == 0 { "base" } else { "expert" };
                for id in self.ingredients(&member) {
                    add(id, format!("{role} of {}", block.name));
                }
            }
        }
        for helper in self.experiment.rows.iter().flat_map(|row| helpers(&self.experiment, row)) {
            add(self.checkpoint_id(&helper), helper);
        }
        roles
    }

    /// The checkpoint that stands for a name of the experiment: the name itself unless the scale gives another.
    pub(crate) fn checkpoint_id(&self, name: &str) -> String {
        self.scale.models.get(name).map_or_else(|| name.to_owned(), Clone::clone)
    }

    /// The checkpoints that a member is made of: itself, or for a derived one those that it is merged from.
    pub(crate) fn ingredients(&self, member: &str) -> Vec<String> {
        match self.experiment.derived.iter().find(|derived| derived.name == member) {
            None => vec![self.checkpoint_id(member)],
            Some(derived) => derived.of.iter().flat_map(|name| self.ingredients(name)).collect(),
        }
    }

    /// The test sets of tasks, as the experiment names them.
    pub(crate) fn task_sets<'a, 'b>(
        &self,
        data: &'a PaperData,
        tasks: impl Iterator<Item = &'b str>,
    ) -> Result<Vec<&'a TestSet>, ExperimentError> {
        let mut sets = Vec::new();
        for task in tasks {
            sets.extend(data.sets(&self.root, &self.scale.tasks[task])?);
        }
        Ok(sets)
    }

    /// The test sets of a block's tasks.
    pub(crate) fn block_sets<'a>(
        &self,
        data: &'a PaperData,
        block: &Block,
    ) -> Result<Vec<&'a TestSet>, ExperimentError> {
        let columns = self.experiment.columns.iter().filter(|column| column.metric == Metric::Acc);
        self.task_sets(data, columns.map(|column| block.tasks[&column.name].as_str()))
    }

    /// The prompts that the columns ask.
    pub(crate) fn asked(&self) -> Vec<PromptUse> {
        let of = |metric: Metric, prompts: &str| match (metric, prompts) {
            (Metric::RefusalRate, _) => Some(PromptUse::Benign),
            (metric, HARMFUL) if metric.is_safety() => Some(PromptUse::Harmful),
            (metric, RED_TEAM) if metric.is_safety() => Some(PromptUse::RedTeam),
            _ => None,
        };
        let mut asked: Vec<PromptUse> =
            self.experiment.columns.iter().filter_map(|column| of(column.metric, &column.prompts)).collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    }
}
