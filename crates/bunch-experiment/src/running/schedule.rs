//! Runs jobs that wait for one another on several threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex};

use crate::ExperimentError;

/// Something to be done once other things are.
pub(crate) struct Job<'a> {
    pub(crate) name: String,
    /// Positions of earlier jobs that must be done first.
    pub(crate) after: Vec<usize>,
    /// Rough cost, in any unit, for the progress display.
    pub(crate) cost: u64,
    pub(crate) run: Work<'a>,
}

/// What a job does.
pub(crate) type Work<'a> = Box<dyn FnOnce(&dyn Worker) -> Result<(), ExperimentError> + Send + 'a>;

/// What a job may tell of itself while it runs.
pub(crate) trait Worker {
    /// What it is doing, and how much of its cost is done.
    fn progress(&self, message: &str, done: u64);
}

/// Follows all jobs.
pub(crate) trait Watcher: Sync {
    /// Called by thread `thread` before it starts a job; the result hears of the job's progress and its end.
    fn start(&self, thread: usize, name: &str, cost: u64) -> Box<dyn Worker + '_>;
}

struct State<'a> {
    waiting: Vec<Option<Job<'a>>>,
    done: Vec<bool>,
    running: usize,
    error: Option<ExperimentError>,
}

/// Runs all jobs on `threads` threads, each inside its own pool of `cores` threads; of those that may start, the first in the list goes first.
///
/// After an error no further job starts; the first error is returned once the running ones have ended.
pub(crate) fn run_jobs(
    jobs: Vec<Job<'_>>,
    threads: usize,
    cores: usize,
    watcher: &dyn Watcher,
) -> Result<(), ExperimentError> {
    let done = vec![false; jobs.len()];
    let state = State { waiting: jobs.into_iter().map(Some).collect(), done, running: 0, error: None };
    let (state, changed) = (Mutex::new(state), Condvar::new());
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (state, changed) = (&state, &changed);
            scope.spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().expect("a thread pool");
                pool.install(|| work(thread, state, changed, watcher));
            });
        }
    });
    match state.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).error {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
    text.unwrap_or_else(|| "no message".into())
}

fn work(thread: usize, state: &Mutex<State<'_>>, changed: &Condvar, watcher: &dyn Watcher) {
    let lock = || state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut guard = lock();
    loop {
        if guard.error.is_some() || guard.waiting.iter().all(Option::is_none) {
            changed.notify_all();
            return;
        }
        let ready = |job: &Option<Job<'_>>| job.as_ref().is_some_and(|job| job.after.iter().all(|&i| guard.done[i]));
        let Some(index) = guard.waiting.iter().position(ready) else {
            assert!(guard.running > 0, "jobs wait for each other in a circle");
            guard = changed.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner());
            continue;
        };
        let job = guard.waiting[index].take().expect("found above");
        guard.running += 1;
        drop(guard);
        let name = job.name;
        let worker = watcher.start(thread, &name, job.cost);
        let result = catch_unwind(AssertUnwindSafe(|| (job.run)(&*worker)));
        drop(worker);
        guard = lock();
        guard.running -= 1;
        guard.done[index] = true;
        let error = match result {
            Ok(Ok(())) => None,
            Ok(Err(source)) => Some(ExperimentError::Job { job: name, source: Box::new(source) }),
            Err(panic) => Some(ExperimentError::Panicked { job: name, message: panic_text(&*panic) }),
        };
        if guard.error.is_none() {
            guard.error = error;
        }
        changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Nobody;

    impl Worker for Nobody {
        fn progress(&self, _message: &str, _done: u64) {}
    }

    impl Watcher for Nobody {
        fn start(&self, _thread: usize, _name: &str, _cost: u64) -> Box<dyn Worker + '_> {
            Box::new(Nobody)
        }
    }

    fn job<'a>(after: &[usize], run: impl FnOnce() -> Result<(), ExperimentError> + Send + 'a) -> Job<'a> {
        Job { name: "job".into(), after: after.to_vec(), cost: 1, run: Box::new(move |_| run()) }
    }

    #[test]
    fn every_job_runs_once_and_after_those_it_needs() {
        let order = Mutex::new(Vec::new());
        let note = |index| {
            let order = &order;
            move || {
                order.lock().unwrap().push(index);
                Ok(())
            }
        };
        let jobs =
            vec![job(&[], note(0)), job(&[0], note(1)), job(&[0], note(2)), job(&[1, 2], note(3)), job(&[], note(4))];
        run_jobs(jobs, 3, 1, &Nobody).unwrap();
        let order = order.into_inner().unwrap();
        let at = |index| order.iter().position(|&i| i == index).unwrap();
        assert_eq!(order.len(), 5);
        assert!(at(0) < at(1) && at(0) < at(2) && at(1) < at(3) && at(2) < at(3));
    }

    #[test]
    fn an_error_or_panic_stops_what_has_not_started() {
        let ran = AtomicUsize::new(0);
        let count = || {
            ran.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let fail = || Err(ExperimentError::UnknownScale { name: "tiny".into(), known: "miniature".into() });
        let error = run_jobs(vec![job(&[], fail), job(&[0], count)], 2, 1, &Nobody).unwrap_err();
        assert_eq!(error.to_string(), "job");
        let source = std::error::Error::source(&error).expect("what happened to the job");
        assert_eq!(source.to_string(), "unknown scale `tiny`: this experiment has miniature");
        let error = run_jobs(vec![job(&[], || panic!("oh")), job(&[0], count)], 1, 1, &Nobody).unwrap_err();
        assert_eq!(error.to_string(), "job: the program failed: oh");
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    }
}
