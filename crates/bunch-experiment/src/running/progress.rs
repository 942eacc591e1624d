//! Progress bars: one for the whole run, one line for each thread.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::running::schedule::{Watcher, Worker};

/// Shows what every thread does and when all will be done.
pub(crate) struct Bars {
    total: ProgressBar,
    lines: Vec<ProgressBar>,
    all: MultiProgress,
}

impl Bars {
    /// Bars for `threads` threads that expect nothing yet; invisible where there is no terminal.
    pub(crate) fn new(threads: usize) -> Self {
        let all = MultiProgress::new();
        let style = |template| ProgressStyle::with_template(template).expect("a valid template");
        let total = all.add(ProgressBar::new(0));
        total.set_style(style("{bar:40} {percent:>3} %  {elapsed_precise} elapsed, {eta_precise} to go {msg}"));
        total.enable_steady_tick(Duration::from_millis(500));
        let line = || {
            let line = all.add(ProgressBar::new_spinner());
            line.set_style(style("  {spinner} {wide_msg}"));
            line.enable_steady_tick(Duration::from_millis(200));
            line
        };
        let lines = (0..threads).map(|_| line()).collect();
        Self { total, lines, all }
    }

    /// Expects jobs of `now` together to begin now, and of `later` after them.
    pub(crate) fn expect(&self, now: u64, later: u64) {
        self.total.set_length(self.total.position() + now + later);
    }

    /// Says beside the total what the jobs are for.
    pub(crate) fn say(&self, what: String) {
        self.total.set_message(what);
    }

    /// Does something that prints, with the bars out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.lines.iter().chain([&self.total]) {
            bar.finish_and_clear();
        }
    }
}

struct Line<'a> {
    bars: &'a Bars,
    thread: usize,
    name: String,
    cost: u64,
    done: Mutex<u64>,
}

impl Line<'_> {
    /// Moves the total on; a job never counts for more than its cost.
    fn advance(&self, to: u64) {
        let mut done = self.done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let to = to.clamp(*done, self.cost);
        self.bars.total.inc(to - *done);
        *done = to;
    }
}

impl Worker for Line<'_> {
    fn progress(&self, message: &str, done: u64) {
        self.advance(done);
        self.bars.lines[self.thread].set_message(format!("{}: {message}", self.name));
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.advance(self.cost);
        self.bars.lines[self.thread].set_message("waiting");
    }
}

impl Watcher for Bars {
    fn start(&self, thread: usize, name: &str, cost: u64) -> Box<dyn Worker + '_> {
        self.lines[thread].set_message(name.to_owned());
        Box::new(Line { bars: self, thread, name: name.to_owned(), cost, done: Mutex::new(0) })
    }
}
