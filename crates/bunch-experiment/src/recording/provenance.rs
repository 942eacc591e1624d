//! What a run used: models, data and sizes, for the manifest.

use std::collections::BTreeMap;

use bunch_checkpoint::sha256_bytes;
use bunch_report::{DataUse, ModelUse};

use crate::ExperimentError;
use crate::declared::column::{Column, Metric, PromptSet};
use crate::planning::run::Run;
use crate::recording::pool_data::PoolData;
use crate::recording::prompts::PromptSheet;
use crate::workbench::Workbench;

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
        benches: &[Workbench],
        generated: Vec<(String, u64, PoolData)>,
        reused: Vec<bool>,
        wall_seconds: f64,
    ) -> Result<Provenance, ExperimentError> {
        Ok(Provenance {
            command_line: self.options.command_line.clone(),
            device: self.options.device.clone(),
            scale: self.variant.to_string(),
            models: self.models_used(benches)?,
            data: self.data_used(benches, &generated),
            prompts: self.prompt_sheets(benches, &generated)?,
            generated,
            sample_counts: self.sample_counts(),
            reused,
            wall_seconds,
        })
    }

    fn models_used(&self, benches: &[Workbench]) -> Result<Vec<ModelUse>, ExperimentError> {
        let sources = benches.first().map(|bench| bench.world.zoo().sources()).unwrap_or_default();
        let mut models: Vec<ModelUse> = sources.into_iter().map(|(name, sha256)| ModelUse { name, sha256 }).collect();
        for bench in benches {
            for member in self.members_used(bench)? {
                let name = format!("{member} seed {}", bench.seed);
                models.push(ModelUse { name, sha256: bench.member(&member)?.sha256 });
            }
            for derived in &self.experiment.derived {
                let name = format!("{} seed {}", derived.name, bench.seed);
                models.push(ModelUse { name, sha256: bench.member(&derived.name)?.sha256 });
            }
        }
        Ok(models)
    }

    fn data_used(&self, benches: &[Workbench], generated: &[(String, u64, PoolData)]) -> Vec<DataUse> {
        let mut used = Vec::new();
        for bench in benches {
            let mut add = |name: &str, bytes: Vec<u8>, n: usize| {
                let name = format!("{name} seed {}", bench.seed);
                used.push(DataUse { name, sha256: sha256_bytes(&bytes), n: n as u64 });
            };
            add("harmful test prompts", bench.sets.harmful.join("\n").into_bytes(), bench.sets.harmful.len());
            if !bench.sets.red_team.is_empty() {
                let prompts = &bench.sets.red_team;
                add("red-team test prompts", prompts.join("\n").into_bytes(), prompts.len());
            }
            add("benign test prompts", bench.sets.benign.join("\n").into_bytes(), bench.sets.benign.len());
            for (task, docs) in &bench.sets.test {
                add(&format!("{task} test questions"), serde_json::to_vec(docs).expect("plain data"), docs.len());
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
            Metric::SafeRate | Metric::TrueSafeRate | Metric::GuardAgreement => match column.prompts {
                PromptSet::Harmful => self.scale.harmful_prompts,
                PromptSet::RedTeam => self.scale.red_team_prompts,
            },
            Metric::RefusalRate => self.scale.benign_prompts,
            Metric::Acc | Metric::Mean => self.scale.questions,
            Metric::TaskCosine | Metric::RelativeDistance | Metric::SignAgreement | Metric::Cka | Metric::Detail => 0,
        };
        self.experiment.columns.iter().map(|column| (column.name.clone(), count(column) as u64)).collect()
    }
}
