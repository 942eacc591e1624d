//! Comparisons of small checkpoints by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bunch_checkpoint::{Checkpoint, Dtype, ModelDirectory, StateDict, Tensor};
use bunch_inspection::compare::{
    Comparison, ComparisonError, Difference, DifferenceKind, Measures, Quantity, Side, compare,
};
use bunch_progress::{Progress, Quiet};
use serde_json::{Value, json};

const Q0: &str = "model.layers.0.self_attn.q_proj.weight";
const Q1: &str = "model.layers.1.self_attn.q_proj.weight";
const UP1: &str = "model.layers.1.mlp.up_proj.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";
const OUTPUT: &str = "lm_head.weight";

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor { shape: shape.to_vec(), data: Arc::new(data.to_vec()) }
}

fn weights(tensors: &[(&str, &[usize], &[f32])]) -> StateDict {
    tensors.iter().map(|(name, shape, data)| ((*name).to_owned(), tensor(shape, data))).collect()
}

fn saved(dir: &Path, weights: &StateDict, config: Value) -> Checkpoint {
    ModelDirectory::new(config, weights).write(dir).unwrap();
    Checkpoint::open(dir).unwrap()
}

/// Checkpoints A, B, ... in folders of these names.
struct Models {
    parent: tempfile::TempDir,
    checkpoints: Vec<Checkpoint>,
}

impl Models {
    fn new(models: &[StateDict]) -> Self {
        let configs = vec![json!({}); models.len()];
        Self::with_configs(models, &configs)
    }

    fn with_configs(models: &[StateDict], configs: &[Value]) -> Self {
        let parent = tempfile::tempdir().unwrap();
        let folder = |index: usize| parent.path().join(["a", "b", "base"][index]);
        let saved =
            |(index, (weights, config)): (usize, (&StateDict, &Value))| saved(&folder(index), weights, config.clone());
        let checkpoints = models.iter().zip(configs).enumerate().map(saved).collect();
        Self { parent, checkpoints }
    }

    fn compare(&self) -> Result<Comparison, ComparisonError> {
        compare(&self.checkpoints[0], &self.checkpoints[1], self.checkpoints.get(2), 2, &Quiet)
    }
}

/// Two models of two layers and their base.
fn models() -> [StateDict; 3] {
    [
        weights(&[
            (EMBEDDING, &[2, 2], &[1.0, 0.0, 0.0, 1.0]),
            (Q0, &[2], &[3.0, 4.0]),
            (Q1, &[2], &[1.0, 1.0]),
            (UP1, &[1, 2], &[0.0, 2.0]),
        ]),
        weights(&[
            (EMBEDDING, &[2, 2], &[1.0, 0.0, 0.0, 1.0]),
            (Q0, &[2], &[4.0, 3.0]),
            (Q1, &[2], &[1.0, -1.0]),
            (UP1, &[1, 2], &[0.0, 1.0]),
        ]),
        weights(&[
            (EMBEDDING, &[2, 2], &[1.0, 0.0, 0.0, 0.0]),
            (Q0, &[2], &[3.0, 3.0]),
            (Q1, &[2], &[0.0, 0.0]),
            (UP1, &[1, 2], &[0.0, 0.0]),
        ]),
    ]
}

fn assert_near(got: Option<f64>, expected: f64) {
    let got = got.expect("a number");
    assert!((got - expected).abs() <= 1e-15 * expected.abs().max(1.0), "expected {expected}, got {got}");
}

#[test]
fn tensors_by_hand() {
    let comparison = Models::new(&models()).compare().unwrap();
    assert_eq!(comparison.differences, []);
    let names: Vec<&str> = comparison.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, [EMBEDDING, Q0, UP1, Q1]);

    let of = |name: &str| comparison.tensors.iter().find(|tensor| tensor.name == name).unwrap().measures();
    let q0 = of(Q0);
    assert_eq!((q0.values, q0.norm_a, q0.norm_b, q0.max_difference), (2, 5.0, 5.0, 1.0));
    assert_near(q0.cosine, 24.0 / 25.0);
    assert_near(q0.relative_distance, 2_f64.sqrt() / 5.0);
    assert_eq!(q0.equal_share, Some(0.0));
    // [0, 1] and [1, 0] from [3, 3].
    let task = q0.task_vectors.unwrap();
    assert_eq!((task.cosine, task.sign_agreement, task.both_zero_share), (Some(0.0), None, Some(0.0)));
    assert_near(task.relative_norm_a, 18_f64.sqrt().recip());

    let q1 = of(Q1);
    assert_eq!((q1.cosine, q1.equal_share), (Some(0.0), Some(0.5)));
    let task = q1.task_vectors.unwrap();
    assert_eq!((task.cosine, task.sign_agreement), (Some(0.0), Some(0.5)));
    assert_eq!((task.relative_norm_a, task.relative_norm_b), (None, None), "the base is zero");

    let task = of(UP1).task_vectors.unwrap();
    assert_eq!((task.cosine, task.sign_agreement, task.both_zero_share), (Some(1.0), Some(1.0), Some(0.5)));
}

