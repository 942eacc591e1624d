//! One run of an experiment: plan, reuse, compute, record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use crate::ExperimentError;
use crate::planning::cells::{CellPlan, cells};
use crate::planning::data_plan::data_plan;
use crate::planning::run::{Options, Run};
use crate::planning::tasks::dependencies;
use crate::recording::measurement::Measurement;
use crate::recording::results::Results;
use crate::running::cache_lock::CacheUse;
use crate::running::cell_store::CellStore;
use crate::running::executor::Executor;
use crate::running::model_store::ModelStore;
use crate::running::progress::Bars;
use crate::running::schedule::{Job, Worker, run_jobs};
use crate::seed_pool::{Places, SeedPool};

/// A finished run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The table, for a terminal.
    pub table: String,
    /// The claims and whether they hold, for a terminal.
    pub findings: String,
    /// How many claims hold, as in `3 hold, 1 does not hold`.
    pub verdicts: String,
    /// Where the results are.
    pub folder: PathBuf,
    /// Cells that were computed now.
    pub computed: usize,
    /// Cells that were taken from the cache.
    pub cached: usize,
    /// Seconds from start to end.
    pub wall_seconds: f64,
}

impl Run {
    /// Computes what is not cached and writes the results.
    ///
    /// # Errors
    /// Whatever goes wrong in training, generating, merging, evaluating or writing; finished cells are kept.
    pub fn execute(&self) -> Result<Finished, ExperimentError> {
        let start = Instant::now();
        self.check_pools()?;
        self.check_place()?;
        let seed_pools = self.seed_pools()?;
        let _use = CacheUse::begin(&self.options.cache, self.options.fresh, || self.forget(&seed_pools))?;
        self.carry_out(&seed_pools, start, &Bars::new(self.threads(&seed_pools)), 0)
    }

    /// Refuses a results folder that holds results of another specification, and published values that do not fit.
    pub(crate) fn check_place(&self) -> Result<(), ExperimentError> {
        self.results()?.check_previous(self.options.overwrite)
    }

    fn results(&self) -> Result<Results<'_>, ExperimentError> {
        let folder = self.options.results.join(&self.name).join(self.variant.to_string());
        Results::new(&self.root, &folder, &self.experiment, &self.variant, &self.scale.seeds, self.spec_sha256())
    }

    /// Computes what is not cached and writes the results, in a cache that the caller uses; `bars` expect jobs that cost
    /// `later` afterwards.
    pub(crate) fn carry_out(
        &self,
        seed_pools: &[SeedPool],
        start: Instant,
        bars: &Bars,
        later: u64,
    ) -> Result<Finished, ExperimentError> {
        let results = self.results()?;
        let cache = &self.options.cache;
        let plans = cells(&self.experiment, &self.scale, seed_pools)?;
        let store = CellStore::new(cache);
        let found = plans.iter().map(|plan| store.load(&plan.id)).collect::<Result<Vec<_>, _>>()?;
        let missing: Vec<&CellPlan<'_>> =
            plans.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(plan, _)| plan).collect();
        let mut computed = self.compute(seed_pools, &missing, (bars, later))?;
        let (mut measurements, mut reused) = (Vec::new(), Vec::new());
        for (plan, found) in plans.iter().zip(found) {
            let cell = found.map(|measurement| (measurement, false)).or_else(|| computed.remove(&plan.id));
            let (measurement, is_new) = cell.expect("every task was carried out");
            measurements.push(measurement);
            reused.push(!is_new);
        }

        let cached = reused.iter().filter(|&&reused| reused).count();
        let provenance =
            self.provenance(seed_pools, self.generated_data(seed_pools)?, reused, start.elapsed().as_secs_f64())?;
        let written = results.write(&measurements, provenance)?;
        Ok(Finished {
            table: written.table,
            findings: written.findings,
            verdicts: written.verdicts,
            folder: results.folder().into(),
            computed: measurements.len() - cached,
            cached,
            wall_seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// The pool of every seed.
    pub(crate) fn seed_pools(&self) -> Result<Vec<SeedPool>, ExperimentError> {
        let Options { cache, models, data, device, .. } = &self.options;
        let places = Places { root: &self.root, cache, models, data };
        let pools = self.blocks_by_pool();
        let mut seed_pools = Vec::new();
        for &seed in &self.scale.seeds {
            for (&pool, blocks) in &pools {
                let derived = &self.experiment.derived;
                seed_pools.push(SeedPool::open(seed, &self.scale, (pool, blocks), derived, &places, device)?);
            }
        }
        Ok(seed_pools)
    }

    /// Jobs side by side: as many as asked for, or as there are cores and the size of the models allows.
    pub(crate) fn threads(&self, seed_pools: &[SeedPool]) -> usize {
        let limit = seed_pools.iter().filter_map(SeedPool::max_jobs).min();
        self.options.jobs.unwrap_or_else(|| available().min(limit.unwrap_or(usize::MAX)))
    }

    /// Removes everything in the cache that this run would make.
    pub(crate) fn forget(&self, seed_pools: &[SeedPool]) -> Result<(), ExperimentError> {
        let cache = &self.options.cache;
        let (store, models) = (CellStore::new(cache), ModelStore::new(cache));
        let plans = cells(&self.experiment, &self.scale, seed_pools)?;
        for plan in plans {
            store.remove(&plan.id)?;
            if let Some(id) = &plan.trained {
                models.remove(id)?;
            }
        }
        for seed_pool in seed_pools {
            for (block, need) in self.data_needs().into_iter().filter(|(block, _)| seed_pool.serves(&block.name)) {
                let path = data_plan(block, need, &self.scale, seed_pool)?.path(cache);
                if path.exists() {
                    std::fs::remove_file(&path).map_err(ExperimentError::io(path))?;
                }
            }
            for member in self.members_used(seed_pool)? {
                seed_pool.zoo.forget(&member)?;
            }
        }
        Ok(())
    }

    /// Carries out what the given cells need, and the cells; gives what they scored by address, and whether each was computed
    /// by this run.
    fn compute(
        &self,
        seed_pools: &[SeedPool],
        cells: &[&CellPlan<'_>],
        (bars, later): (&Bars, u64),
    ) -> Result<BTreeMap<String, (Measurement, bool)>, ExperimentError> {
        let executor = Executor::new(self, seed_pools, cells);
        let tasks = self.tasks(seed_pools, cells)?;
        let jobs = tasks.iter().zip(dependencies(&tasks)).map(|(planned, after)| {
            Ok(Job { name: planned.task.to_string(), after, cost: executor.cost(&planned.task)? })
        });
        let jobs = jobs.collect::<Result<Vec<_>, ExperimentError>>()?;
        let threads = self.threads(seed_pools);
        bars.expect(jobs.iter().map(|job| job.cost).sum(), later);
        let carry_out = |index: usize, worker: &dyn Worker| executor.carry_out(&tasks[index], worker);
        run_jobs(jobs, &carry_out, (threads, (available() / threads).max(1)), bars)?;
        Ok(executor.into_done())
    }
}

/// Cores there are.
fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
