//! Which entries are kept how often, and how the kept ones are rescaled.

use super::{LONGEST_ROW, MagPrune, Variates};
use crate::info::Info;
use crate::{
    Della, DellaLinear, Densities, Density, MergeError, Method, PerExpert, ReadValues, Rescale, Spelling, Spread,
    TaskArithmetic, TensorAcrossModels, Ties, Values, method_from_parameters,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const ROWS: usize = 1 << 14;
/// Magnitudes of one row; by rank they are the indices 3, 1, 4, 0, 2.
const ROW: [f32; 5] = [-4.0, 2.0, 8.0, 1.0, -3.0];
const RANKS: [usize; 5] = [3, 1, 4, 0, 2];

fn density(value: f64) -> Densities {
    Density::try_from(value).expect("in range").into()
}

fn spread(value: f64) -> PerExpert<Spread> {
    Spread::try_from(value).expect("in range").into()
}

fn della(kept: f64, epsilon: f64, rescale: Rescale) -> Method {
    DellaLinear { density: density(kept), epsilon: spread(epsilon), rescale, ..DellaLinear::default() }.into()
}

fn merge(method: &Method, shape: &[usize], base: &[f32], experts: &[&[f32]], seed: u64) -> Vec<f32> {
    let experts: Vec<Values<'_>> = experts.iter().map(|values| Values::Slice(values)).collect();
    let tensor = TensorAcrossModels::new("a.weight", shape, Some(Values::Slice(base)), &experts);
    let mut merged = vec![f32::NAN; base.len()];
    method.merge(&tensor, seed, &mut merged).expect("valid input");
    merged
}

/// What is left of task vectors from zero.
fn prune(method: &Method, shape: &[usize], deltas: &[f32], seed: u64) -> Vec<f32> {
    merge(method, shape, &vec![0.0; deltas.len()], &[deltas], seed)
}

/// The mean over all rows of each column.
fn column_means(values: &[f32], map: impl Fn(f32) -> f64) -> [f64; 5] {
    let mut sums = [0.0; 5];
    for row in values.chunks_exact(5) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += map(*value) / ROWS as f64;
        }
    }
    sums
}

#[test]
fn probability_of_being_kept_grows_with_the_rank_in_the_row() {
    let kept = prune(&della(0.5, 0.3, Rescale::None), &[ROWS, 5], &ROW.repeat(ROWS), 0);
    let fractions = column_means(&kept, |value| f64::from(u8::from(value != 0.0)));
    for (fraction, rank) in fractions.into_iter().zip(RANKS) {
        let probability = 0.2 + 0.15 * rank as f64;
        let deviation = (probability * (1.0 - probability) / ROWS as f64).sqrt();
        assert!((fraction - probability).abs() < 5.0 * deviation, "{fraction} instead of {probability}");
    }
    assert!(kept.iter().zip(ROW.repeat(ROWS)).all(|(kept, delta)| *kept == 0.0 || *kept == delta));
}

#[test]
fn equal_magnitudes_are_ranked_by_index() {
    let kept = prune(&della(0.5, 0.3, Rescale::None), &[ROWS, 5], &[1.0, -1.0, 1.0, 1.0, -1.0].repeat(ROWS), 0);
    let fractions = column_means(&kept, |value| f64::from(value.abs()));
    for (rank, fraction) in fractions.into_iter().enumerate() {
        let probability = 0.2 + 0.15 * rank as f64;
        let deviation = (probability * (1.0 - probability) / ROWS as f64).sqrt();
        assert!((fraction - probability).abs() < 5.0 * deviation, "{fraction} instead of {probability}");
    }
}

#[test]
fn rescaling_by_probability_keeps_the_expectation() {
    let deltas = ROW.repeat(ROWS);
    let plain = prune(&della(0.5, 0.3, Rescale::None), &[ROWS, 5], &deltas, 7);
    let scaled = prune(&della(0.5, 0.3, Rescale::Density), &[ROWS, 5], &deltas, 7);
    for (index, (plain, scaled)) in plain.iter().zip(&scaled).enumerate() {
        let probability = 0.2 + 0.15 * RANKS[index % 5] as f64;
        assert!((f64::from(*scaled) * probability - f64::from(*plain)).abs() < 1e-6, "{plain} became {scaled}");
    }
    for (index, mean) in column_means(&scaled, f64::from).into_iter().enumerate() {
        let (delta, probability) = (f64::from(ROW[index]), 0.2 + 0.15 * RANKS[index] as f64);
        let deviation = delta.abs() * ((1.0 - probability) / probability / ROWS as f64).sqrt();
        assert!((mean - delta).abs() < 5.0 * deviation, "{mean} instead of {delta}");
    }
}

