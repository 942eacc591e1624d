//! CMA-ES on functions with known minima.

use super::*;
use proptest::prelude::*;

fn config(dimension: usize, max_evaluations: usize) -> CmaEsConfig {
    CmaEsConfig {
        dimension,
        lower: vec![0.0; dimension],
        upper: vec![1.0; dimension],
        start: vec![0.5; dimension],
        sigma: 0.25,
        max_evaluations,
        restarts: 0,
        seed: 0,
        name: "test".into(),
    }
}

fn minimise(config: CmaEsConfig, loss: impl Fn(&[f64]) -> f64) -> CmaEs {
    let mut search = CmaEs::new(config).unwrap();
    while let Some(points) = search.propose() {
        assert!(!points.is_empty());
        let losses: Vec<f64> = points.iter().map(|point| loss(point)).collect();
        search.observe(&losses);
    }
    search
}

fn sphere(target: f64) -> impl Fn(&[f64]) -> f64 {
    move |x| x.iter().map(|x| (x - target).powi(2)).sum()
}

#[test]
fn finds_the_sphere() {
    for seed in 0..5 {
        let search = minimise(CmaEsConfig { seed, ..config(4, 800) }, sphere(0.3));
        let (point, loss) = search.best().unwrap();
        assert!(loss < 1e-8, "seed {seed}: {loss} at {point:?}");
    }
}

#[test]
fn a_hundred_evaluations_go_a_long_way() {
    // The paper's budget, on four genes (two weights, two densities). pycma 4 (no active update, no bounds) has a median
    // of 0.0039 over 200 seeds.
    let mut losses: Vec<f64> = (0..21)
        .map(|seed| {
            let search = minimise(CmaEsConfig { seed, ..config(4, 100) }, sphere(0.8));
            assert_eq!(search.trace().len(), 100);
            search.best().unwrap().1
        })
        .collect();
    losses.sort_by(f64::total_cmp);
    assert!(losses[10] < 0.01, "{losses:?}");
}

#[test]
fn finds_a_rotated_ellipsoid_in_uneven_bounds() {
    // Condition number 1e4 along (1, 1), (1, -1), in genes whose ranges differ hundredfold.
    let loss = |x: &[f64]| {
        let (u, v) = (x[0] / 100.0 - 0.4, x[1] - 0.7);
        (u + v).powi(2) + 1e4 * (u - v).powi(2)
    };
    for seed in 0..5 {
        let bounds =
            CmaEsConfig { lower: vec![-50.0, 0.0], upper: vec![50.0, 1.0], start: vec![0.0, 0.5], ..config(2, 2000) };
        let search = minimise(CmaEsConfig { seed, ..bounds }, loss);
        let (point, loss) = search.best().unwrap();
        assert!(
            loss < 1e-9 && (point[0] - 40.0).abs() < 1e-2 && (point[1] - 0.7).abs() < 1e-4,
            "seed {seed}: {point:?}"
        );
    }
}

#[test]
fn works_with_one_gene() {
    for seed in 0..5 {
        let search = minimise(CmaEsConfig { seed, ..config(1, 200) }, |x| (x[0] - 0.62).abs());
        assert_eq!(search.trace().iter().filter(|e| e.generation == 0).count(), 4);
        assert!((search.best().unwrap().0[0] - 0.62).abs() < 1e-4, "seed {seed}: {:?}", search.best());
    }
}

#[test]
fn finds_an_optimum_on_a_bound_at_any_scale_of_the_loss() {
    for scale in [1e-3, 1.0, 1e3] {
        let search = minimise(config(3, 600), |x| scale * ((x[0] + 0.5).powi(2) - x[1] + (x[2] - 0.4).powi(2)));
        let (point, _) = search.best().unwrap();
        assert!(point[0] < 1e-4 && point[1] > 1.0 - 1e-4 && (point[2] - 0.4).abs() < 1e-2, "{scale}: {point:?}");
    }
}

#[test]
fn restarts_use_the_rest_of_the_budget_and_escape_a_local_minimum() {
    // A broad basin at 0.2 of depth 0.5 and a narrow one at 0.9 of depth 1; the start is in the broad one.
    let loss = |x: &[f64]| {
        let (broad, narrow): (f64, f64) = (x[0] - 0.2, x[0] - 0.9);
        1.0 - (0.5 * (-broad.powi(2) / 0.02).exp()).max((-narrow.powi(2) / 0.005).exp())
    };
    let start = CmaEsConfig { start: vec![0.2], sigma: 0.05, ..config(1, 2000) };
    let without = minimise(start.clone(), loss);
    assert!((without.best().unwrap().1 - 0.5).abs() < 1e-6 && without.trace().len() < 2000);
    let with = minimise(CmaEsConfig { restarts: 8, ..start }, loss);
    assert!(with.best().unwrap().1 < 1e-6, "{:?}", with.best());
    assert!(with.trace().last().unwrap().restart > 1);
    assert_eq!(with.trace()[..without.trace().len()], *without.trace(), "the first run is the same");
    let second = with.trace().iter().find(|e| e.restart == 1).unwrap();
    assert_eq!((second.generation, second.step), (0, without.trace().len()));
}

