//! Progress bars: one for the whole run, one line for each thread.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::runner::schedule::{Watcher, Worker};

/// Shows what every thread does and when all will be done.
pub(crate) struct Bars {
    total: ProgressBar,
    lines: Vec<ProgressBar>,
    _all: MultiProgress,
}

impl Bars {
    /// Bars for jobs of `cost` together, on `threads` threads; invisible where there is no terminal.
    pub(crate) fn new(cost: u64, threads: usize) -> Self {
        let all = MultiProgress::new();
        let style = |template| ProgressStyle::with_template(template).expect("a valid template");
        let total = all.add(ProgressBar::new(cost));
        total.set_style(style("{bar:40} {percent:>3} %  {elapsed_precise} elapsed, {eta_precise} to go"));
        total.enable_steady_tick(Duration::from_millis(500));
        let line = || {
            let line = all.add(ProgressBar::new_spinner());
            line.set_style(style("  {spinner} {wide_msg}"));
            line.enable_steady_tick(Duration::from_millis(200));
            line
        };
        let lines = (0..threads).map(|_| line()).collect();
        Self { total, lines, _all: all }
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
