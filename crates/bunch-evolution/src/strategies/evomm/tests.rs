//! Tests of EvoMM.

use bunch_merging::Slerp;

use super::*;
use crate::scripted::{Scripted, first, pool};

const TEXT: &str =
    "merge = 'ties'\nparameters.normalize = false\ngenes = { weight = [0, 1], density = [0.1, 1] }\nsigma = 0.25\n";
const CODE: &str = "variant = 'released_code'\nsigma = 0.020833333333333332\n";

fn evomm(text: &str) -> EvommSearch {
    toml::from_str(&format!("data = ['expert']\nalpha = 0.3\nevaluations = 10\nrestarts = 0\n{text}")).unwrap()
}

fn layers(evomm: &EvommSearch) -> Layers {
    Layers::new(evomm.space(1).unwrap(), evomm.layer_granularity, pool(1).base_weights())
}

fn names(layers: &Layers) -> Vec<String> {
    layers.genes().into_iter().map(|gene| gene.name).collect()
}

#[test]
fn without_granularity_the_whole_model_shares_its_genes() {
    let evomm = evomm(TEXT);
    let layers = layers(&evomm);
    assert_eq!(names(&layers), ["weight_1", "density_1"]);
    let config = evomm.config(&layers, "x", 0);
    assert_eq!((config.lower, config.upper, config.start), (vec![0.0, 0.1], vec![1.0, 1.0], vec![0.5, 0.55]));
    let merged = layers.candidate(&pool(1), &[0.5, 1.0], 0).unwrap().state_dict().unwrap();
    assert!(merged.values().all(|tensor| *tensor.data == [0.5, 1.0]));
}

#[test]
fn groups_of_layers_have_their_own() {
    let layers = layers(&evomm(&format!("{TEXT}layer_granularity = 1")));
    assert_eq!(names(&layers), ["weight_1@0", "density_1@0", "weight_1@1", "density_1@1"]);
    let merged = layers.candidate(&pool(1), &[0.25, 1.0, 0.75, 1.0], 0).unwrap().state_dict().unwrap();
    let first = |name: &str| merged[name].data[0];
    assert_eq!(["model.embed_tokens.weight", "model.layers.0.a.weight"].map(first), [0.25; 2]);
    assert_eq!(["model.layers.1.a.weight", "model.norm.weight"].map(first), [0.75; 2]);
}

#[test]
fn the_released_code_has_genes_for_the_base_and_weights_by_their_magnitude() {
    let genes = "merge = 'ties'\nparameters.normalize = false\ngenes = { weight = [-4, 4], density = [-4, 4] }\n";
    let evomm = evomm(&format!("{genes}{CODE}"));
    let layers = layers(&evomm);
    assert_eq!(names(&layers), ["weight_0", "weight_1", "density_0", "density_1"]);
    let config = evomm.config(&layers, "x", 0);
    assert_eq!(config.start, [0.5, 0.5, 1.0, 1.0]);
    assert_eq!(config.sigma, 1.0 / 6.0 / 8.0);
    let merged = layers.candidate(&pool(1), &[9.0, -0.5, 0.0, -3.0], 0).unwrap().state_dict().unwrap();
    assert!(merged.values().all(|tensor| tensor.data[0] == 0.5));
    let evomm = self::evomm(&format!("merge = 'slerp'\ngenes = {{ t = [-4, 4] }}\n{CODE}"));
    let space = evomm.space(1).unwrap();
    let names: Vec<&str> = space.genes().iter().map(|gene| gene.name.as_str()).collect();
    assert_eq!(names, ["weight_0", "weight_1"]);
    assert_eq!(space.method(&[1.0, -1.0]).unwrap(), Slerp { t: 0.5 }.into());
}

#[test]
fn the_least_loss_is_found_within_the_budget_and_again_with_the_same_name() {
    let evomm = evomm("merge = 'slerp'\ngenes = { t = [0, 1] }\nsigma = 0.25");
    let scripted = Scripted { expert_at: 0.7, ..Scripted::default() };
    let found = scripted.find(&evomm, &pool(1)).unwrap();
    assert_eq!((found.found.trace.len(), scripted.progress.get(), evomm.cost(1).candidates), (10, 10, 10));
    let losses = found.found.trace.iter().map(|evaluation| evaluation.loss);
    let least = losses.fold(f64::INFINITY, f64::min);
    assert_eq!((found.found.detail["loss"], found.found.detail["loss_expert"]), (least, least));
    assert!((f64::from(first(&found.weights)) - 0.7).abs() - least < 1e-6);
    assert_eq!(scripted.find(&evomm, &pool(1)).unwrap().found, found.found);
    let other = Scripted { name: "block/other", ..scripted.clone() }.find(&evomm, &pool(1)).unwrap();
    assert_ne!(other.found.trace, found.found.trace);
}

#[test]
fn both_losses_count_with_safety_data() {
    let both = "merge = 'slerp'\ngenes = { t = [0, 1] }\nsigma = 0.25";
    let evomm = EvommSearch { data: vec![Data::Expert, Data::Safety], ..evomm(both) };
    let found = Scripted { expert_at: 1.0, ..Scripted::default() }.find(&evomm, &pool(1)).unwrap();
    let detail = &found.found.detail;
    assert_eq!(detail["loss"], detail["loss_safety"] + 0.3 * detail["loss_expert"]);
}

#[test]
fn a_scale_sets_sizes_and_a_limit_never_adds_pairs() {
    let mut evomm = evomm(&format!("{TEXT}pairs = 500"));
    evomm.resize(&Sizes { evaluations: Some(4), max_pairs: Some(20), ..Sizes::default() });
    assert_eq!((evomm.evaluations, evomm.pairs), (4, Some(20)));
    evomm.resize(&Sizes { max_pairs: Some(100), ..Sizes::default() });
    assert_eq!((evomm.evaluations, evomm.need(7).unwrap().pairs), (4, 20));
    evomm.pairs = None;
    evomm.resize(&Sizes { max_pairs: Some(100), ..Sizes::default() });
    assert_eq!(evomm.need(7).unwrap().pairs, 7);
}

#[test]
fn what_cannot_be_searched_is_rejected() {
    let error = |evomm: EvommSearch, experts| evomm.check(experts).unwrap_err().to_string();
    assert_eq!(error(evomm(&format!("{TEXT}pairs = 0")), 1), "`pairs` is 0, expected at least 1");
    assert!(error(evomm(&format!("{TEXT}layer_granularity = 0")), 1).contains("layer_granularity"));
    let without = EvommSearch { data: vec![Data::Safety], ..evomm(TEXT) };
    assert!(error(without, 1).contains("must contain \"expert\""));
    let slerp = "merge = 'slerp'\ngenes = { t = [0, 1] }\nsigma = 0.25";
    assert!(error(evomm(slerp), 2).contains("exactly one expert"));
    let code = format!("merge = 'ties'\ngenes = {{ scale = [-4, 4] }}\n{CODE}");
    assert!(error(evomm(&code), 2).contains("the released code has genes for each model only"));
    assert!(evomm(TEXT).check(2).is_ok());
}
