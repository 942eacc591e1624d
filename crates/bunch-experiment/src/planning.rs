//! What has to be done for an experiment: one cell for each block, row and seed, and what they need.

use std::collections::BTreeMap;
use std::path::Path;

use bunch_checkpoint::sha256_bytes;
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::data::DataPlan;
use crate::experiment::{Block, Experiment, Metric, Row, Scale};
use crate::workbench::Workbench;
use crate::world::{GUARD, UNCENSORED};

/// Hash of the source code that a cell depends on, beside that of training.
const CELL_CODE: &str = env!("BUNCH_CELL_CODE");

/// One row of one block with one seed, and its content address.
pub(crate) struct CellPlan<'a> {
    pub(crate) block: &'a Block,
    pub(crate) row: &'a Row,
    /// Position of the seed's workbench.
    pub(crate) bench: usize,
    pub(crate) id: String,
}

impl CellPlan<'_> {
    /// What to call it in messages.
    pub(crate) fn name(&self, benches: &[Workbench]) -> String {
        format!("{}/{} seed {}", self.block.name, self.row.name, benches[self.bench].seed)
    }
}

/// The models of the world that stand for a block's models: the base, then the experts.
pub(crate) fn members(block: &Block, scale: &Scale) -> Vec<String> {
    [&block.base].into_iter().chain(&block.experts).map(|name| scale.models[name].clone()).collect()
}

/// Content addresses of models.
fn keys<'a>(bench: &Workbench, models: impl Iterator<Item = &'a String>) -> Result<Vec<String>, ExperimentError> {
    models.map(|model| bench.world.key(model)).collect()
}

/// The generated data of a block's pool.
pub(crate) fn data_plan(
    block: &Block,
    scale: &Scale,
    bench: &Workbench,
    cache: &Path,
) -> Result<DataPlan, ExperimentError> {
    let members = members(block, scale);
    let writers = [UNCENSORED.to_owned(), GUARD.to_owned()];
    let key = json!({
        "models": keys(bench, members.iter().chain(&writers))?,
        "pairs": scale.pairs,
        // The test prompts and questions are excluded from the data.
        "excluded": [bench.sets.harmful, bench.sets.test.values().flatten().map(|doc| &doc.context).collect::<Vec<_>>()],
        "seed": bench.seed,
        "code": [bench.world.code(), CELL_CODE],
    });
    let key = sha256_bytes(key.to_string().as_bytes());
    Ok(DataPlan { members, pairs: scale.pairs, path: cache.join("data").join(format!("{}.json", &key[..32])) })
}

/// All cells of an experiment, seed after seed.
pub(crate) fn cells<'a>(
    experiment: &'a Experiment,
    scale: &Scale,
    benches: &[Workbench],
    cache: &Path,
) -> Result<Vec<CellPlan<'a>>, ExperimentError> {
    // What a label says does not change what is measured.
    let columns: Vec<(&str, Metric)> =
        experiment.columns.iter().map(|column| (column.name.as_str(), column.metric)).collect();
    let mut plans = Vec::new();
    for (index, bench) in benches.iter().enumerate() {
        for block in &experiment.blocks {
            let pool = keys(bench, members(block, scale).iter())?;
            let data = data_plan(block, scale, bench, cache)?.path;
            let tasks: BTreeMap<&str, &str> = (experiment.columns.iter())
                .filter(|column| column.metric == Metric::Acc)
                .map(|column| (column.name.as_str(), scale.tasks[&block.tasks[&column.name]].as_str()))
                .collect();
            for row in &experiment.rows {
                let uses_data = !row.data().is_empty();
                let key = json!({
                    "pool": pool,
                    "guard": bench.world.key(GUARD)?,
                    "data": if uses_data { json!(data.file_name().map(|name| name.to_string_lossy())) } else { Value::Null },
                    // Names key the random streams of a search.
                    "row": [&block.name, &row.name],
                    "weighting": row.weighting,
                    "columns": columns,
                    "tasks": tasks,
                    "sizes": [scale.harmful_prompts, scale.benign_prompts, scale.questions, scale.dev_questions],
                    "seed": bench.seed,
                    "code": [bench.world.code(), CELL_CODE],
                });
                let id = sha256_bytes(key.to_string().as_bytes());
                plans.push(CellPlan { block, row, bench: index, id });
            }
        }
    }
    Ok(plans)
}
