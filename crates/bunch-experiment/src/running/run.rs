//! One run of an experiment: plan, reuse, compute, record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use bunch_checkpoint::sha256_bytes;
use bunch_recipe::Pool;
use bunch_tuning::Observer;

use crate::ExperimentError;
use crate::costs::Costs;
use crate::declared::experiment::Experiment;
use crate::declared::scale::Scale;
use crate::front_search::Fronts;
use crate::planning::cells::{CellPlan, cells, data_plan, helpers, members};
use crate::recording::measurement::Measurement;
use crate::recording::results::Results;
use crate::running::cell_store::CellStore;
use crate::running::model_store::ModelStore;
use crate::running::progress::Bars;
use crate::running::schedule::{Job, Worker, run_jobs};
use crate::running::scoring::PreparedPool;
use crate::weighting::DataNeed;
use crate::workbench::{Places, Workbench};

/// How an experiment is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which scale of the experiment.
    pub scale: String,
    /// Seeds instead of the scale's own.
    pub seeds: Option<Vec<u64>>,
    /// Device by name.
    pub device: String,
    /// Threads that work side by side; one for each core unless given.
    pub jobs: Option<usize>,
    /// Upper limit on every test set, dev set and on K: a quick look through the same code.
    pub limit: Option<usize>,
    /// Whether everything is made anew, models included.
    pub fresh: bool,
    /// Whether results of another specification are replaced.
    pub overwrite: bool,
    /// Folder of models, data and cells.
    pub cache: PathBuf,
    /// Folder of results.
    pub results: PathBuf,
    /// Folder of pretrained models that the user fetched, for scales that start from one.
    pub models: PathBuf,
    /// Folder of the papers' data sets, for the scale of the paper.
    pub data: PathBuf,
    /// The GPU that an outlook on the paper's scale estimates hours for, as in `data/hardware.toml`.
    pub gpu: String,
    /// For the manifest.
    pub command_line: Vec<String>,
}

