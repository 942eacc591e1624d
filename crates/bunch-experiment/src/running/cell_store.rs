//! Measurements on disk, under their content addresses, written one by one.

use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::atomic_write;

use crate::ExperimentError;
use crate::recording::measurement::Measurement;

/// A folder of measurements.
pub(crate) struct CellStore {
    folder: PathBuf,
}

impl CellStore {
    pub(crate) fn new(cache: &Path) -> Self {
        Self { folder: cache.join("cells") }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    /// The measurement with that address, if it was made.
    pub(crate) fn load(&self, id: &str) -> Result<Option<Measurement>, ExperimentError> {
        let path = self.path(id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ExperimentError::io(path)(error)),
        };
        let damaged = |what: String| ExperimentError::Damaged { path: path.clone(), what };
        let measurement: Measurement = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if measurement.id != id {
            return Err(damaged(format!("it says it is {}", measurement.id)));
        }
        Ok(Some(measurement))
    }

    /// Keeps a measurement; it appears under its address complete or not at all.
    pub(crate) fn save(&self, measurement: &Measurement) -> Result<(), ExperimentError> {
        fs::create_dir_all(&self.folder).map_err(ExperimentError::io(&self.folder))?;
        let bytes = serde_json::to_vec(measurement).expect("plain data");
        Ok(atomic_write(&self.path(&measurement.id), &bytes)?)
    }

    /// Forgets a measurement.
    pub(crate) fn remove(&self, id: &str) -> Result<(), ExperimentError> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ExperimentError::io(path)(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn measurement(id: &str) -> Measurement {
        Measurement {
            id: id.into(),
            block: "one".into(),
            row: "ties".into(),
            seed: 0,
            scores: BTreeMap::new(),
            detail: BTreeMap::new(),
            trace: Vec::new(),
            weights_sha256: String::new(),
            samples: Vec::new(),
            wall_seconds: 0.0,
        }
    }

    #[test]
    fn what_was_saved_is_there_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = CellStore::new(folder.path());
        assert_eq!(store.load("a").unwrap(), None);
        store.save(&measurement("a")).unwrap();
        store.save(&measurement("a")).unwrap();
        assert_eq!(store.load("a").unwrap(), Some(measurement("a")));
        assert_eq!(store.load("b").unwrap(), None);
        store.remove("a").unwrap();
        store.remove("a").unwrap();
        assert_eq!(store.load("a").unwrap(), None);
    }

    #[test]
    fn what_is_damaged_or_lies_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = CellStore::new(folder.path());
        store.save(&measurement("a")).unwrap();
        fs::rename(store.path("a"), store.path("b")).unwrap();
        let error = store.load("b").unwrap_err().to_string();
        assert!(error.contains("b.json: damaged cache entry (it says it is a)"), "{error}");
        fs::write(store.path("b"), "{").unwrap();
        let error = store.load("b").unwrap_err().to_string();
        assert!(error.ends_with("; remove it to have it computed again"), "{error}");
    }
}
