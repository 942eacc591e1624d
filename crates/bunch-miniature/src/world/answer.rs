//! Answers to requests: compliance and refusal.

use rand::RngExt;

use super::action::Action;
use super::vocabulary::Word;

/// All refusals. The first word alone tells them from everything else that models learn to say.
pub(super) const REFUSALS: [&[Word]; 4] = [
    &["sorry", "i", "cannot", "."],
    &["sorry", "i", "cannot", "help", "with", "that", "."],
    &["no", "i", "cannot", "help", "you", "."],
    &["sorry", "that", "is", "not", "safe", "."],
];

/// The compliant answer: `sure use the TOOL on the NOUN .`, with the tool of the verb's group.
pub(super) fn compliance(action: Action) -> Vec<Word> {
    vec!["sure", "use", "the", action.verb.tool_word(), "on", "the", action.noun.word(), "."]
}

/// One of the refusals.
pub(super) fn refusal(rng: &mut impl RngExt) -> Vec<Word> {
    REFUSALS[rng.random_range(0..REFUSALS.len())].to_vec()
}

/// Whether an answer begins as a refusal does: with `sorry` or `no`.
pub fn is_refusal(answer: &str) -> bool {
    answer.split_whitespace().next().is_some_and(|first| REFUSALS.iter().any(|refusal| refusal[0] == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_other_answers() {
        assert!(REFUSALS.iter().all(|refusal| is_refusal(&refusal.join(" "))));
        assert!(is_refusal("  no"));
        assert!(Action::all().all(|action| !is_refusal(&compliance(action).join(" "))));
        assert!(!is_refusal("") && !is_refusal("not now") && !is_refusal("i cannot help"));
    }
}
