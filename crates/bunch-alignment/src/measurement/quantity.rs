//! Quantities: one number of each model, and how far the merge is from each member.

use bunch_statistics::{Interval, PairedCounts, Share};
use serde::Serialize;

use crate::AlignmentError;

/// One number of each model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredQuantity {
    /// Its name: `alignment`, `over_refusal` or `task.NAME`.
    pub name: String,
    /// What it is, in words.
    pub title: String,
    /// The metric, as files of results call it.
    pub metric: String,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// The models' values, in their order.
    pub values: Vec<QuantityValue>,
    /// The merge minus each member, item by item; empty where items are not right or wrong.
    pub differences: Vec<PairedDifference>,
}

/// A quantity of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuantityValue {
    /// The model.
    pub model: String,
    /// The value: in percent where it is a share, otherwise as the metric gives it.
    pub value: f64,
    /// Its standard error, in the same unit.
    pub stderr: Option<f64>,
    /// What was counted, where the value is a share.
    pub share: Option<Share>,
}

/// The merge minus a member, on the same items.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairedDifference {
    /// The member.
    pub against: String,
    /// Items.
    pub n: u64,
    /// Items that count for the merge alone.
    pub only_merge: u64,
    /// Items that count for the member alone.
    pub only_member: u64,
    /// The difference, in percentage points.
    pub difference: f64,
    /// Its interval of at least 95 %, from exact intervals of the discordant pairs.
    pub interval_95: Interval,
    /// Two-sided p of McNemar's exact test.
    pub mcnemar_p: f64,
    /// The same after Holm's correction over all differences of the measurement.
    pub holm_p: f64,
}

/// What a quantity is, apart from its numbers.
pub(crate) struct QuantityKind<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) metric: &'a str,
    pub(crate) higher_is_better: bool,
}

impl MeasuredQuantity {
    /// A share of items for each model, the merge first.
    ///
    /// # Errors
    /// No items, or models that were asked different numbers of them.
    pub(crate) fn of_items(kind: QuantityKind<'_>, outcomes: &[(&str, Vec<bool>)]) -> Result<Self, AlignmentError> {
        let mut quantity = Self::empty(kind);
        for (model, items) in outcomes {
            let share = Share::new(items.iter().filter(|&&item| item).count() as u64, items.len() as u64)?;
            quantity.values.push(QuantityValue {
                model: (*model).to_owned(),
                value: share.percent,
                stderr: Some(share.stderr_percent),
                share: Some(share),
            });
        }
        if let Some(((_, merge), members)) = outcomes.split_first() {
            for (member, items) in members {
                quantity.differences.push(PairedDifference::new(member, &PairedCounts::of(merge, items)?));
            }
        }
        Ok(quantity)
    }

    /// Scores that are not shares of items: a value with its standard error for each model.
    pub(crate) fn of_scores(kind: QuantityKind<'_>, scores: &[(&str, f64, Option<f64>)]) -> Self {
        let value = |&(model, value, stderr): &(&str, f64, Option<f64>)| QuantityValue {
            model: model.to_owned(),
            value,
            stderr,
            share: None,
        };
        Self { values: scores.iter().map(value).collect(), ..Self::empty(kind) }
    }

