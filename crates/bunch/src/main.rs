//! The `bunch` command: merges checkpoints, measures models, and reproduces tables of papers on merging and safety.

// First: its macros are for all modules after it.
#[macro_use]
mod printing;

mod align;
mod arguments;
mod compare;
mod digest_cache;
mod eval;
mod evolve;
mod fetch;
mod generate;
mod importance;
mod inspect;
mod interruption;
mod judge;
mod loaded_model;
mod loglikelihood;
mod measure;
mod memory;
mod merge;
mod methods;
mod model_place;
mod pool;
mod pool_loader;
mod progress;
mod report;
mod reproduce;
mod safety;
mod synthesize;
mod train;
mod verify;

use clap::Parser;

use arguments::{Arguments, Command, TrainCommand};

fn main() -> std::process::ExitCode {
    let result = match Arguments::parse().command {
        Command::Reproduce(arguments) => reproduce::reproduce(arguments),
        Command::Verify(arguments) => verify::verify(arguments),
        Command::Report(arguments) => report::report(arguments),
        Command::Merge(arguments) => merge::merge(arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Methods(arguments) => methods::methods(&arguments),
        Command::Loglikelihood(arguments) => loglikelihood::loglikelihood(&arguments),
        Command::Generate(arguments) => generate::generate(&arguments),
        Command::Eval(arguments) => eval::eval(&arguments),
        Command::Judge(arguments) => judge::judge(&arguments),
        Command::Judges(arguments) => judge::judges(&arguments),
        Command::Safety(arguments) => safety::safety(&arguments),
        Command::Train(TrainCommand::Sft(arguments)) => train::sft(&arguments),
        Command::Train(TrainCommand::Dpo(arguments)) => train::dpo(&arguments),
        Command::Train(TrainCommand::Orpo(arguments)) => train::orpo(&arguments),
        Command::Importance(arguments) => importance::importance(&arguments),
        Command::Pool(command) => pool::pool(&command),
        Command::Align(arguments) => align::align(&arguments),
        Command::Synthesize(arguments) => synthesize::synthesize(&arguments),
        Command::Evolve(arguments) => evolve::evolve(&arguments),
        Command::Measure(arguments) => measure::measure(&arguments),
        Command::Fetch(arguments) => fetch::fetch(&arguments),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", display_chain(&error));
            std::process::ExitCode::FAILURE
        }
    }
}

/// The error followed by its causes, each printed once: many errors' texts end with their cause.
fn display_chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // A cause may begin with what its context names.
        if text.is_empty() || cause.starts_with(&format!("{text}: ")) {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::display_chain;

    #[test]
    fn a_cause_is_printed_once() {
        let cause = std::io::Error::other("the disk is full");
        let error = Err::<(), _>(cause).context("out.json: the disk is full").context("task a").unwrap_err();
        assert_eq!(display_chain(&error), "task a: out.json: the disk is full");
        assert_eq!(display_chain(&error.context("run")), "run: task a: out.json: the disk is full");
    }
}
