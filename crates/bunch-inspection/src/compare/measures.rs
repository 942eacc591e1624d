//! How alike two vectors of weights are.

use super::sums::{Sums, TaskSums};

/// How alike two vectors of weights are: a tensor's, or those of a layer, a module or a model as if all of its tensors
/// were one long vector. Computed in f64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measures {
    /// Number of values compared.
    pub values: u64,
    /// Length (Euclidean norm) of A.
    pub norm_a: f64,
    /// Length of B.
    pub norm_b: f64,
    /// Cosine of the angle between A and B, -1 to 1; None if one of them is zero.
    pub cosine: Option<f64>,
    /// Length of A - B.
    pub distance: f64,
    /// |A - B| / |A|: the norm of A divides; 0 if A and B are equal, None if only A is zero.
    pub relative_distance: Option<f64>,
    /// Largest |a - b| of two values.
    pub max_difference: f64,
    /// Share of the values that are the same in A and B, 0 to 1 (0 and -0 are the same); None if there are none.
    pub equal_share: Option<f64>,
    /// How alike the changes since the base are, if there is one.
    pub task_vectors: Option<TaskVectorMeasures>,
}

/// How alike the task vectors A - base and B - base are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskVectorMeasures {
    /// Number of values compared; fewer than of the weights where the base lacks a tensor.
    pub values: u64,
    /// Length of the base.
    pub norm_base: f64,
    /// |A - base|.
    pub norm_a: f64,
    /// |B - base|.
    pub norm_b: f64,
    /// |A - base| / |base|; 0 if A is the base, None if only the base is zero.
    pub relative_norm_a: Option<f64>,
    /// |B - base| / |base|; 0 if B is the base, None if only the base is zero.
    pub relative_norm_b: Option<f64>,
    /// Cosine of the angle between the task vectors, -1 to 1; None if one of them is zero.
    pub cosine: Option<f64>,
    /// Of the entries that are zero in neither task vector, the share with the same sign in both, 0 to 1; None if there
    /// are none.
    pub sign_agreement: Option<f64>,
    /// Share of the entries that are zero in both task vectors, 0 to 1; None if there are none.
    pub both_zero_share: Option<f64>,
}

impl Measures {
    /// The measures of models in memory, as if all tensors given were one long vector each: A, B and their base, of equal
    /// length tensor by tensor.
    pub fn of<'a>(tensors: impl IntoIterator<Item = (&'a [f32], &'a [f32], &'a [f32])>) -> Self {
        let mut sums = Sums::default();
        tensors.into_iter().for_each(|(a, b, base)| sums.add(&Sums::with_base(a, b, base)));
        Self::new(&sums)
    }

    pub(crate) fn new(sums: &Sums) -> Self {
        Self {
            values: sums.values,
            norm_a: sums.aa.sqrt(),
            norm_b: sums.bb.sqrt(),
            cosine: cosine(sums.ab, sums.aa, sums.bb),
            distance: sums.squared_distance.sqrt(),
            relative_distance: relative(sums.squared_distance, sums.aa),
            max_difference: sums.max_difference,
            equal_share: share(sums.equal, sums.values),
            task_vectors: sums.task.as_ref().map(TaskVectorMeasures::new),
        }
    }
}

impl TaskVectorMeasures {
    fn new(sums: &TaskSums) -> Self {
        Self {
            values: sums.values,
            norm_base: sums.base.sqrt(),
            norm_a: sums.uu.sqrt(),
            norm_b: sums.vv.sqrt(),
            relative_norm_a: relative(sums.uu, sums.base),
            relative_norm_b: relative(sums.vv, sums.base),
            cosine: cosine(sums.uv, sums.uu, sums.vv),
            sign_agreement: share(sums.same_sign, sums.same_sign + sums.opposite_sign),
            both_zero_share: share(sums.both_zero, sums.values),
        }
    }
}

/// The cosine of two vectors by their inner products. One root of the product, not a product of roots: a vector's
/// cosine with itself is 1 to the last bit.
fn cosine(product: f64, square_a: f64, square_b: f64) -> Option<f64> {
    let squares = square_a * square_b;
    (squares > 0.0).then(|| (product / squares.sqrt()).clamp(-1.0, 1.0))
}

/// A length in units of another, both squared.
fn relative(square: f64, square_of_unit: f64) -> Option<f64> {
    match (square == 0.0, square_of_unit == 0.0) {
        (true, _) => Some(0.0),
        (false, true) => None,
        (false, false) => Some((square / square_of_unit).sqrt()),
    }
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::Measures;
    use crate::compare::sums::Sums;

    #[test]
    fn measures_by_hand() {
        let measures = Measures::new(&Sums::with_base(&[3.0, 0.0, 4.0], &[3.0, 5.0, 0.0], &[3.0, 0.0, 0.0]));
        assert_eq!((measures.norm_a, measures.norm_b), (5.0, 34_f64.sqrt()));
        assert_eq!(measures.cosine, Some(9.0 / (25.0_f64 * 34.0).sqrt()));
        assert_eq!((measures.distance, measures.max_difference), (41_f64.sqrt(), 5.0));
        assert_eq!(measures.relative_distance, Some((41_f64 / 25.0).sqrt()));
        assert_eq!(measures.equal_share, Some(1.0 / 3.0));
        // [0, 0, 4] and [0, 5, 0].
        let task = measures.task_vectors.unwrap();
        assert_eq!((task.norm_base, task.norm_a, task.norm_b), (3.0, 4.0, 5.0));
        assert_eq!(
            (task.relative_norm_a, task.relative_norm_b),
            (Some((16_f64 / 9.0).sqrt()), Some((25_f64 / 9.0).sqrt()))
        );
        assert_eq!((task.cosine, task.sign_agreement, task.both_zero_share), (Some(0.0), None, Some(1.0 / 3.0)));
    }

    #[test]
    fn zero_vectors_have_no_direction() {
        let measures = Measures::new(&Sums::with_base(&[0.0], &[1.0], &[0.0]));
        assert_eq!((measures.cosine, measures.relative_distance), (None, None));
        let task = measures.task_vectors.unwrap();
        assert_eq!((task.cosine, task.relative_norm_a, task.relative_norm_b), (None, Some(0.0), None));
        let nothing = Measures::new(&Sums::of(&[], &[]));
        assert_eq!((nothing.equal_share, nothing.cosine, nothing.relative_distance), (None, None, Some(0.0)));
    }

    #[test]
    fn opposite_vectors_have_cosine_minus_one() {
        let a: Vec<f32> = (0..99_u8).map(|i| f32::from(i) * 0.37 - 11.0).collect();
        let b: Vec<f32> = a.iter().map(|value| -value).collect();
        let measures = Measures::new(&Sums::of(&a, &b));
        assert_eq!((measures.cosine, measures.relative_distance), (Some(-1.0), Some(2.0)));
    }
}
