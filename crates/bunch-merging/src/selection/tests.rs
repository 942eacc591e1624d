//! Cutoffs against sorting.

use super::find_cutoffs;
use crate::tensor::TensorAcrossModels;
use crate::values::Values;
use proptest::prelude::*;

proptest! {
    /// What a cutoff keeps is what a stable sort by magnitude puts first.
    #[test]
    fn cutoffs_keep_what_a_stable_sort_keeps(
        values in prop::collection::vec(prop_oneof![-4..=4_i8, any::<i8>()], 1..4000),
        scale in prop::sample::select(vec![1.0_f32, 1.0e-3, 1.0e-30, 3.7e-42]),
        part in 0.0..1.0_f64,
    ) {
        let values: Vec<f32> = values.iter().map(|value| f32::from(*value) * scale).collect();
        let wanted = ((values.len() as f64 * part) as usize).max(1);
        let (shape, experts) = ([values.len()], [Values::Slice(&values)]);
        let tensor = TensorAcrossModels::new("a", &shape, None, &experts);
        let cutoffs = find_cutoffs(&tensor, &[wanted, values.len()], |block, _, out| {
            out.copy_from_slice(block.expert(0));
        })?;
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
        let mut expected = order[..wanted].to_vec();
        expected.sort_unstable();
        let kept = |stream: usize| -> Vec<usize> {
            (0..values.len()).filter(|&index| cutoffs[stream].keeps(index, values[index].abs())).collect()
        };
        prop_assert_eq!(kept(0), expected);
        prop_assert_eq!(kept(1).len(), values.len());
    }
}
