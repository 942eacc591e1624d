//! What a run would take, without any work: `--dry-run`.

use std::collections::BTreeSet;
use std::fmt;

use crate::ExperimentError;
use crate::declared::scale::WorldKind;
use crate::declared::wire_name::wire_name;
use crate::planning::cells::{CellPlan, cells};
use crate::planning::checkpoints::Checkpoints;
use crate::planning::estimate::{Gpu, Hardware, Utilisation, Work};
use crate::planning::paper_data::PaperData;
use crate::planning::requirements::Requirements;
use crate::planning::run::Run;
use crate::planning::tasks::{Address, PlannedTask, Task, seed_pool_of};
use crate::planning::workload::Workload;
use crate::running::cell_store::CellStore;
use crate::running::executor::Executor;

/// What a run would take; it displays as a report.
pub struct DryRun {
    title: String,
    kind: Kind,
}

enum Kind {
    Trained(Training),
    Paper(Box<Paper>),
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

/// The paper's own models.
struct Paper {
    requirements: Requirements,
    load: Workload,
    gpu: String,
    gpu_memory: f64,
    gpu_source: String,
    /// Bytes of the largest model in float32.
    largest: f64,
    utilisation: Utilisation,
    /// In float32 and bfloat16.
    seconds: [f64; 2],
    merging_seconds: f64,
}

impl Run {
    /// Looks up what there is and what would have to be done, and does none of it.
    ///
    /// # Errors
    /// Files of the project that are missing or contradict each other, an unknown GPU; at the small scale, a pretrained model
    /// that is not there.
    pub fn dry_run(&self) -> Result<DryRun, ExperimentError> {
        self.dry_run_after(&mut Made::default())
    }

    /// The same after others have `made` things; to these is added what this run will make.
    pub(crate) fn dry_run_after(&self, made: &mut Made) -> Result<DryRun, ExperimentError> {
        let kind = match self.scale.world {
            WorldKind::Paper => Kind::Paper(Box::new(self.paper()?)),
            WorldKind::Miniature | WorldKind::Small => Kind::Trained(self.training(made)?),
        };
        let scale = &self.variant;
        Ok(DryRun { title: format!("{} at scale {scale}: {}", self.name, self.experiment.title), kind })
    }

    /// Refuses to run with the paper's own models: with the list of what is missing, if anything is.
    pub(crate) fn refuse_paper(&self) -> Result<(), ExperimentError> {
        if self.scale.world != WorldKind::Paper {
            return Ok(());
        }
        let (checkpoints, data) = (Checkpoints::load(&self.root)?, PaperData::load(&self.root)?);
        let requirements = self.requirements(&checkpoints, &data)?;
        if requirements.missing() == 0 {
            return Err(ExperimentError::PaperScale);
        }
        Err(ExperimentError::PaperMissing { list: requirements.to_string() })
    }

    fn paper(&self) -> Result<Paper, ExperimentError> {
        let (checkpoints, data) = (Checkpoints::load(&self.root)?, PaperData::load(&self.root)?);
        let hardware = Hardware::load(&self.root)?;
        let gpu: &Gpu = hardware.gpu(&self.options.gpu)?;
        let load = self.workload(&checkpoints, &data)?;
        let requirements = self.requirements(&checkpoints, &data)?;
        let utilisation = hardware.utilisation(&checkpoints)?;
        let largest = requirements.models.iter().filter_map(|model| model.bytes).max().unwrap_or(0);
        Ok(Paper {
            requirements,
            gpu: gpu.name.clone(),
            gpu_memory: gpu.memory_bytes,
            gpu_source: gpu.how.clone(),
            // Two bytes are stored of each value.
            largest: 2.0 * largest as f64,
            utilisation,
            seconds: gpu.seconds(&load.total(), utilisation),
            merging_seconds: hardware.merging_seconds(load.merged_bytes),
            load,
        })
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
            let seed_pool = seed_pool_of(&seed_pools, task.seed());
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
    /// What there is to train and to compute; `None` with the paper's own models.
    pub(crate) fn training(&self) -> Option<&Training> {
        match &self.kind {
            Kind::Trained(training) => Some(training),
            Kind::Paper(_) => None,
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
            Kind::Trained(training) => training.fmt(f),
            Kind::Paper(paper) => paper.fmt(f),
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

impl fmt::Display for Paper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (load, total) = (&self.load, self.load.total());
        writeln!(f, "{}", self.requirements)?;
        writeln!(f, "Work, if every answer is as long as it may be (docs/paper-scale.md)")?;
        writeln!(f, "  cells: {}; merges: {}", load.cells, load.merges)?;
        let mut line = |name: &str, work: &Work| {
            let (read, written) = (work.read_tokens / 1e6, work.written_tokens / 1e6);
            let flops = work.flops();
            writeln!(f, "  {name}: {read:.1} M tokens read, {written:.1} M written, {flops:.2e} FLOP")
        };
        line("generating data", &load.generating)?;
        line("scoring candidates", &load.searching)?;
        line("tuning on preferences", &load.training)?;
        line("evaluating", &load.evaluating)?;
        line("in all", &total)?;
        if !load.left_out.is_empty() {
            let left_out = load.left_out.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            writeln!(f, "  not counted, since their sizes are not known: {left_out}")?;
        }
        let [float32, bfloat16] = self.seconds.map(|seconds| seconds / 3600.0);
        let gpu = &self.gpu;
        writeln!(f, "Time on one {gpu} ({}), estimated", self.gpu_source)?;
        writeln!(f, "  in float32, which --device wgpu computes in: {float32:.1} hours")?;
        writeln!(f, "  were it bfloat16, which it is not yet: {bfloat16:.1} hours")?;
        writeln!(f, "  merging, on one core of a processor: {:.1} hours", self.merging_seconds / 3600.0)?;
        let Utilisation { flops, bytes } = self.utilisation;
        let (flops, bytes) = (100.0 * flops, 100.0 * bytes);
        writeln!(
            f,
            "  The speed on this GPU was not measured. This takes its published peaks and the shares of a processor's"
        )?;
        writeln!(
            f,
            "  peaks that this code was measured to reach on a CPU: {flops:.0} % of the FLOP/s reading, {bytes:.0} % of the bytes"
        )?;
        writeln!(f, "  per second writing. On a GPU, where no fused kernels are, expect less and so more hours.")?;
        let (largest, memory) = (self.largest / 1e9, self.gpu_memory / 1e9);
        let fits = if self.largest < self.gpu_memory { "fits" } else { "does not fit" };
        write!(f, "  The largest model takes {largest:.1} GB in float32 and {fits} into the GPU's {memory:.0} GB.")
    }
}

#[cfg(test)]
mod tests;
