//! What has to be done for an experiment: one cell for each block, row and seed, and what they need.

use std::collections::BTreeMap;
use std::path::Path;

use bunch_checkpoint::sha256_bytes;
use serde_json::{Value, json};

use crate::declared::column::{JudgeName, Metric};
use crate::declared::experiment::{Block, Experiment, Row};
use crate::declared::scale::Scale;
use crate::running::data::DataPlan;
use crate::weighting::{DataNeed, Source};
use crate::workbench::Workbench;
use crate::world::{GUARD, SECOND_JUDGE, UNCENSORED, in_order, line};
use crate::{ExperimentError, Run};

/// Hash of the source code that a cell depends on, beside that of training.
pub(crate) const CELL_CODE: &str = env!("BUNCH_CELL_CODE");

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

/// The models of the world that stand for a block's models: the base, then the experts.
pub(crate) fn members(block: &Block, scale: &Scale) -> Vec<String> {
    // A name that the scale does not have is that of a derived model.
    let of = |name: &String| scale.models.get(name).unwrap_or(name).clone();
    [&block.base].into_iter().chain(&block.experts).map(of).collect()
}

/// Content addresses of models.
fn keys<'a>(bench: &Workbench, models: impl Iterator<Item = &'a String>) -> Result<Vec<String>, ExperimentError> {
    models.map(|model| bench.key(model)).collect()
}

/// The models of the world that a row's cell waits for, beside the pool: judges, and who writes its data.
pub(crate) fn helpers(experiment: &Experiment, row: &Row) -> Vec<String> {
    let mut helpers = vec![GUARD.to_owned()];
    if experiment.columns.iter().any(|column| column.judge == JudgeName::Second) {
        helpers.push(SECOND_JUDGE.to_owned());
    }
    if !row.data().is_empty() {
        helpers.push(UNCENSORED.to_owned());
    }
    helpers
}

/// Generated data of a block's pool.
pub(crate) fn data_plan(
    block: &Block,
    need: DataNeed,
    scale: &Scale,
    bench: &Workbench,
    cache: &Path,
) -> Result<DataPlan, ExperimentError> {
    let members = members(block, scale);
    let writers = [UNCENSORED.to_owned(), GUARD.to_owned()];
    let DataNeed { pairs, source } = need;
    let mut key = json!({
        "models": keys(bench, members.iter().chain(&writers))?,
        "pairs": pairs,
        // The test prompts and questions are excluded from the data.
        "excluded": [bench.sets.harmful, bench.sets.test.values().flatten().map(|doc| &doc.context).collect::<Vec<_>>()],
        "seed": bench.seed,
        "code": [bench.world.code(), CELL_CODE],
    });
    if source == Source::Real {
        key["source"] = json!(source);
    }
    let key = sha256_bytes(key.to_string().as_bytes());
    Ok(DataPlan { members, need, path: cache.join("data").join(format!("{}.json", &key[..32])) })
}

/// All cells of an experiment, seed after seed.
pub(crate) fn cells<'a>(
    experiment: &'a Experiment,
    scale: &Scale,
    benches: &[Workbench],
    cache: &Path,
) -> Result<Vec<CellPlan<'a>>, ExperimentError> {
    let mut plans = Vec::new();
    // What a label says does not change what is measured.
    let columns: Vec<_> = (experiment.columns.iter())
        .map(|column| {
            let asked = (column.judge, column.prompts, &column.category);
            (&column.name, column.metric, asked, &column.of, column.to, &column.key)
        })
        .collect();
    let judged = experiment.columns.iter().any(|column| column.judge == JudgeName::Second);
    for (index, bench) in benches.iter().enumerate() {
        for (block, row) in experiment.places() {
            let tasks: BTreeMap<&str, &str> = (experiment.columns.iter())
                .filter(|column| column.metric == Metric::Acc)
                .map(|column| (column.name.as_str(), scale.tasks[&block.tasks[&column.name]].as_str()))
                .collect();
            let data = match row.weighting.need(scale.pairs) {
                None => Value::Null,
                Some(need) => {
                    let path = data_plan(block, need, scale, bench, cache)?.path;
                    json!(path.file_name().map(|name| name.to_string_lossy()))
                }
            };
            let mut key = json!({
                "pool": keys(bench, members(block, scale).iter())?,
                "guard": bench.world.key(GUARD)?,
                "judge": if judged { json!(bench.world.key(SECOND_JUDGE)?) } else { Value::Null },
                "data": data,
                // Names key the random streams of a search.
                "row": [&block.name, &row.name],
                "weighting": row.weighting,
                "columns": columns,
                "part": block.part,
                "tasks": tasks,
                "prompts": [scale.harmful_prompts, scale.red_team_prompts, scale.benign_prompts],
                "questions": [scale.questions, scale.dev_questions],
                "seed": bench.seed,
                "code": [bench.world.code(), CELL_CODE],
            });
            let selection = || experiment.selection(block).iter().map(|task| scale.tasks[task].clone()).collect();
            if !block.select_on.is_empty() {
                let selection: Vec<String> = selection();
                key["select_on"] = json!(selection);
            }
            let id = sha256_bytes(key.to_string().as_bytes());
            let trained = row.weighting.trains().then(|| {
                let selection: Vec<String> = selection();
                let parts = ["pool", "guard", "row", "weighting", "seed", "code"].map(|part| (part, &key[part]));
                let parts = (BTreeMap::from(parts), selection, scale.dev_questions);
                sha256_bytes(serde_json::to_string(&parts).expect("plain data").as_bytes())
            });
            plans.push(CellPlan { block, row, bench: index, id, trained });
        }
    }
    Ok(plans)
}

impl Run {
    /// The data that rows look at, block by block.
    pub(crate) fn data_needs(&self) -> Vec<(&Block, DataNeed)> {
        let mut needs: Vec<(&Block, DataNeed)> = Vec::new();
        for (block, row) in self.experiment.places() {
            let need = row.weighting.need(self.scale.pairs).map(|need| (block, need));
            needs
                .extend(need.filter(|(_, need)| !needs.iter().any(|(other, n)| other.name == block.name && n == need)));
        }
        needs
    }

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
                by_bench[plan.bench].extend(line(&*bench.world, &member)?);
            }
        }
        let Some(first) = benches.first() else { return Ok(Vec::new()) };
        let order = in_order(&*first.world, &by_bench.concat());
        let pairs = order.into_iter().flat_map(|member| (0..benches.len()).map(move |bench| (member.clone(), bench)));
        Ok(pairs.filter(|(member, bench)| by_bench[*bench].contains(member)).collect())
    }
}
