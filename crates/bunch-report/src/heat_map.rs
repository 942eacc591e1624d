//! A table of numbers as coloured cells.

use crate::ReportError;
use crate::picture::{PIXELS, Picture, pictures};

mod canvas;
pub(crate) mod scale;

/// A table of numbers as coloured cells, with a colour bar.
///
/// The colours get lighter from low to high, in print without colour too, and differ for every common form of
/// colour vision. The numbers stand in the cells where they fit.
///
/// ```
/// let map = bunch_report::HeatMap {
///     title: "cosine of the weights".into(),
///     rows: vec!["layer 0".into(), "layer 1".into()],
///     columns: vec!["q_proj".into(), "up_proj".into()],
///     values: vec![vec![Some(0.25), Some(0.5)], vec![None, Some(1.0)]],
///     legend: "cosine".into(),
///     range: None,
/// };
/// assert!(map.svg()?.contains("0.25"));
/// # Ok::<(), bunch_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// Title.
    pub title: String,
    /// Labels of the rows, from above.
    pub rows: Vec<String>,
    /// Labels of the columns, from the left.
    pub columns: Vec<String>,
    /// The number of each row and column; a cell without one is hatched. // [rows, columns]
    pub values: Vec<Vec<Option<f64>>>,
    /// What the numbers are, with their unit; shown next to the colour bar.
    pub legend: String,
    /// The values at the lower and the upper end of the colours, those beyond have the end's colour; None for the lowest
    /// and highest of the values, rounded outwards.
    pub range: Option<[f64; 2]>,
}

pictures!(HeatMap);

impl HeatMap {
    /// Fails if there are no rows or columns, not as many values as rows times columns, a value or an end of the
    /// range is not finite, the range is empty.
    fn check(&self) -> Result<(), ReportError> {
        let place = || format!("heat map `{}`", self.title);
        for (field, is_empty) in [("rows", self.rows.is_empty()), ("columns", self.columns.is_empty())] {
            if is_empty {
                return Err(ReportError::Empty { place: place(), field });
            }
        }
        let lengths = || self.values.iter().map(Vec::len);
        if self.values.len() != self.rows.len() || lengths().any(|length| length != self.columns.len()) {
            let expected = format!("{} rows of {} values", self.rows.len(), self.columns.len());
            let got = format!("{} rows of {:?}", self.values.len(), lengths().collect::<Vec<_>>());
            return Err(self.failed(format_args!("expected {expected}, got {got}")));
        }
        let ends = self.range.iter().flatten().map(|&end| ("range", end));
        let values = self.values.iter().flatten().flatten().map(|&value| ("values", value));
        if let Some((field, got)) = ends.chain(values).find(|(_, number)| !number.is_finite()) {
            return Err(ReportError::NotFinite { place: place(), field: field.into(), got });
        }
        match self.range {
            Some([low, high]) if low >= high => {
                Err(self.failed(format_args!("the range from {low} to {high} is empty")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
