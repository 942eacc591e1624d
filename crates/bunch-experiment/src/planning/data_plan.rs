//! The generated data that rows look at, and its content address.

use std::path::{Path, PathBuf};

use bunch_checkpoint::sha256_bytes;
use bunch_evolution::{DataNeed, Source};
use serde_json::json;

use crate::ExperimentError;
use crate::cell_code::CELL_CODE;
use crate::declared::block::Block;
use crate::declared::pool_names::{GUARD, HARMFUL, UNCENSORED};
use crate::declared::scale::Scale;
use crate::planning::members::{keys, members};
use crate::planning::run::Run;
use crate::seed_pool::SeedPool;

/// What a pool's data is made of, and its content address.
pub(crate) struct DataPlan {
    pub(crate) members: Vec<String>,
    pub(crate) need: DataNeed,
    pub(crate) id: String,
}

impl DataPlan {
    /// Where the data is kept.
    pub(crate) fn path(&self, cache: &Path) -> PathBuf {
        cache.join("data").join(format!("{}.json", self.id))
    }
}

/// Generated data of a block's pool.
pub(crate) fn data_plan(
    block: &Block,
    need: DataNeed,
    scale: &Scale,
    seed_pool: &SeedPool,
) -> Result<DataPlan, ExperimentError> {
    let members = members(block, scale);
    let writers = [UNCENSORED.to_owned(), GUARD.to_owned()];
    let DataNeed { pairs, source } = need;
    let mut key = json!({
        "models": keys(seed_pool, members.iter().chain(&writers))?,
        "guard": seed_pool.judge_sha256(GUARD)?,
        "pairs": pairs,
        // The test prompts and questions are excluded from the data.
        "excluded": [seed_pool.prompts(HARMFUL)?.texts, seed_pool.questions.values().flatten().collect::<Vec<_>>()],
        "seed": seed_pool.seed,
        "code": [seed_pool.zoo.code(), CELL_CODE],
    });
    if source == Source::Real {
        key["source"] = json!(source);
    }
    let key = sha256_bytes(key.to_string().as_bytes());
    Ok(DataPlan { members, need, id: key[..32].to_owned() })
}

impl Run {
    /// The data that rows look at, block by block.
    pub(crate) fn data_needs(&self) -> Vec<(&Block, DataNeed)> {
        let mut needs: Vec<(&Block, DataNeed)> = Vec::new();
        for (block, row) in self.experiment.places() {
            let need = row.strategy.need(self.scale.pairs).map(|need| (block, need));
            needs
                .extend(need.filter(|(_, need)| !needs.iter().any(|(other, n)| other.name == block.name && n == need)));
        }
        needs
    }
}
