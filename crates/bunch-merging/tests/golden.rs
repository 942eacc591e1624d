//! Merges whose results are known from elsewhere: by hand, or from the reference implementation. See `golden/README.md`.

use bunch_merging::{CATALOGUE, MergeError, Method, TensorAcrossModels, TensorCache, TensorSource, Values};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// One file: models, methods, results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    /// Dimensions; one row unless given.
    shape: Option<Vec<usize>>,
    base: Option<Vec<f32>>,
    experts: Vec<Vec<f32>>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    merge: Method,
    merged: Vec<f32>,
    /// Indices at which the reference's answer is arbitrary.
    #[serde(default)]
    undetermined: Vec<usize>,
}

/// A model of one tensor.
struct Single<'a>(TensorAcrossModels<'a>);

impl TensorSource for Single<'_> {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        visit(&self.0)
    }
}

/// Absolute and relative: four times the largest difference between the reference and the same merge in 64 bits.
const TOLERANCE: f32 = 1e-6;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(folder).expect("the folder of goldens");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn read(file: &Path) -> Golden {
    let text = std::fs::read_to_string(file).expect("a readable golden");
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn goldens_hold_with_and_without_cache() {
    for file in files() {
        let golden = read(&file);
        let experts: Vec<Values<'_>> = golden.experts.iter().map(Values::from).collect();
        let cache = TensorCache::new(experts.len());
        for case in &golden.case {
            for cache in [None, Some(&cache)] {
                let shape = golden.shape.clone().unwrap_or_else(|| vec![golden.experts[0].len()]);
                let base = golden.base.as_ref().map(Values::from);
                let tensor = TensorAcrossModels::new("golden", &shape, base, &experts);
                let tensor = TensorAcrossModels { cache, ..tensor };
                let survey = case.merge.survey(experts.len(), &mut Single(tensor)).expect("a valid merge");
                let tensor = TensorAcrossModels { survey: survey.as_ref(), ..tensor };
                let mut merged = vec![f32::NAN; golden.experts[0].len()];
                case.merge.merge(&tensor, 0, &mut merged).expect("a valid merge");
                assert_eq!(merged.len(), case.merged.len());
                for (index, (got, want)) in merged.iter().zip(&case.merged).enumerate() {
                    let close = (got - want).abs() <= TOLERANCE + TOLERANCE * want.abs();
                    let place = format!("{}, {}, index {index}", file.display(), case.name);
                    assert!(close || case.undetermined.contains(&index), "{place}: expected {want}, got {got}");
                }
            }
        }
    }
}

#[test]
fn every_method_has_a_golden_from_the_reference_and_one_by_hand() {
    let goldens: Vec<(bool, Golden)> = files()
        .into_iter()
        .map(|file| (file.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("by-hand")), read(&file)))
        .collect();
    let lacks = |name: &str, by_hand: bool| {
        let mut cases =
            goldens.iter().filter(|(is_by_hand, _)| *is_by_hand == by_hand).flat_map(|(_, golden)| &golden.case);
        !cases.any(|case| case.merge.info().name == name)
    };
    let missing =
        |by_hand| CATALOGUE.iter().map(|info| info.name).filter(|name| lacks(name, by_hand)).collect::<Vec<_>>();
    let (by_hand, reference) = (missing(true), missing(false));
    assert!(
        by_hand.is_empty() && reference.is_empty(),
        "no golden by hand (a case in tests/golden/by-hand*.toml): {by_hand:?}; none from an independent implementation \
         (another file in tests/golden): {reference:?}"
    );
}
