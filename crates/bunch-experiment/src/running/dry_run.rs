//! What a run would take, without any work: `--dry-run`.

use std::collections::BTreeSet;
use std::fmt;

use bunch_pool::{DataSplit, Pool};

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::Metric;
use crate::declared::pool_names::{BENIGN, HARMFUL, RED_TEAM};
use crate::declared::wire_name::wire_name;
use crate::planning::cells::{CellPlan, cells};
use crate::planning::members::{helpers, members};
use crate::planning::run::Run;
use crate::planning::tasks::{Address, PlannedTask, Task, seed_pool_of};
use crate::running::cell_store::CellStore;
use crate::running::executor::Executor;

/// What a run would take; it displays as a report.
pub struct DryRun {
    title: String,
    kind: Kind,
}

enum Kind {
    /// Everything is there, or can be made.
    Complete(Training),
    /// Pools lack something.
    Incomplete(Lacking),
}

/// What is known of a run whose pools are not complete.
struct Lacking {
    /// What is wrong with each pool, with what to do about it.
    reports: Vec<String>,
    counts: Counts,
}

/// What a run asks of its models, counted from its plan: blocks, rows and seeds with the sizes of the scale.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    cells: usize,
    merges: usize,
    /// Pairs of generated data, each of which a guard reads.
    pairs: usize,
    /// Pairs that candidates are scored on, one by one.
    scored_pairs: usize,
    /// Answers to test prompts, each of which a judge reads.
    answers: usize,
    /// Documents of tasks, at most.
    documents: usize,
}

/// Where a cell will come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellStatus {
    /// The cache.
    Cached,
    /// The run of an experiment before this one.
    Shared,
    /// Nowhere: it is to be computed.
    New,
}

/// What runs will have made by the time that another begins.
pub(crate) type Made = BTreeSet<Address>;

/// A world whose models are made here.
pub(crate) struct Training {
    /// Each cell by name, and where it will come from.
    pub(crate) cells: Vec<(String, CellStatus)>,
    pub(crate) merges: usize,
    /// Each model that is to be trained, with the steps that takes at most.
    pub(crate) models: Vec<(String, usize)>,
    /// Models that the cells need and that are cached.
    cached_models: usize,
    /// Pools whose data is to be generated.
    pub(crate) data: Vec<String>,
    /// Rough cost of all work, as the progress display counts it.
    pub(crate) cost: u64,
    pub(crate) threads: usize,
}

impl Training {
    /// How many cells come from there.
    pub(crate) fn count(&self, status: CellStatus) -> usize {
        self.cells.iter().filter(|(_, other)| *other == status).count()
    }
}

/// Minutes that work of that cost, in milliseconds, takes on so many threads.
pub(crate) fn minutes(cost: u64, threads: usize) -> f64 {
    cost as f64 / 60_000.0 / threads as f64
}

impl Run {
    /// Looks up what there is and what would have to be done, and does none of it.
    ///
    /// # Errors
    /// Files of the project that are missing or contradict each other; at the small scale, a pretrained model that is not there.
    pub fn dry_run(&self) -> Result<DryRun, ExperimentError> {
        self.dry_run_after(&mut Made::default())
    }

    /// The same after others have `made` things; to these is added what this run will make.
    pub(crate) fn dry_run_after(&self, made: &mut Made) -> Result<DryRun, ExperimentError> {
        let reports = self.pool_problems()?;
        let kind = match reports.is_empty() {
            true => Kind::Complete(self.training(made)?),
            false => Kind::Incomplete(Lacking { reports, counts: self.counts() }),
        };
        let scale = &self.variant;
        Ok(DryRun { title: format!("{} at scale {scale}: {}", self.name, self.experiment.title), kind })
    }

    /// What is wrong with the scale's pools, each with its file; nothing where its models are trained.
    fn pool_problems(&self) -> Result<Vec<String>, ExperimentError> {
        let mut reports = Vec::new();
        for (place, blocks) in self.blocks_by_pool() {
            let Some(place) = place else { continue };
            let pool = Pool::open(&self.root.join(place))?.with_models(&self.options.models);
            let report = bunch_pool::check(&pool, Some(&self.options.data));
            let mut problems: Vec<String> = report.problems.iter().map(|problem| problem.to_string()).collect();
            problems.extend(self.names_missing(&pool, &blocks));
            if !problems.is_empty() {
                reports.push(format!("{}\n  {}", report.title, problems.join("\n  ")));
            }
        }
        Ok(reports)
    }

