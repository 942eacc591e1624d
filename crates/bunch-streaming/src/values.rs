//! The values of one tensor of one model as a merge sees them.

use bunch_checkpoint::{CheckpointError, Dtype, LowRankDelta, TensorReader};
use bunch_merging::ReadValues;
use bunch_vocabulary::RowSource;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A tensor of one model: as stored, with its adapter added, rounded to the dtype that the recipe computes in.
#[derive(Debug)]
pub(crate) struct ModelTensor<'a> {
    pub(crate) reader: TensorReader<'a>,
    pub(crate) delta: Option<LowRankDelta>,
    /// To what the values are rounded when they are read.
    pub(crate) rounding: Option<Dtype>,
    /// The number of values that take part: fewer than are stored where a vocabulary is cut.
    pub(crate) len: usize,
    pub(crate) ahead: Mutex<ReadAhead>,
}

/// Bytes that were read before they are asked for: calls of the operating system cost more than small pieces.
#[derive(Debug, Default)]
pub(crate) struct ReadAhead {
    /// Index of the first value that is held.
    start: usize,
    bytes: Vec<u8>,
    /// Index of the value after the last one that was asked for.
    next: usize,
}

/// Bytes that are read at a time where values are asked for in order.
const AHEAD: usize = 1 << 17;

impl ModelTensor<'_> {
    /// Reads values as they are stored: in order from what was read ahead.
    fn read_stored(&self, start: usize, out: &mut [f32]) -> Result<(), CheckpointError> {
        let (dtype, size) = (self.reader.dtype(), self.reader.dtype().size());
        let is_plain = self.reader.raw().byte_length() == self.reader.len() * size;
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in_order = ahead.next == start;
        ahead.next = start + out.len();
        // Quantised values have no bytes of their own; a row here and there is read as it is.
        if !is_plain || !is_in_order || out.len() * size >= AHEAD {
            return self.reader.read(start, out);
        }
        let ReadAhead { start: first, bytes, .. } = &mut *ahead;
        let is_held = |first: usize, bytes: &[u8]| start >= first && (start + out.len() - first) * size <= bytes.len();
        if !is_held(*first, bytes) {
            bytes.resize(AHEAD.min((self.reader.len() - start) * size), 0);
            *first = start;
            self.reader.read_bytes(start * size, bytes)?;
        }
        let offset = (start - *first) * size;
        dtype.decode_into(&bytes[offset..offset + out.len() * size], out);
        Ok(())
    }
}

impl ReadValues for ModelTensor<'_> {
    fn read(&self, start: usize, out: &mut [f32]) -> Result<(), String> {
        self.read_stored(start, out).map_err(|error| error.to_string())?;
        if let Some(delta) = &self.delta {
            delta.add_to(start, out);
        }
        if let Some(dtype) = self.rounding.filter(|dtype| *dtype != Dtype::F32) {
            let mut bytes = Vec::with_capacity(out.len() * dtype.size());
            dtype.encode(out, &mut bytes);
            out.copy_from_slice(&dtype.decode(&bytes));
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }
}

/// A tensor whose rows are tokens, in the order of a merged vocabulary.
pub(crate) struct VocabularyTensor<'a> {
    /// The tensors of all models of the slice, each with the model's position in the merge.
    pub(crate) models: &'a [(usize, ModelTensor<'a>)],
    /// Which of them this is.
    pub(crate) own: usize,
    /// Where each row comes from; models by their position in the merge.
    pub(crate) rows: &'a [RowSource],
    /// Values of a row.
    pub(crate) width: usize,
    /// The mean of all rows that are not padding, once it is known.
    pub(crate) mean: OnceLock<Result<Vec<f32>, String>>,
}

impl VocabularyTensor<'_> {
    /// Writes the entries of a row from column `column` on.
    fn read_row(&self, row: usize, column: usize, out: &mut [f32]) -> Result<(), String> {
        let read = |model: usize, row: usize, out: &mut [f32]| match self
            .models
            .iter()
            .find(|(position, _)| *position == model)
        {
            Some((_, tensor)) => tensor.read(row * self.width + column, out),
            None => Err(format!("row {row} is of model {model}, which has no such tensor")),
        };
        match &self.rows[row] {
            RowSource::Own(row) => self.models[self.own].1.read(row * self.width + column, out),
            RowSource::Of { model, row } => read(*model, *row, out),
            RowSource::Zero => {
                out.fill(0.0);
                Ok(())
            }
            RowSource::Mean(rows) => {
                let mut sums = vec![0.0_f64; out.len()];
                for &(model, row) in rows {
                    read(model, row, out)?;
                    sums.iter_mut().zip(&*out).for_each(|(sum, value)| *sum += f64::from(*value));
                }
                let count = rows.len() as f64;
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = (sum / count) as f32);
                Ok(())
            }
            RowSource::MeanOfRows => {
                let mean = self.mean.get_or_init(|| self.mean_of_rows()).as_ref().map_err(Clone::clone)?;
                out.copy_from_slice(&mean[column..column + out.len()]);
                Ok(())
            }
        }
    }

    fn mean_of_rows(&self) -> Result<Vec<f32>, String> {
        let (mut sums, mut count) = (vec![0.0_f64; self.width], 0_usize);
        let mut values = vec![0.0; self.width];
        for row in 0..self.rows.len() {
            if !matches!(self.rows[row], RowSource::MeanOfRows) {
                self.read_row(row, 0, &mut values)?;
                sums.iter_mut().zip(&values).for_each(|(sum, value)| *sum += f64::from(*value));
                count += 1;
            }
        }
        Ok(sums.into_iter().map(|sum| (sum / count.max(1) as f64) as f32).collect())
    }
}

impl ReadValues for VocabularyTensor<'_> {
    fn read(&self, start: usize, out: &mut [f32]) -> Result<(), String> {
        let (mut start, mut out) = (start, out);
        while !out.is_empty() {
            let (row, column) = (start / self.width, start % self.width);
            let len = (self.width - column).min(out.len());
            let (now, later) = out.split_at_mut(len);
            self.read_row(row, column, now)?;
            (start, out) = (start + len, later);
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.rows.len() * self.width
    }
}
