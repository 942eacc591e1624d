//! What a run used: models, data and sizes, for the manifest.

use std::collections::BTreeMap;

use bunch_checkpoint::sha256_bytes;
use bunch_report::{DataUse, ModelUse};

use crate::ExperimentError;
use crate::declared::column::{Column, Metric};
use crate::planning::run::Run;
use crate::recording::pool_data::PoolData;
use crate::recording::prompts::PromptSheet;
use crate::seed_pool::SeedPool;

/// What the manifest says besides the cells.
pub(crate) struct Provenance {
    pub(crate) command_line: Vec<String>,
    pub(crate) device: String,
    pub(crate) scale: String,
    pub(crate) models: Vec<ModelUse>,
    pub(crate) data: Vec<DataUse>,
    /// Generated data by pool and seed.
    pub(crate) generated: Vec<(String, u64, PoolData)>,
    /// Prompts that the experiment shows.
    pub(crate) prompts: Vec<PromptSheet>,
    pub(crate) sample_counts: BTreeMap<String, u64>,
    /// For each measurement whether it came from the cache.
    pub(crate) reused: Vec<bool>,
    pub(crate) wall_seconds: f64,
}

impl Run {
    /// Looks everything up; nothing is computed that the cells did not need.
    pub(crate) fn provenance(
        &self,
        seed_pools: &[SeedPool],
        generated: Vec<(String, u64, PoolData)>,
        reused: Vec<bool>,
        wall_seconds: f64,
    ) -> Result<Provenance, ExperimentError> {
        Ok(Provenance {
            command_line: self.options.command_line.clone(),
            device: self.options.device.clone(),
            scale: self.variant.to_string(),
            models: self.models_used(seed_pools)?,
            data: self.data_used(seed_pools, &generated),
            prompts: self.prompt_sheets(seed_pools, &generated)?,
            generated,
            sample_counts: self.sample_counts(),
            reused,
            wall_seconds,
        })
    }

    fn models_used(&self, seed_pools: &[SeedPool]) -> Result<Vec<ModelUse>, ExperimentError> {
        let sources = seed_pools.first().map(|seed_pool| seed_pool.zoo.sources()).unwrap_or_default();
        let mut models: Vec<ModelUse> = sources.into_iter().map(|(name, sha256)| ModelUse { name, sha256 }).collect();
        for seed_pool in seed_pools {
            for member in self.members_used(seed_pool)? {
                let name = format!("{member} seed {}", seed_pool.seed);
                models.push(ModelUse { name, sha256: seed_pool.member(&member)?.sha256 });
            }
            for derived in &self.experiment.derived {
                let name = format!("{} seed {}", derived.name, seed_pool.seed);
                models.push(ModelUse { name, sha256: seed_pool.member(&derived.name)?.sha256 });
            }
        }
        Ok(models)
    }

    fn data_used(&self, seed_pools: &[SeedPool], generated: &[(String, u64, PoolData)]) -> Vec<DataUse> {
        let mut used = Vec::new();
        for seed_pool in seed_pools {
            let mut add = |name: &str, bytes: Vec<u8>, n: usize| {
                let name = format!("{name} seed {}", seed_pool.seed);
                used.push(DataUse { name, sha256: sha256_bytes(&bytes), n: n as u64 });
            };
            for (set, prompts) in seed_pool.asked() {
                add(&format!("{set} test prompts"), prompts.join("\n").into_bytes(), prompts.len());
            }
            for (task, questions) in &seed_pool.questions {
                add(&format!("{task} test questions"), questions.join("\n").into_bytes(), questions.len());
            }
        }
        used.extend(generated.iter().map(|(block, seed, data)| DataUse {
            name: format!("D_safety and D_expert of {block} seed {seed}"),
            sha256: data.sha256(),
            n: (data.safety.pairs.len() + data.expert.pairs.len()) as u64,
        }));
        used
    }

    fn sample_counts(&self) -> BTreeMap<String, u64> {
        let count = |column: &Column| match column.metric {
            Metric::Acc | Metric::Mean => self.scale.questions,
            _ => column.asked().map_or(0, |set| self.scale.prompt_count(set)),
        };
        self.experiment.columns.iter().map(|column| (column.name.clone(), count(column) as u64)).collect()
    }
}