    /// What blocks name that their pool does not have.
    fn names_missing(&self, pool: &Pool, blocks: &[&Block]) -> BTreeSet<String> {
        let mut problems = BTreeSet::new();
        let path = pool.path().display();
        let is_derived = |name: &String| self.experiment.derived.iter().any(|derived| derived.name == *name);
        let of_blocks = blocks.iter().flat_map(|block| members(block, &self.scale)).filter(|name| !is_derived(name));
        let of_rows = self.experiment.rows.iter().flat_map(|row| helpers(&self.experiment, row));
        for model in of_blocks.chain(of_rows).filter(|name| !pool.has_model(name)) {
            problems.insert(format!("{path}: the experiment needs a member or helper `{model}`; add it"));
        }
        for (_, task) in blocks.iter().flat_map(|block| &block.tasks) {
            let found = match self.scale.tasks.get(task) {
                Some(name) => pool.selection(name, DataSplit::Test).map_err(|error| error.to_string()),
                None => Err(format!("the scale says nothing of task `{task}`")),
            };
            let found = found.and_then(|found| found.check_right_or_wrong().map_err(|error| error.to_string()));
            problems.extend(found.err());
        }
        problems
    }

    /// Refuses pools that are not complete, before any work, with everything that is missing.
    pub(crate) fn check_pools(&self) -> Result<(), ExperimentError> {
        let problems = self.pool_problems()?;
        let Some(path) = self.scale.pools.values().next().filter(|_| !problems.is_empty()) else { return Ok(()) };
        Err(ExperimentError::UnsoundPool { path: self.root.join(path), problems: problems.join("\n") })
    }

    fn counts(&self) -> Counts {
        let (scale, columns) = (&self.scale, &self.experiment.columns);
        let is_asked = |set: &&str| columns.iter().any(|column| column.asked() == Some(*set));
        let sets = [HARMFUL, RED_TEAM, BENIGN].into_iter().filter(is_asked);
        let answers: usize = sets.map(|set| scale.prompt_count(set)).sum();
        let tasks = columns.iter().filter(|column| column.metric == Metric::Acc).count();
        let mut counts =
            Counts { pairs: self.data_needs().iter().map(|(_, need)| 2 * need.pairs).sum(), ..Counts::default() };
        for (block, row) in self.experiment.places() {
            let cost = row.strategy.cost(block.experts.len());
            let pairs = row.strategy.need(scale.pairs).map_or(0, |need| need.pairs);
            counts.cells += 1;
            counts.merges += cost.merges;
            counts.scored_pairs += cost.losses * pairs;
            counts.answers += answers;
            counts.documents += tasks * scale.questions + cost.dev_accuracies * scale.dev_questions;
        }
        let seeds = scale.seeds.len();
        for count in [
            &mut counts.cells,
            &mut counts.merges,
            &mut counts.pairs,
            &mut counts.scored_pairs,
            &mut counts.answers,
            &mut counts.documents,
        ] {
            *count *= seeds;
        }
        counts
    }

