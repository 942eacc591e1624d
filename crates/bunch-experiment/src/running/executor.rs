//! Carries out one task: makes its output if it is not in the cache yet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bunch_checkpoint::sha256_of_state_dict;
use bunch_evolution::DataNeed;
use bunch_tuning::Observer;

use crate::ExperimentError;
use crate::planning::cells::CellPlan;
use crate::planning::data_plan::data_plan;
use crate::planning::members::members;
use crate::planning::run::Run;
use crate::planning::tasks::{Address, PlannedTask, Task, seed_pool_of};
use crate::recording::measurement::Measurement;
use crate::recording::pool_data::PoolData;
use crate::running::cache_lock::lock_entry;
use crate::running::cell_store::CellStore;
use crate::running::model_store::ModelStore;
use crate::running::schedule::Worker;
use crate::running::scoring::{PreparedPool, Scoring};
use crate::seed_pool::SeedPool;

/// A pool that cells of one block and seed share, once one of them has loaded it.
type Shared = Arc<Mutex<Option<Arc<PreparedPool>>>>;

const WAITING: &str = "waiting for another run that makes this";

/// What the tasks of a run are carried out with.
pub(crate) struct Executor<'a> {
    run: &'a Run,
    seed_pools: &'a [SeedPool],
    cells: &'a [&'a CellPlan<'a>],
    store: CellStore,
    models: ModelStore,
    /// By seed and block.
    pools: Mutex<BTreeMap<(u64, String), Shared>>,
    /// What cells scored, by address, and whether that was computed here.
    done: Mutex<BTreeMap<String, (Measurement, bool)>>,
}

impl<'a> Executor<'a> {
    pub(crate) fn new(run: &'a Run, seed_pools: &'a [SeedPool], cells: &'a [&'a CellPlan<'a>]) -> Self {
        let cache = &run.options.cache;
        let (store, models) = (CellStore::new(cache), ModelStore::new(cache));
        Self { run, seed_pools, cells, store, models, pools: Mutex::default(), done: Mutex::default() }
    }

    /// What the cells scored, by address, and whether each was computed here and not by another run.
    pub(crate) fn into_done(self) -> BTreeMap<String, (Measurement, bool)> {
        self.done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rough cost of a task, as far as its output is not there.
    pub(crate) fn cost(&self, task: &Task) -> Result<u64, ExperimentError> {
        self.run.cost(task, seed_pool_of(self.seed_pools, task), self.is_made(task)?)
    }

    /// Whether a model or data is there; of a cell, whether the model is that its row trains.
    pub(crate) fn is_made(&self, task: &Task) -> Result<bool, ExperimentError> {
        let seed_pool = seed_pool_of(self.seed_pools, task);
        Ok(match task {
            Task::Train { model, .. } => seed_pool.zoo.is_cached(model)?,
            Task::Generate { .. } => self.data_path(task, seed_pool)?.exists(),
            Task::Cell { .. } => self.cell(task).trained.as_ref().is_some_and(|id| self.models.contains(id)),
        })
    }

    /// The model that a cell's row trains, if it does.
    pub(crate) fn tuned(&self, task: &Task) -> Option<Address> {
        match task {
            Task::Cell { .. } => self.cell(task).trained.clone().map(Address::Tuned),
            _ => None,
        }
    }

    /// Carries out a task. Of several runs that share a cache one makes the output, and the others wait for it.
    pub(crate) fn carry_out(&self, planned: &PlannedTask, worker: &dyn Worker) -> Result<(), ExperimentError> {
        // The zoo itself locks the models that it trains.
        let is_locked = !matches!(planned.task, Task::Train { .. });
        let waiting = || worker.progress(WAITING, 0);
        let lock = is_locked.then(|| lock_entry(&self.run.options.cache, &planned.output, waiting)).transpose()?;
        let seed_pool = seed_pool_of(self.seed_pools, &planned.task);
        match &planned.task {
            Task::Train { model, .. } => {
                let step_cost = seed_pool.costs().step;
                seed_pool.zoo.model(model, &mut Reporting { worker, step_cost })?;
            }
            Task::Generate { block, pairs, source, .. } => {
                let need = DataNeed { pairs: *pairs, source: *source };
                self.data(block, need, seed_pool)?;
            }
            Task::Cell { .. } => {
                let cell = self.cell(&planned.task);
                let (measurement, is_new) = match self.store.load(&cell.id)? {
                    Some(measurement) => (measurement, false),
                    None => (self.measure(cell, seed_pool, worker)?, true),
                };
                if is_new {
                    self.store.save(&measurement)?;
                }
                let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
                done.insert(cell.id.clone(), (measurement, is_new));
            }
        }
        if let Some(lock) = lock {
            lock.remove();
        }
        Ok(())
    }

    fn cell(&self, task: &Task) -> &'a CellPlan<'a> {
        let Task::Cell { block, row, seed } = task else { unreachable!("asked of cells only") };
        let is_it = |cell: &&&CellPlan<'_>| {
            cell.block.name == *block && cell.row.name == *row && self.seed_pools[cell.seed_pool].seed == *seed
        };
        self.cells.iter().find(is_it).expect("a task names a cell of the run")
    }

