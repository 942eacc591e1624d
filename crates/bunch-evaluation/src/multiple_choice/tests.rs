//! Tests of multiple choice.

use bunch_statistics::Proportion;

use super::{MultipleChoiceDoc, evaluate_multiple_choice};
use crate::fake::{Bytes, Fake, text};
use crate::{EvaluationError, MultipleChoiceOutcome};

fn doc(choices: &[&str], gold: usize) -> MultipleChoiceDoc {
    MultipleChoiceDoc { context: "q".into(), choices: choices.iter().map(|&c| c.to_owned()).collect(), gold }
}

/// A model that scores the choices by name.
fn scoring(scores: &'static [(&'static str, f64)]) -> Fake {
    Fake::scoring(move |context, continuation| {
        assert_eq!(context, "q");
        assert!(continuation.iter().all(|&id| id < 256), "the end of the turn is not scored");
        let choice = text(continuation);
        scores.iter().find(|(name, _)| *name == choice).unwrap_or_else(|| panic!("{choice}")).1
    })
}

fn outcome(model: &Fake, docs: &[MultipleChoiceDoc]) -> Result<MultipleChoiceOutcome, EvaluationError> {
    evaluate_multiple_choice(model, &Bytes::default(), docs)
}

#[test]
fn the_likeliest_choice_is_taken_and_compared_with_gold() {
    let model = scoring(&[("red", -3.0), ("green", -2.0), ("blue", -4.0), ("one", -9.0), ("two", -8.0)]);
    let docs = [doc(&["red", "green", "blue"], 1), doc(&["two", "one"], 1), doc(&["blue", "red"], 1)];
    let outcome = outcome(&model, &docs).unwrap();
    assert_eq!(outcome.chosen, [1, 0, 1]);
    assert_eq!(outcome.correct, [true, false, true]);
    assert_eq!(outcome.acc(), Proportion { successes: 2, n: 3 });
}

#[test]
fn acc_norm_divides_by_characters_and_acc_bytes_by_bytes() {
    // Per character: ab -1, aaaa -0.75, éé -0.9; per byte: ab -1, aaaa -0.75, éé -0.45.
    let model = scoring(&[("ab", -2.0), ("aaaa", -3.0), ("éé", -1.8)]);
    let choices = ["ab", "aaaa", "éé"];
    let docs = [doc(&choices, 0), doc(&choices, 1), doc(&choices, 2)];
    let outcome = outcome(&model, &docs).unwrap();
    assert_eq!(outcome.correct, [false, false, true]);
    assert_eq!(outcome.correct_norm, [false, true, false]);
    assert_eq!(outcome.correct_bytes, [false, false, true]);
    let plain = scoring(&[("ab", -2.0), ("aaaa", -3.0)]);
    let outcome = super::evaluate_multiple_choice(&plain, &Bytes::default(), &[doc(&["ab", "aaaa"], 1)]).unwrap();
    assert_eq!((outcome.acc().successes, outcome.acc_norm().successes, outcome.acc_bytes().successes), (0, 1, 1));
}

#[test]
fn the_first_of_equal_choices_is_taken_even_if_all_are_impossible() {
    let model = scoring(&[("a", -1.0), ("b", -1.0), ("c", -2.0)]);
    assert_eq!(outcome(&model, &[doc(&["c", "b", "a"], 0)]).unwrap().chosen, [1]);
    let model = scoring(&[("a", f64::NEG_INFINITY), ("b", f64::NEG_INFINITY)]);
    assert_eq!(outcome(&model, &[doc(&["b", "a"], 0)]).unwrap().chosen, [0]);
}

#[test]
fn what_the_template_puts_behind_the_end_of_the_turn_is_not_scored() {
    let format = Bytes { after_end: vec![u32::from(b'\n')] };
    let model = scoring(&[("a", -1.0), ("b", -2.0)]);
    assert_eq!(evaluate_multiple_choice(&model, &format, &[doc(&["a", "b"], 0)]).unwrap().chosen, [0]);
}

#[test]
fn bad_docs_are_errors_that_name_the_doc() {
    let model = Fake::scoring(|_, _| -1.0);
    let good = doc(&["a", "b"], 0);
    let message = |bad| outcome(&model, &[good.clone(), bad]).unwrap_err().to_string();
    assert_eq!(message(doc(&["a"], 0)), "doc 1: expected at least 2 choices, got 1");
    assert_eq!(message(doc(&["a", "b"], 2)), "doc 1: gold is 2, expected less than the 2 choices");
    assert_eq!(message(doc(&["a", ""], 0)), "doc 1, choice 1: expected some text, got none");
    assert_eq!(outcome(&model, &[]).unwrap_err().to_string(), "no docs: at least one is needed");
}

#[test]
fn a_model_that_scores_nan_or_too_little_is_an_error() {
    let model = Fake::scoring(|_, continuation| if text(continuation) == "b" { f64::NAN } else { -1.0 });
    let error = outcome(&model, &[doc(&["a", "c"], 0), doc(&["a", "b"], 0)]).unwrap_err();
    assert_eq!(error.to_string(), "log-likelihood of request 3: got NaN");
    let model = Fake { lost: 1, ..Fake::scoring(|_, _| -1.0) };
    let error = outcome(&model, &[doc(&["a", "b"], 0)]).unwrap_err();
    assert_eq!(error.to_string(), "scores of the model: expected 2, got 1");
}
