//! The mean's defining property, and degenerate vectors.

use super::Karcher;
use crate::{Method, Spelling, TensorAcrossModels, Values, method_from_parameters};
use serde_json::json;

fn karcher(experts: &[Vec<f32>], method: &Karcher) -> Vec<f32> {
    let values: Vec<Values<'_>> = experts.iter().map(Values::from).collect();
    let shape = [experts[0].len()];
    let tensor = TensorAcrossModels::new("a.weight", &shape, None, &values);
    let mut merged = vec![f32::NAN; tensor.len()];
    Method::from(method.clone()).merge(&tensor, 0, &mut merged).expect("valid input");
    merged
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn equal_models_return_that_model() {
    let model = vec![0.3, -1.7, 2.5];
    assert_eq!(karcher(&vec![model.clone(); 3], &Karcher::default()), model);
}

#[test]
fn arcs_to_all_experts_balance() {
    let experts = [vec![1.0, 0.2, -0.4], vec![0.5, 2.0, 0.3], vec![-0.2, 0.1, 3.0]];
    let method = Karcher { max_iterations: 100, tolerance: 1e-9 };
    let mean = karcher(&experts, &method);
    let length = experts.iter().map(|expert| norm(expert)).sum::<f64>() / 3.0;
    assert!((norm(&mean) - length).abs() < 1e-6, "{mean:?}");
    let mut sum = [0.0; 3];
    for expert in &experts {
        let dot: f64 = expert.iter().zip(&mean).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        let cosine = dot / norm(expert) / length;
        let factor = cosine.acos() / cosine.acos().sin();
        for ((sum, &value), &mean) in sum.iter_mut().zip(expert).zip(&mean) {
            *sum += factor * (f64::from(value) / norm(expert) - cosine * f64::from(mean) / length);
        }
    }
    assert!(sum.iter().all(|sum| sum.abs() < 1e-6), "{sum:?}");
    let start = karcher(&experts, &Karcher { max_iterations: 0, ..method });
    assert!(start.iter().zip(&mean).any(|(start, mean)| (start - mean).abs() > 1e-3), "the search has moved");
}

#[test]
fn directions_that_cancel_start_at_the_first_expert() {
    let experts = [vec![3.0, 4.0], vec![-0.3, -0.4]];
    let merged = karcher(&experts, &Karcher::default());
    assert!((merged[0] - 0.6 * 2.75).abs() < 1e-6 && (merged[1] - 0.8 * 2.75).abs() < 1e-6, "{merged:?}");
}

#[test]
fn a_zero_expert_shortens_and_zeros_give_zero() {
    assert_eq!(karcher(&[vec![0.0, 0.0], vec![0.0, 2.0]], &Karcher::default()), [0.0, 1.0]);
    assert_eq!(karcher(&[vec![0.0, 0.0], vec![0.0, 0.0]], &Karcher::default()), [0.0, 0.0]);
    assert_eq!(karcher(&[vec![0.0, 1e-6], vec![0.0, 1e-6]], &Karcher::default()), [0.0, 0.0]);
}

#[test]
fn no_tolerance_stays_finite() {
    let method = Karcher { max_iterations: 50, tolerance: 0.0 };
    let model = vec![0.1, 0.7];
    assert_eq!(karcher(&[model.clone(), model.clone()], &method), model);
    assert!(karcher(&[model, vec![-0.7, 0.1]], &method).iter().all(|value| value.is_finite()));
}

#[test]
fn mergekit_has_its_names() {
    let parameters = json!({ "max_iter": 3, "tol": 0.25 });
    let method = method_from_parameters("karcher", Spelling::Mergekit, parameters.as_object().expect("an object"));
    assert_eq!(method, Ok(Karcher { max_iterations: 3, tolerance: 0.25 }.into()));
}
