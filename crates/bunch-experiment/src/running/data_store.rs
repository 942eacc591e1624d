//! Generated data on disk, under its content address.

use std::path::Path;

use bunch_evolution::{DataNeed, Source};

use crate::ExperimentError;
use crate::declared::wire_name::wire_name;
use crate::planning::data_plan::{DataPlan, data_plan};
use crate::planning::run::Run;
use crate::recording::pool_data::PoolData;
use crate::running::generation::Generation;
use crate::seed_pool::SeedPool;

impl DataPlan {
    /// Reads the data, or generates and keeps it.
    pub(crate) fn load_or_make(&self, seed_pool: &SeedPool, cache: &Path) -> Result<PoolData, ExperimentError> {
        let path = self.path(cache);
        if path.exists() {
            return PoolData::load(&path);
        }
        let data = Generation { members: &self.members, need: self.need }.make(seed_pool)?;
        data.save(&path)?;
        Ok(data)
    }
}

impl Run {
    /// The data of every block and seed, each under the block's name.
    pub(crate) fn generated_data(
        &self,
        seed_pools: &[SeedPool],
    ) -> Result<Vec<(String, u64, PoolData)>, ExperimentError> {
        let mut generated = Vec::new();
        for seed_pool in seed_pools {
            for (block, need) in self.data_needs().into_iter().filter(|(block, _)| seed_pool.serves(&block.name)) {
                let data =
                    data_plan(block, need, &self.scale, seed_pool)?.load_or_make(seed_pool, &self.options.cache)?;
                let usual = DataNeed { pairs: self.scale.pairs, source: Source::Generated };
                let name = match need {
                    need if need == usual => block.name.clone(),
                    DataNeed { pairs, source } => format!("{} ({pairs} pairs, {})", block.name, wire_name(&source)),
                };
                generated.push((name, seed_pool.seed, data));
            }
        }
        Ok(generated)
    }
}
