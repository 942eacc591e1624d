//! Where a model is that a command names: a folder, a GGUF file, or a repository in the Hugging Face cache.

use std::path::{Path, PathBuf};

use bunch_hub::downloaded;

/// The folder or file of `model`: what exists at that path, or else the repository of that name (`org/name@revision`) that
/// the hub's client has downloaded. A path at which there is nothing stays as it is.
pub fn model_place(model: &Path) -> PathBuf {
    let repository = model.to_str().filter(|_| !model.exists()).map(|name| match name.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (name, None),
    });
    repository.and_then(|(name, revision)| downloaded(name, revision)).unwrap_or_else(|| model.to_owned())
}
