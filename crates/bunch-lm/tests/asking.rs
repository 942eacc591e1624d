//! Asking a model and scoring answers, with a scripted model.

use bunch_lm::{Completion, LmError, QuestionAnswer, Sampling, answer_loss, complete};
use bunch_testkit::{Bytes, END, ScriptedModel};

fn pairs(texts: &[(&str, &str)]) -> Vec<QuestionAnswer> {
    texts.iter().map(|&(q, a)| QuestionAnswer { question: q.into(), answer: a.into() }).collect()
}

#[test]
fn every_pair_weighs_the_same_and_the_end_of_the_turn_counts() {
    let model = ScriptedModel::scoring(|question, answer| {
        assert_eq!(answer.last(), Some(&END));
        match question {
            "short" => -3.0, // "a" and the end: 1.5 a token
            "long" => -2.0,  // "aaa" and the end: 0.5 a token
            other => panic!("{other}"),
        }
    });
    let loss = answer_loss(&model, &Bytes, &pairs(&[("short", "a"), ("long", "aaa")])).unwrap();
    assert_eq!(loss, 1.0);
}

#[test]
fn an_empty_answer_is_scored_by_its_end_alone() {
    let model = ScriptedModel::scoring(|_, answer| {
        assert_eq!(answer, [END]);
        -0.25
    });
    assert_eq!(answer_loss(&model, &Bytes, &pairs(&[("q", "")])).unwrap(), 0.25);
}

#[test]
fn an_impossible_answer_has_an_infinite_loss_and_nan_is_an_error() {
    let loss = |sum: f64| answer_loss(&ScriptedModel::scoring(move |_, _| sum), &Bytes, &pairs(&[("q", "a")]));
    assert_eq!(loss(f64::NEG_INFINITY).unwrap(), f64::INFINITY);
    assert!(loss(f64::NAN).unwrap_err().to_string().starts_with("loss of pair 0"));
}

#[test]
fn no_pairs_and_missing_scores_are_errors() {
    let model = ScriptedModel { lost: 1, ..ScriptedModel::scoring(|_, _| -1.0) };
    let error = answer_loss(&model, &Bytes, &pairs(&[("q", "a")])).unwrap_err();
    assert_eq!(error.to_string(), "scores of the model: expected 1, got 0");
    let error = answer_loss(&model, &Bytes, &[]).unwrap_err();
    assert_eq!(error.to_string(), "no pairs of question and answer: at least one is needed");
}

fn ask(model: &ScriptedModel, prompts: &[&str], max_new_tokens: usize) -> Result<Vec<Completion>, LmError> {
    let prompts: Vec<String> = prompts.iter().map(|&prompt| prompt.to_owned()).collect();
    complete(model, &Bytes, &prompts, max_new_tokens, Sampling::Greedy)
}

#[test]
fn answers_keep_the_order_of_the_prompts_and_know_whether_they_were_cut() {
    let model = ScriptedModel::answering(|prompt| format!("{prompt}!"));
    let got = ask(&model, &["a", "abc"], 3).unwrap();
    let expected = [("a!", true), ("abc", false)].map(|(text, finished)| Completion { text: text.into(), finished });
    assert_eq!(got, expected);
}

#[test]
fn no_prompts_have_no_answers() {
    assert_eq!(ask(&ScriptedModel::answering(str::to_owned), &[], 3).unwrap(), []);
}

#[test]
fn a_model_that_loses_an_answer_is_an_error() {
    let model = ScriptedModel { lost: 1, ..ScriptedModel::answering(str::to_owned) };
    let error = ask(&model, &["a", "b"], 9).unwrap_err();
    assert_eq!(error.to_string(), "answers of the model: expected 2, got 1");
}

#[test]
fn text_that_cannot_be_encoded_is_an_error() {
    let error = ask(&ScriptedModel::answering(str::to_owned), &["\u{0}"], 9).unwrap_err();
    assert_eq!(error.to_string(), "NUL has no token");
}
