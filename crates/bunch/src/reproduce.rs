//! `bunch reproduce`: runs an experiment and prints its table, or runs all.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_experiment::{Experiment, ExperimentError, Failure, Finished, Options, Run, Suite, list_experiments};

use crate::arguments::ReproduceArguments;
use crate::interruption;

/// Runs the experiment named or all, or lists them.
pub fn reproduce(arguments: ReproduceArguments) -> Result<()> {
    let root = workspace_root()?;
    let options = options(&root, &arguments);
    let Some(name) = arguments.experiment else {
        if arguments.all {
            return reproduce_all(&root, &options, arguments.dry_run);
        }
        for name in list_experiments(&root)? {
            println!("{name:24} {}", Experiment::load(&root, &name)?.title);
        }
        return Ok(());
    };
    let run = Run::new(&root, &name, options)?;
    if arguments.dry_run {
        println!("{}", run.dry_run().with_context(|| name.clone())?);
        return Ok(());
    }
    interruption::stop_between_writes()?;
    let finished = run.execute().with_context(|| name.clone())?;
    println!("{}\n{}", finished.table, finished.findings);
    println!("{}", summary_line(&root, &finished));
    Ok(())
}

/// Runs every experiment that has the scale, as one; those that fail are named at the end.
fn reproduce_all(root: &Path, options: &Options, dry_run: bool) -> Result<()> {
    let suite = Suite::all(root, options)?;
    println!("{suite}");
    let failures = if dry_run {
        suite.failures().iter().map(|failure| failure.name.clone()).collect()
    } else {
        interruption::stop_between_writes()?;
        let ended = |run: &Run, result: &Result<Finished, ExperimentError>| match result {
            Ok(finished) => println!("{}: {}; claims: {}", run.name(), summary_line(root, finished), finished.verdicts),
            Err(_) => println!("{}: failed", run.name()),
        };
        let failures = suite.execute(&mut { ended })?;
        let failed = failures.into_iter().map(|Failure { name, error, .. }| {
            eprintln!("error: {}", crate::display_chain(&anyhow::Error::from(error).context(name.clone())));
            name
        });
        failed.collect::<Vec<_>>()
    };
    match failures.as_slice() {
        [] => Ok(()),
        failed => bail!("experiments that failed: {}", failed.join(", ")),
    }
}

/// What a run computed, how long it took and where its results are, in one line.
fn summary_line(root: &Path, finished: &Finished) -> String {
    let Finished { computed, cached, wall_seconds, .. } = finished;
    let folder = finished.folder.strip_prefix(root).unwrap_or(&finished.folder).display();
    format!("{computed} cells computed, {cached} from the cache, {wall_seconds:.1} s; results in {folder}")
}

fn options(root: &Path, arguments: &ReproduceArguments) -> Options {
    let below_root = |path: &PathBuf| if path.is_absolute() { path.clone() } else { root.join(path) };
    Options {
        scale: arguments.scale.clone(),
        seeds: arguments.seeds.clone(),
        device: arguments.device.clone(),
        jobs: arguments.jobs,
        limit: arguments.limit,
        fresh: arguments.fresh,
        overwrite: arguments.overwrite,
        cache: below_root(&arguments.cache),
        results: below_root(&arguments.results),
        models: below_root(&arguments.models),
        data: below_root(&arguments.data),
        command_line: command_line(root),
    }
}

/// The command line for a manifest, which names no folder of this machine: the program by its name, and of an absolute path what
/// lies below `root`, or its last part.
pub fn command_line(root: &Path) -> Vec<String> {
    std::iter::once("bunch".to_owned())
        .chain(std::env::args().skip(1).map(|argument| portable(root, &argument)))
        .collect()
}

fn portable(root: &Path, argument: &str) -> String {
    let (option, value) = match argument.split_once('=') {
        Some((option, value)) if option.starts_with("--") => (format!("{option}="), value),
        _ => (String::new(), argument),
    };
    let path = Path::new(value);
    if !path.is_absolute() {
        return argument.to_owned();
    }
    let last = path.file_name().map_or(Path::new(""), Path::new);
    format!("{option}{}", path.strip_prefix(root).unwrap_or(last).display())
}

/// The folder that holds `experiments/` and `data/`: the current one or the nearest above it.
pub fn workspace_root() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder")?;
    let is_root = |path: &&Path| path.join("experiments").is_dir() && path.join("data/papers").is_dir();
    match here.ancestors().find(is_root) {
        Some(root) => Ok(root.to_path_buf()),
        None => bail!(
            "{} is not inside a checkout: no folder with experiments/ and data/papers/ at or above it",
            here.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_command_names_no_folder_of_the_machine() {
        let portable = |argument: &str| portable(Path::new("/here/checkout"), argument);
        assert_eq!(portable("/elsewhere/scratch/cache"), "cache");
        assert_eq!(portable("--cache=/elsewhere/cache"), "--cache=cache");
        assert_eq!(portable("/here/checkout/results"), "results");
        for kept in ["reproduce", "hammoud2024/table-1", "--seeds=3,4", "../cache", "--overwrite"] {
            assert_eq!(portable(kept), kept);
        }
    }
}
