//! Selection over the whole model against a sort of the whole model.

use super::{Kept, survey_largest};
use crate::parameters::Density;
use crate::{MergeError, MergeMethod, Method, TensorAcrossModels, TensorCache, TensorSource, Ties, TrimScope, Values};
use proptest::prelude::*;

/// Tensors by name, each with the task vectors of all experts; the base is zero.
struct Model {
    tensors: Vec<(String, Vec<Vec<f32>>)>,
    caches: Option<Vec<TensorCache>>,
}

impl Model {
    fn new(tensors: &[Vec<Vec<f32>>]) -> Self {
        let name = |(index, experts): (usize, &Vec<Vec<f32>>)| (format!("{index:02}"), experts.clone());
        Self { tensors: tensors.iter().enumerate().map(name).collect(), caches: None }
    }
}

impl TensorSource for Model {
    type Error = MergeError;

    fn visit(
        &mut self,
        visit: &mut dyn FnMut(&TensorAcrossModels<'_>) -> Result<(), MergeError>,
    ) -> Result<(), MergeError> {
        for (index, (name, experts)) in self.tensors.iter().enumerate() {
            let base = vec![0.0; experts[0].len()];
            let experts: Vec<Values<'_>> = experts.iter().map(Values::from).collect();
            let cache = self.caches.as_ref().map(|caches| &caches[index]);
            let shape = [base.len()];
            let tensor = TensorAcrossModels::new(name, &shape, Some(Values::from(&base)), &experts);
            visit(&TensorAcrossModels { cache, ..tensor })?;
        }
        Ok(())
    }
}

fn density(value: f64) -> Density {
    Density::try_from(value).expect("in range")
}

/// How many entries of one expert each tensor keeps, by sorting all of them.
fn by_sorting(tensors: &[Vec<Vec<f32>>], expert: usize, kept: usize) -> Vec<usize> {
    let mut entries: Vec<(f32, usize, usize)> = Vec::new();
    for (tensor, experts) in tensors.iter().enumerate() {
        entries.extend(experts[expert].iter().enumerate().map(|(index, value)| (value.abs(), tensor, index)));
    }
    entries.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut counts = vec![0; tensors.len()];
    entries[..kept].iter().for_each(|entry| counts[entry.1] += 1);
    counts
}

#[test]
fn trimming_over_the_model_differs_from_trimming_each_tensor() {
    // By tensor, half of each: 4 and -3 from the first, 1 from the second. Over the model: 4, -3, 2.
    let mut model = Model::new(&[vec![vec![4.0, -3.0, 2.0, 0.5]], vec![vec![1.0, 0.25]]]);
    let ties = |trim_scope| Ties { density: density(0.5).into(), trim_scope, ..Ties::default() };
    let mut merge = |method: Method| {
        let survey = method.survey(1, &mut model).expect("valid");
        let mut merged = Vec::new();
        model
            .visit(&mut |tensor| {
                let mut out = vec![f32::NAN; tensor.len()];
                method.merge(&TensorAcrossModels { survey: survey.as_ref(), ..*tensor }, 0, &mut out)?;
                merged.push(out);
                Ok(())
            })
            .expect("valid");
        merged
    };
    assert_eq!(merge(ties(TrimScope::Tensor).into()), [vec![4.0, -3.0, 0.0, 0.0], vec![1.0, 0.0]]);
    assert_eq!(merge(ties(TrimScope::Model).into()), [vec![4.0, -3.0, 2.0, 0.0], vec![0.0, 0.0]]);
}

#[test]
fn a_missing_survey_is_an_error() {
    let mut model = Model::new(&[vec![vec![1.0, 2.0]]]);
    let method = Method::from(Ties { trim_scope: TrimScope::Model, ..Ties::default() });
    let error = model.visit(&mut |tensor| method.merge(tensor, 0, &mut [0.0; 2])).expect_err("no survey");
    assert_eq!(error.to_string(), "tensor 00: ties needs a survey of the whole model that covers 1 experts here");
}

#[test]
fn another_number_of_experts_is_an_error() {
    let mut model = Model::new(&[vec![vec![1.0, 2.0]]]);
    let densities = [density(0.5), density(0.5)];
    let error = survey_largest(&Ties::INFO, &densities, &mut model).expect_err("one expert");
    assert_eq!(error.to_string(), "ties: expected exactly 2 experts, got 1");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn kept_counts_are_those_of_a_sort(
        tensors in prop::collection::vec(1..60_usize, 1..5).prop_flat_map(|lens| {
            let value = prop_oneof![(-3..=3_i8).prop_map(f32::from), -1.0..1.0_f32, 1.0..1.001_f32];
            let tensor = move |len| prop::collection::vec(prop::collection::vec(value.clone(), len), 2);
            lens.into_iter().map(tensor).collect::<Vec<_>>()
        }),
        densities in (0..=8_u8, 0.0..=1.0_f64),
        cached in any::<bool>(),
    ) {
        let densities = [density(f64::from(densities.0) / 8.0), density(densities.1)];
        let mut model = Model::new(&tensors);
        model.caches = cached.then(|| tensors.iter().map(|_| TensorCache::new(2)).collect());
        let survey = survey_largest(&Ties::INFO, &densities, &mut model)?;
        let total: usize = tensors.iter().map(|experts| experts[0].len()).sum();
        for (expert, &density) in densities.iter().enumerate() {
            let kept = crate::trim::kept_count(density, total);
            let counts: Vec<usize> = model.tensors.iter().map(|(name, _)| survey.of::<Kept>(name).expect("kept")[expert]).collect();
            prop_assert_eq!(counts, by_sorting(&tensors, expert, kept));
        }
        prop_assert!(survey.of::<Kept>("unknown").is_none());
    }
}
