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
