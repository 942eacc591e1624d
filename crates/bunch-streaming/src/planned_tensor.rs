//! One tensor of the output, as it is planned.

use bunch_checkpoint::StoredDtype;
use bunch_merging::Method;
use bunch_vocabulary::RowSource;

/// One tensor of the output: where its values come from and what is done with them.
#[derive(Debug, Clone)]
pub struct PlannedTensor {
    /// Its name in the output.
    pub name: String,
    /// Its shape in the output.
    pub shape: Vec<usize>,
    /// How it is stored in the output.
    pub dtype: StoredDtype,
    /// What merges it; none for integers, which are copied.
    pub method: Option<Method>,
    /// The models' tensors: those of the experts in their order, behind that of the base if there is one.
    pub(crate) inputs: Vec<Input>,
    /// Whether the first input is the base.
    pub(crate) has_base: bool,
}

/// A tensor of one model that goes into a tensor of the output.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// Position in the plan's list of models.
    pub(crate) model: usize,
    /// The tensor's name there.
    pub(crate) tensor: String,
    /// Where each row of the merged vocabulary comes from, if the rows are not the tensor's own in their order.
    pub(crate) rows: Option<Vec<RowSource>>,
}

impl PlannedTensor {
    /// The number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values that are read for it, of all models together.
    pub(crate) fn values_read(&self) -> u64 {
        (self.len() * self.inputs.len()) as u64
    }
}
