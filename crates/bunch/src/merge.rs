//! `bunch merge`: merges checkpoints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bunch_merging::{BaseRole, CATALOGUE};
use bunch_pool::Pool;
use bunch_recipe::{Parts, Recipe};
use bunch_streaming::{Digests, InputModel, MergeOptions, MergePlan};

use crate::arguments::{DigestPolicy, MergeArguments};
use crate::digest_cache;
use crate::interruption::stop_flag;
use crate::pool;
use crate::progress::Bar;

/// Merges what the arguments say, or shows what would be done.
pub fn merge(arguments: MergeArguments) -> Result<()> {
    let pool = pool::open(arguments.pool.as_deref())?;
    let (recipe, out) = read_recipe(&arguments, pool.as_ref())?;
    let options = MergeOptions {
        max_shard_size: arguments.out_shard_size,
        threads: arguments.threads.map(|threads| threads as usize),
        max_memory: arguments.max_memory,
        seed: arguments.seed,
        truncate_embeddings: arguments.unsafe_truncate_embeddings,
        allow_non_finite: arguments.allow_non_finite,
        allow_mixed_architectures: arguments.allow_mixed_architectures,
        replace: arguments.overwrite,
        digests: match arguments.digests {
            DigestPolicy::Auto => Digests::Auto,
            DigestPolicy::Always => Digests::Always,
            DigestPolicy::Never => Digests::Never,
        },
        digest_cache: digest_cache::path(),
    };
    let models = InputModel::open_named(&recipe, &places(&recipe, pool.as_ref())?)?;
    let plan = MergePlan::new(&recipe, &models, &options)?;
    for note in plan.notes() {
        eprintln!("note: {note}");
    }
    if arguments.dry_run {
        print!("{}", describe(&recipe, &models, &plan, &out)?);
        return Ok(());
    }
    if out.exists() && !options.replace {
        bail!("{}: already exists (replace it with --overwrite)", out.display());
    }

    let stop = stop_flag()?;
    let begun = Instant::now();
    let merged = plan.run(&out, &Bar::new("bytes", arguments.quiet), &stop)?;
    if !arguments.quiet {
        println!(
            "{}: {} tensors, {} parameters, {:.2} GB in {:.1} s",
            out.display(),
            merged.tensors,
            merged.parameters,
            merged.bytes as f64 / 1e9,
            begun.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Where the models are that the recipe calls by their names in the pool.
fn places(recipe: &Recipe, pool: Option<&Pool>) -> Result<BTreeMap<String, PathBuf>> {
    let Some(pool) = pool else { return Ok(BTreeMap::new()) };
    let of_pool = recipe.models().into_iter().filter(|model| pool.has_model(&model.path));
    of_pool.map(|model| Ok((model.path.clone(), pool.model(&model.path)?))).collect()
}

/// The recipe, and the folder of the merged model.
fn read_recipe(arguments: &MergeArguments, pool: Option<&Pool>) -> Result<(Recipe, PathBuf)> {
    match (&arguments.method, arguments.paths.as_slice()) {
        (None, [config, out]) => {
            let text = std::fs::read_to_string(config).with_context(|| config.display().to_string())?;
            Ok((Recipe::parse(config, &text)?, out.clone()))
        }
        (Some(method), [out]) => {
            let experts: Vec<(String, Option<f64>)> =
                arguments.expert.iter().map(|expert| split_weight(expert)).collect();
            let needs_base = CATALOGUE.iter().any(|info| info.name == method && info.base == BaseRole::Required);
            let base = pool.filter(|_| needs_base).map(|pool| pool.file().base.as_str());
            let recipe = Recipe::from_parts(&Parts {
                method,
                base: arguments.base.as_deref().or(base),
                experts: &experts,
                settings: &arguments.set,
                dtype: arguments.dtype.as_deref(),
                out_dtype: arguments.out_dtype.as_deref(),
            })?;
            Ok((recipe, out.clone()))
        }
        (None, _) => bail!("expected a recipe and an output folder, or one folder and --method"),
        (Some(_), _) => bail!("expected one folder with --method, got a recipe too"),
    }
}

/// Splits `MODEL:WEIGHT`; what follows the last colon is part of the model unless it is a number.
fn split_weight(expert: &str) -> (String, Option<f64>) {
    let split = expert.rsplit_once(':').and_then(|(model, weight)| Some((model, weight.parse().ok()?)));
    split.map_or_else(|| (expert.to_owned(), None), |(model, weight)| (model.to_owned(), Some(weight)))
}

/// The plan in words.
fn describe(recipe: &Recipe, models: &[InputModel], plan: &MergePlan<'_>, out: &Path) -> Result<String> {
    let name = |model: &InputModel| match recipe.roles_of(model.reference()).as_slice() {
        [] | ["merged"] => model.name(),
        roles => format!("{} ({})", model.name(), roles.join(", ")),
    };
    let names: Vec<String> = models.iter().map(name).collect();
    let dtypes: Vec<String> = plan.dtypes().into_iter().map(|(dtype, count)| format!("{count} {dtype}")).collect();
    let parameters: usize = plan.tensors().iter().map(|tensor| tensor.len()).sum();
    Ok(format!(
        "method      {}\nmodels      {}\noutput      {}{}\ntensors     {}\nparameters  {parameters}\nsize        {:.3} GB\nthreads     {}\n",
        recipe.merge_method,
        names.join("\n            "),
        out.display(),
        if out.exists() { " (exists)" } else { "" },
        dtypes.join(", "),
        plan.output_bytes() as f64 / 1e9,
        plan.threads()?,
    ))
}
