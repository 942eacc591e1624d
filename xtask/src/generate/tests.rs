//! Tests of synthetic checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bunch_checkpoint::{Checkpoint, Dtype};

use super::{Options, parse_dtype, run, values};
use crate::model_size::ModelSize;

/// Every file below `dir` by its path.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for model in fs::read_dir(dir).unwrap() {
        for file in fs::read_dir(model.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            files.insert(path.strip_prefix(dir).unwrap().display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

fn mean_and_deviation(values: &[f32]) -> (f64, f64) {
    let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance.sqrt())
}

#[test]
fn a_seed_gives_the_same_bytes_again_and_another_seed_others() {
    let dirs = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
    for (dir, seed) in dirs.iter().zip([7, 7, 8]) {
        run(&Options { seed, ..Options::new(dir.path(), ModelSize::Tiny, 3) }).unwrap();
    }
    let [first, again, other] = dirs.each_ref().map(|dir| files(dir.path()));
    let names = ["base", "e1", "e2"].map(|model| ["config.json", "model.safetensors"].map(|file| (model, file)));
    let names: Vec<String> = names.as_flattened().iter().map(|(model, file)| format!("{model}/{file}")).collect();
    assert!(first.keys().eq(&names), "{:?}", first.keys());
    assert!(first == again);
    for model in ["base", "e1", "e2"] {
        assert!(first[&format!("{model}/model.safetensors")] != other[&format!("{model}/model.safetensors")]);
    }
}

#[test]
fn models_are_checkpoints_of_the_dtype_and_shards_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { max_shard_size: Some(100_000), dtype: Dtype::F32, ..Options::new(dir.path(), ModelSize::Tiny, 1) };
    run(&options).unwrap();
    let base = Checkpoint::open(&dir.path().join("base")).unwrap();
    assert!(base.weight_files().count() > 1);
    let length = |name: &str| base.info(name).unwrap().shape.iter().product::<usize>() as u64;
    assert_eq!(base.names().map(length).sum::<u64>(), ModelSize::Tiny.parameters());
    assert!(base.names().all(|name| base.stored_dtype(name) == Some("F32")));
    assert_eq!(base.config()["torch_dtype"], "float32");
}

#[test]
fn a_model_that_is_there_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    run(&Options::new(dir.path(), ModelSize::Tiny, 1)).unwrap();
    let before = files(dir.path());
    assert!(run(&Options { seed: 1, ..Options::new(dir.path(), ModelSize::Tiny, 1) }).is_err());
    assert!(files(dir.path()) == before);
}

#[test]
fn values_do_not_depend_on_where_a_block_begins() {
    for model in ["base", "e1"] {
        let whole = values(1, model, "t", 0, 1000);
        assert_eq!(whole[333..400], values(1, model, "t", 333, 67));
    }
}

#[test]
fn the_base_is_nearly_normal_and_experts_differ_in_two_thirds_of_it() {
    const LENGTH: usize = 1 << 18;
    let base = values(0, "base", "model.layers.0.mlp.up_proj.weight", 0, LENGTH);
    let (mean, deviation) = mean_and_deviation(&base);
    // Five standard errors.
    assert!(mean.abs() < 5.0 * 0.02 / 512.0 && (deviation / 0.02 - 1.0).abs() < 5.0 / 512.0, "{mean} {deviation}");
    let (mean, _) = mean_and_deviation(&values(0, "base", "model.norm.weight", 0, LENGTH));
    assert!((mean - 1.0).abs() < 5.0 * 0.02 / 512.0, "{mean}");

    let deltas = ["e1", "e2"].map(|model| {
        let expert = values(0, model, "model.layers.0.mlp.up_proj.weight", 0, LENGTH);
        expert.iter().zip(&base).map(|(expert, base)| expert - base).collect::<Vec<f32>>()
    });
    for deltas in &deltas {
        let changed: Vec<f32> = deltas.iter().copied().filter(|&delta| delta != 0.0).collect();
        let share = changed.len() as f64 / LENGTH as f64;
        assert!((share - 2.0 / 3.0).abs() < 5.0 * 0.4714 / 512.0, "{share}");
        let (mean, deviation) = mean_and_deviation(&changed);
        assert!(
            mean.abs() < 5.0 * 0.002 / 418.0 && (deviation / 0.002 - 1.0).abs() < 5.0 / 418.0,
            "{mean} {deviation}"
        );
    }
    assert!(deltas[0] != deltas[1]);
}

#[test]
fn dtypes_are_named_as_in_config_json() {
    assert_eq!(parse_dtype("bfloat16").unwrap(), Dtype::BF16);
    assert!(parse_dtype("bf16").is_err());
}
