//! `bunch pool`: checks a pool, or makes the miniature's.

mod miniature;
mod named_model;

use anyhow::{Result, bail};
use bunch_pool::{Pool, check, pool_schema};
use bunch_transformer::available_memory;

use crate::arguments::{PoolCheckArguments, PoolCommand};
pub use named_model::{model_path, open};

/// Does what the command says.
pub fn pool(command: &PoolCommand) -> Result<()> {
    match command {
        PoolCommand::Check(arguments) => check_pool(arguments),
        PoolCommand::Miniature(arguments) => miniature::miniature(arguments),
        PoolCommand::Schema => {
            println!("{}", serde_json::to_string_pretty(&pool_schema())?);
            Ok(())
        }
    }
}

/// Prints what is wrong and what there is; an error if something is wrong.
fn check_pool(arguments: &PoolCheckArguments) -> Result<()> {
    let mut pool = Pool::open(&arguments.pool)?;
    if let Some(models) = &arguments.models {
        pool = pool.with_models(models);
    }
    let report = check(&pool, arguments.data.as_deref());
    print!("{report}");
    if let Some(available) = available_memory().filter(|&available| available < report.members_memory()) {
        println!("note: {:.1} GB of memory are available", available as f64 / 1e9);
    }
    match report.problems.len() {
        0 => Ok(()),
        1 => bail!("{}: 1 problem", pool.path().display()),
        problems => bail!("{}: {problems} problems", pool.path().display()),
    }
}
