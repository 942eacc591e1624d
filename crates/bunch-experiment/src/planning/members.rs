//! Which models of a pool stand behind an experiment's blocks and rows.

use std::collections::BTreeMap;

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::experiment::Experiment;
use crate::declared::pool_names::{GUARD, UNCENSORED};
use crate::declared::row::Row;
use crate::declared::scale::Scale;
use crate::planning::run::Run;
use crate::seed_pool::SeedPool;

/// The models of the pool that stand for a block's models: the base, then the experts.
pub(crate) fn members(block: &Block, scale: &Scale) -> Vec<String> {
    // A name that the scale does not have is that of a derived model.
    let of = |name: &String| scale.models.get(name).unwrap_or(name).clone();
    [&block.base].into_iter().chain(&*block.experts).map(of).collect()
}

/// Content addresses of models.
pub(crate) fn keys<'a>(
    seed_pool: &SeedPool,
    models: impl Iterator<Item = &'a String>,
) -> Result<Vec<String>, ExperimentError> {
    models.map(|model| seed_pool.key(model)).collect()
}

/// The helpers that judge in some column, each once, the guard first.
pub(crate) fn judges(experiment: &Experiment) -> Vec<String> {
    let mut judges = vec![GUARD.to_owned()];
    for column in &experiment.columns {
        if !judges.contains(&column.judge) {
            judges.push(column.judge.clone());
        }
    }
    judges
}

/// The helpers that a row's cell waits for: judges, and who writes its data.
pub(crate) fn helpers(experiment: &Experiment, row: &Row) -> Vec<String> {
    let mut helpers = judges(experiment);
    if !row.data().is_empty() {
        helpers.push(UNCENSORED.to_owned());
    }
    helpers
}

impl Run {
    /// The blocks that the scale runs, by the pool that it gives them; none where their models are trained. Blocks of one pool
    /// share it.
    pub(crate) fn blocks_by_pool(&self) -> BTreeMap<Option<&str>, Vec<&Block>> {
        let mut pools: BTreeMap<Option<&str>, Vec<&Block>> = BTreeMap::new();
        for block in self.experiment.blocks.iter().filter(|block| self.scale.runs(&block.name)) {
            pools.entry(self.scale.pools.get(&block.name).map(String::as_str)).or_default().push(block);
        }
        pools
    }

    /// All models of the pool that the experiment needs, with their ancestors, parents first.
    pub(crate) fn members_used(&self, seed_pool: &SeedPool) -> Result<Vec<String>, ExperimentError> {
        let blocks = self.experiment.blocks.iter().filter(|block| seed_pool.serves(&block.name));
        let pools = blocks.flat_map(|block| members(block, &self.scale));
        let pools = pools.flat_map(|member| seed_pool.ingredients(&member));
        let mut used = Vec::new();
        for member in pools.chain(self.experiment.rows.iter().flat_map(|row| helpers(&self.experiment, row))) {
            used.extend(seed_pool.zoo.lineage(&member)?);
        }
        Ok(seed_pool.zoo.in_order(&used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(columns: &str) -> Experiment {
        let text = format!(
            r#"
title = "t"
question = "q"
paper = {{ key = "k", arxiv = "1", item = "i" }}
block = [{{ name = "one", title = "One", base = "b", experts = ["e", "made"] }}]
column = [{{ name = "x", label = "x", {columns} }}]
model = [{{ name = "made", of = ["base", "aligned"], merge.task_arithmetic = {{ weights = [0.5] }} }}]
[[row]]
name = "member"
label = "member"
strategy.member = 0
[[row]]
name = "cocktail"
label = "LM-Cocktail"
strategy.lm_cocktail = {{ data = ["expert"], temperature = 1.0 }}
[scale.miniature]
seeds = [0]
pairs = 1
harmful_prompts = 1
benign_prompts = 1
questions = 1
dev_questions = 1
models = {{ b = "aligned", e = "expert-bio" }}
tasks = {{}}
"#
        );
        let experiment: Experiment = toml::from_str(&text).unwrap();
        experiment.check(std::path::Path::new("x.toml")).unwrap();
        experiment
    }

    #[test]
    fn a_pool_is_its_base_and_its_experts_in_order() {
        let experiment = experiment("metric = 'safe_rate'");
        let members = members(&experiment.blocks[0], &experiment.scale["miniature"]);
        assert_eq!(members, ["aligned", "expert-bio", "made"], "a derived model keeps its name");
    }

    #[test]
    fn a_cell_waits_for_its_judges_and_for_who_writes_its_data() {
        let guarded = experiment("metric = 'safe_rate'");
        assert_eq!(helpers(&guarded, &guarded.rows[0]), [GUARD]);
        assert_eq!(helpers(&guarded, &guarded.rows[1]), [GUARD, UNCENSORED]);
        let judged = experiment("metric = 'safe_rate', judge = 'judge'");
        assert_eq!(helpers(&judged, &judged.rows[0]), [GUARD, "judge"]);
    }
}
