//! The weights of a model wherever they are: in memory, in files, or made when they are asked for.

use std::error::Error;
use std::path::PathBuf;

use crate::{Checkpoint, Dtype, StateDict};

/// Why a tensor could not be read or made.
pub type WeightsError = Box<dyn Error + Send + Sync>;

/// The weights of one model, tensor by tensor, under Hugging Face's names.
pub trait Weights {
    /// Names of all tensors, sorted.
    fn names(&self) -> Vec<String>;

    /// The tensor's shape; None if there is no such tensor.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;

    /// How the tensor `name` is stored, or would be; whoever reads it may keep it so in memory.
    fn dtype(&self, name: &str) -> Dtype;

    /// The file of the tensor, or the folder where it should be; None of weights in memory.
    fn place(&self, _name: &str) -> Option<PathBuf> {
        None
    }

    /// Fills `out` with all values of a tensor.
    ///
    /// # Errors
    /// There is no such tensor, or it cannot be read or made.
    fn read(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError>;

    /// Fills `out` with all values of a tensor whose dtype is [`Dtype::BF16`], as words of that format.
    ///
    /// # Errors
    /// Those of [`Weights::read`].
    fn read_bf16(&self, name: &str, out: &mut [u16]) -> Result<(), WeightsError>;
}

impl Weights for StateDict {
    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.get(name).map(|tensor| tensor.shape.clone())
    }

    fn dtype(&self, _name: &str) -> Dtype {
        Dtype::F32
    }

    fn read(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError> {
        let tensor = self.get(name).ok_or_else(|| format!("tensor {name}: not in memory"))?;
        out.copy_from_slice(&tensor.data);
        Ok(())
    }

    fn read_bf16(&self, name: &str, _out: &mut [u16]) -> Result<(), WeightsError> {
        Err(format!("tensor {name}: expected bfloat16, got float32").into())
    }
}

impl Weights for Checkpoint {
    fn names(&self) -> Vec<String> {
        Checkpoint::names(self).map(str::to_string).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.raw_reader(name).ok().map(|reader| reader.shape().to_vec())
    }

    fn dtype(&self, name: &str) -> Dtype {
        self.info(name).map_or(Dtype::F32, |info| info.dtype)
    }

    fn place(&self, name: &str) -> Option<PathBuf> {
        Some(self.raw_reader(name).map_or_else(|_| self.dir().to_path_buf(), |reader| reader.path().to_path_buf()))
    }

    fn read(&self, name: &str, out: &mut [f32]) -> Result<(), WeightsError> {
        Ok(self.reader(name)?.read(0, out)?)
    }

    fn read_bf16(&self, name: &str, out: &mut [u16]) -> Result<(), WeightsError> {
        Ok(self.raw_reader(name)?.read_bytes(0, bytemuck::cast_slice_mut(out))?)
    }
}
