//! What holds of every comparison.

use std::path::Path;
use std::sync::Arc;

use bunch_checkpoint::{Checkpoint, Dtype, ModelDirectory, StateDict, Tensor};
use bunch_inspection::compare::{Comparison, Measures, compare};
use bunch_progress::Quiet;
use proptest::prelude::*;
use serde_json::json;

/// More than a stretch of values, so that threads share a tensor, and no multiple of anything.
const LONG: usize = (1 << 20) + 70_001;

fn open(dir: &Path, weights: &StateDict, dtype: Dtype) -> Checkpoint {
    ModelDirectory { dtype, ..ModelDirectory::new(json!({}), weights) }.write(dir).unwrap();
    Checkpoint::open(dir).unwrap()
}

fn run(models: &[&Checkpoint], threads: usize) -> Comparison {
    compare(models[0], models[1], models.get(2).copied(), threads, &Quiet).unwrap()
}

/// Everything about a comparison.
fn everything(comparison: &Comparison) -> (String, String) {
    (comparison.csv().unwrap(), comparison.table())
}

fn value() -> impl Strategy<Value = f32> {
    prop_oneof![Just(0.0), Just(-0.0), Just(1.0), Just(f32::from_bits(1)), Just(f32::MAX), -10.0_f32..10.0]
}

/// Three models of the same tensors.
fn models() -> impl Strategy<Value = [StateDict; 3]> {
    prop::collection::vec(prop::collection::vec(prop::array::uniform3(value()), 0..40), 1..6).prop_map(|tensors| {
        [0, 1, 2].map(|model| {
            let tensor = |(at, values): (usize, &Vec<[f32; 3]>)| {
                let data: Vec<f32> = values.iter().map(|value| value[model]).collect();
                let name = format!("model.layers.{}.mlp.{}.weight", at / 2, ["up_proj", "down_proj"][at % 2]);
                (name, Tensor { shape: vec![data.len()], data: Arc::new(data) })
            };
            tensors.iter().enumerate().map(tensor).collect()
        })
    })
}

/// The measures with A and B exchanged; the relative distance has another unit then.
fn exchanged(measures: Measures, relative_distance: Option<f64>) -> Measures {
    let task_vectors = measures.task_vectors.map(|task| bunch_inspection::compare::TaskVectorMeasures {
        norm_a: task.norm_b,
        norm_b: task.norm_a,
        relative_norm_a: task.relative_norm_b,
        relative_norm_b: task.relative_norm_a,
        ..task
    });
    Measures { norm_a: measures.norm_b, norm_b: measures.norm_a, relative_distance, task_vectors, ..measures }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn exchanging_the_models_exchanges_the_measures(models in models()) {
        let parent = tempfile::tempdir().unwrap();
        let [a, b, base] = ["a", "b", "base"].map(|name| parent.path().join(name));
        let [a, b, base] = [(a, &models[0]), (b, &models[1]), (base, &models[2])]
            .map(|(dir, weights)| open(&dir, weights, Dtype::F32));
        let (there, back) = (run(&[&a, &b, &base], 2), run(&[&b, &a, &base], 2));
        let pairs = there.tensors.iter().zip(&back.tensors).map(|(there, back)| (there.measures(), back.measures()));
        for (there, back) in pairs.chain([(there.total(), back.total())]) {
            prop_assert_eq!(exchanged(there, back.relative_distance), back);
            // In absolute terms the distance is the same.
            if let (Some(there_relative), Some(back_relative)) = (there.relative_distance, back.relative_distance) {
                let (one, other) = (there_relative * there.norm_a, back_relative * back.norm_a);
                prop_assert!((one - other).abs() <= 1e-12 * one, "{} {}", one, other);
            }
            for share in [there.cosine.map(f64::abs), there.equal_share].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }
    }

    #[test]
    fn a_model_equals_itself(models in models()) {
        let parent = tempfile::tempdir().unwrap();
        let a = open(&parent.path().join("a"), &models[0], Dtype::F32);
        let base = open(&parent.path().join("base"), &models[1], Dtype::F32);
        let comparison = run(&[&a, &a, &base], 1);
        let of_tensors = comparison.tensors.iter().map(|tensor| tensor.measures());
        for measures in of_tensors.chain([comparison.total()]) {
            prop_assert!(measures.cosine.is_none_or(|cosine| cosine == 1.0), "{:?}", measures);
            prop_assert_eq!((measures.relative_distance, measures.max_difference), (Some(0.0), 0.0));
            prop_assert!(measures.equal_share.is_none_or(|share| share == 1.0));
            let task = measures.task_vectors.unwrap();
            prop_assert!(task.cosine.is_none_or(|cosine| cosine == 1.0), "{:?}", task);
            prop_assert!(task.sign_agreement.is_none_or(|share| share == 1.0));
        }
        prop_assert_eq!(comparison.differences, []);
    }

    #[test]
    fn groups_add_up(models in models()) {
        let parent = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| parent.path().join(name));
        let comparison = run(&[&open(&a, &models[0], Dtype::F32), &open(&b, &models[1], Dtype::F32)], 2);
        let total = comparison.total();
        let modules = comparison.modules().into_iter().map(|(_, measures)| measures).collect::<Vec<_>>();
        let layers = comparison.layers().into_iter().map(|(_, measures)| measures).collect::<Vec<_>>();
        let cells = comparison.layer_modules().into_values().collect::<Vec<_>>();
        for parts in [modules, layers, cells] {
            let sum = |of: fn(&Measures) -> f64| parts.iter().map(of).sum::<f64>();
            prop_assert_eq!(parts.iter().map(|part| part.values).sum::<u64>(), total.values);
            let squares = sum(|part| part.distance.powi(2));
            prop_assert!((squares - total.distance.powi(2)).abs() <= 1e-9 * squares, "{} {}", squares, total.distance);
            let squares = sum(|part| part.norm_a.powi(2));
            prop_assert!((squares - total.norm_a.powi(2)).abs() <= 1e-9 * squares, "{} {}", squares, total.norm_a);
        }
    }
}