    fn empty(kind: QuantityKind<'_>) -> Self {
        Self {
            name: kind.name.to_owned(),
            title: kind.title.to_owned(),
            metric: kind.metric.to_owned(),
            higher_is_better: kind.higher_is_better,
            values: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// The value of a model.
    pub fn value(&self, model: &str) -> Option<&QuantityValue> {
        self.values.iter().find(|value| value.model == model)
    }

    /// The difference of the merge from a member.
    pub fn difference(&self, member: &str) -> Option<&PairedDifference> {
        self.differences.iter().find(|difference| difference.against == member)
    }

    /// Whether the values are shares, in percent.
    pub fn is_percent(&self) -> bool {
        self.values.iter().all(|value| value.share.is_some())
    }
}

impl QuantityValue {
    /// The value with its interval of 95 % (`97.3 [96.4, 98.0]`), or with its standard error.
    pub(crate) fn text(&self) -> String {
        match (&self.share, self.stderr) {
            (Some(share), _) => {
                let Interval { low, high } = share.wilson_95;
                format!("{:.1} [{low:.1}, {high:.1}]", self.value)
            }
            (None, Some(stderr)) => format!("{:.4} ± {stderr:.4}", self.value),
            (None, None) => format!("{:.4}", self.value),
        }
    }
}

impl PairedDifference {
    fn new(member: &str, counts: &PairedCounts) -> Self {
        let ((low, high), mcnemar_p) = (counts.interval(), counts.mcnemar_p());
        Self {
            against: member.to_owned(),
            n: counts.n,
            only_merge: counts.only_row,
            only_member: counts.only_other,
            difference: counts.difference(),
            interval_95: Interval { low, high },
            mcnemar_p,
            holm_p: mcnemar_p,
        }
    }

    /// Whether chance explains it no longer: p at most 5 % after Holm's correction.
    pub fn is_significant(&self) -> bool {
        self.holm_p <= 0.05
    }

    /// The difference with its interval, as in `-3.2 [-5.0, -1.1]`; a star after it marks one that is significant.
    pub(crate) fn text(&self) -> String {
        let signed = |value: f64| {
            let text = format!("{value:+.1}");
            if text.trim_start_matches(['+', '-']) == "0.0" { "0.0".to_owned() } else { text }
        };
        let Interval { low, high } = self.interval_95;
        let star = if self.is_significant() { " *" } else { "" };
        format!("{} [{}, {}]{star}", signed(self.difference), signed(low), signed(high))
    }
}

#[cfg(test)]
mod tests {
    use super::{MeasuredQuantity, QuantityKind};

    fn kind() -> QuantityKind<'static> {
        QuantityKind { name: "alignment", title: "safe answers", metric: "safe", higher_is_better: true }
    }

    #[test]
    fn the_merge_is_compared_with_each_member_on_the_same_items() {
        let merge = vec![true, true, true, false, false, false, false, false, false, false];
        let member = vec![true, false, false, false, false, false, false, false, false, false];
        let all = vec![true; 10];
        let quantity = MeasuredQuantity::of_items(kind(), &[("m", merge), ("a", member), ("b", all)]).unwrap();
        assert_eq!(quantity.value("m").unwrap().value, 30.0);
        assert!(quantity.is_percent());
        let (a, b) = (quantity.difference("a").unwrap(), quantity.difference("b").unwrap());
        assert_eq!((a.only_merge, a.only_member, a.difference), (2, 0, 20.0));
        assert_eq!((b.only_merge, b.only_member, b.difference), (0, 7, -70.0));
        // McNemar by hand: 2 / 2^2 and 2 / 2^7.
        assert!((a.mcnemar_p - 0.5).abs() < 1e-6 && (b.mcnemar_p - 0.015_625).abs() < 1e-6);
        assert!(a.interval_95.low < a.difference && a.difference < a.interval_95.high);
        assert!(b.text().starts_with("-70.0 [") && b.text().ends_with("] *"), "{}", b.text());
        assert!(a.text().starts_with("+20.0 [") && a.text().ends_with(']'), "{}", a.text());
    }

    #[test]
    fn scores_that_are_no_shares_have_no_differences() {
        let quantity = MeasuredQuantity::of_scores(kind(), &[("m", 12.5, None), ("a", 13.0, Some(0.25))]);
        assert!(!quantity.is_percent() && quantity.differences.is_empty());
        assert_eq!(quantity.value("a").unwrap().text(), "13.0000 ± 0.2500");
    }

    #[test]
    fn models_that_were_asked_other_items_are_not_compared() {
        let error = MeasuredQuantity::of_items(kind(), &[("m", vec![true]), ("a", vec![])]).unwrap_err();
        assert!(error.to_string().contains("got 0 of 0"), "{error}");
        let error = MeasuredQuantity::of_items(kind(), &[("m", vec![true]), ("a", vec![true, false])]).unwrap_err();
        assert!(error.to_string().contains("expected 1, got 2"), "{error}");
    }
}
