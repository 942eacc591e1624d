//! The dropped entries are those of DARE, and the safety vector is added to what is left.

use super::Resta;
use crate::{DareLinear, Densities, Density, Method, TensorAcrossModels, Values};

const LEN: usize = 3000;

fn model(seed: u32) -> Vec<f32> {
    let value = |index: u32| index.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(0x9e37_79b9)) >> 20;
    (0..LEN as u32).map(|index| value(index) as f32 / 1024.0 - 2.0).collect()
}

fn merge(method: impl Into<Method>, base: Option<&Vec<f32>>, experts: &[&Vec<f32>]) -> Vec<f32> {
    let experts: Vec<Values<'_>> = experts.iter().map(|model| Values::from(*model)).collect();
    let tensor = TensorAcrossModels::new("a.weight", &[LEN], base.map(Values::from), &experts);
    let mut merged = vec![f32::NAN; LEN];
    method.into().merge(&tensor, 7, &mut merged).expect("valid models");
    merged
}

#[test]
fn without_a_safety_vector_it_is_dare_from_the_aligned_model() {
    let [tuned, aligned, unaligned] = [1, 2, 3].map(model);
    for density in [0.0, 0.25, 0.5, 1.0] {
        let density = Density::try_from(density).expect("a density");
        let resta = Resta { gamma: 0.0, density };
        let dare = DareLinear { density: Densities::Same(density), ..DareLinear::default() };
        let got = merge(resta.clone(), None, &[&tuned, &aligned, &unaligned]);
        if density == Density::ONE {
            assert_eq!(got, tuned);
        } else {
            assert_eq!(got, merge(dare, Some(&aligned), &[&tuned]));
        }
        let with = merge(Resta { gamma: 0.75, ..resta }, None, &[&tuned, &aligned, &unaligned]);
        for index in 0..LEN {
            assert_eq!(with[index], got[index] + 0.75 * (aligned[index] - unaligned[index]));
        }
    }
}

#[test]
fn the_pretrained_model_is_not_looked_at() {
    let [tuned, aligned, unaligned] = [1, 2, 3].map(model);
    let experts = [&tuned, &aligned, &unaligned];
    let infinite = vec![f32::INFINITY; LEN];
    assert_eq!(merge(Resta::default(), Some(&infinite), &experts), merge(Resta::default(), None, &experts));
}