#[test]
fn groups_are_one_long_vector_each() {
    let comparison = Models::new(&models()).compare().unwrap();
    let total = comparison.total();
    // Inner products 2 + 24 + 0 + 2, squares 2 + 25 + 2 + 4 and 2 + 25 + 2 + 1.
    assert_near(total.cosine, 28.0 / (33.0_f64 * 30.0).sqrt());
    assert_near(total.relative_distance, (7.0_f64 / 33.0).sqrt());
    assert_eq!((total.values, total.equal_share), (10, Some(0.6)));
    // [0 0 0 1, 0 1, 1 1, 0 2] and [0 0 0 1, 1 0, 1 -1, 0 1].
    let task = total.task_vectors.unwrap();
    assert_near(task.cosine, 3.0 / (8.0_f64 * 5.0).sqrt());
    assert_eq!((task.sign_agreement, task.both_zero_share), (Some(0.75), Some(0.4)));

    let modules = comparison.modules();
    let names: Vec<&str> = modules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["embed_tokens", "self_attn.q_proj", "mlp.up_proj"]);
    assert_near(modules[1].1.cosine, 24.0 / 27.0);

    let layers = comparison.layers();
    let labels: Vec<Option<usize>> = layers.iter().map(|(layer, _)| layer.as_ref().map(|layer| layer.index)).collect();
    assert_eq!(labels, [None, Some(0), Some(1)]);
    assert_near(layers[2].1.cosine, 2.0 / (6.0_f64 * 3.0).sqrt());
    assert_eq!(comparison.layer_modules().len(), 3);
}

#[test]
fn without_a_base_there_are_no_task_vectors() {
    let comparison = Models::new(&models()[..2]).compare().unwrap();
    assert!(comparison.tensors.iter().all(|tensor| tensor.measures().task_vectors.is_none()));
    assert!(!comparison.table().contains("same sign"));
    let error = comparison.heat_map(Quantity::SignAgreement).unwrap_err();
    assert!(matches!(error, ComparisonError::NoBase { quantity: "sign-agreement" }), "{error}");
}

#[test]
fn tensors_that_cannot_be_compared_are_listed() {
    let [mut a, mut b, mut base] = models();
    a.insert("model.norm.weight".into(), tensor(&[1], &[1.0]));
    b.insert("extra".into(), tensor(&[1], &[1.0]));
    b.insert(Q0.into(), tensor(&[1, 2], &[4.0, 3.0]));
    b.insert(UP1.into(), tensor(&[1, 2], &[f32::NAN, 1.0]));
    base.remove(Q1);
    let comparison = Models::new(&[a, b, base]).compare().unwrap();
    let expected = [
        ("extra", DifferenceKind::Missing { side: Side::A }),
        ("model.norm.weight", DifferenceKind::Missing { side: Side::B }),
        (Q0, DifferenceKind::Shape { side: Side::B, expected: vec![2], got: vec![1, 2] }),
        (UP1, DifferenceKind::NotFinite { side: Side::B }),
        (Q1, DifferenceKind::Missing { side: Side::Base }),
    ];
    let expected = expected.map(|(tensor, kind)| Difference { tensor: tensor.into(), kind });
    assert_eq!(comparison.differences, expected);
    let compared: Vec<&str> = comparison.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(compared, [EMBEDDING, Q1]);
    let total = comparison.total();
    assert_eq!((total.values, total.task_vectors.unwrap().values), (6, 4));
    let table = comparison.table();
    assert!(table.contains("5 remarks\n- extra: missing in A\n"), "{table}");
}

