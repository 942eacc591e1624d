//! Scores are compared over the whole model, and small ones count as the floor.

use super::Fisher;
use crate::{MergeError, Method, TensorAcrossModels, TensorSource, Values};

/// Two tensors of tuned, aligned, and the scores of both.
struct Model([[[f32; 2]; 4]; 2]);

impl Model {
    fn with_tensor<R>(&self, index: usize, visit: impl FnOnce(&TensorAcrossModels<'_>) -> R) -> R {
        let experts = self.0[index].each_ref().map(Values::from);
        visit(&TensorAcrossModels::new(["a", "b"][index], &[2], None, &experts))
    }
}

impl TensorSource for Model {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        (0..2).try_for_each(|index| self.with_tensor(index, &mut *visit))
    }
}

fn merge(floor: f32, mut model: Model) -> [[f32; 2]; 2] {
    let method = Method::from(Fisher { floor, ..Fisher::default() });
    let survey = method.survey(4, &mut model).expect("valid").expect("a survey");
    [0, 1].map(|index| {
        let mut merged = [f32::NAN; 2];
        let merge = |tensor: &TensorAcrossModels<'_>| {
            method.merge(&TensorAcrossModels { survey: Some(&survey), ..*tensor }, 0, &mut merged)
        };
        model.with_tensor(index, merge).expect("valid");
        merged
    })
}

const MODELS: [[f32; 2]; 2] = [[0.0, 0.0], [1.0, 1.0]];

#[test]
fn scores_count_by_their_share_of_the_whole_model() {
    let tensor = |tuned, aligned| [MODELS[0], MODELS[1], tuned, aligned];
    // The lengths are 5 and 10: (3, 0, 4, 0) / 5 against (0, 6, 8, 0) / 10.
    let model = |factor: f32| Model([tensor([3.0, 0.0], [0.0, 6.0 * factor]), tensor([4.0, 0.0], [8.0 * factor, 0.0])]);
    for factor in [1.0, 64.0] {
        // Without any score it is the mean.
        assert_eq!(merge(0.0, model(factor)), [[0.0, 1.0], [0.5, 0.5]]);
    }
    // 2 / 5 and 2 / 10 where there was none.
    let [[first, second], [_, last]] = merge(2.0, model(1.0));
    let expected = [0.2 / (0.6 + 0.2), 0.6 / (0.6 + 0.4), 0.2 / (0.2 + 0.4)];
    [first, second, last].iter().zip(expected).for_each(|(got, want)| assert!((got - want).abs() < 1e-6, "{got}"));
}

#[test]
fn without_any_scores_it_is_the_mean() {
    let zeros = || Model([[MODELS[0], MODELS[1], [0.0; 2], [0.0; 2]]; 2]);
    assert_eq!(merge(1e-6, zeros()), [[0.5; 2]; 2]);
    let error = zeros().with_tensor(0, |tensor| Method::from(Fisher::default()).merge(tensor, 0, &mut [0.0; 2]));
    assert_eq!(
        error.expect_err("no survey").to_string(),
        "tensor a: fisher needs a survey of the whole model that covers 4 experts here"
    );
}
