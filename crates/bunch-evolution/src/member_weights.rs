//! A model of a pool: in memory, or in its files as it is stored.

use std::sync::Arc;

use bunch_checkpoint::{Checkpoint, CheckpointError, StateDict, TensorReader, Weights};
use bunch_merging::ReadValues;

use crate::error::{EvolutionError, MemberRole};

/// The weights of a member.
#[derive(Debug, Clone)]
pub(crate) enum MemberWeights {
    /// In memory, in f32.
    Loaded(Arc<StateDict>),
    /// In their files, in the dtype that they have there; what is read stays in the operating system's cache of files as far as
    /// memory goes.
    Stored(Arc<Checkpoint>),
}

/// A tensor of a member that is read piece by piece.
pub(crate) struct StoredValues<'a>(TensorReader<'a>);

impl MemberWeights {
    pub(crate) fn weights(&self) -> &dyn Weights {
        match self {
            Self::Loaded(weights) => &**weights,
            Self::Stored(checkpoint) => &**checkpoint,
        }
    }

    /// All in memory.
    pub(crate) fn state_dict(&self) -> Result<Arc<StateDict>, CheckpointError> {
        match self {
            Self::Loaded(weights) => Ok(weights.clone()),
            Self::Stored(checkpoint) => Ok(Arc::new(checkpoint.state_dict()?)),
        }
    }

    /// The reader of a tensor that is not in memory.
    pub(crate) fn reader(&self, name: &str) -> Result<Option<StoredValues<'_>>, CheckpointError> {
        match self {
            Self::Loaded(_) => Ok(None),
            Self::Stored(checkpoint) => Ok(Some(StoredValues(checkpoint.reader(name)?))),
        }
    }

    /// Demands that each tensor can be read, and holds as many values as its shape says.
    pub(crate) fn check(&self, member: MemberRole) -> Result<(), EvolutionError> {
        match self {
            Self::Loaded(weights) => {
                for (name, tensor) in &**weights {
                    let (expected, got) = (tensor.shape.iter().product(), tensor.data.len());
                    if expected != got {
                        return Err(EvolutionError::Length { tensor: name.clone(), member, expected, got });
                    }
                }
            }
            Self::Stored(checkpoint) => {
                for name in checkpoint.names() {
                    checkpoint.reader(name)?;
                }
            }
        }
        Ok(())
    }
}

impl ReadValues for StoredValues<'_> {
    fn read(&self, start: usize, out: &mut [f32]) -> Result<(), String> {
        self.0.read(start, out).map_err(|error| error.to_string())
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