#[test]
fn rescaling_by_l1_keeps_the_sum_of_magnitudes() {
    let deltas: Vec<f32> = (0..5 * ROWS).map(|index| (index % 37) as f32 - 18.0).collect();
    let sum = |values: &[f32]| values.iter().map(|&value| f64::from(value.abs())).sum::<f64>();
    for shape in [vec![ROWS, 5], vec![5, ROWS], vec![5 * ROWS]] {
        let plain = prune(&della(0.25, 0.15, Rescale::None), &shape, &deltas, 3);
        let scaled = prune(&della(0.25, 0.15, Rescale::L1), &shape, &deltas, 3);
        assert!((sum(&scaled) / sum(&deltas) - 1.0).abs() < 1e-6, "{shape:?}");
        assert!(sum(&plain) < 0.5 * sum(&deltas), "{shape:?}");
        assert!(plain.iter().zip(&scaled).all(|(plain, scaled)| (*plain == 0.0) == (*scaled == 0.0)), "{shape:?}");
    }
}

#[test]
fn masks_are_the_same_whether_remembered_or_drawn_again() {
    let deltas: Vec<f32> = (0..3 * 70).map(|index| (index % 37) as f32 - 18.0).collect();
    let experts = [Values::Slice(&deltas)];
    let tensor = TensorAcrossModels::new("a.weight", &[3, 70], None, &experts);
    let info = Info::new("della", "DELLA");
    let numbers = (&density(0.5), &spread(0.4));
    let remembered = MagPrune::new(&info, &tensor, 0, numbers.0, numbers.1, &[1.0], Rescale::L1).expect("valid");
    let drawn = MagPrune::new(&info, &tensor, 0, numbers.0, numbers.1, &[1.0], Rescale::None).expect("valid");
    assert_eq!(remembered.masks[0].kept.len(), 6);
    for (row, deltas) in deltas.chunks(70).enumerate() {
        let (mut first, mut second) = (vec![f32::NAN; 70], vec![f32::NAN; 70]);
        remembered.masks[0].weigh(2.0, false, 70 * row, deltas, &mut first);
        drawn.masks[0].weigh(2.0, false, 70 * row, deltas, &mut second);
        assert_eq!(first, second);
    }
}

#[test]
fn without_a_spread_and_in_rows_of_one_the_density_is_the_probability() {
    let deltas = vec![1.0; 5 * ROWS];
    for (shape, epsilon) in [([ROWS, 5], 0.0), ([5 * ROWS, 1], 0.2)] {
        for rescale in [Rescale::None, Rescale::Density] {
            let factor = if rescale == Rescale::None { 1.0 } else { 2.5 };
            let kept = prune(&della(0.4, epsilon, rescale), &shape, &deltas, 1);
            assert!(kept.iter().all(|&value| value == 0.0 || value == factor));
            let fraction = kept.iter().filter(|&&value| value != 0.0).count() as f64 / deltas.len() as f64;
            assert!((fraction - 0.4).abs() < 5.0 * (0.24 / deltas.len() as f64).sqrt(), "{fraction}");
        }
    }
}

#[test]
fn density_zero_keeps_nothing_and_one_everything() {
    for rescale in [Rescale::Density, Rescale::L1, Rescale::None] {
        // With either, epsilon does not matter.
        assert_eq!(prune(&della(0.0, 0.7, rescale), &[5], &ROW, 0), [0.0; 5]);
        assert_eq!(prune(&della(1.0, 0.7, rescale), &[5], &ROW, 0), ROW);
    }
}

#[test]
fn with_density_one_they_are_task_arithmetic_and_ties() {
    let base = [0.1, -0.2, 0.3, 0.4];
    let experts: [&[f32]; 2] = [&[0.5, 0.6, -0.7, 0.4], &[-0.3, 0.25, 0.9, 0.1]];
    let weights = vec![0.3, 0.7];
    for normalize in [false, true] {
        let della = DellaLinear { weights: weights.clone(), scale: 1.3, normalize, ..DellaLinear::default() };
        let other = TaskArithmetic { weights: weights.clone(), scale: 1.3, normalize };
        assert_eq!(merge(&della.into(), &[2, 2], &base, &experts, 0), merge(&other.into(), &[4], &base, &experts, 0));
        let della = Della { weights: weights.clone(), scale: 1.3, normalize, ..Della::default() };
        let other = Ties { weights: weights.clone(), scale: 1.3, normalize, ..Ties::default() };
        assert_eq!(merge(&della.into(), &[2, 2], &base, &experts, 0), merge(&other.into(), &[4], &base, &experts, 0));
    }
}

