//! `bunch align`: from a pool to a measured merge.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use bunch_alignment::{EvolutionSettings, MeasureSettings, OpenPool, SynthesisSettings, evolve, measure, synthesize};
use bunch_recipe::Recipe;
use bunch_streaming::{InputModel, MergeOptions, MergePlan};

use crate::arguments::AlignArguments;
use crate::digest_cache;
use crate::pool_loader::PoolLoader;
use crate::progress::Bar;
use crate::{evolve as evolve_command, measure as measure_command, synthesize as synthesize_command};

/// Generates data, searches, merges and measures, each unless that was done before.
pub fn align(arguments: &AlignArguments) -> Result<()> {
    let loader = PoolLoader::new(&arguments.run);
    let pool = OpenPool::open(&arguments.pool.pool, arguments.pool.choice(), &loader)?;
    let place = |name: &str| arguments.out.join(name);
    let bar = |unit: &str| Bar::new(unit, arguments.run.quiet);
    let say = |text: &str| {
        if !arguments.run.quiet {
            print!("{text}")
        }
    };

    let data = place("data");
    let settings = SynthesisSettings {
        pairs: arguments.pairs as usize,
        seed: arguments.seed,
        questions: None,
        collected: arguments.collected,
        exclude: None,
        out: data.clone(),
        replace: arguments.overwrite,
    };
    let outcome = synthesize(&pool, &settings, &bar("pairs"))?;
    say(&synthesize_command::describe(&outcome));

    let settings = EvolutionSettings {
        strategy: evolve_command::choice(&arguments.search)?,
        data: Some(data),
        tasks: None,
        seed: arguments.seed,
        name: arguments.search.name.clone(),
        out: place("search"),
        replace: arguments.overwrite,
    };
    let outcome = evolve(&pool, &settings, &bar("merges"))?;
    say(&evolve_command::describe(&outcome));

    let merged = place("merged");
    merge(&outcome.recipe, &merged, arguments)?;

    let settings = MeasureSettings {
        merged,
        out: place("measured"),
        second_judge: None,
        tasks: Vec::new(),
        limit: arguments.limit.map(|limit| limit as usize),
        keep_card: false,
        replace: arguments.overwrite,
    };
    let outcome = measure(&pool, &settings, &bar("items"))?;
    print!("{}", measure_command::describe(&outcome.measurement));
    outcome.files.iter().for_each(|file| println!("{}", file.display()));
    Ok(())
}

/// Carries out a recipe, unless the model in the folder `out` is of that recipe.
fn merge(recipe: &Path, out: &Path, arguments: &AlignArguments) -> Result<()> {
    let text = fs::read_to_string(recipe).with_context(|| recipe.display().to_string())?;
    // `bunch merge` keeps the recipe with the model, under one name or the other.
    let is_done = ["mergekit_config.yml", "bunch_recipe.toml"]
        .iter()
        .any(|name| fs::read_to_string(out.join(name)).is_ok_and(|made| made == text));
    if is_done {
        return Ok(());
    }
    let recipe = Recipe::parse(recipe, &text)?;
    let options = MergeOptions {
        threads: arguments.run.threads.map(|threads| threads as usize),
        seed: arguments.seed,
        replace: true,
        digest_cache: digest_cache::path(),
        ..MergeOptions::default()
    };
    let models = InputModel::open_all(&recipe)?;
    let plan = MergePlan::new(&recipe, &models, &options)?;
    for note in plan.notes() {
        eprintln!("note: {note}");
    }
    // Ctrl-C ends the program at once: what is half-written is hidden, and removed by the next run.
    plan.run(out, &Bar::new("bytes", arguments.run.quiet), &AtomicBool::new(false))?;
    Ok(())
}
