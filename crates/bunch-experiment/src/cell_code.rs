//! The source code that a cell's numbers follow from.

/// Hash of the source code that a cell depends on, besides that of training and of the merge methods that it uses.
pub(crate) const CELL_CODE: &str = env!("BUNCH_CELL_CODE");