/// An experiment about to be run.
#[derive(Clone)]
pub struct Run {
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    pub(crate) experiment: Experiment,
    pub(crate) scale: Scale,
    pub(crate) options: Options,
    /// Name of the results folder: the scale, and what was changed about it.
    pub(crate) variant: String,
}

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
    /// `<paper>/<item>`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the results folder: the scale, and what was changed about it.
    pub fn variant(&self) -> &str {
        &self.variant
    }

    /// Reads the experiment `name` (`<paper>/<item>`) below `root` and checks the options against it.
    ///
    /// # Errors
    /// Unknown experiments and scales, options out of range, results of another specification in the way.
    pub fn new(root: &Path, name: &str, options: Options) -> Result<Self, ExperimentError> {
        let experiment = Experiment::load(root, name)?;
        let mut scale = experiment.scale(&options.scale)?.clone();
        let mut variant = options.scale.clone();
        let refuse = |option, got: String, expected| Err(ExperimentError::Option { option, got, expected });
        if let Some(seeds) = &options.seeds {
            let mut sorted = seeds.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.is_empty() || sorted.len() != seeds.len() {
                return refuse("seeds", format!("{seeds:?}"), "one or more different seeds");
            }
            if *seeds != scale.seeds {
                variant += &format!("-seeds-{}", seeds.iter().map(u64::to_string).collect::<Vec<_>>().join("-"));
                scale.seeds = seeds.clone();
            }
        }
        if let Some(limit) = options.limit {
            if limit == 0 {
                return refuse("limit", "0".into(), "at least 1");
            }
            for size in scale.sizes() {
                *size = limit.min(*size);
            }
            variant += &format!("-limit-{limit}");
        }
        if options.device != "flex" {
            bunch_llama::device(&options.device)?;
            variant += &format!("-{}", options.device);
        }
        if options.jobs == Some(0) {
            return refuse("jobs", "0".into(), "at least 1");
        }
        let mut experiment = experiment.at(&scale);
        if let Some(limit) = options.limit {
            experiment.rows.iter_mut().for_each(|row| row.weighting.limit_pairs(limit));
        }
        Ok(Self { root: root.into(), name: name.into(), experiment, scale, options, variant })
    }

    /// Hash of everything that the experiment's file and the options decide; the analysis, written after the fact, is not part of it.
    pub fn spec_sha256(&self) -> String {
        let mut experiment = self.experiment.clone();
        experiment.analysis.clear();
        let scale = Scale { analysis: None, ..self.scale.clone() };
        experiment.scale = BTreeMap::from([(self.options.scale.clone(), scale)]);
        sha256_bytes(serde_json::to_string(&(experiment, &self.variant)).expect("plain data").as_bytes())
    }

    /// Computes what is not cached and writes the results.
    ///
    /// # Errors
    /// Whatever goes wrong in training, generating, merging, evaluating or writing; finished cells are kept.
    pub fn execute(&self) -> Result<Finished, ExperimentError> {
        let start = Instant::now();
        self.refuse_paper()?;
        self.check_place()?;
        let _lock = lock(&self.options.cache)?;
        let benches = self.benches()?;
        if self.options.fresh {
            self.forget(&benches)?;
        }
        self.carry_out(&benches, start, &Bars::new(self.threads(&benches)), 0)
    }

    /// Refuses a results folder that holds results of another specification, and published values that do not fit.
    pub(crate) fn check_place(&self) -> Result<(), ExperimentError> {
        self.results()?.check_previous(self.options.overwrite)
    }

    fn results(&self) -> Result<Results<'_>, ExperimentError> {
        let folder = self.options.results.join(&self.name).join(&self.variant);
        Results::new(&self.root, &folder, &self.experiment, &self.variant, &self.scale.seeds, self.spec_sha256())
    }

    /// Computes what is not cached and writes the results, while the caller keeps other runs out of the cache; `bars` expect
    /// jobs that cost `later` afterwards.
    pub(crate) fn carry_out(
        &self,
        benches: &[Workbench],
        start: Instant,
        bars: &Bars,
        later: u64,
    ) -> Result<Finished, ExperimentError> {
        let results = self.results()?;
        let cache = &self.options.cache;
        let plans = cells(&self.experiment, &self.scale, benches, cache)?;
        let store = CellStore::new(cache);
        let found = plans.iter().map(|plan| store.load(&plan.id)).collect::<Result<Vec<_>, _>>()?;
        let missing: Vec<&CellPlan<'_>> =
            plans.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(plan, _)| plan).collect();
        let computed = self.compute(benches, &missing, &store, (bars, later))?;
        let reused: Vec<bool> = found.iter().map(Option::is_some).collect();
        let mut computed = computed.into_iter();
        let measurements: Vec<Measurement> =
            found.into_iter().map(|found| found.or_else(|| computed.next()).expect("computed above")).collect();

        let cached = reused.iter().filter(|&&reused| reused).count();
        let provenance = self.provenance(benches, reused, start.elapsed().as_secs_f64())?;
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

    /// The workbench of every seed.
    pub(crate) fn benches(&self) -> Result<Vec<Workbench>, ExperimentError> {
        let device = bunch_llama::device(&self.options.device)?;
        let places = Places { root: &self.root, cache: &self.options.cache, models: &self.options.models };
        let seeds = self.scale.seeds.iter();
        let device = (&device, self.options.device.as_str());
        seeds.map(|&seed| Workbench::new(seed, &self.scale, &self.experiment.derived, &places, device)).collect()
    }

    /// Jobs side by side: as many as asked for, or as there are cores and the world's memory allows.
    pub(crate) fn threads(&self, benches: &[Workbench]) -> usize {
        let limit = benches.iter().filter_map(|bench| bench.world.max_jobs()).min();
        self.options.jobs.unwrap_or_else(|| available().min(limit.unwrap_or(usize::MAX)))
    }

    /// Removes everything in the cache that this run would make.
    pub(crate) fn forget(&self, benches: &[Workbench]) -> Result<(), ExperimentError> {
        let cache = &self.options.cache;
        let (store, models) = (CellStore::new(cache), ModelStore::new(cache));
        let plans = cells(&self.experiment, &self.scale, benches, cache)?;
        for plan in plans {
            store.remove(&plan.id)?;
            if let Some(id) = &plan.trained {
                models.remove(id)?;
            }
        }
        for bench in benches {
            for (block, need) in self.data_needs() {
                let path = data_plan(block, need, &self.scale, bench, cache)?.path;
                if path.exists() {
                    std::fs::remove_file(&path).map_err(ExperimentError::io(path))?;
                }
            }
            for member in self.members_used(bench)? {
                bench.world.forget(&member)?;
            }
        }
        Ok(())
    }

    /// Computes the given cells, in the order given.
    fn compute(
        &self,
        benches: &[Workbench],
        plans: &[&CellPlan<'_>],
        store: &CellStore,
        (bars, later): (&Bars, u64),
    ) -> Result<Vec<Measurement>, ExperimentError> {
        let cache = &self.options.cache;
        let models = &ModelStore::new(cache);
        let slots: Vec<Mutex<Option<Measurement>>> = plans.iter().map(|_| Mutex::new(None)).collect();
        // Data and pools by (seed, block), filled by the jobs that the cells wait for.
        let key = |plan: &CellPlan<'_>| (plan.bench, plan.block.name.clone());
        let pools: BTreeMap<_, OnceLock<PreparedPool>> =
            plans.iter().map(|plan| (key(plan), OnceLock::new())).collect();
        let mut jobs: Vec<Job<'_>> = Vec::new();
        let mut trained: BTreeMap<(usize, String), usize> = BTreeMap::new();
        for (member, bench) in self.wanted(benches, plans)? {
            let (seed, world) = (benches[bench].seed, &benches[bench].world);
            let step = world.costs().step;
            let cost = if world.is_cached(&member)? { 1 } else { world.steps(&member)? as u64 * step };
            let after = world.parent(&member)?.and_then(|parent| trained.get(&(bench, parent)).copied());
            trained.insert((bench, member.clone()), jobs.len());
            jobs.push(Job {
                name: format!("train {member} seed {seed}"),
                after: after.into_iter().collect(),
                cost,
                run: Box::new(move |worker| {
                    world.trained(&member, &mut Reporting { worker, step_cost: step })?;
                    Ok(())
                }),
            });
        }
        let mut prepared: BTreeMap<(usize, String), usize> = BTreeMap::new();
        for plan in plans {
            let key = key(plan);
            if prepared.contains_key(&key) {
                continue;
            }
            let (bench, slot) = (&benches[plan.bench], &pools[&key]);
            let same = plans.iter().filter(|other| other.bench == plan.bench && other.block.name == plan.block.name);
            let needs: BTreeSet<DataNeed> =
                same.clone().filter_map(|plan| plan.row.weighting.need(self.scale.pairs)).collect();
            let data =
                needs.into_iter().map(|need| Ok((need, data_plan(plan.block, need, &self.scale, bench, cache)?)));
            let data = data.collect::<Result<Vec<_>, ExperimentError>>()?;
            let members = members(plan.block, &self.scale);
            let helpers = same.flat_map(|plan| helpers(&self.experiment, plan.row));
            let after: BTreeSet<usize> = (members.iter().flat_map(|member| bench.ingredients(member)))
                .chain(helpers)
                .map(|member| trained[&(plan.bench, member)])
                .collect();
            let missing = data.iter().filter(|(_, data)| !data.path.exists());
            let pairs: usize = missing.map(|(need, _)| need.pairs).sum();
            prepared.insert(key.clone(), jobs.len());
            jobs.push(Job {
                name: format!("prepare {} seed {}", plan.block.name, bench.seed),
                after: after.into_iter().collect(),
                cost: 1 + bench.world.costs().data * pairs as u64 / self.scale.pairs.max(1) as u64,
                run: Box::new(move |_| {
                    let data = data.iter().map(|(need, plan)| Ok((*need, plan.load_or_make(bench)?)));
                    let data = data.collect::<Result<BTreeMap<_, _>, ExperimentError>>()?;
                    let models = members.iter().map(|member| bench.weights(member));
                    let mut models = models.collect::<Result<Vec<_>, ExperimentError>>()?;
                    let base = models.remove(0);
                    let pool = Pool::new(base, models)?;
                    let _ = slot.set(PreparedPool { pool, data, fronts: Fronts::default() });
                    Ok(())
                }),
            });
        }
        for (plan, slot) in plans.iter().zip(&slots) {
            let is_made = plan.trained.as_ref().is_some_and(|id| models.contains(id));
            let evaluations = if is_made { 0 } else { plan.row.weighting.evaluations(plan.block.experts.len()) as u64 };
            let prepared = prepared[&key(plan)];
            let Costs { merge, evaluation, .. } = benches[plan.bench].world.costs();
            let (pool, plan) = (&pools[&key(plan)], *plan);
            jobs.push(Job {
                name: plan.name(benches),
                after: vec![prepared],
                cost: evaluations * merge + evaluation,
                run: Box::new(move |worker| {
                    let prepared = pool.get().expect("the job this one waits for fills it");
                    let measurement = self.measure(plan, &benches[plan.bench], prepared, models, worker)?;
                    store.save(&measurement)?;
                    *slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(measurement);
                    Ok(())
                }),
            });
        }
        let threads = self.threads(benches);
        bars.expect(jobs.iter().map(|job| job.cost).sum(), later);
        run_jobs(jobs, threads, (available() / threads).max(1), bars)?;
        let taken = slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()));
        Ok(taken.map(|measurement| measurement.expect("every job ran")).collect())
    }
}

/// Cores there are.
fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Keeps other runs out of the cache until it is dropped; waits for one that is in there.
pub(crate) fn lock(cache: &Path) -> Result<File, ExperimentError> {
    std::fs::create_dir_all(cache).map_err(ExperimentError::io(cache))?;
    let path = cache.join("lock");
    let file = File::create(&path).map_err(ExperimentError::io(&path))?;
    if file.try_lock().is_err() {
        eprintln!("waiting for another run that uses {}", cache.display());
        file.lock().map_err(ExperimentError::io(&path))?;
    }
    Ok(file)
}

/// Passes a training's progress on.
struct Reporting<'a> {
    worker: &'a dyn Worker,
    step_cost: u64,
}

impl Observer for Reporting<'_> {
    fn step(&mut self, step: usize, steps: usize, loss: f64) {
        self.worker.progress(&format!("step {step} of {steps}, loss {loss:.3}"), step as u64 * self.step_cost);
    }
}
