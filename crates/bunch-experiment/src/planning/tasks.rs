//! What a run has to do, as data: tasks whose inputs and outputs are entries of the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use bunch_evolution::Source;

use crate::ExperimentError;
use crate::costs::Costs;
use crate::declared::block::Block;
use crate::declared::pool_names::{GUARD, UNCENSORED};
use crate::planning::cells::CellPlan;
use crate::planning::data_plan::data_plan;
use crate::planning::members::{helpers, members};
use crate::planning::run::Run;
use crate::seed_pool::SeedPool;

/// Where an entry of the cache is kept: its kind, and the hash of everything it follows from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    /// A trained model of a world.
    Model(String),
    /// The generated data of a pool.
    Data(String),
    /// The model that a row trains.
    Tuned(String),
    /// What a cell scored.
    Cell(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, hash) = match self {
            Self::Model(hash) => ("model", hash),
            Self::Data(hash) => ("data", hash),
            Self::Tuned(hash) => ("tuned", hash),
            Self::Cell(hash) => ("cell", hash),
        };
        write!(f, "{kind}-{hash}")
    }
}

/// One piece of work, by the names that the experiment and its scale give to things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Task {
    /// Trains a model of a seed's world.
    Train { model: String, seed: u64 },
    /// Generates the data of a block's pool.
    Generate { block: String, pairs: usize, source: Source, seed: u64 },
    /// Finds the model of a row and measures it.
    Cell { block: String, row: String, seed: u64 },
}

impl Task {
    /// The seed of the pool that it is about.
    pub(crate) fn seed(&self) -> u64 {
        match self {
            Self::Train { seed, .. } | Self::Generate { seed, .. } | Self::Cell { seed, .. } => *seed,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Train { model, seed } => write!(f, "train {model} seed {seed}"),
            Self::Generate { block, seed, .. } => write!(f, "generate data of {block} seed {seed}"),
            Self::Cell { block, row, seed } => write!(f, "{block}/{row} seed {seed}"),
        }
    }
}

/// A task and the entries of the cache that it reads and makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedTask {
    pub(crate) task: Task,
    /// What must be there before it begins.
    pub(crate) inputs: BTreeSet<Address>,
    /// What is there once it has ended.
    pub(crate) output: Address,
}

/// For each task the positions of those that make its inputs; inputs that no task makes are there already.
pub(crate) fn dependencies(tasks: &[PlannedTask]) -> Vec<Vec<usize>> {
    let makers: BTreeMap<&Address, usize> =
        tasks.iter().enumerate().map(|(index, planned)| (&planned.output, index)).collect();
    tasks.iter().map(|planned| planned.inputs.iter().filter_map(|input| makers.get(input).copied()).collect()).collect()
}

impl Run {
    /// Everything that must be done for cells: models first, then data, then the cells in their order.
    pub(crate) fn tasks(
        &self,
        seed_pools: &[SeedPool],
        cells: &[&CellPlan<'_>],
    ) -> Result<Vec<PlannedTask>, ExperimentError> {
        let mut tasks: Vec<PlannedTask> = Vec::new();
        for (model, seed_pool) in self.wanted(seed_pools, cells)? {
            let (seed, zoo) = (seed_pools[seed_pool].seed, &seed_pools[seed_pool].zoo);
            if zoo.is_given(&model) {
                continue;
            }
            let parent = zoo.member(&model)?.parent.as_ref().map(|parent| zoo.key(parent)).transpose()?;
            let output = Address::Model(zoo.key(&model)?);
            let inputs = parent.map(Address::Model).into_iter().collect();
            tasks.push(PlannedTask { task: Task::Train { model, seed }, inputs, output });
        }
        let mut of_cells = Vec::new();
        for cell in cells {
            let (seed_pool, block) = (&seed_pools[cell.seed_pool], cell.block);
            let mut inputs = self.models_read(seed_pool, block, &helpers(&self.experiment, cell.row))?;
            if let Some(need) = cell.row.strategy.need(self.scale.pairs) {
                let output = Address::Data(data_plan(block, need, &self.scale, seed_pool)?.id);
                inputs.insert(output.clone());
                if tasks.iter().all(|planned| planned.output != output) {
                    let (block_name, seed) = (block.name.clone(), seed_pool.seed);
                    let task = Task::Generate { block: block_name, pairs: need.pairs, source: need.source, seed };
                    let writers = [UNCENSORED.to_owned(), GUARD.to_owned()];
                    tasks.push(PlannedTask { task, inputs: self.models_read(seed_pool, block, &writers)?, output });
                }
            }
            let task = Task::Cell { block: block.name.clone(), row: cell.row.name.clone(), seed: seed_pool.seed };
            of_cells.push(PlannedTask { task, inputs, output: Address::Cell(cell.id.clone()) });
        }
        tasks.extend(of_cells);
        Ok(tasks)
    }

    /// Addresses of the models of a block's pool, and of others.
    fn models_read(
        &self,
        seed_pool: &SeedPool,
        block: &Block,
        others: &[String],
    ) -> Result<BTreeSet<Address>, ExperimentError> {
        let pool = members(block, &self.scale);
        let pool = pool.iter().flat_map(|member| seed_pool.ingredients(member));
        pool.chain(others.iter().cloned()).map(|model| Ok(Address::Model(seed_pool.zoo.key(&model)?))).collect()
    }

    /// Rough cost of a task in milliseconds. `is_made` says whether there is nothing to be made: of a cell, whether the model
    /// that its row trains is there.
    pub(crate) fn cost(&self, task: &Task, seed_pool: &SeedPool, is_made: bool) -> Result<u64, ExperimentError> {
        let Costs { step, data, merge, evaluation } = seed_pool.costs();
        Ok(match task {
            Task::Train { .. } | Task::Generate { .. } if is_made => 1,
            Task::Train { model, .. } => seed_pool.zoo.member(model)?.steps() as u64 * step,
            Task::Generate { pairs, .. } => data * *pairs as u64 / self.scale.pairs.max(1) as u64,
            Task::Cell { block, row, .. } => {
                let searching = if is_made { 0 } else { self.evaluations(block, row) as u64 * merge };
                searching + evaluation
            }
        })
    }

    /// Merges that a row scores on a block's pool, roughly.
    pub(crate) fn evaluations(&self, block: &str, row: &str) -> usize {
        let row = self.experiment.rows.iter().find(|other| other.name == row).expect("a task names a row of the run");
        row.strategy.cost(self.block(block).experts.len()).candidates
    }

    /// A block of the experiment by name.
    pub(crate) fn block(&self, name: &str) -> &Block {
        self.experiment.blocks.iter().find(|block| block.name == name).expect("a task names a block of the run")
    }
}

/// The pool that a task is about.
pub(crate) fn seed_pool_of<'a>(seed_pools: &'a [SeedPool], task: &Task) -> &'a SeedPool {
    let serves = |seed_pool: &&SeedPool| match task {
        Task::Train { .. } => true,
        Task::Generate { block, .. } | Task::Cell { block, .. } => seed_pool.serves(block),
    };
    let mut of_seed = seed_pools.iter().filter(|seed_pool| seed_pool.seed == task.seed());
    of_seed.find(serves).expect("a task names a seed and a block of the run")
}

#[cfg(test)]
mod tests;
