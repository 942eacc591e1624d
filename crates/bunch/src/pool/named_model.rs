//! Models that a command names by their name in a pool.

use std::path::{Path, PathBuf};

use anyhow::Result;
use bunch_pool::Pool;

/// The pool that a command was given, if any.
pub fn open(path: Option<&Path>) -> Result<Option<Pool>> {
    Ok(path.map(Pool::open).transpose()?)
}

/// The model that is meant by `model`: the pool's of that name, or else a path.
///
/// # Errors
/// A pool without the name, where there is nothing at the path either; a model that is not there.
pub fn model_path(pool: Option<&Pool>, model: &Path) -> Result<PathBuf> {
    match (pool, model.to_str()) {
        (Some(pool), Some(name)) if pool.has_model(name) || !model.exists() => Ok(pool.model(name)?),
        _ => Ok(model.to_owned()),
    }
}
