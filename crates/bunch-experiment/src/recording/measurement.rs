//! What one row of one block scored with one seed: the unit that is cached.

use std::collections::BTreeMap;

use bunch_judging::Verdict;
use bunch_search::Evaluation;
use bunch_statistics::Proportion;
use serde::{Deserialize, Serialize};

use crate::recording::items::Items;

/// One metric of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Score {
    /// In percent, or in the column's unit.
    pub(crate) value: f64,
    /// Binomial standard error, in percentage points.
    pub(crate) stderr: f64,
    /// Test items.
    pub(crate) n: u64,
    /// Which items count, in the order of the test set.
    pub(crate) items: Items,
    /// Items of which the judge said neither safe nor unsafe; they do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) unparsed: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Score {
    /// The share of items that count.
    pub(crate) fn of(items: &[bool]) -> Self {
        let proportion = Proportion::of(items);
        Self {
            value: proportion.percent(),
            stderr: proportion.stderr_percent(),
            n: items.len() as u64,
            items: Items(items.to_vec()),
            unparsed: 0,
        }
    }

    /// A number that is no share of items: it has no error of its own.
    pub(crate) fn number(value: f64) -> Self {
        Self { value, stderr: 0.0, n: 0, items: Items::default(), unparsed: 0 }
    }

    /// The mean of scores over equally many items each: the share of all items together.
    pub(crate) fn mean(scores: &[&Score]) -> Option<Self> {
        let n = scores.first()?.n;
        let all: Vec<bool> = scores.iter().flat_map(|score| &score.items.0).copied().collect();
        let unparsed = scores.iter().map(|score| score.unparsed).sum();
        scores.iter().all(|score| score.n == n).then(|| Self { unparsed, ..Self::of(&all) })
    }

    /// The share behind the value.
    pub(crate) fn proportion(&self) -> Proportion {
        Proportion::of(&self.items.0)
    }
}

/// All metrics of one model, and how the model was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Measurement {
    /// Content address: hash of everything the scores follow from.
    pub(crate) id: String,
    pub(crate) block: String,
    pub(crate) row: String,
    pub(crate) seed: u64,
    /// Scores by column.
    pub(crate) scores: BTreeMap<String, Score>,
    /// Coefficients and losses by name.
    pub(crate) detail: BTreeMap<String, f64>,
    /// Every point the search evaluated.
    pub(crate) trace: Vec<Evaluation>,
    /// Hash of the model's weights.
    pub(crate) weights_sha256: String,
    /// What the model answered to the first harmful prompts, for a reader.
    pub(crate) samples: Vec<Sample>,
    pub(crate) wall_seconds: f64,
}

/// One exchange as it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sample {
    pub(crate) prompt: String,
    pub(crate) response: String,
    pub(crate) verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_equal_sets_is_the_share_of_all_items() {
        let (a, b) = (Score::of(&[true, true, false, false]), Score::of(&[true, false, false, false]));
        assert_eq!(Score::mean(&[&a, &b]).unwrap().value, 37.5);
        assert_eq!(Score::mean(&[&a, &b]).unwrap().n, 8);
        assert_eq!(Score::mean(&[&a, &Score::of(&[true])]), None);
        assert_eq!(Score::mean(&[]), None);
    }

    #[test]
    fn a_share_has_its_error_and_its_items() {
        let score = Score::of(&[true, true, true, false]);
        assert_eq!((score.value, score.n), (75.0, 4));
        // 100 * sqrt(0.75 * 0.25 / 4).
        assert!((score.stderr - 21.650_635).abs() < 1e-6, "{}", score.stderr);
        assert_eq!(score.proportion().percent(), 75.0);
        let number = Score::number(0.25);
        assert_eq!((number.value, number.stderr, number.n, number.items), (0.25, 0.0, 0, Items::default()));
    }

    /// Cells of a cache are read back by later runs.
    #[test]
    fn a_measurement_is_in_files_what_it_was() {
        let measurement = Measurement {
            id: "address".into(),
            block: "one".into(),
            row: "ties".into(),
            seed: 2,
            scores: BTreeMap::from([("safe".into(), Score::of(&[true, false]))]),
            detail: BTreeMap::from([("weight_1".into(), 0.1)]),
            trace: vec![Evaluation { step: 0, point: vec![0.1], loss: 0.3, generation: 0, restart: 0 }],
            weights_sha256: "weights".into(),
            samples: vec![Sample { prompt: "p".into(), response: "r".into(), verdict: Verdict::Unsafe }],
            wall_seconds: 1.5,
        };
        let text = serde_json::to_string(&measurement).unwrap();
        let start = r#"{"id":"address","block":"one","row":"ties","seed":2,"scores":{"safe":{"value":50.0,"stderr":"#;
        assert!(text.starts_with(start) && text.contains(r#""n":2,"items":"10"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Measurement>(&text).unwrap(), measurement);
    }

    #[test]
    fn unparsed_verdicts_are_written_only_if_there_are_any() {
        let mut score = Score::of(&[true, false]);
        let text = serde_json::to_string(&score).unwrap();
        assert_eq!(text, r#"{"value":50.0,"stderr":35.35533905932738,"n":2,"items":"10"}"#);
        assert_eq!(serde_json::from_str::<Score>(&text).unwrap(), score);
        score.unparsed = 1;
        let text = serde_json::to_string(&score).unwrap();
        assert!(text.ends_with(r#","unparsed":1}"#), "{text}");
        assert_eq!(serde_json::from_str::<Score>(&text).unwrap(), score);
        assert_eq!(Score::mean(&[&score, &Score::of(&[true, true])]).unwrap().unparsed, 1);
    }
}
