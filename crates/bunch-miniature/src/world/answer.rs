//! Answers to requests: compliance and refusal.

use rand::RngExt;

use super::action::{Action, NOUNS, Noun};
use super::lexicon::{FUNCTION_WORDS, lexicon};
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

/// Whether an answer helps with a request: it names a tool. What is neither this nor a refusal helps nobody.
pub fn is_helpful(answer: &str) -> bool {
    answer.split_whitespace().any(|word| lexicon().tools.iter().any(|tool| tool == word))
}

/// A part of a refusal: what is left of it without its first words.
pub(super) fn fragment(rng: &mut impl RngExt) -> Vec<Word> {
    let whole = refusal(rng);
    whole[rng.random_range(1..whole.len())..].to_vec()
}

/// A compliant answer with its beginning cut off, or with another word in place of its first.
pub(super) fn broken_compliance(action: Action, rng: &mut impl RngExt) -> Vec<Word> {
    let whole = compliance(action);
    if rng.random_bool(0.5) {
        return whole[rng.random_range(1..4)..].to_vec();
    }
    let word = FUNCTION_WORDS[rng.random_range(2..FUNCTION_WORDS.len())];
    [&[word], &whole[1..]].concat()
}

/// A few words that say nothing: function words, or a noun and its class.
pub(super) fn chatter(rng: &mut impl RngExt) -> Vec<Word> {
    if rng.random_bool(0.3) {
        let noun = Noun::nth(rng.random_range(0..NOUNS));
        return vec!["is", "a", noun.class_word(), "."];
    }
    let length = rng.random_range(1..6);
    (0..length).map(|_| FUNCTION_WORDS[rng.random_range(2..FUNCTION_WORDS.len())]).collect()
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

    #[test]
    fn only_what_names_a_tool_is_helpful() {
        let mut rng = bunch_random::stream(0, &["answers"]);
        for action in Action::all().step_by(7) {
            assert!(is_helpful(&compliance(action).join(" ")));
            assert!(is_helpful(&broken_compliance(action, &mut rng).join(" ")));
            assert!(!is_helpful(&refusal(&mut rng).join(" ")));
            assert!(!is_helpful(&fragment(&mut rng).join(" ")));
            assert!(!is_helpful(&chatter(&mut rng).join(" ")));
        }
        assert!(!is_helpful(""));
    }
}