#[test]
fn a_base_that_does_not_fit_leaves_the_weights_compared() {
    for base in [tensor(&[2, 1], &[3.0, 3.0]), tensor(&[2], &[3.0, f32::INFINITY])] {
        let [a, b, mut all] = models();
        all.insert(Q0.into(), base);
        let comparison = Models::new(&[a, b, all]).compare().unwrap();
        assert_eq!(comparison.differences.len(), 1, "{:?}", comparison.differences);
        let q0 = comparison.tensors.iter().find(|tensor| tensor.name == Q0).unwrap().measures();
        assert_near(q0.cosine, 24.0 / 25.0);
        assert_eq!(q0.task_vectors, None);
    }
}

#[test]
fn of_vocabularies_of_different_sizes_the_common_rows_are_compared() {
    let [a, mut b, mut base] = models();
    b.insert(EMBEDDING.into(), tensor(&[3, 2], &[1.0, 0.0, 0.0, 2.0, 9.0, 9.0]));
    let models = Models::new(&[a.clone(), b.clone(), base.clone()]);
    let comparison = models.compare().unwrap();
    let rows = |of: &[usize], rows| DifferenceKind::CommonRows { rows, of: of.to_vec() };
    assert_eq!(comparison.differences, [Difference { tensor: EMBEDDING.into(), kind: rows(&[2, 3, 2], 2) }]);
    assert_eq!(
        comparison.differences[0].to_string(),
        "model.embed_tokens.weight: the first 2 rows are compared: A has 2, B has 3, the base has 2"
    );
    let embedding = comparison.tensors[0].measures();
    assert_eq!((embedding.values, embedding.norm_b), (4, 5_f64.sqrt()));
    assert_eq!(comparison.tensors[0].shape, [2, 2]);

    // The base's rows count, too; other columns are another shape.
    base.insert(EMBEDDING.into(), tensor(&[1, 2], &[1.0, 0.0]));
    let comparison = Models::new(&[a.clone(), b.clone(), base]).compare().unwrap();
    assert_eq!(comparison.differences[0].kind, rows(&[2, 3, 1], 1));
    assert_eq!(comparison.tensors[0].measures().values, 2);
    b.insert(EMBEDDING.into(), tensor(&[2, 1], &[1.0, 0.0]));
    let comparison = Models::new(&[a, b]).compare().unwrap();
    assert!(matches!(comparison.differences[0].kind, DifferenceKind::Shape { side: Side::B, .. }));
}

#[test]
fn a_tied_output_projection_is_the_embedding() {
    let [a, mut b, base] = models();
    b.insert(OUTPUT.into(), tensor(&[2, 2], &[1.0, 0.0, 0.0, 3.0]));
    let comparison = Models::new(&[a.clone(), b.clone(), base]).compare().unwrap();
    let tied =
        |side| Difference { tensor: OUTPUT.into(), kind: DifferenceKind::Tied { side, embedding: EMBEDDING.into() } };
    assert_eq!(comparison.differences, [tied(Side::A), tied(Side::Base)]);
    let output = comparison.tensors.iter().find(|tensor| tensor.name == OUTPUT).unwrap().measures();
    assert_eq!((output.distance, output.norm_a), (2.0, 2_f64.sqrt()));

    let untied = json!({"tie_word_embeddings": false});
    let comparison = Models::with_configs(&[a, b], &[untied, json!({})]).compare().unwrap();
    let missing = Difference { tensor: OUTPUT.into(), kind: DifferenceKind::Missing { side: Side::A } };
    assert_eq!(comparison.differences, [missing]);
}

#[test]
fn nothing_in_common_is_an_error() {
    let models = Models::new(&[weights(&[("x", &[1], &[1.0])]), weights(&[("y", &[1], &[1.0])])]);
    let error = models.compare().unwrap_err();
    assert!(matches!(error, ComparisonError::NothingInCommon { tensors_a: 1, tensors_b: 1, .. }), "{error}");
    let message = error.to_string();
    let folder = |name: &str| models.parent.path().join(name).display().to_string();
    assert!(message.contains(&folder("a")) && message.ends_with(": x: missing in B"), "{message}");

    let nan = Models::new(&[weights(&[("x", &[1], &[1.0])]), weights(&[("x", &[1], &[f32::NAN])])]);
    let message = nan.compare().unwrap_err().to_string();
    assert!(message.ends_with("x: some values in B are NaN or infinite"), "{message}");
}

