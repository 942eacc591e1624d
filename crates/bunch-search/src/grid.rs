//! Exhaustive search over the product of a few values per gene.

use crate::record::Record;
use crate::{Evaluation, Search, SearchError};

/// Every combination of the axes' values, in one batch.
///
/// ```
/// use bunch_search::{Grid, Search};
/// let mut grid = Grid::new(vec![vec![0.25, 0.5], vec![1.0, 2.0]])?;
/// assert_eq!(grid.propose().unwrap(), [[0.25, 1.0], [0.25, 2.0], [0.5, 1.0], [0.5, 2.0]]);
/// grid.observe(&[3.0, 1.0, 2.0, 1.0]);
/// assert_eq!(grid.best(), Some(([0.25, 2.0].as_slice(), 1.0)));
/// assert_eq!(grid.propose(), None);
/// # Ok::<(), bunch_search::SearchError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Grid {
    axes: Vec<Vec<f64>>,
    record: Record,
}

impl Grid {
    /// A grid over `axes`, one list of values per gene; points come in row-major order (the last gene varies fastest).
    ///
    /// # Errors
    /// If there is no axis, an axis is empty, or a value is not finite.
    pub fn new(axes: Vec<Vec<f64>>) -> Result<Self, SearchError> {
        if axes.is_empty() {
            return Err(SearchError::EmptyAxis { axis: 0, axes: 0 });
        }
        for (axis, values) in axes.iter().enumerate() {
            if values.is_empty() {
                return Err(SearchError::EmptyAxis { axis, axes: axes.len() });
            }
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(SearchError::NotFinite { what: format!("grid axis {axis}"), index, got: values[index] });
            }
        }
        Ok(Self { axes, record: Record::default() })
    }

    fn points(&self) -> Vec<Vec<f64>> {
        let start = vec![Vec::with_capacity(self.axes.len())];
        self.axes.iter().fold(start, |points, values| {
            points
                .iter()
                .flat_map(|point| values.iter().map(|&value| point.iter().copied().chain([value]).collect()))
                .collect()
        })
    }
}

impl Search for Grid {
    fn propose(&mut self) -> Option<Vec<Vec<f64>>> {
        self.record.trace().is_empty().then(|| self.points())
    }

    fn observe(&mut self, losses: &[f64]) {
        let points = self.propose().unwrap_or_default();
        assert_eq!(losses.len(), points.len(), "one loss per proposed point");
        for (point, &loss) in points.into_iter().zip(losses) {
            self.record.push(point, loss, 0, 0);
        }
    }

    fn best(&self) -> Option<(&[f64], f64)> {
        self.record.best()
    }

    fn trace(&self) -> &[Evaluation] {
        self.record.trace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_in_row_major_order() {
        let mut grid = Grid::new(vec![vec![1.0, 2.0], vec![3.0], vec![4.0, 5.0]]).unwrap();
        let points = grid.propose().unwrap();
        assert_eq!(points, [[1.0, 3.0, 4.0], [1.0, 3.0, 5.0], [2.0, 3.0, 4.0], [2.0, 3.0, 5.0]]);
        assert_eq!(grid.propose().unwrap(), points, "unobserved batches are proposed again");
    }

    #[test]
    fn ties_go_to_the_first_and_nan_never_wins() {
        let mut grid = Grid::new(vec![vec![1.0, 2.0, 3.0, 4.0]]).unwrap();
        grid.propose();
        grid.observe(&[f64::NAN, 0.5, 0.5, 0.7]);
        assert_eq!(grid.best(), Some(([2.0].as_slice(), 0.5)));
        assert_eq!(grid.trace()[0].loss, f64::INFINITY);
        assert_eq!(grid.trace().iter().map(|e| e.step).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn without_a_finite_loss_there_is_no_best() {
        let mut grid = Grid::new(vec![vec![1.0, 2.0]]).unwrap();
        grid.observe(&[f64::NAN, f64::INFINITY]);
        assert_eq!(grid.best(), None);
    }

    #[test]
    fn bad_axes_are_refused() {
        assert_eq!(Grid::new(vec![]).unwrap_err(), SearchError::EmptyAxis { axis: 0, axes: 0 });
        assert_eq!(Grid::new(vec![vec![1.0], vec![]]).unwrap_err(), SearchError::EmptyAxis { axis: 1, axes: 2 });
        let error = Grid::new(vec![vec![0.1, f64::INFINITY]]).unwrap_err();
        assert_eq!(error.to_string(), "grid axis 0: entry 1 is inf, expected a finite number");
    }

    #[test]
    #[should_panic(expected = "one loss per proposed point")]
    fn a_wrong_number_of_losses_is_a_bug_of_the_caller() {
        Grid::new(vec![vec![1.0, 2.0]]).unwrap().observe(&[1.0]);
    }
}