#[test]
fn probabilities_outside_of_0_and_1_are_refused() {
    let error = |kept, epsilon| della(kept, epsilon, Rescale::None).validate(1).map_err(|error| error.to_string());
    assert_eq!(error(0.5, 0.4), Ok(()));
    let expected = "della_linear: `epsilon` is 0.2 for a density of 0.2, \
                    expected density - epsilon above 0 and density + epsilon below 1";
    assert_eq!(error(0.2, 0.2), Err(expected.into()));
    assert!(error(0.75, 0.25).is_err());
    let method = Della { epsilon: PerExpert::PerExpert(vec![]), ..Della::default() };
    let error = Method::from(method).validate(1).expect_err("no entry");
    assert_eq!(error.to_string(), "della: `epsilon` has 0 entries, expected one for each of 1 experts");
}

#[test]
fn a_mergekit_recipe_rescales_by_l1_unless_it_says_no() {
    let rescale = |method: &str, spelling, values: Value| {
        let values = values.as_object().expect("an object");
        let method = method_from_parameters(method, spelling, values).expect("valid");
        serde_json::to_value(method).expect("JSON").as_object().expect("a tag").values().next().expect("one")["rescale"]
            .clone()
    };
    for name in ["della", "della_linear"] {
        let per_expert = json!({ "weight": [1.0, 0.5], "density": [0.5, 0.6], "epsilon": [0.1, 0.2] });
        assert_eq!(rescale(name, Spelling::Mergekit, per_expert), "l1");
        assert_eq!(rescale(name, Spelling::Mergekit, json!({ "weight": [1.0], "rescale": false })), "none");
        assert_eq!(rescale(name, Spelling::Bunch, json!({})), "density");
    }
}

/// Values that nobody reads.
struct Untouched(usize);

impl ReadValues for Untouched {
    fn read(&self, _start: usize, _out: &mut [f32]) -> Result<(), String> {
        Err("read".into())
    }

    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn a_row_that_cannot_be_ranked_is_an_error() {
    let (shape, values) = ([LONGEST_ROW + 1], Untouched(LONGEST_ROW + 1));
    let experts = [Values::Stream(&values)];
    let tensor = TensorAcrossModels::new("a.weight", &shape, None, &experts);
    let info = Info::new("della", "DELLA");
    let numbers = (&density(0.5), &spread(0.1));
    let error = MagPrune::new(&info, &tensor, 0, numbers.0, numbers.1, &[1.0], Rescale::L1).expect_err("too long");
    assert!(matches!(error, MergeError::Degenerate { .. }), "{error}");
}

proptest! {
    /// Every entry against the definition: rank it by counting, draw its variate, compare.
    #[test]
    fn an_entry_is_kept_if_its_variate_is_below_its_probability(
        values in prop::collection::vec((-8..=8_i8).prop_map(f32::from), 1..200),
        rows in 1..4_usize,
        seed in any::<u64>(),
    ) {
        let (len, deltas) = (values.len(), values.repeat(rows));
        let mut variates = vec![f32::NAN; deltas.len()];
        Variates::new("della", seed, "a.weight", 0).draw(0, &mut variates);
        let kept = prune(&della(0.5, 0.4, Rescale::None), &[rows, len], &deltas, seed);
        for (index, (delta, kept)) in deltas.iter().zip(&kept).enumerate() {
            let (row, column) = (&deltas[index / len * len..][..len], index % len);
            let smaller = |(other, value): (usize, &f32)| {
                value.abs() < delta.abs() || (value.abs() == delta.abs() && other < column)
            };
            let rank = row.iter().enumerate().filter(|entry| smaller(*entry)).count();
            let probability = if len == 1 { 0.5 } else { 0.1 + 0.8 * rank as f64 / (len - 1) as f64 };
            // Closer than that, rounding decides.
            if (f64::from(variates[index]) - probability).abs() > 1e-12 {
                let expected = if f64::from(variates[index]) < probability { *delta } else { 0.0 };
                prop_assert_eq!(*kept, expected);
            }
        }
    }
}
