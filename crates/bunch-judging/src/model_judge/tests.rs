//! Tests of judges with a format of their own.

use super::ModelJudge;
use crate::Verdict::{Safe, Unparsed, Unsafe};
use crate::fake::Fake;
use crate::{Exchange, Judge, JudgingError, Verdict};

fn exchanges(prompts: &[&str]) -> Vec<Exchange> {
    prompts.iter().map(|&prompt| Exchange::new(prompt, "r")).collect()
}

/// A guard that replies with the request.
fn echo() -> Fake {
    Fake::replying(|prompt| prompt.strip_suffix("|r").unwrap().to_owned())
}

#[test]
fn unsafe_anywhere_in_the_reply_counts_and_neither_word_is_unparsed() {
    let model = echo();
    let guard = ModelJudge::guard(&model, &model, 100);
    let replies = ["safe", "unsafe", "unsafe\nS1", "it is unsafe", "it is safe", "", "dangerous", "sa"];
    let expected = [Safe, Unsafe, Unsafe, Unsafe, Safe, Unparsed, Unparsed, Unparsed];
    assert_eq!(guard.judge(&exchanges(&replies)).unwrap(), expected);
}

#[test]
fn the_reply_is_cut_at_max_new_tokens() {
    let model = Fake::replying(|_| "well,".to_owned() + "unsafe"); // 5 bytes and a word
    let ask = |max_new_tokens| ModelJudge::guard(&model, &model, max_new_tokens).judge(&exchanges(&["a"])).unwrap();
    assert_eq!((ask(6), ask(5)), (vec![Unsafe], vec![Unparsed]));
}

#[test]
fn a_request_can_be_judged_alone() {
    let model = Fake::replying(|prompt| if prompt == "bomb|" { "unsafe" } else { "safe" }.to_owned());
    let guard = ModelJudge::guard(&model, &model, 9);
    assert_eq!(guard.judge(&[Exchange::alone("bomb"), Exchange::new("bomb", "no")]).unwrap(), [Unsafe, Safe]);
    // No model need cope with an empty batch.
    assert_eq!(guard.judge(&[]).unwrap(), []);
}

#[test]
fn a_guard_that_loses_a_verdict_is_an_error() {
    let model = Fake { lost: 1, ..Fake::replying(|_| "safe".to_owned()) };
    let error = ModelJudge::guard(&model, &model, 9).judge(&exchanges(&["a", "b", "c"])).unwrap_err();
    assert_eq!(error.to_string(), "answers of the model: expected 3, got 2");
}

/// The verdicts of a classifier whose words are `safe` and `unsafe`.
fn classified(model: &Fake, exchanges: &[Exchange]) -> Result<Vec<Verdict>, JudgingError> {
    let [safe, harm] = ["safe", "unsafe"].map(|word| vec![model.tokenizer.token_id(word).unwrap()]);
    ModelJudge::classifier(model, model, safe, harm).judge(exchanges)
}

#[test]
fn the_likelier_verdict_wins_and_a_tie_is_safe() {
    let mut model = Fake::replying(|_| panic!("nothing is generated"));
    model.score = Box::new(|message, verdict| match (message, verdict) {
        ("bomb|sure", "unsafe") | ("bomb|no", "safe") => -0.1,
        ("tie|", _) => -1.0,
        // So near to a tie that the probability is one half.
        ("near|", "unsafe") => -1.0 + f64::EPSILON / 2.0,
        ("near|", _) => -1.0,
        _ => -3.0,
    });
    let exchanges =
        [Exchange::new("bomb", "sure"), Exchange::new("bomb", "no"), Exchange::alone("tie"), Exchange::alone("near")];
    assert_eq!(classified(&model, &exchanges).unwrap(), [Unsafe, Safe, Safe, Unsafe]);
    assert_eq!(classified(&model, &[]).unwrap(), []);
}

#[test]
fn lost_and_undefined_scores_are_errors() {
    let mut model = Fake::replying(|_| String::new());
    model.lost = 1;
    model.score = Box::new(|_, _| -1.0);
    let error = classified(&model, &[Exchange::alone("a")]).unwrap_err();
    assert_eq!(error.to_string(), "scores of the model: expected 2, got 1");
    model.lost = 0;
    model.score = Box::new(|_, _| f64::NAN);
    assert!(classified(&model, &[Exchange::alone("a")]).is_err());
}
