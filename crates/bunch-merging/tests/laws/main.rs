//! The laws that every merge method obeys, one test for each law and method.
//!
//! Not libtest's harness: a law that a method is excused from, or that says nothing of it, must not print `ok`.

mod case;
mod laws;

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bunch_merging::CATALOGUE;

use laws::{LAWS, Verdict};

fn main() -> ExitCode {
    // As libtest: words are parts of names, one of which a test's name must have; options that it has are ignored.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let tests = CATALOGUE.iter().flat_map(|info| LAWS.iter().map(move |(law, run)| (info.name, *law, *run)));
    let named = tests.map(|(method, law, run)| (format!("{method}::{law}"), method, run));
    let chosen = named.filter(|(name, ..)| words.is_empty() || words.iter().any(|word| name.contains(word.as_str())));
    let chosen: Vec<_> = chosen.collect();
    if arguments.iter().any(|argument| argument == "--list") {
        chosen.iter().for_each(|(name, ..)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (next, held, excused, failed) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some((name, method, run)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (count, outcome) = match catch_unwind(|| run(method)) {
                Ok(Verdict::Holds) => (&held, "ok".to_owned()),
                Ok(Verdict::Excused(reason)) => (&excused, format!("excused: {reason}")),
                Ok(Verdict::SaysNothing) => continue,
                Err(_) => (&failed, "FAILED".to_owned()),
            };
            count.fetch_add(1, Ordering::Relaxed);
            println!("test {name} ... {outcome}");
        }
    };
    thread::scope(|scope| {
        for _ in 1..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
        work();
    });
    let [held, excused, failed] = [held, excused, failed].map(AtomicUsize::into_inner);
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {result}. {held} passed; {failed} failed; {excused} excused");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
