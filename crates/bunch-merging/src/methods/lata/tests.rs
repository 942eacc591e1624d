//! Weights by rank, over layers of several tensors. Models and weights come from a reference in numpy.

use super::{Lata, LataSchedule, layer_of};
use crate::{MergeError, Method, TensorAcrossModels, TensorSource, Values};

/// A tensor's name, base, tuned and aligned.
type Tensor = (&'static str, [[f32; 3]; 3]);

/// The cosines are 0.218 (the embedding), 0.355, -0.673 and -0.055.
const MODEL: [Tensor; 7] = [
    ("embed", [[0.5, 1.0, -2.0], [0.75, 0.5, -1.0], [1.25, 1.0, -2.0]]),
    ("layers.0.a", [[-2.0, -1.0, -0.5], [-3.0, -2.0, -1.5], [-1.75, -1.25, -1.25]]),
    ("layers.0.b", [[-1.5, 1.75, -1.25], [-2.0, 1.5, -1.75], [-1.25, 2.25, -1.75]]),
    ("layers.1.a", [[1.75, -1.5, 1.5], [1.5, -1.25, 1.5], [2.5, -0.75, 0.75]]),
    ("layers.1.b", [[0.5, 0.5, 0.5], [1.5, 0.0, 0.25], [-0.5, 1.5, 0.75]]),
    ("layers.2.a", [[1.5, -1.5, -1.75], [2.25, -1.75, -2.25], [1.25, -1.0, -2.5]]),
    ("layers.2.b", [[0.0, 1.5, 1.5], [0.75, 2.0, 2.0], [0.75, 1.0, 0.5]]),
];

struct Source(Vec<Tensor>);

fn with_tensor<R>((name, [base, tuned, aligned]): &Tensor, visit: impl FnOnce(&TensorAcrossModels<'_>) -> R) -> R {
    let experts = [Values::from(tuned), Values::from(aligned)];
    visit(&TensorAcrossModels::new(name, &[3], Some(Values::from(base)), &experts))
}

impl TensorSource for Source {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        self.0.iter().try_for_each(|tensor| with_tensor(tensor, &mut *visit))
    }
}

/// Compares a merge with aligned + lambda * weight * (tuned - base) in every tensor.
fn check(method: &Lata, weight: impl Fn(&str) -> f64) {
    let lambda = method.lambda;
    let method = Method::from(method.clone());
    let survey = method.survey(2, &mut Source(MODEL.to_vec())).expect("valid").expect("a survey");
    for tensor in &MODEL {
        let (name, [base, tuned, aligned]) = tensor;
        let mut merged = [f32::NAN; 3];
        let merge = |tensor: &TensorAcrossModels<'_>| {
            method.merge(&TensorAcrossModels { survey: Some(&survey), ..*tensor }, 0, &mut merged)
        };
        with_tensor(tensor, merge).expect("valid");
        for at in 0..3 {
            let expected = f64::from(aligned[at]) + lambda * weight(name) * f64::from(tuned[at] - base[at]);
            assert!((f64::from(merged[at]) - expected).abs() < 1e-6, "{name}: {merged:?}");
        }
    }
}

#[test]
fn layers_weigh_by_their_rank() {
    let of = |weights: [f64; 4]| {
        move |name: &str| match name.as_bytes() {
            [b'e', ..] => weights[0],
            bytes => weights[usize::from(bytes[7] - b'0') + 1],
        }
    };
    check(&Lata { lambda: 0.5, ..Lata::default() }, of([1.0 / 3.0, 0.0, 1.0, 2.0 / 3.0]));
    let logarithmic = Lata { schedule: LataSchedule::Logarithmic, ..Lata::default() };
    check(&logarithmic, of([0.207_518_749_639_421_85, 0.0, 1.0, 0.5]));
    let threshold = Lata { schedule: LataSchedule::Threshold, threshold: 0.2, lambda: -1.0 };
    check(&threshold, of([0.0, 0.0, 1.0, 1.0]));
}

#[test]
fn the_survey_depends_on_no_order_and_is_needed() {
    let method = Method::from(Lata::default());
    let merged = |source: Vec<Tensor>| {
        let survey = method.survey(2, &mut Source(source)).expect("valid");
        let mut merged = [f32::NAN; 3];
        let merge = |tensor: &TensorAcrossModels<'_>| {
            method.merge(&TensorAcrossModels { survey: survey.as_ref(), ..*tensor }, 0, &mut merged).map(|()| merged)
        };
        with_tensor(&MODEL[0], merge).expect("valid")
    };
    assert_eq!(merged(MODEL.to_vec()), merged(MODEL.iter().rev().copied().collect()));
    let error = with_tensor(&MODEL[0], |tensor| method.merge(tensor, 0, &mut [0.0; 3])).expect_err("no survey");
    assert_eq!(error.to_string(), "tensor embed: lata needs a survey of the whole model that covers 2 experts here");
}

#[test]
fn a_layer_ends_with_its_number() {
    for (tensor, layer) in [
        ("model.layers.12.mlp.up_proj.weight", "model.layers.12"),
        ("model.layers.1.experts.7.w", "model.layers.1"),
        ("model.embed_tokens.weight", "model.embed_tokens.weight"),
        ("h.0", "h.0"),
        ("", ""),
    ] {
        assert_eq!(layer_of(tensor), layer);
    }
}
