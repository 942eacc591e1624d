//! `bunch evolve`: searches the best merge of a pool's members.

use anyhow::{Result, bail};
use bunch_alignment::{EvolutionOutcome, EvolutionSettings, Goal, OpenPool, StrategyChoice, evolve as search};
use serde_json::Value;

use crate::arguments::{EvolveArguments, SearchOptions};
use crate::pool_loader::PoolLoader;
use crate::progress::Bar;

/// Searches, and prints what was found.
pub fn evolve(arguments: &EvolveArguments) -> Result<()> {
    let loader = PoolLoader::new(&arguments.run);
    let pool = OpenPool::open(&arguments.pool.pool, arguments.pool.choice(), &loader)?;
    let settings = EvolutionSettings {
        strategy: choice(&arguments.search)?,
        data: arguments.data.clone(),
        tasks: arguments.tasks.clone(),
        seed: arguments.seed,
        name: arguments.search.name.clone(),
        out: arguments.out.clone(),
        replace: arguments.overwrite,
    };
    let bar = Bar::new("merges", arguments.run.quiet);
    let outcome = search(&pool, &settings, &bar)?;
    drop(bar);
    if !arguments.run.quiet {
        print!("{}", describe(&outcome));
    }
    println!("{}", outcome.recipe.display());
    Ok(())
}

/// The coefficients and losses of the best merge.
pub fn describe(outcome: &EvolutionOutcome) -> String {
    let mut text = format!("best of {} merges:\n", outcome.evaluated.max(1));
    for (name, value) in &outcome.found.detail {
        text += &format!("  {name:14} {value}\n");
    }
    text
}

/// The strategy that the options name.
pub fn choice(arguments: &SearchOptions) -> Result<StrategyChoice> {
    Ok(StrategyChoice {
        strategy: arguments.strategy.clone(),
        method: arguments.method.clone(),
        genes: arguments.genes.clone(),
        set: arguments.set.iter().map(|text| parameter(text)).collect::<Result<_>>()?,
        data: arguments.losses.iter().map(|&loss| loss.into()).collect(),
        alpha: arguments.alpha,
        evaluations: arguments.evaluations as usize,
        steps: arguments.steps as usize,
        point: arguments.point as usize,
        temperature: arguments.temperature,
        goal: goal(arguments),
    })
}

/// What makes a merge the best, where the options say so.
fn goal(arguments: &SearchOptions) -> Option<Goal> {
    let SearchOptions { keep, maximize, minimize, .. } = arguments;
    let (quantity, maximize) = match (maximize, minimize) {
        (None, None) if keep.is_empty() => return None,
        (Some(quantity), _) => (quantity.as_str(), true),
        (None, quantity) => (quantity.as_deref().unwrap_or("loss"), false),
    };
    Some(Goal { quantity: quantity.to_owned().into(), maximize, keep: keep.clone() })
}

/// A parameter and its value; words need no quotes.
fn parameter(text: &str) -> Result<(String, Value)> {
    let Some((name, value)) = text.split_once('=') else {
        bail!("--set {text}: expected a parameter and its value as NAME=VALUE")
    };
    let value = serde_json::from_str(value.trim()).unwrap_or_else(|_| value.trim().into());
    Ok((name.trim().to_owned(), value))
}
