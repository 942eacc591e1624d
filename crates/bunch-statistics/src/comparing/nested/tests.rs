//! Variances by hand, and coverage by simulation.

use super::*;
use crate::Estimate;
use crate::comparing::simulation::Random;

fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9, "{got}, expected {expected}");
}

fn values(stderr: f64, groups: &[&[f64]]) -> Vec<NestedValue> {
    let of_group = |(group, values): (u64, &&[f64])| {
        let value = move |&value: &f64| NestedValue { value, stderr, group };
        values.iter().map(value).collect::<Vec<_>>()
    };
    (0..).zip(groups).flat_map(of_group).collect()
}

#[test]
fn variances_by_hand() {
    // Group means 2 and 8 of two seeds each: within, 2 + 2 squares on 2 degrees of freedom are 2, of which items are 0.5.
    // Between, 4 * 9 = 36 on one: the mean square of 36 is 2 seeds times the groups' variance, plus the 2 within.
    let found = Nested::of(&values(0.5_f64.sqrt(), &[&[1.0, 3.0], &[7.0, 9.0]])).unwrap();
    close(found.items, 0.5);
    close(found.seeds, 1.5);
    close(found.groups.unwrap(), 17.0);
    let [items, seeds, groups] = found.percentages().unwrap();
    close(items, 100.0 * 0.5 / 19.0);
    close(items + seeds + groups, 100.0);
    // The t interval of the two group means, 5 +- 12.706 * 3.
    close(found.mean, 5.0);
    assert_eq!(found.degrees_of_freedom, 1);
    assert!((found.interval.high - (5.0 + 3.0 * 12.706205)).abs() < 1e-5, "{found:?}");
}

#[test]
fn groups_that_do_not_differ_leave_the_t_interval_over_seeds() {
    let found = Nested::of(&values(0.0, &[&[1.0, 9.0], &[2.0, 8.0, 5.0]])).unwrap();
    let estimate = Estimate::of(&[1.0, 9.0, 2.0, 8.0, 5.0]).unwrap();
    assert_eq!((found.groups, found.degrees_of_freedom, found.mean), (Some(0.0), 4, estimate.mean));
    close(found.interval.low, estimate.interval.unwrap().low);
    // Items alone explain this spread.
    assert_eq!(Nested::of(&values(10.0, &[&[1.0, 9.0], &[2.0, 8.0]])).unwrap().percentages(), Some([100.0, 0.0, 0.0]));
}

#[test]
fn without_groups_or_repeats_there_are_only_items_and_seeds() {
    for groups in [&[&[1.0, 2.0, 6.0][..]][..], &[&[1.0], &[2.0], &[6.0]]] {
        let found = Nested::of(&values(1.0, groups)).unwrap();
        assert_eq!((found.groups, found.degrees_of_freedom), (None, 2));
        close(found.seeds, 6.0);
    }
    assert_eq!(Nested::of(&values(1.0, &[&[1.0]])), None);
    assert_eq!(Nested::of(&[]), None);
    assert_eq!(Nested::of(&values(0.0, &[&[1.0, 1.0]])).unwrap().percentages(), None);
}

/// Of seeds that take four groups in turn: how often this interval and the t interval over seeds contain the mean, and the
/// mean variances that are found, over many runs.
fn simulated(
    random: &mut Random,
    seeds: u64,
    [items, between_seeds, between_groups]: [f64; 3],
) -> ([f64; 2], [f64; 3]) {
    const RUNS: usize = 4000;
    let (mut covered, mut variances) = ([0.0; 2], [0.0; 3]);
    for _ in 0..RUNS {
        let groups: Vec<f64> = (0..4).map(|_| between_groups.sqrt() * random.normal()).collect();
        let value = |seed: u64| {
            let value = groups[(seed % 4) as usize] + (between_seeds + items).sqrt() * random.normal();
            NestedValue { value, stderr: items.sqrt(), group: seed % 4 }
        };
        let values: Vec<NestedValue> = (0..seeds).map(value).collect();
        let found = Nested::of(&values).unwrap();
        let plain = Estimate::of(&values.iter().map(|value| value.value).collect::<Vec<_>>()).unwrap();
        for (covered, Interval { low, high }) in covered.iter_mut().zip([found.interval, plain.interval.unwrap()]) {
            *covered += f64::from(u8::from((low..=high).contains(&0.0))) / RUNS as f64;
        }
        for (mean, part) in variances.iter_mut().zip([found.items, found.seeds, found.groups.unwrap()]) {
            *mean += part / RUNS as f64;
        }
    }
    (covered, variances)
}

#[test]
fn simulated_variances_and_coverage() {
    let mut random = Random::new(4);
    for seeds in [8, 20] {
        for truth in [[1.0, 1.0, 0.0], [1.0, 3.0, 1.0], [1.0, 3.0, 4.0]] {
            let ([nested, plain], variances) = simulated(&mut random, seeds, truth);
            println!("{seeds} seeds, {truth:?}: {nested:.3}, t interval {plain:.3}, variances {variances:.2?}");
            // The standard error of a simulated coverage is 0.0034.
            assert!((0.93..0.98).contains(&nested), "{seeds} seeds, {truth:?}: {nested}");
            // Groups that differ make seeds alike: the t interval, which takes them as independent, is too narrow.
            assert!(truth[2] == 0.0 || plain < 0.93, "{seeds} seeds, {truth:?}: t interval {plain}");
            // Variances cut off at 0 are too large where they are small, the more so the fewer the seeds.
            for (found, truth) in variances.into_iter().zip(truth) {
                assert!((truth - 0.1..truth + 0.6).contains(&found), "{seeds} seeds, {truth:?}: {variances:?}");
            }
        }
    }
}