    fn data_path(&self, task: &Task, seed_pool: &SeedPool) -> Result<PathBuf, ExperimentError> {
        let Task::Generate { block, pairs, source, .. } = task else { unreachable!("asked of data only") };
        let need = DataNeed { pairs: *pairs, source: *source };
        Ok(data_plan(self.run.block(block), need, &self.run.scale, seed_pool)?.path(&self.run.options.cache))
    }

    fn data(&self, block: &str, need: DataNeed, seed_pool: &SeedPool) -> Result<PoolData, ExperimentError> {
        data_plan(self.run.block(block), need, &self.run.scale, seed_pool)?
            .load_or_make(seed_pool, &self.run.options.cache)
    }

    /// The pool of a cell's block, loaded by the first cell that asks for it.
    fn pool(&self, cell: &CellPlan<'_>, seed_pool: &SeedPool) -> Result<Arc<PreparedPool>, ExperimentError> {
        let shared = {
            let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.entry((seed_pool.seed, cell.block.name.clone())).or_default().clone()
        };
        let mut slot = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(Arc::new(PreparedPool::load(seed_pool, &members(cell.block, &self.run.scale))?));
        }
        Ok(slot.clone().expect("filled above"))
    }

    /// Finds a row's model and measures it.
    fn measure(
        &self,
        cell: &CellPlan<'_>,
        seed_pool: &SeedPool,
        worker: &dyn Worker,
    ) -> Result<Measurement, ExperimentError> {
        let start = Instant::now();
        let (run, prepared) = (self.run, self.pool(cell, seed_pool)?);
        let need = cell.row.strategy.need(run.scale.pairs);
        let data = need.map(|need| self.data(&cell.block.name, need, seed_pool)).transpose()?;
        let tasks = run.experiment.selection(cell.block);
        let scoring = Scoring {
            seed_pool,
            block: cell.block,
            row: cell.row,
            columns: &run.experiment.columns,
            tasks: &tasks,
            prepared: &prepared,
            data: data.as_ref(),
        };
        let merge_cost = seed_pool.costs().merge;
        let all = run.evaluations(&cell.block.name, &cell.row.name);
        let mut scored = 0;
        let mut find = || {
            scoring.find(&mut || {
                scored += 1;
                worker.progress(&format!("merge {scored} of {all}"), scored as u64 * merge_cost);
            })
        };
        let weighted = match &cell.trained {
            Some(id) => self.models.load_or_make(id, find)?,
            None => find()?,
        };
        worker.progress("evaluating", scored as u64 * merge_cost);
        let (scores, samples) = scoring.measure(&weighted)?;
        Ok(Measurement {
            id: cell.id.clone(),
            block: cell.block.name.clone(),
            row: cell.row.name.clone(),
            seed: seed_pool.seed,
            scores,
            weights_sha256: sha256_of_state_dict(&weighted.weights),
            detail: weighted.found.detail,
            trace: weighted.found.trace,
            samples,
            wall_seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// Passes a training's progress on.
struct Reporting<'a> {
    worker: &'a dyn Worker,
    step_cost: u64,
}

impl Observer for Reporting<'_> {
    fn waiting(&mut self) {
        self.worker.progress(WAITING, 0);
    }

    fn step(&mut self, step: usize, steps: usize, loss: f64) {
        self.worker.progress(&format!("step {step} of {steps}, loss {loss:.3}"), step as u64 * self.step_cost);
    }
}
