//! Views of matrices and their product, by the `gemm` crate.

use std::marker::PhantomData;

/// A matrix to read: `rows x columns` values with a step between rows and one between columns.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    first: *const f32,
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
    values: PhantomData<&'a [f32]>,
}

// SAFETY: it stands for a shared borrow of f32 values.
unsafe impl Send for Matrix<'_> {}
// SAFETY: as above.
unsafe impl Sync for Matrix<'_> {}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// Rows that begin `row_step` values apart.
    pub(crate) fn strided(values: &'a [f32], rows: usize, columns: usize, row_step: usize) -> Self {
        assert!(rows == 0 || (rows - 1) * row_step + columns <= values.len(), "a matrix within its values");
        Self { first: values.as_ptr(), rows, columns, row_step, column_step: 1, values: PhantomData }
    }

    pub(crate) fn transposed(self) -> Self {
        let Self { rows, columns, row_step, column_step, .. } = self;
        Self { rows: columns, columns: rows, row_step: column_step, column_step: row_step, ..self }
    }
}

/// A matrix to write: rows of adjacent values, `row_step` apart.
pub(crate) struct MatrixMut<'a> {
    first: *mut f32,
    rows: usize,
    columns: usize,
    row_step: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for a unique borrow of the f32 values it reaches.
unsafe impl Send for MatrixMut<'_> {}

impl<'a> MatrixMut<'a> {
    /// Rows one after the other.
    pub(crate) fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of all the values");
        Self { first: values.as_mut_ptr(), rows, columns, row_step: columns, values: PhantomData }
    }

    /// `columns` columns from `start` on, of rows that begin `row_step` values apart.
    pub(crate) fn columns(values: &'a mut [f32], rows: usize, row_step: usize, start: usize, columns: usize) -> Self {
        assert!(start + columns <= row_step && rows * row_step <= values.len(), "columns within the rows");
        // SAFETY: `start` is within a row, and so within the values.
        Self { first: unsafe { values.as_mut_ptr().add(start) }, rows, columns, row_step, values: PhantomData }
    }

    /// The matrix cut into panels of `width` columns; the last may be narrower.
    pub(crate) fn column_panels(self, width: usize) -> Vec<MatrixMut<'a>> {
        (0..self.columns)
            .step_by(width)
            .map(|start| MatrixMut {
                // SAFETY: `start` is within the first row. No two panels reach the same value.
                first: unsafe { self.first.add(start) },
                columns: width.min(self.columns - start),
                ..self
            })
            .collect()
    }
}

/// `out = a b`; with `threads`, on all threads of the current pool.
pub(crate) fn multiply(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: bool) {
    accumulate(out, a, b, threads, false);
}

/// `out = a b`, or `out += a b` with `add`.
pub(crate) fn accumulate(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, threads: bool, add: bool) {
    assert_eq!((out.rows, out.columns, a.columns), (a.rows, b.columns, b.rows), "shapes of a product");
    let threads = if threads { rayon::current_num_threads() } else { 1 };
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    // SAFETY: the views were checked to lie within their values when they were made, their shapes match, and `out` is a
    // unique borrow.
    unsafe {
        gemm::gemm(
            out.rows,
            out.columns,
            a.columns,
            out.first,
            1,
            out.row_step as isize,
            add,
            a.first,
            a.column_step as isize,
            a.row_step as isize,
            b.first,
            b.column_step as isize,
            b.row_step as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
