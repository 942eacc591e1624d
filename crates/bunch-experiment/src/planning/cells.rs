//! What has to be done for an experiment: one cell for each block, row and seed, and what they need.

use std::collections::BTreeMap;

use bunch_checkpoint::sha256_bytes;
use bunch_merging::method_code;
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::cell_code::CELL_CODE;
use crate::declared::block::Block;
use crate::declared::column::Metric;
use crate::declared::experiment::Experiment;
use crate::declared::pool_names::{GUARD, TRUTH};
use crate::declared::row::Row;
use crate::declared::scale::Scale;
use crate::planning::data_plan::data_plan;
use crate::planning::members::{helpers, judges, keys, members};
use crate::planning::run::Run;
use crate::seed_pool::SeedPool;

/// One row of one block with one seed, and its content address.
pub(crate) struct CellPlan<'a> {
    pub(crate) block: &'a Block,
    pub(crate) row: &'a Row,
    /// Position of the seed's pool.
    pub(crate) seed_pool: usize,
    pub(crate) id: String,
    /// Content address of the row's model, where finding it trains one.
    pub(crate) trained: Option<String>,
}

impl CellPlan<'_> {
    /// What to call it in messages.
    pub(crate) fn name(&self, seed_pools: &[SeedPool]) -> String {
        format!("{}/{} seed {}", self.block.name, self.row.name, seed_pools[self.seed_pool].seed)
    }
}

/// All cells of an experiment, seed after seed.
pub(crate) fn cells<'a>(
    experiment: &'a Experiment,
    scale: &Scale,
    seed_pools: &[SeedPool],
) -> Result<Vec<CellPlan<'a>>, ExperimentError> {
    let mut plans = Vec::new();
    for (index, seed_pool) in seed_pools.iter().enumerate() {
        for (block, row) in experiment.places().filter(|(block, _)| seed_pool.serves(&block.name)) {
            let key = cell_key(experiment, scale, seed_pool, (block, row))?;
            let id = sha256_bytes(key.to_string().as_bytes());
            let trained = row.strategy.trains().then(|| {
                let parts = ["pool", "guard", "row", "strategy", "seed", "code", "selection"];
                let parts = (parts.map(|part| &key[part]), scale.dev_questions);
                sha256_bytes(serde_json::to_string(&parts).expect("plain data").as_bytes())
            });
            plans.push(CellPlan { block, row, seed_pool: index, id, trained });
        }
    }
    Ok(plans)
}

/// Everything that a cell's scores follow from, which its address is the hash of.
fn cell_key(
    experiment: &Experiment,
    scale: &Scale,
    seed_pool: &SeedPool,
    (block, row): (&Block, &Row),
) -> Result<Value, ExperimentError> {
    // What a label says does not change what is measured.
    let columns: Vec<_> = (experiment.columns.iter())
        .map(|column| {
            let asked = (&column.judge, &column.prompts, &column.category);
            (&column.name, column.metric, asked, &column.of, column.to, &column.key)
        })
        .collect();
    let tasks: BTreeMap<&str, &str> = (experiment.columns.iter())
        .filter(|column| column.metric == Metric::Acc)
        .map(|column| (column.name.as_str(), scale.tasks[&block.tasks[&column.name]].as_str()))
        .collect();
    let selection: Vec<String> = experiment.selection(block).iter().map(|task| scale.tasks[task].clone()).collect();
    let data = match row.strategy.need(scale.pairs) {
        None => Value::Null,
        Some(need) => json!(data_plan(block, need, scale, seed_pool)?.id),
    };
    let judge = |name: &str| Ok::<_, ExperimentError>(json!([seed_pool.zoo.key(name)?, seed_pool.judge_sha256(name)?]));
    Ok(json!({
        // The base first.
        "pool": keys(seed_pool, members(block, scale).iter())?,
        "guard": judge(GUARD)?,
        "judges": judges(experiment)[1..].iter().map(|name| judge(name)).collect::<Result<Vec<_>, _>>()?,
        "truth": seed_pool.has_judge(TRUTH).then(|| seed_pool.judge_sha256(TRUTH)).transpose()?,
        "data": data,
        // Names key the random streams of a search.
        "row": [&block.name, &row.name],
        "strategy": row.strategy,
        "columns": columns,
        "part": block.part,
        "tasks": tasks,
        "selection": selection,
        "prompts": [scale.harmful_prompts, scale.red_team_prompts, scale.benign_prompts],
        "questions": [scale.questions, scale.dev_questions],
        "seed": seed_pool.seed,
        "code": [seed_pool.zoo.code(), CELL_CODE, &merge_code(row)],
    }))
}

/// Hashes of the source code of the merge methods that a row uses.
fn merge_code(row: &Row) -> String {
    row.strategy.methods().into_iter().filter_map(|method| method_code(method.name)).collect()
}

impl Run {
    /// The models of the pools that the cells need, each with the position of its pool.
    ///
    /// Parents of all seeds come first: children of one seed then train beside parents of another.
    pub(crate) fn wanted(
        &self,
        seed_pools: &[SeedPool],
        plans: &[&CellPlan<'_>],
    ) -> Result<Vec<(String, usize)>, ExperimentError> {
        let mut by_seed_pool = vec![Vec::new(); seed_pools.len()];
        for plan in plans {
            let seed_pool = &seed_pools[plan.seed_pool];
            let pool = members(plan.block, &self.scale);
            let pool = pool.iter().flat_map(|member| seed_pool.ingredients(member));
            for member in pool.chain(helpers(&self.experiment, plan.row)) {
                by_seed_pool[plan.seed_pool].extend(seed_pool.zoo.lineage(&member)?);
            }
        }
        let orders: Vec<Vec<String>> =
            seed_pools.iter().zip(&by_seed_pool).map(|(seed_pool, models)| seed_pool.zoo.in_order(models)).collect();
        let longest = orders.iter().map(Vec::len).max().unwrap_or(0);
        let places = (0..longest).flat_map(|place| (0..orders.len()).map(move |index| (place, index)));
        Ok(places.filter_map(|(place, index)| Some((orders[index].get(place)?.clone(), index))).collect())
    }
}

#[cfg(test)]
mod tests;
