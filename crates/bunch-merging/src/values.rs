//! The values of one tensor of one model: in memory, or read piece by piece.

use std::fmt;

/// Values that are read piece by piece, as from a file.
pub trait ReadValues: Sync {
    /// Fills `out` with the values from index `start` on, row-major; the caller stays inside the tensor.
    ///
    /// # Errors
    /// What cannot be read and why, as a message for the user.
    fn read(&self, start: usize, out: &mut [f32]) -> Result<(), String>;

    /// The number of values.
    fn len(&self) -> usize;

    /// Whether there are no values.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The values of one tensor of one model, row-major.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// All in memory.
    Slice(&'a [f32]),
    /// Read when they are needed, possibly several times.
    Stream(&'a dyn ReadValues),
}

impl<'a> Values<'a> {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Slice(values) => values.len(),
            Self::Stream(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values from `start` on, `len` of them: a part of the slice, or read into `buffer`.
    pub(crate) fn get<'b>(&self, start: usize, len: usize, buffer: &'b mut Vec<f32>) -> Result<&'b [f32], String>
    where
        'a: 'b,
    {
        match self {
            Self::Slice(values) => Ok(&values[start..start + len]),
            Self::Stream(values) => {
                buffer.resize(len, 0.0);
                values.read(start, buffer)?;
                Ok(buffer)
            }
        }
    }
}

impl<'a> From<&'a [f32]> for Values<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::Slice(values)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Values<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Self::Slice(values)
    }
}

impl<'a> From<&'a Vec<f32>> for Values<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Self::Slice(values)
    }
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slice(values) => write!(f, "{} values in memory", values.len()),
            Self::Stream(values) => write!(f, "{} values to be read", values.len()),
        }
    }
}
