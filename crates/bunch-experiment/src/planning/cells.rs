//! What has to be done for an experiment: one cell for each block, row and seed, and what they need.

use std::collections::BTreeMap;

use bunch_checkpoint::sha256_bytes;
use bunch_merging::method_code;
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::cell_code::CELL_CODE;
use crate::declared::block::Block;
use crate::declared::column::{JudgeName, Metric};
use crate::declared::experiment::Experiment;
use crate::declared::row::Row;
use crate::declared::scale::Scale;
use crate::planning::data_plan::data_plan;
use crate::planning::members::{helpers, keys, members};
use crate::planning::run::Run;
use crate::workbench::Workbench;
use crate::world::{GUARD, SECOND_JUDGE, TRUTH};

/// One row of one block with one seed, and its content address.
pub(crate) struct CellPlan<'a> {
    pub(crate) block: &'a Block,
    pub(crate) row: &'a Row,
    /// Position of the seed's workbench.
    pub(crate) bench: usize,
    pub(crate) id: String,
    /// Content address of the row's model, where finding it trains one.
    pub(crate) trained: Option<String>,
}

impl CellPlan<'_> {
    /// What to call it in messages.
    pub(crate) fn name(&self, benches: &[Workbench]) -> String {
        format!("{}/{} seed {}", self.block.name, self.row.name, benches[self.bench].seed)
    }
}

/// All cells of an experiment, seed after seed.
pub(crate) fn cells<'a>(
    experiment: &'a Experiment,
    scale: &Scale,
    benches: &[Workbench],
) -> Result<Vec<CellPlan<'a>>, ExperimentError> {
    let mut plans = Vec::new();
    for (index, bench) in benches.iter().enumerate() {
        for (block, row) in experiment.places() {
            let key = cell_key(experiment, scale, bench, (block, row))?;
            let id = sha256_bytes(key.to_string().as_bytes());
            let trained = row.strategy.trains().then(|| {
                let parts = ["pool", "guard", "row", "strategy", "seed", "code", "selection"];
                let parts = (parts.map(|part| &key[part]), scale.dev_questions);
                sha256_bytes(serde_json::to_string(&parts).expect("plain data").as_bytes())
            });
            plans.push(CellPlan { block, row, bench: index, id, trained });
        }
    }
    Ok(plans)
}

/// Everything that a cell's scores follow from, which its address is the hash of.
fn cell_key(
    experiment: &Experiment,
    scale: &Scale,
    bench: &Workbench,
    (block, row): (&Block, &Row),
) -> Result<Value, ExperimentError> {
    // What a label says does not change what is measured.
    let columns: Vec<_> = (experiment.columns.iter())
        .map(|column| {
            let asked = (column.judge, column.prompts, &column.category);
            (&column.name, column.metric, asked, &column.of, column.to, &column.key)
        })
        .collect();
    let judged = experiment.columns.iter().any(|column| column.judge == JudgeName::Second);
    let tasks: BTreeMap<&str, &str> = (experiment.columns.iter())
        .filter(|column| column.metric == Metric::Acc)
        .map(|column| (column.name.as_str(), scale.tasks[&block.tasks[&column.name]].as_str()))
        .collect();
    let selection: Vec<String> = experiment.selection(block).iter().map(|task| scale.tasks[task].clone()).collect();
    let data = match row.strategy.need(scale.pairs) {
        None => Value::Null,
        Some(need) => json!(data_plan(block, need, scale, bench)?.id),
    };
    let judge = |name: &str| Ok::<_, ExperimentError>(json!([bench.world.zoo().key(name)?, bench.judge_sha256(name)?]));
    Ok(json!({
        // The base first.
        "pool": keys(bench, members(block, scale).iter())?,
        "guard": judge(GUARD)?,
        "judge": if judged { judge(SECOND_JUDGE)? } else { Value::Null },
        "truth": bench.judge_sha256(TRUTH)?,
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
        "seed": bench.seed,
        "code": [bench.world.zoo().code(), CELL_CODE, &merge_code(row)],
    }))
}

/// Hashes of the source code of the merge methods that a row uses.
fn merge_code(row: &Row) -> String {
    row.strategy.methods().into_iter().filter_map(|method| method_code(method.name)).collect()
}

impl Run {
    /// The models of the world that the cells need, each with the position of its seed's workbench.
    ///
    /// Parents of all seeds come first: children of one seed then train beside parents of another.
    pub(crate) fn wanted(
        &self,
        benches: &[Workbench],
        plans: &[&CellPlan<'_>],
    ) -> Result<Vec<(String, usize)>, ExperimentError> {
        let mut by_bench = vec![Vec::new(); benches.len()];
        for plan in plans {
            let bench = &benches[plan.bench];
            let pool = members(plan.block, &self.scale);
            let pool = pool.iter().flat_map(|member| bench.ingredients(member));
            for member in pool.chain(helpers(&self.experiment, plan.row)) {
                by_bench[plan.bench].extend(bench.world.zoo().lineage(&member)?);
            }
        }
        let Some(first) = benches.first() else { return Ok(Vec::new()) };
        let order = first.world.zoo().in_order(&by_bench.concat());
        let pairs = order.into_iter().flat_map(|member| (0..benches.len()).map(move |bench| (member.clone(), bench)));
        Ok(pairs.filter(|(member, bench)| by_bench[*bench].contains(member)).collect())
    }
}

#[cfg(test)]
mod tests;
