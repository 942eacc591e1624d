//! `bunch inspect`: what a model directory holds and what is wrong with it.

use anyhow::{Result, bail};
use bunch_checkpoint::DigestCache;
use bunch_inspection::describe::{DescribeOptions, describe};

use crate::arguments::InspectArguments;
use crate::digest_cache;
use crate::model_place::model_place;

/// Prints the description; an error if something is wrong with the model.
pub fn inspect(arguments: &InspectArguments) -> Result<()> {
    let cache = match digest_cache::path() {
        Some(path) if arguments.digests => Some(DigestCache::open(&path)?),
        _ => None,
    };
    let options = DescribeOptions {
        digests: arguments.digests,
        digest_cache: cache.as_ref(),
        check_values: arguments.check_values,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let description = describe(&model_place(&arguments.model), &options);
    if let Some(cache) = cache {
        cache.save()?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&description)?);
    } else {
        print!("{description}");
    }
    match description.problems.len() {
        0 => Ok(()),
        1 => bail!("{}: 1 problem", arguments.model.display()),
        count => bail!("{}: {count} problems", arguments.model.display()),
    }
}
