//! `bunch merge`: merges checkpoints.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bunch_recipe::{Parts, Recipe};
use bunch_streaming::{Digests, InputModel, MergeOptions, MergePlan};

use crate::arguments::{DigestPolicy, MergeArguments};
use crate::digest_cache;
use crate::interruption::stop_flag;
use crate::progress::Bar;

/// Merges what the arguments say, or shows what would be done.
pub fn merge(arguments: MergeArguments) -> Result<()> {
    let (recipe, out) = read_recipe(&arguments)?;
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
    let models = InputModel::open_all(&recipe)?;
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

/// The recipe, and the folder of the merged model.
fn read_recipe(arguments: &MergeArguments) -> Result<(Recipe, PathBuf)> {
    match (&arguments.method, arguments.paths.as_slice()) {
        (None, [config, out]) => {
            let text = std::fs::read_to_string(config).with_context(|| config.display().to_string())?;
            Ok((Recipe::parse(config, &text)?, out.clone()))
        }
        (Some(method), [out]) => {
            let experts: Vec<(String, Option<f64>)> =
                arguments.expert.iter().map(|expert| split_weight(expert)).collect();
            let recipe = Recipe::from_parts(&Parts {
                method,
                base: arguments.base.as_deref(),
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
    let names: Vec<String> = models.iter().map(InputModel::name).collect();
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
