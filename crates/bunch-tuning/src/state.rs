//! The state of an unfinished run on disk.

use std::path::Path;

use bunch_checkpoint::{Checkpoint, ModelDirectory, StateDict};
use serde::{Deserialize, Serialize};

use crate::TuningError;
use crate::adamw::AdamW;
use crate::average::Average;

const POSITION: &str = "training_position.json";

/// What precedes the names of the trained weights, of the optimizer's means of gradients and of their squares, and of the
/// weights' averages, now and at the look before.
const GROUPS: [&str; 5] = ["weights.", "exp_avg.", "exp_avg_sq.", "average.", "average_before."];

/// Where a run is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Position {
    /// Identity of the run: start weights, data and configuration.
    pub(crate) run: String,
    /// Loss of each step that was done.
    pub(crate) losses: Vec<f64>,
    /// What the objective remembers.
    #[serde(default)]
    pub(crate) objective: serde_json::Value,
}

/// A run's state, as it was read.
pub(crate) struct SavedState {
    pub(crate) position: Position,
    pub(crate) weights: StateDict,
    pub(crate) moments: [StateDict; 2],
    /// Empty where nothing is averaged.
    pub(crate) averages: [StateDict; 2],
}

/// Writes the state to the directory `path`, which is at any moment the old state or the new one.
pub(crate) fn save(
    path: &Path,
    weights: StateDict,
    optimizer: &AdamW,
    average: Option<&Average>,
    position: &Position,
) -> Result<(), TuningError> {
    let [first, second] = optimizer.moments();
    let none = StateDict::new();
    let averages =
        [average.map(Average::weights), average.and_then(Average::before)].map(|group| group.unwrap_or(&none));
    let mut tensors = StateDict::new();
    for (prefix, group) in GROUPS.iter().zip([&weights, first, second, averages[0], averages[1]]) {
        tensors.extend(group.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())));
    }
    let mut directory = ModelDirectory::new(serde_json::json!({"model_type": "bunch-training-state"}), &tensors);
    directory.files = [(POSITION.to_string(), serde_json::to_vec(position).expect("plain data"))].into();
    directory.replace = true;
    Ok(directory.write(path)?)
}

/// Reads the state in `path`, which has to be one of the run with this identity.
pub(crate) fn load(path: &Path, run: &str) -> Result<SavedState, TuningError> {
    let position = std::fs::read(path.join(POSITION)).map_err(|error| refused(path, error))?;
    let position: Position = serde_json::from_slice(&position).map_err(|error| refused(path, error))?;
    if position.run != run {
        return Err(refused(path, "it belongs to a run with other weights, data or settings"));
    }
    let mut groups = GROUPS.map(|_| StateDict::new());
    for (name, tensor) in Checkpoint::open(path)?.state_dict()? {
        let group = GROUPS.iter().position(|prefix| name.starts_with(prefix));
        let group = group.ok_or_else(|| refused(path, format!("tensor `{name}` is none of a training state")))?;
        groups[group].insert(name[GROUPS[group].len()..].to_owned(), tensor);
    }
    let [weights, first, second, average, before] = groups;
    Ok(SavedState { position, weights, moments: [first, second], averages: [average, before] })
}

fn refused(path: &Path, what: impl std::fmt::Display) -> TuningError {
    TuningError::Resume { path: path.into(), what: what.to_string() }
}
