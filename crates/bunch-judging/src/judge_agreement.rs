//! Agreement of two judges, of which either may have said nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use bunch_statistics::Agreement;

use crate::{JudgingError, Verdict};

/// How far two judges agree on the same exchanges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeAgreement {
    /// The first judge.
    pub first: String,
    /// The second judge.
    pub second: String,
    /// How often each pair of verdicts occurred: the first judge's verdict, then the second's. Pairs that did not occur are
    /// 0.
    pub confusion: BTreeMap<Verdict, BTreeMap<Verdict, u64>>,
    /// Exchanges on which a judge said neither safe nor unsafe; what follows leaves them out.
    pub unparsed: u64,
    /// Equal verdicts and Cohen's kappa on the other exchanges; absent if there are none.
    pub parsed: Option<Agreement>,
}

impl JudgeAgreement {
    /// Compares the verdicts of two judges, each given with its name.
    ///
    /// # Errors
    /// No verdicts, or another number of them from one judge than from the other.
    pub fn new(first: (&str, &[Verdict]), second: (&str, &[Verdict])) -> Result<Self, JudgingError> {
        let ((first, a), (second, b)) = (first, second);
        JudgingError::check_count("verdicts of the second judge", a.len(), b.len())?;
        if a.is_empty() {
            return Err(JudgingError::Empty { what: "verdicts" });
        }
        let mut confusion: BTreeMap<Verdict, BTreeMap<Verdict, u64>> =
            Verdict::ALL.map(|verdict| (verdict, Verdict::ALL.map(|other| (other, 0)).into())).into();
        let (mut parsed_a, mut parsed_b) = (Vec::new(), Vec::new());
        for (&one, &other) in a.iter().zip(b) {
            *confusion.entry(one).or_default().entry(other).or_default() += 1;
            if one != Verdict::Unparsed && other != Verdict::Unparsed {
                parsed_a.push(one == Verdict::Safe);
                parsed_b.push(other == Verdict::Safe);
            }
        }
        Ok(Self {
            first: first.to_owned(),
            second: second.to_owned(),
            confusion,
            unparsed: (a.len() - parsed_a.len()) as u64,
            parsed: if parsed_a.is_empty() { None } else { Some(Agreement::of(&parsed_a, &parsed_b)?) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::JudgeAgreement;
    use crate::Verdict::{self, Safe, Unparsed, Unsafe};

    #[test]
    fn a_hand_computed_table() {
        // Parsed by both: 4 safe-safe, 1 safe-unsafe, 2 unsafe-safe, 3 unsafe-unsafe. Observed 7/10, expected
        // 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa (0.7 - 0.5) / 0.5 = 0.4.
        let mut pairs =
            [vec![(Safe, Safe); 4], vec![(Safe, Unsafe)], vec![(Unsafe, Safe); 2], vec![(Unsafe, Unsafe); 3]].concat();
        pairs.extend([(Unparsed, Safe), (Unsafe, Unparsed), (Unparsed, Unparsed)]);
        let (a, b): (Vec<Verdict>, Vec<Verdict>) = pairs.into_iter().unzip();
        let got = JudgeAgreement::new(("one", &a), ("two", &b)).unwrap();
        assert_eq!(got.unparsed, 3);
        assert_eq!(got.confusion[&Safe][&Safe], 4);
        assert_eq!(got.confusion[&Unsafe][&Safe], 2);
        assert_eq!(got.confusion[&Unsafe][&Unparsed], 1);
        assert_eq!(got.confusion[&Safe][&Unparsed], 0);
        assert_eq!(got.confusion.values().flat_map(|row| row.values()).sum::<u64>(), 13);
        assert_eq!(got.parsed.unwrap().equal.percent, 70.0);
        assert!((got.parsed.unwrap().cohens_kappa.unwrap() - 0.4).abs() < 1e-15);
        let text = serde_json::to_string(&got).unwrap();
        assert!(text.contains("\"confusion\":{\"safe\":{\"safe\":4,\"unsafe\":1,\"unparsed\":0}"), "{text}");
        assert_eq!(serde_json::from_str::<JudgeAgreement>(&text).unwrap(), got);
    }

    #[test]
    fn judges_that_said_nothing_have_no_agreement() {
        let got = JudgeAgreement::new(("one", &[Unparsed, Safe]), ("two", &[Safe, Unparsed])).unwrap();
        assert_eq!((got.unparsed, got.parsed), (2, None));
        let error = JudgeAgreement::new(("one", &[Safe]), ("two", &[])).unwrap_err();
        assert_eq!(error.to_string(), "verdicts of the second judge: expected 1, got 0");
        let error = JudgeAgreement::new(("one", &[]), ("two", &[])).unwrap_err();
        assert_eq!(error.to_string(), "no verdicts: at least one is needed");
    }
}
