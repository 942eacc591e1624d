//! The `bunch` command: merges checkpoints, shows the merge methods, and reproduces tables of papers on merging and safety.

mod arguments;
mod compare;
mod digest_cache;
mod inspect;
mod merge;
mod methods;
mod reproduce;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> std::process::ExitCode {
    let result = match Arguments::parse().command {
        Command::Reproduce(arguments) => reproduce::reproduce(arguments),
        Command::Merge(arguments) => merge::merge(arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Methods(arguments) => methods::methods(&arguments),
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}
