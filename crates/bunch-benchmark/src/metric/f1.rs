//! F1 over classes, weighted by support: scikit-learn's `f1_score(average="weighted")`.

use std::collections::BTreeMap;

use super::{MetricValue, mean};

/// F1 of each class that occurs as truth or prediction, weighted by how often it is the truth; 0 where it has no F1.
pub(super) fn weighted(labels: &[(i64, i64)]) -> f64 {
    // Per class: how often true, predicted, both.
    let mut counts: BTreeMap<i64, [usize; 3]> = BTreeMap::new();
    for &(gold, pred) in labels {
        counts.entry(gold).or_default()[0] += 1;
        counts.entry(pred).or_default()[1] += 1;
        if gold == pred {
            counts.entry(gold).or_default()[2] += 1;
        }
    }
    let share = |[truth, predicted, both]: &[usize; 3]| 2.0 * *both as f64 / (truth + predicted) as f64 * *truth as f64;
    counts.values().map(share).sum::<f64>() / labels.len() as f64
}

/// The plain mean over classes of documents of the weighted F1 within the class; classes without documents do not count.
pub(super) fn weighted_by_class(values: &[MetricValue]) -> f64 {
    let mut classes: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for value in values {
        if let MetricValue::Labels { gold, pred, class } = value {
            classes.entry(class).or_default().push((*gold, *pred));
        }
    }
    mean(&classes.values().map(|labels| weighted(labels)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_scikit_learn() {
        // f1_score([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 3, 0], average="weighted"), scikit-learn 1.9.1. By hand: class 0 has
        // F1 4/6 and support 3, class 1 has 2/4 and 2, classes 2 and 3 have 0: (2 + 1) / 6.
        let labels = [(0, 0), (0, 0), (0, 1), (1, 1), (1, 3), (2, 0)];
        assert!((weighted(&labels) - 0.5).abs() < 1e-12);
        assert!((weighted(&[(1, 1), (0, 0)]) - 1.0).abs() < 1e-12);
        assert!(weighted(&[(1, 0)]).abs() < 1e-12);
    }

    #[test]
    fn classes_count_equally() {
        let value = |gold, pred, class: &str| MetricValue::Labels { gold, pred, class: class.to_string() };
        let values = [value(1, 1, "0"), value(0, 0, "0"), value(0, 0, "0"), value(1, 0, "8")];
        assert!((weighted_by_class(&values) - 0.5).abs() < 1e-12);
    }
}
