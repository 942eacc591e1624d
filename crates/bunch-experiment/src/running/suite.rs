//! Several experiments as one: what they share is made once, and one that fails does not stop the others.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use crate::ExperimentError;
use crate::declared::experiment::{Experiment, list_experiments};
use crate::declared::variant::Variant;
use crate::planning::run::{Options, Run};
use crate::running::cache_lock::CacheUse;
use crate::running::dry_run::{CellStatus, DryRun, Made, minutes};
use crate::running::execution::Finished;
use crate::running::progress::Bars;
use crate::running::schedule::panic_text;

/// Experiments that are carried out one after another; it displays as what there is to do.
///
/// One after another, and not job by job: the cores are idle only while the last cells of an experiment are computed, its
/// results are there as soon as these are, and its failure is its own. That a model or a cell is made once is the cache's doing.
pub struct Suite {
    planned: Vec<Planned>,
    failures: Vec<Failure>,
    /// Experiments that do not have the scale.
    left_out: Vec<String>,
}

struct Planned {
    run: Run,
    dry_run: DryRun,
}

/// An experiment that could not be carried out.
#[derive(Debug)]
pub struct Failure {
    /// `<paper>/<item>`.
    pub name: String,
    /// The scale, and what was changed about it, as far as that is known.
    pub variant: Variant,
    /// Why.
    pub error: ExperimentError,
}

impl Suite {
    /// All experiments below `root` that have the scale of `options`; those whose file is wrong become failures.
    ///
    /// # Errors
    /// A folder of experiments that cannot be read, a scale that no experiment has, options that no experiment can be run with.
    pub fn all(root: &Path, options: &Options) -> Result<Self, ExperimentError> {
        let (mut runs, mut failures, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for name in list_experiments(root)? {
            match Run::new(root, &name, options.clone()) {
                Ok(run) => runs.push(run),
                Err(ExperimentError::UnknownScale { .. }) => left_out.push(name),
                Err(error @ (ExperimentError::Option { .. } | ExperimentError::Llama(_))) => return Err(error),
                Err(error) => failures.push(Failure { name, variant: Variant::of(&*options.scale), error }),
            }
        }
        if runs.is_empty() && failures.is_empty() {
            let experiments = left_out.iter().map(|name| Experiment::load(root, name));
            let experiments = experiments.collect::<Result<Vec<_>, _>>()?;
            let mut known: Vec<&str> =
                experiments.iter().flat_map(|experiment| experiment.scale.keys().map(String::as_str)).collect();
            known.sort_unstable();
            known.dedup();
            return Err(ExperimentError::UnknownScale { name: options.scale.clone(), known: known.join(", ") });
        }
        let suite = Self::new(runs);
        failures.extend(suite.failures);
        Ok(Self { failures, left_out, ..suite })
    }

    /// Looks up what is to be done for `runs`, in that order; those for which that is impossible, or whose results folder holds
    /// results of another specification, become failures.
    pub fn new(runs: Vec<Run>) -> Self {
        let (mut planned, mut failures) = (Vec::new(), Vec::new());
        let mut made = Made::default();
        for run in runs {
            // A folder in the way is better known before anything is computed.
            match run.check_place().and_then(|()| run.dry_run_after(&mut made)) {
                Ok(dry_run) => planned.push(Planned { run, dry_run }),
                Err(error) => failures.push(Failure { name: run.name, variant: run.variant, error }),
            }
        }
        Self { planned, failures, left_out: Vec::new() }
    }

    /// Experiments that failed so far: their files are wrong, or what they start from is missing.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Carries all out, each with its results written when its last cell is there, and returns those that failed, at any
    /// time. `ended` hears of each that began.
    ///
    /// # Errors
    /// A cache that cannot be used, or emptied where everything is to be made again.
    pub fn execute(
        self,
        ended: &mut dyn FnMut(&Run, &Result<Finished, ExperimentError>),
    ) -> Result<Vec<Failure>, ExperimentError> {
        let Self { planned, mut failures, .. } = self;
        let Some(first) = planned.first() else { return Ok(failures) };
        let options = &first.run.options;
        // All at once: what one experiment has made again, the next one shares.
        let forget = || planned.iter().try_for_each(|Planned { run, .. }| run.forget(&run.seed_pools()?));
        let _use = CacheUse::begin(&options.cache, options.fresh, forget)?;
        let bars = Bars::new(planned.iter().map(|plan| plan.dry_run.threads()).max().unwrap_or(1));
        let mut later: u64 = planned.iter().map(|plan| plan.dry_run.cost()).sum();
        let count = planned.len();
        for (index, Planned { run, dry_run }) in planned.into_iter().enumerate() {
            later -= dry_run.cost();
            bars.say(format!("({} of {count}: {})", index + 1, run.name));
            let start = Instant::now();
            let carried_out = catch_unwind(AssertUnwindSafe(|| {
                run.check_pools()?;
                run.carry_out(&run.seed_pools()?, start, &bars, later)
            }));
            let result = carried_out.unwrap_or_else(|panic| {
                Err(ExperimentError::Panicked { job: run.name.clone(), message: panic_text(&*panic) })
            });
            bars.aside(|| ended(&run, &result));
            failures.extend(result.err().map(|error| Failure { name: run.name, variant: run.variant, error }));
        }
        Ok(failures)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut cells, mut cached, mut shared, mut new) = (0, 0, 0, 0);
        let (mut models, mut data, mut merges, mut cost, mut threads) = (0, 0, 0, 0, 1);
        for Planned { run, dry_run } in &self.planned {
            let Some(training) = dry_run.training() else {
                writeln!(f, "{dry_run}\n")?;
                continue;
            };
            let [here_cached, here_shared, here_new] =
                [CellStatus::Cached, CellStatus::Shared, CellStatus::New].map(|w| training.count(w));
            let (name, here) = (&run.name, training.cells.len());
            writeln!(
                f,
                "{name:30} {here:4} cells: {here_cached} cached, {here_shared} shared, {here_new} to be computed"
            )?;
            (cells, cached, shared, new) = (cells + here, cached + here_cached, shared + here_shared, new + here_new);
            (models, data) = (models + training.models.len(), data + training.data.len());
            (merges, cost, threads) = (merges + training.merges, cost + training.cost, threads.max(training.threads));
        }
        for Failure { name, error, .. } in &self.failures {
            // What to do about it is printed with the error, at the end.
            let error = error.to_string();
            writeln!(f, "{name:30} cannot be run: {}", error.lines().next().unwrap_or_default())?;
        }
        if !self.left_out.is_empty() {
            writeln!(f, "Without this scale: {}", self.left_out.join(", "))?;
        }
        let experiments = self.planned.iter().filter(|plan| plan.dry_run.training().is_some()).count();
        if experiments == 0 {
            return write!(f, "Experiments: {}", self.planned.len());
        }
        writeln!(
            f,
            "Experiments: {experiments}; cells: {cells}, of which {cached} are cached, {shared} are computed for another \
             experiment too, and {new} are to be computed"
        )?;
        writeln!(f, "Models to train: {models}; data to generate: {data}; merges to score: {merges}")?;
        write!(
            f,
            "Time: about {:.0} minutes with {threads} jobs side by side, by the rough costs of the progress display",
            minutes(cost, threads)
        )
    }
}
