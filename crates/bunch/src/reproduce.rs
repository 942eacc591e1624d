//! `bunch reproduce`: runs an experiment and prints its table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_experiment::{Experiment, Options, Run, list_experiments};

use crate::arguments::ReproduceArguments;

/// Runs the experiment named, or lists all.
pub fn reproduce(arguments: ReproduceArguments) -> Result<()> {
    let root = workspace_root()?;
    let Some(name) = arguments.experiment else {
        for name in list_experiments(&root)? {
            println!("{name:24} {}", Experiment::load(&root, &name)?.title);
        }
        return Ok(());
    };
    let below_root = |path: PathBuf| if path.is_absolute() { path } else { root.join(path) };
    let options = Options {
        scale: arguments.scale,
        seeds: arguments.seeds,
        device: arguments.device,
        jobs: arguments.jobs,
        limit: arguments.limit,
        fresh: arguments.fresh,
        overwrite: arguments.overwrite,
        cache: below_root(arguments.cache),
        results: below_root(arguments.results),
        models: below_root(arguments.models),
        data: below_root(arguments.data),
        gpu: arguments.gpu,
        command_line: command_line(),
    };
    let run = Run::new(&root, &name, options)?;
    if arguments.dry_run {
        println!("{}", run.outlook().with_context(|| name.clone())?);
        return Ok(());
    }
    let finished = run.execute().with_context(|| name.clone())?;
    println!("{}\n{}", finished.table, finished.findings);
    let folder = finished.folder.strip_prefix(&root).unwrap_or(&finished.folder);
    println!(
        "{} cells computed, {} from the cache, {:.1} s; results in {}",
        finished.computed,
        finished.cached,
        finished.wall_seconds,
        folder.display()
    );
    Ok(())
}

/// The command line with the program's name alone: where it is installed is nobody's business.
fn command_line() -> Vec<String> {
    std::iter::once("bunch".to_owned()).chain(std::env::args().skip(1)).collect()
}

/// The folder that holds `experiments/` and `data/`: the current one or the nearest above it.
fn workspace_root() -> Result<PathBuf> {
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