#[test]
fn a_constant_loss_converges_before_the_budget_is_used() {
    let search = minimise(config(2, 10_000), |_| 1.0);
    assert!(search.trace().len() < 1000, "{}", search.trace().len());
    assert_eq!(search.best().unwrap().0, search.trace()[0].point, "ties go to the first");
}

#[test]
fn nan_counts_as_infinity_and_does_not_poison_the_search() {
    let search = minimise(config(3, 600), |x| if x[0] < 0.4 { f64::NAN } else { sphere(0.5)(x) });
    assert!(search.best().unwrap().1 < 1e-6, "{:?}", search.best());
    assert!(search.trace().iter().all(|e| e.loss == f64::INFINITY || e.point[0] >= 0.4));
    assert!(search.trace().iter().any(|e| e.loss == f64::INFINITY));
    let all = minimise(config(2, 10_000), |_| f64::NAN);
    assert_eq!(all.best(), None);
    assert!(all.trace().len() < 10_000);
}

#[test]
fn an_unobserved_batch_is_proposed_again() {
    let mut search = CmaEs::new(config(2, 10)).unwrap();
    let first = search.propose().unwrap();
    assert_eq!(search.propose().unwrap(), first);
    search.observe(&vec![1.0; first.len()]);
    assert_ne!(search.propose().unwrap(), first);
}

#[test]
#[should_panic(expected = "one loss per proposed point")]
fn a_wrong_number_of_losses_is_a_bug_of_the_caller() {
    let mut search = CmaEs::new(config(2, 10)).unwrap();
    search.propose();
    search.observe(&[1.0]);
}

#[test]
fn bad_settings_are_refused_by_name() {
    let message = |config: CmaEsConfig| CmaEs::new(config).unwrap_err().to_string();
    let good = config(2, 10);
    assert_eq!(
        message(CmaEsConfig { lower: vec![0.0], ..good.clone() }),
        "search `test`: `lower` has 1 entries, expected one per gene (2)"
    );
    assert_eq!(
        message(CmaEsConfig { upper: vec![1.0, 0.0], ..good.clone() }),
        "search `test`: `upper[1]` is 0, expected more than `lower`"
    );
    assert_eq!(
        message(CmaEsConfig { start: vec![0.5, 1.5], ..good.clone() }),
        "search `test`: `start[1]` is 1.5, expected between `lower` and `upper`"
    );
    assert_eq!(
        message(CmaEsConfig { sigma: f64::NAN, ..good.clone() }),
        "search `test`: `sigma` is NaN, expected above 0 and at most 1"
    );
    assert!(message(CmaEsConfig { max_evaluations: 0, ..good.clone() }).contains("max_evaluations"));
    assert!(message(CmaEsConfig { start: vec![f64::NAN, 0.0], ..good }).contains("start[0]"));
    assert!(CmaEs::new(config(0, 10)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn same_seed_same_trace_within_bounds_and_budget(
        dimension in 1..6_usize, budget in 1..150_usize, restarts in 0..3_usize, seed in 0..1000_u64,
    ) {
        let settings = CmaEsConfig { seed, restarts, lower: vec![-0.3; dimension], ..config(dimension, budget) };
        let first = minimise(settings.clone(), sphere(-0.4));
        let trace = first.trace();
        prop_assert!(trace.len() <= budget);
        prop_assert!(trace.len() == budget || trace.last().unwrap().restart == restarts);
        for (step, evaluation) in trace.iter().enumerate() {
            prop_assert_eq!(evaluation.step, step);
            prop_assert!(evaluation.point.iter().all(|x| (-0.3..=1.0).contains(x)));
            prop_assert_eq!(evaluation.loss, sphere(-0.4)(&evaluation.point));
        }
        let lowest = trace.iter().map(|e| e.loss).fold(f64::INFINITY, f64::min);
        prop_assert_eq!(first.best().unwrap().1, lowest);
        let again = minimise(settings.clone(), sphere(-0.4));
        prop_assert_eq!(again.trace(), trace);
        let other = minimise(CmaEsConfig { name: "other".into(), ..settings }, sphere(-0.4));
        prop_assert_ne!(other.trace(), trace);
    }
}