#[test]
fn a_file_that_changes_is_an_error() {
    let models = Models::new(&models()[..2]);
    let file: PathBuf = models.parent.path().join("b/model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 8]).unwrap();
    assert!(matches!(models.compare(), Err(ComparisonError::Checkpoint(_))));
    std::fs::write(&file, bytes).unwrap();
    assert!(matches!(models.compare(), Err(ComparisonError::Checkpoint(_))), "its time is another");
}

#[derive(Default)]
struct Bytes {
    total: AtomicU64,
    read: AtomicU64,
}

impl Progress for Bytes {
    fn begin(&self, _: &str, total: u64, _: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    fn advance(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[test]
fn progress_reaches_the_bytes_that_are_read() {
    let parent = tempfile::tempdir().unwrap();
    let long = weights(&[("x", &[200_000], &vec![0.5; 200_000]), (Q0, &[3], &[1.0, 2.0, 3.0])]);
    let a = saved(&parent.path().join("a"), &long, json!({}));
    let half = ModelDirectory { dtype: Dtype::BF16, ..ModelDirectory::new(json!({}), &long) };
    half.write(&parent.path().join("b")).unwrap();
    let b = Checkpoint::open(&parent.path().join("b")).unwrap();
    for base in [None, Some(&a)] {
        let bytes = Bytes::default();
        compare(&a, &b, base, 3, &bytes).unwrap();
        let each = if base.is_some() { 4 + 2 + 4 } else { 4 + 2 };
        assert_eq!(bytes.total.into_inner(), 200_003 * each);
        assert_eq!(bytes.read.into_inner(), 200_003 * each);
    }
}

#[test]
fn the_table_is_readable() {
    let models = Models::new(&models());
    let table = models.compare().unwrap().table();
    let table = table.replace(&models.parent.path().display().to_string(), "models");
    let expected =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/table.txt")).unwrap();
    assert_eq!(table, expected, "\n{table}");
}

#[test]
fn the_csv_has_all_numbers() {
    let [mut a, mut b, base] = models();
    a.insert("model.norm.weight".into(), tensor(&[], &[1.0]));
    b.insert("extra,\"quoted\"".into(), tensor(&[1], &[1.0]));
    b.insert(OUTPUT.into(), tensor(&[3, 2], &[1.0, 0.0, 0.0, 3.0, 1.0, 1.0]));
    let csv = Models::new(&[a, b, base]).compare().unwrap().csv().unwrap();
    let expected =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pair.csv")).unwrap();
    assert_eq!(csv, expected, "\n{csv}");
}

#[test]
fn heat_maps_hold_the_cells() {
    let comparison = Models::new(&models()).compare().unwrap();
    let map = comparison.heat_map(Quantity::Cosine).unwrap();
    assert_eq!(map.rows, ["layer 0", "layer 1"]);
    assert_eq!(map.columns, ["self_attn.q_proj", "mlp.up_proj"]);
    assert_near(map.values[0][0], 0.96);
    assert_eq!((map.values[0][1], &map.values[1]), (None, &vec![Some(0.0), Some(1.0)]));
    let map = comparison.heat_map(Quantity::SignAgreement).unwrap();
    assert_eq!(map.values, [[None, None], [Some(0.5), Some(1.0)]]);
    assert!(map.svg().unwrap().contains("sign agreement"));

    let flat = weights(&[("x", &[1], &[1.0])]);
    let error = Models::new(&[flat.clone(), flat]).compare().unwrap().heat_map(Quantity::Cosine).unwrap_err();
    assert!(matches!(error, ComparisonError::NoLayers));
}

#[test]
fn several_lists_of_layers_stay_apart() {
    let two = weights(&[("vision.layers.0.mlp.fc.weight", &[1], &[1.0]), (Q0, &[1], &[2.0])]);
    let comparison = Models::new(&[two.clone(), two]).compare().unwrap();
    let map = comparison.heat_map(Quantity::EqualShare).unwrap();
    assert_eq!(map.rows, ["model.layers.0", "vision.layers.0"]);
    assert_eq!(map.values, [[Some(1.0), None], [None, Some(1.0)]]);
}

#[test]
fn quantities_have_names() {
    for quantity in Quantity::ALL {
        assert_eq!(quantity.to_string().parse::<Quantity>().unwrap(), quantity);
    }
    let error = "angle".parse::<Quantity>().unwrap_err().to_string();
    assert!(error.contains("`angle`") && error.contains("task-vector-cosine"), "{error}");
    let zero = weights(&[(Q0, &[1], &[0.0])]);
    let measures: Measures = Models::new(&[zero.clone(), zero.clone(), zero]).compare().unwrap().total();
    let found = Quantity::ALL.map(|quantity| quantity.of(&measures));
    assert_eq!(found, [None, Some(0.0), Some(1.0), None, None]);
}