    fn training(&self, made: &mut Made) -> Result<Training, ExperimentError> {
        let seed_pools = self.seed_pools()?;
        let plans = cells(&self.experiment, &self.scale, &seed_pools)?;
        let store = CellStore::new(&self.options.cache);
        let fresh = self.options.fresh;
        let mut found = Vec::new();
        for plan in &plans {
            let is_cached = !fresh && store.load(&plan.id)?.is_some();
            let is_new = made.insert(Address::Cell(plan.id.clone()));
            found.push(match (is_cached, is_new) {
                (true, _) => CellStatus::Cached,
                (_, true) => CellStatus::New,
                _ => CellStatus::Shared,
            });
        }
        let missing: Vec<&CellPlan<'_>> = (plans.iter().zip(&found))
            .filter(|(_, status)| **status == CellStatus::New)
            .map(|(plan, _)| plan)
            .collect();
        let executor = Executor::new(self, &seed_pools, &missing);
        let (mut cost, mut merges) = (0, 0);
        let (mut models, mut cached_models, mut data) = (Vec::new(), 0, Vec::new());
        for PlannedTask { task, output, .. } in self.tasks(&seed_pools, &missing)? {
            let seed_pool = seed_pool_of(&seed_pools, &task);
            // What is trained for a row is made on the way to its cell.
            let makes = executor.tuned(&task).unwrap_or(output);
            let is_first = matches!(makes, Address::Cell(_)) || made.insert(makes);
            let is_made = !is_first || !fresh && executor.is_made(&task)?;
            match &task {
                Task::Train { .. } if is_made => cached_models += 1,
                Task::Train { model, seed } => {
                    models.push((format!("{model} seed {seed}"), seed_pool.zoo.member(model)?.steps()))
                }
                Task::Generate { .. } if is_made => {}
                Task::Generate { block, pairs, source, seed } => {
                    data.push(format!("{block} seed {seed}: {pairs} pairs, {}", wire_name(source)));
                }
                Task::Cell { .. } if executor.tuned(&task).is_some() => {}
                Task::Cell { block, row, .. } => merges += self.evaluations(block, row),
            }
            let is_free = is_made && !matches!(task, Task::Cell { .. });
            cost += if is_free { 0 } else { self.cost(&task, seed_pool, is_made)? };
        }
        let threads = self.threads(&seed_pools);
        let cells = plans.iter().map(|plan| plan.name(&seed_pools)).zip(found).collect();
        Ok(Training { cells, merges, models, cached_models, data, cost, threads })
    }
}

impl DryRun {
    /// What there is to train and to compute; `None` where pools are not complete.
    pub(crate) fn training(&self) -> Option<&Training> {
        match &self.kind {
            Kind::Complete(training) => Some(training),
            Kind::Incomplete(_) => None,
        }
    }

    /// Rough cost of all work, as the progress display counts it.
    pub(crate) fn cost(&self) -> u64 {
        self.training().map_or(0, |training| training.cost)
    }

    /// Jobs side by side.
    pub(crate) fn threads(&self) -> usize {
        self.training().map_or(1, |training| training.threads)
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        match &self.kind {
            Kind::Complete(training) => training.fmt(f),
            Kind::Incomplete(lacking) => lacking.fmt(f),
        }
    }
}

impl fmt::Display for Training {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cached = self.count(CellStatus::Cached);
        writeln!(f, "Cells: {}, of which {cached} are cached", self.cells.len())?;
        for (cell, status) in &self.cells {
            let text = match status {
                CellStatus::Cached => "cached",
                CellStatus::Shared => "computed above",
                CellStatus::New => "to be computed",
            };
            writeln!(f, "  {cell}: {text}")?;
        }
        let steps: usize = self.models.iter().map(|(_, steps)| steps).sum();
        let (train, cached) = (self.models.len(), self.cached_models);
        writeln!(f, "Models to train: {train}, {steps} steps at most; cached: {cached}")?;
        for (model, steps) in &self.models {
            writeln!(f, "  {model}: {steps} steps")?;
        }
        writeln!(f, "Data to generate: {}", self.data.len())?;
        for data in &self.data {
            writeln!(f, "  {data}")?;
        }
        writeln!(f, "Merges to score: {}", self.merges)?;
        let (minutes, threads) = (minutes(self.cost, self.threads), self.threads);
        write!(
            f,
            "Time: about {minutes:.0} minutes with {threads} jobs side by side, by the rough costs of the progress display"
        )
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in &self.reports {
            writeln!(f, "Not complete: {report}")?;
        }
        let Counts { cells, merges, pairs, scored_pairs, answers, documents } = self.counts;
        writeln!(f, "What models will be asked, at most")?;
        writeln!(f, "  cells: {cells}; merges: {merges}")?;
        writeln!(f, "  pairs of generated data: {pairs}; pairs that candidates are scored on: {scored_pairs}")?;
        write!(f, "  answers to test prompts, all judged: {answers}; documents of tasks: {documents}")
    }
}

#[cfg(test)]
mod tests;
