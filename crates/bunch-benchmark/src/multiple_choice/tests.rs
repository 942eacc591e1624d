//! Tests of multiple choice in memory.

use bunch_lm::{ChatFormat, LmError, TokenId};
use bunch_testkit::{Bytes, END, ScriptedModel};

use super::{MultipleChoiceDoc, evaluate_multiple_choice};
use crate::BenchmarkError;

/// Puts a line break behind the end of the turn.
struct Trailing;

impl ChatFormat for Trailing {
    fn prompt(&self, user: &str) -> Result<Vec<TokenId>, LmError> {
        Bytes.prompt(user)
    }

    fn answer(&self, text: &str) -> Result<Vec<TokenId>, LmError> {
        Ok([Bytes.answer(text)?, vec![u32::from(b'\n')]].concat())
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        Bytes.decode(ids)
    }

    fn stop(&self) -> &[TokenId] {
        &[END]
    }
}

/// Scores the choices of the question `q` by name.
fn scoring(by_name: &'static [(&'static str, f64)]) -> ScriptedModel {
    ScriptedModel::scoring(|question, ids| {
        assert!(question == "q" && !ids.contains(&END));
        let choice = Bytes.decode(ids);
        by_name.iter().find(|(name, _)| *name == choice).unwrap_or_else(|| panic!("{choice}")).1
    })
}

fn doc(choices: &[&str], gold: usize) -> MultipleChoiceDoc {
    MultipleChoiceDoc { context: "q".into(), choices: choices.iter().map(|&c| c.to_owned()).collect(), gold }
}

fn evaluate(model: &ScriptedModel, docs: &[MultipleChoiceDoc]) -> Result<Vec<bool>, BenchmarkError> {
    evaluate_multiple_choice(model, &Bytes, docs)
}

#[test]
fn the_likeliest_choice_is_taken_and_compared_with_gold() {
    let model = scoring(&[("red", -3.0), ("green", -2.0), ("blue", -4.0), ("one", -9.0), ("two", -8.0)]);
    let docs = [doc(&["red", "green", "blue"], 1), doc(&["two", "one"], 1), doc(&["blue", "red"], 1)];
    assert_eq!(evaluate(&model, &docs).unwrap(), [true, false, true]);
}

#[test]
fn the_first_of_equal_choices_is_taken_even_if_all_are_impossible() {
    let model = scoring(&[("a", -1.0), ("b", -1.0), ("c", -2.0)]);
    assert_eq!(evaluate(&model, &[doc(&["c", "b", "a"], 1), doc(&["c", "b", "a"], 2)]).unwrap(), [true, false]);
    let model = scoring(&[("a", f64::NEG_INFINITY), ("b", f64::NEG_INFINITY)]);
    assert_eq!(evaluate(&model, &[doc(&["b", "a"], 0)]).unwrap(), [true]);
}

#[test]
fn what_the_template_puts_behind_the_end_of_the_turn_is_not_scored() {
    let model = scoring(&[("a", -1.0), ("b", -2.0)]);
    assert_eq!(evaluate_multiple_choice(&model, &Trailing, &[doc(&["a", "b"], 0)]).unwrap(), [true]);
}

#[test]
fn bad_docs_are_errors_that_name_the_doc() {
    let model = scoring(&[("a", -1.0), ("b", -1.0)]);
    let good = doc(&["a", "b"], 0);
    let message = |bad| evaluate(&model, &[good.clone(), bad]).unwrap_err().to_string();
    assert_eq!(message(doc(&["a"], 0)), "doc 1: expected at least 2 choices, got 1");
    assert_eq!(message(doc(&["a", "b"], 2)), "doc 1: gold is 2, expected less than the 2 choices");
    assert_eq!(message(doc(&["a", ""], 0)), "doc 1, choice 1: expected some text, got none");
    assert_eq!(evaluate(&model, &[]).unwrap_err().to_string(), "no docs: at least one is needed");
}

#[test]
fn a_model_that_scores_nan_or_too_little_is_an_error() {
    let model = scoring(&[("a", -1.0), ("b", f64::NAN), ("c", -1.0)]);
    let error = evaluate(&model, &[doc(&["a", "c"], 0), doc(&["a", "b"], 0)]).unwrap_err();
    assert_eq!(error.to_string(), "log-likelihood of request 3: got NaN");
    let model = ScriptedModel { lost: 1, ..scoring(&[("a", -1.0), ("b", -1.0)]) };
    let error = evaluate(&model, &[doc(&["a", "b"], 0)]).unwrap_err();
    assert_eq!(error.to_string(), "scores of the model: expected 2, got 1");
}