/// Values that are cheap to make and look random.
fn long(seed: u32) -> StateDict {
    let value = |i: usize| {
        let mixed = (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503)).rotate_left(13);
        (mixed.wrapping_mul(2_246_822_519) >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let tensor = |length: usize| Tensor { shape: vec![length], data: Arc::new((0..length).map(value).collect()) };
    [("long", LONG), ("model.layers.0.x", 9), ("model.layers.1.x", 1 << 16), ("z", 0)]
        .map(|(name, length)| (name.to_owned(), tensor(length)))
        .into()
}

#[test]
fn threads_change_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let a = open(&parent.path().join("a"), &long(1), Dtype::F32);
    let b = open(&parent.path().join("b"), &long(2), Dtype::BF16);
    let base = open(&parent.path().join("base"), &long(3), Dtype::F16);
    let alone = everything(&run(&[&a, &b, &base], 1));
    for threads in [0, 2, 3, 16] {
        assert_eq!(everything(&run(&[&a, &b, &base], threads)), alone, "{threads} threads");
    }
    assert_ne!(everything(&run(&[&b, &a, &base], 2)), alone);
}

#[test]
fn long_tensors_are_compared_in_full() {
    let parent = tempfile::tempdir().unwrap();
    let (a, mut b) = (long(1), long(1));
    let mut data = b["long"].data.to_vec();
    // Beyond the last whole piece, and before it.
    data[LONG - 1] += 3.0;
    data[70_000] -= 4.0;
    b.insert("long".into(), Tensor { shape: vec![LONG], data: Arc::new(data) });
    let (a, b) = (open(&parent.path().join("a"), &a, Dtype::F32), open(&parent.path().join("b"), &b, Dtype::F32));
    let comparison = run(&[&a, &b], 4);
    let measures = comparison.tensors.iter().find(|tensor| tensor.name == "long").unwrap().measures();
    assert_eq!(measures.values, LONG as u64);
    assert_eq!(measures.equal_share, Some((LONG - 2) as f64 / LONG as f64));
    assert!((measures.distance - 5.0).abs() < 1e-6 && (measures.max_difference - 4.0).abs() < 1e-6, "{measures:?}");
}
