//! Which matrices are projected, and that tall and wide ones are projected alike.

use super::SafeLora;
use crate::projection::Projection;
use crate::{MergeError, MergeMethod as _, Method, TensorAcrossModels, TensorSource, Values};

/// Base, tuned and aligned, as the rows of a matrix.
type Models = [Vec<f32>; 3];

fn models(rows: usize, columns: usize, seed: u32) -> Models {
    let value = |index: usize, model: u32| {
        let hash =
            (index as u32 + 1).wrapping_mul(2_654_435_761).wrapping_add(seed + 77 * model).wrapping_mul(0x9e37_79b9);
        (hash >> 16) as f32 / 65_536.0 - 0.5
    };
    [0, 1, 2].map(|model| (0..rows * columns).map(|index| value(index, model)).collect())
}

fn transpose(models: &Models, columns: usize) -> Models {
    let rows = models[0].len() / columns;
    let at = |index: usize| index % rows * columns + index / rows;
    models.each_ref().map(|model| (0..model.len()).map(|index| model[at(index)]).collect())
}

fn with_tensor<R>(shape: &[usize], models: &Models, visit: impl FnOnce(&TensorAcrossModels<'_>) -> R) -> R {
    let experts = [Values::from(&models[1]), Values::from(&models[2])];
    visit(&TensorAcrossModels::new("a.weight", shape, Some(Values::from(&models[0])), &experts))
}

fn merge(method: &SafeLora, shape: &[usize], models: &Models) -> Vec<f32> {
    let method = Method::from(method.clone());
    with_tensor(shape, models, |tensor| {
        let mut merged = vec![f32::NAN; tensor.len()];
        method.merge(tensor, 0, &mut merged).expect("valid models");
        merged
    })
}

/// C D / |V| by the definition, in 64 bits, and its cosine with D.
fn by_definition(shape: [usize; 2], [base, tuned, aligned]: &Models) -> (Vec<f64>, f64) {
    let [rows, columns] = shape;
    let v = |row: usize, column: usize| f64::from(aligned[row * columns + column] - base[row * columns + column]);
    let d = |row: usize, column: usize| f64::from(tuned[row * columns + column] - aligned[row * columns + column]);
    let all = || (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let norm = all().map(|(row, column)| v(row, column).powi(2)).sum::<f64>().sqrt();
    let c = |a: usize, b: usize| (0..columns).map(|column| v(a, column) * v(b, column)).sum::<f64>() / norm;
    let projected: Vec<f64> =
        all().map(|(row, column)| (0..rows).map(|other| c(row, other) * d(other, column)).sum()).collect();
    let inner: f64 = all().zip(&projected).map(|((row, column), projected)| projected * d(row, column)).sum();
    let squares = projected.iter().map(|value| value * value).sum::<f64>()
        * all().map(|(row, column)| d(row, column).powi(2)).sum::<f64>();
    (projected, inner / squares.sqrt())
}

#[test]
fn tall_square_and_wide_matrices_follow_the_definition() {
    for shape in [[7, 3], [4, 4], [3, 8], [1, 5], [5, 1]] {
        let models = models(shape[0], shape[1], 3);
        let (projected, expected) = by_definition(shape, &models);
        let cosine = with_tensor(&shape, &models, Projection::cosine_of).expect("in memory").expect("a matrix");
        assert!((cosine - expected).abs() < 1e-9, "{shape:?}: {cosine}, expected {expected}");
        let merged = merge(&SafeLora { threshold: expected + 1e-6, number: 0 }, &shape, &models);
        for ((merged, aligned), projected) in merged.iter().zip(&models[2]).zip(projected) {
            assert!((f64::from(*merged) - f64::from(*aligned) - projected).abs() < 1e-6, "{shape:?}");
        }
        assert_eq!(merge(&SafeLora { threshold: expected - 1e-6, number: 0 }, &shape, &models), models[1]);
        // The threshold itself is included.
        assert_ne!(merge(&SafeLora { threshold: cosine, number: 0 }, &shape, &models), models[1]);
    }
}

#[test]
fn vectors_and_what_alignment_left_alone_stay_tuned() {
    let always = SafeLora { threshold: 2.0, number: 0 };
    let mut models = models(4, 3, 5);
    assert_eq!(merge(&always, &[12], &models), models[1]);
    assert_ne!(merge(&always, &[4, 3], &models), models[1]);
    models[2] = models[0].clone();
    assert_eq!(merge(&always, &[4, 3], &models), models[1]);
    assert_eq!(merge(&always, &[3, 4], &transpose(&models, 3)), transpose(&models, 3)[1]);
}

/// Matrices of one shape by name.
struct Matrices(Vec<(String, Models)>);

impl TensorSource for Matrices {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        self.0.iter().try_for_each(|(name, models)| {
            with_tensor(&[3, 2], models, |tensor| visit(&TensorAcrossModels { name, ..*tensor }))
        })
    }
}

#[test]
fn a_number_projects_the_matrices_that_agree_least() {
    let names = ["a", "b", "c", "d"];
    let mut all =
        Matrices(names.iter().zip(0..).map(|(name, seed)| ((*name).to_owned(), models(3, 2, seed))).collect());
    let mut cosines: Vec<(f64, &str)> =
        all.0.iter().map(|(name, models)| (by_definition([3, 2], models).1, name.as_str())).collect();
    cosines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let least: Vec<String> = cosines[..2].iter().map(|(_, name)| (*name).to_owned()).collect();
    let method = Method::from(SafeLora { number: 2, ..SafeLora::default() });
    let survey = method.survey(2, &mut all).expect("valid").expect("a survey");
    for (name, models) in &all.0 {
        let mut merged = [f32::NAN; 6];
        let merge = |tensor: &TensorAcrossModels<'_>| {
            let tensor = TensorAcrossModels { name, survey: Some(&survey), ..*tensor };
            method.merge(&tensor, 0, &mut merged)
        };
        with_tensor(&[3, 2], models, merge).expect("valid");
        assert_eq!(merged[..] != models[1][..], least.contains(name), "{name}");
    }
    let without = with_tensor(&[3, 2], &all.0[0].1, |tensor| method.merge(tensor, 0, &mut [0.0; 6]));
    assert!(without.expect_err("no survey").to_string().contains("needs a survey of the whole model"));
}

#[test]
fn the_smaller_square_is_held() {
    let bytes = size_of::<f64>();
    assert_eq!(SafeLora::memory(&[4096, 11008]), (4096 * 4096 + 4096 * 11008) * bytes);
    assert_eq!(SafeLora::memory(&[11008, 4096]), 4096 * 4096 * bytes);
    assert_eq!(SafeLora::memory(&[4096]), 0);
}
