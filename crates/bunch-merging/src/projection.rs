//! What tuning changed, projected onto what alignment changed, and how well the two agree (Safe LoRA, arXiv:2405.16833).

use crate::error::MergeError;
use crate::gram::dot;
use crate::kernel::Kernel;
use crate::matrix::{Matrix, add_product_of_transpose, write_product};
use crate::tensor::TensorAcrossModels;
use std::sync::Arc;

/// Index of the tuned model among the experts of every method that projects.
pub(crate) const TUNED: usize = 0;
/// Index of the aligned model.
pub(crate) const ALIGNED: usize = 1;

/// What is left of a tensor's change in the directions in which alignment moved it.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    cosine: Option<f64>,
    form: Form,
}

#[derive(Debug, Default)]
enum Form {
    /// There is none.
    #[default]
    Nothing,
    /// For matrices with no more columns than rows: Vᵀ D / |V|, by which a row of V is multiplied.
    Factor { columns: usize, factor: Vec<f64> },
    /// C D itself.
    Whole(Vec<f64>),
}

/// Inner products that add up to a cosine.
#[derive(Default)]
struct Cosine {
    product: f64,
    squares: [f64; 2],
}

impl Cosine {
    fn add(&mut self, projected: &[f64], change: &[f32]) {
        for (projected, change) in projected.iter().zip(change) {
            let change = f64::from(*change);
            self.product += projected * change;
            self.squares[0] += projected * projected;
            self.squares[1] += change * change;
        }
    }

    fn value(&self) -> Option<f64> {
        let [projected, change] = self.squares;
        // A change of which nothing is left agrees with alignment as little as one at a right angle.
        let cosine = || if projected == 0.0 { 0.0 } else { self.product / (projected.sqrt() * change.sqrt()) };
        (change > 0.0).then(cosine)
    }
}

/// What alignment changed and what tuning changed.
fn changes(base: &[f32], tuned: &[f32], aligned: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let difference = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a - b).collect();
    (difference(aligned, base), difference(tuned, aligned))
}

impl Projection {
    /// The projection of a tensor's change; it depends on the models alone.
    pub(crate) fn of(tensor: &TensorAcrossModels<'_>) -> Result<Arc<Self>, MergeError> {
        tensor.remember_large("projection", 0, || Self::find(tensor, true))
    }

    /// The cosine alone, without holding what is left of the change.
    pub(crate) fn cosine_of(tensor: &TensorAcrossModels<'_>) -> Result<Option<f64>, MergeError> {
        tensor.remember("cosine of the projection", 0, || Ok(Self::find(tensor, false)?.cosine)).map(|cosine| *cosine)
    }

    /// Between the change and what is left of it, from -1 to 1; none for vectors, and where alignment or tuning changed
    /// nothing.
    pub(crate) fn cosine(&self) -> Option<f64> {
        self.cosine
    }

    /// Bytes that are held while a tensor of this shape is projected.
    pub(crate) fn memory(shape: &[usize]) -> usize {
        let columns = shape.last().copied().unwrap_or(1);
        let rows = shape.iter().product::<usize>() / columns.max(1);
        let side = rows.min(columns);
        let product = if rows < columns { rows * columns * size_of::<f64>() } else { 0 };
        if shape.len() > 1 { side * side * size_of::<f64>() + product } else { 0 }
    }

    fn find(tensor: &TensorAcrossModels<'_>, keeps_projection: bool) -> Result<Self, MergeError> {
        match tensor.matrix() {
            None => Ok(Self::default()),
            Some(matrix) if matrix.columns() <= matrix.rows() => Self::by_rows(matrix),
            Some(matrix) => Self::by_columns(matrix, keeps_projection),
        }
    }

    /// By way of Vᵀ D, in two passes.
    fn by_rows(matrix: Matrix<'_, '_>) -> Result<Self, MergeError> {
        let columns = matrix.columns();
        let (mut factor, mut square) = (vec![0.0; columns * columns], 0.0);
        matrix.each_band_of_rows(|band| {
            let (v, d) = changes(band.base(), band.expert(TUNED), band.expert(ALIGNED));
            square += dot(&v, &v);
            add_product_of_transpose(&v, &d, columns, &mut factor);
        })?;
        if square == 0.0 {
            return Ok(Self::default());
        }
        factor.iter_mut().for_each(|value| *value /= square.sqrt());
        let mut cosine = Cosine::default();
        matrix.each_band_of_rows(|band| {
            let (v, d) = changes(band.base(), band.expert(TUNED), band.expert(ALIGNED));
            let mut projected = vec![0.0; band.len()];
            write_product(&v, &factor, columns, &mut projected);
            cosine.add(&projected, &d);
        })?;
        Ok(Self { cosine: cosine.value(), form: Form::Factor { columns, factor } })
    }

    /// By way of V Vᵀ, in two passes: for matrices with fewer rows than columns it is the smaller square.
    fn by_columns(matrix: Matrix<'_, '_>, keeps_projection: bool) -> Result<Self, MergeError> {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let (mut square_of_v, mut norm) = (vec![0.0; rows * rows], 0.0);
        matrix.each_band_of_columns(|band| {
            let (v, _) = changes(&band.base, &band.experts[TUNED], &band.experts[ALIGNED]);
            norm += dot(&v, &v);
            add_product_of_transpose(&v, &v, rows, &mut square_of_v);
        })?;
        if norm == 0.0 {
            return Ok(Self::default());
        }
        square_of_v.iter_mut().for_each(|value| *value /= norm.sqrt());
        let len = if keeps_projection { rows * columns } else { 0 };
        let (mut whole, mut cosine) = (vec![0.0; len], Cosine::default());
        matrix.each_band_of_columns(|band| {
            let (_, d) = changes(&band.base, &band.experts[TUNED], &band.experts[ALIGNED]);
            let mut projected = vec![0.0; d.len()];
            // V Vᵀ is its own transpose.
            write_product(&d, &square_of_v, rows, &mut projected);
            cosine.add(&projected, &d);
            for (index, value) in projected.into_iter().enumerate().take(len) {
                whole[index % rows * columns + band.first + index / rows] = value;
            }
        })?;
        Ok(Self { cosine: cosine.value(), form: Form::Whole(whole) })
    }

    /// A kernel that writes the aligned model plus the projection.
    pub(crate) fn kernel<'a>(projection: Arc<Self>) -> Kernel<'a> {
        let add = |aligned: &[f32], projected: &[f64], out: &mut [f32]| {
            for ((out, aligned), projected) in out.iter_mut().zip(aligned).zip(projected) {
                *out = (f64::from(*aligned) + projected) as f32;
            }
        };
        match projection.form {
            Form::Nothing => Kernel::copy_of(TUNED),
            Form::Whole(_) => Kernel::new(move |block, out| {
                if let Form::Whole(whole) = &projection.form {
                    add(block.expert(ALIGNED), &whole[block.start()..block.start() + block.len()], out);
                }
            }),
            Form::Factor { columns, .. } => Kernel::bands(columns, move |band, out| {
                if let Form::Factor { factor, .. } = &projection.form {
                    let (v, _) = changes(band.base(), band.expert(TUNED), band.expert(ALIGNED));
                    let mut projected = vec![0.0; band.len()];
                    write_product(&v, factor, columns, &mut projected);
                    add(band.expert(ALIGNED), &projected, out);
                }
            }),
        }
    }
}
