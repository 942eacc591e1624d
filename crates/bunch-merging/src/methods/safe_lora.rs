//! Safe LoRA on full weights: what tuning changed is projected onto what alignment changed, where the two disagree.

use crate::error::MergeError;
use crate::gram::dot;
use crate::info::{Info, Law, Laws, Role};
use crate::kernel::Kernel;
use crate::matrix::{Matrix, add_product_of_transpose, write_product};
use crate::merge_method::MergeMethod;
use crate::parameters::check_finite;
use crate::survey::Survey;
use crate::tensor::TensorAcrossModels;
use crate::tensor_source::TensorSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Projects what tuning changed onto what alignment changed, in the matrices in which the two disagree.
///
/// For each matrix V is the aligned model minus the pretrained one, and D the tuned model minus the aligned one. The
/// projection C D, with C = V Vᵀ / |V|, keeps of D what lies in the directions in which alignment moved the matrix. Where
/// the cosine of C D and D is below the threshold, D is replaced by C D; elsewhere, and in vectors, the tuned model stays as
/// it is. With `number`, as many matrices are projected as it says, those with the smallest cosines, and all that equal the
/// last of them; `threshold` then says nothing. Where alignment changed nothing there is nothing to project onto, and the
/// tuned model stays as it is.
///
/// The paper projects the updates of LoRA adapters; this is the same rule for a model whose weights were all tuned. C is not
/// an exact projection and carries the units of V: C D is usually much shorter than D.
///
/// # Example
/// ```toml
/// shape = [2, 2]
/// base = [0.0, 0.0, 0.0, 0.0]
/// experts = { tuned = [1.5, 0.0, 0.0, 3.0], aligned = [0.5, 0.0, 0.0, 0.0] }
/// merge.safe_lora = { threshold = 0.35 }
/// merged = [1.0, 0.0, 0.0, 0.0]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SafeLora {
    /// Cosine below which a matrix is projected: 0.35 in the paper for Llama-2, 0.5 in its code.
    pub threshold: f64,
    /// How many matrices are projected, instead of those below the threshold; 0 for those below the threshold.
    pub number: u32,
}

impl Default for SafeLora {
    fn default() -> Self {
        Self { threshold: 0.5, number: 0 }
    }
}

impl MergeMethod for SafeLora {
    const INFO: Info = Info::new("safe_lora", "Safe LoRA on full weights")
        .paper("arXiv:2405.16833", "Hsu et al., 2024")
        .laws(Laws {
            weight_scaling: Law::Except("there are no weights"),
            homogeneity: Law::Except("the projection carries the units of what alignment changed"),
            ..Laws::ALL
        })
        .roles(&[
            Role::new("base", "the pretrained model that the aligned one was made from"),
            Role::new("tuned", "the model tuned from the aligned one").result_if(("aligned", "base"), &[]),
            Role::new("aligned", "the aligned model").result_if(("tuned", "aligned"), &[]),
        ]);

    fn validate(&self, _experts: usize) -> Result<(), MergeError> {
        check_finite(&Self::INFO, "threshold", self.threshold as f32)
    }

    fn needs_survey(&self) -> bool {
        self.number > 0
    }

    fn survey<S: TensorSource>(&self, _experts: usize, source: &mut S) -> Result<Option<Survey>, S::Error> {
        let mut cosines = BTreeMap::new();
        source.visit(&mut |tensor| {
            cosines.extend(Projection::of(tensor)?.cosine.map(|cosine| (tensor.name.to_owned(), cosine)));
            Ok(())
        })?;
        let mut sorted: Vec<f64> = cosines.values().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.get((self.number as usize).min(sorted.len()).saturating_sub(1)).copied();
        // Ties may make it more than the number, as in the released code.
        let is_projected = |cosine: f64| last.is_some_and(|last| cosine <= last);
        Ok(Some(Survey::new(cosines.into_iter().map(|(name, cosine)| (name, is_projected(cosine))).collect())))
    }

    fn prepare<'a>(&'a self, tensor: &TensorAcrossModels<'a>, _seed: u64) -> Result<Kernel<'a>, MergeError> {
        if self.number > 0 && tensor.survey.is_none() {
            let (method, experts) = (Self::INFO.name, tensor.experts.len());
            return Err(MergeError::MissingSurvey { method, tensor: tensor.name.into(), experts });
        }
        let projection = Projection::of(tensor)?;
        let is_projected = |cosine: f64| match self.number {
            0 => cosine < self.threshold,
            _ => tensor.survey.and_then(|survey| survey.of(tensor.name)).copied().unwrap_or(false),
        };
        Ok(match projection.cosine {
            Some(cosine) if is_projected(cosine) => Projection::kernel(projection),
            _ => Kernel::copy_of(TUNED),
        })
    }

    fn memory(shape: &[usize]) -> usize {
        let columns = shape.last().copied().unwrap_or(1);
        let rows = shape.iter().product::<usize>() / columns.max(1);
        let side = rows.min(columns);
        let product = if rows < columns { rows * columns * size_of::<f64>() } else { 0 };
        if shape.len() > 1 { side * side * size_of::<f64>() + product } else { 0 }
    }
}

const TUNED: usize = 0;
const ALIGNED: usize = 1;

/// What is left of a tensor's change in the directions in which alignment moved it.
#[derive(Debug, Default)]
struct Projection {
    /// Between the change and what is left of it; none for vectors, and where alignment or tuning changed nothing.
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
    fn of(tensor: &TensorAcrossModels<'_>) -> Result<Arc<Self>, MergeError> {
        tensor.remember_large("safe_lora", 0, || match tensor.matrix() {
            None => Ok(Self::default()),
            Some(matrix) if matrix.columns() <= matrix.rows() => Self::by_rows(matrix),
            Some(matrix) => Self::by_columns(matrix),
        })
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
    fn by_columns(matrix: Matrix<'_, '_>) -> Result<Self, MergeError> {
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
        let (mut whole, mut cosine) = (vec![0.0; rows * columns], Cosine::default());
        matrix.each_band_of_columns(|band| {
            let (_, d) = changes(&band.base, &band.experts[TUNED], &band.experts[ALIGNED]);
            let mut projected = vec![0.0; d.len()];
            // V Vᵀ is its own transpose.
            write_product(&d, &square_of_v, rows, &mut projected);
            cosine.add(&projected, &d);
            for (index, value) in projected.into_iter().enumerate() {
                whole[index % rows * columns + band.first + index / rows] = value;
            }
        })?;
        Ok(Self { cosine: cosine.value(), form: Form::Whole(whole) })
    }

    /// A kernel that writes the aligned model plus the projection.
    fn kernel<'a>(projection: Arc<Self>) -> Kernel<'a> {
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

#[cfg(test)]
mod tests;
