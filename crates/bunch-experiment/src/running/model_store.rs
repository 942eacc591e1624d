//! Models that a strategy trained, on disk under their content addresses: several tables look at the same ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, ModelDirectory};
use bunch_evolution::{Found, FoundModel};

use crate::ExperimentError;
use crate::planning::tasks::Address;
use crate::running::cache_lock::lock_entry;

/// A folder of models.
pub(crate) struct ModelStore {
    cache: PathBuf,
    folder: PathBuf,
}

const HOW: &str = "found.json";

impl ModelStore {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { cache: cache.into(), folder: cache.join("tuned") }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(&id[..32.min(id.len())])
    }

    /// Whether the model with that address was made.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.path(id).exists()
    }

    /// The model with that address, made now if it never was.
    pub(crate) fn load_or_make(
        &self,
        id: &str,
        make: impl FnOnce() -> Result<FoundModel, ExperimentError>,
    ) -> Result<FoundModel, ExperimentError> {
        // Of two threads or runs that want a model one trains it and the other waits.
        let lock = lock_entry(&self.cache, &Address::Tuned(id.into()), || ())?;
        let path = self.path(id);
        if path.exists() {
            lock.remove();
            return load(&path);
        }
        let made = make()?;
        fs::create_dir_all(&self.folder).map_err(ExperimentError::io(&self.folder))?;
        let mut directory = ModelDirectory::new(serde_json::json!({}), &made.weights);
        let how = serde_json::to_vec(&made.found).expect("plain data");
        directory.files = BTreeMap::from([(HOW.to_owned(), how)]);
        directory.write(&path)?;
        lock.remove();
        Ok(made)
    }

    /// Forgets a model.
    pub(crate) fn remove(&self, id: &str) -> Result<(), ExperimentError> {
        let path = self.path(id);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ExperimentError::io(path)(error)),
            _ => Ok(()),
        }
    }
}

fn load(path: &Path) -> Result<FoundModel, ExperimentError> {
    let how = path.join(HOW);
    let bytes = fs::read(&how).map_err(ExperimentError::io(&how))?;
    let damaged = |error: serde_json::Error| ExperimentError::Damaged { path: how.clone(), what: error.to_string() };
    let found: Found = serde_json::from_slice(&bytes).map_err(damaged)?;
    Ok(FoundModel { weights: Checkpoint::open(path)?.state_dict()?, found })
}

#[cfg(test)]
mod tests {
    use bunch_checkpoint::{StateDict, Tensor};

    use super::*;

    #[test]
    fn a_model_is_made_once_and_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let tensor = Tensor { shape: vec![2], data: vec![0.1, -3.0].into() };
        let weights = StateDict::from([("a.weight".to_owned(), tensor)]);
        let found = Found { detail: BTreeMap::from([("loss".to_owned(), 0.1)]), trace: Vec::new() };
        let made = || Ok(FoundModel { weights: weights.clone(), found: found.clone() });
        let id = "0123456789abcdef0123456789abcdef-and-more";
        let store = ModelStore::new(folder.path());
        store.load_or_make(id, made).unwrap();
        let again = store.load_or_make(id, || panic!("it is there")).unwrap();
        assert_eq!((again.weights, again.found), (weights, found));
        store.remove(id).unwrap();
        store.remove(id).unwrap();
        let error = store
            .load_or_make(id, || Err(ExperimentError::UnknownScale { name: String::new(), known: String::new() }))
            .err();
        assert!(matches!(error, Some(ExperimentError::UnknownScale { .. })));
    }
}
