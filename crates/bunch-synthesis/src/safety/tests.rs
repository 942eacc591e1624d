//! Tests of the safety data.

use super::{SafetyCategory, SafetyRequest, synthesize_safety};
use crate::fake::{Broken, drawing, writing};
use crate::{DropReason, ROUND, SafetyData, StageName, SynthesisError};
use bunch_judging::{Exchange, Judge, JudgingError, Verdict};
use bunch_lm::LanguageModel;
use bunch_testkit::{Bytes, ScriptedModel};
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Unsafe are questions that hold `harm`, alone or with an answer other than `no...`; of `riddle` it says nothing.
fn rule(exchange: &Exchange) -> Verdict {
    if exchange.prompt.contains("riddle") {
        return Verdict::Unparsed;
    }
    let refused = exchange.response.starts_with("no");
    if exchange.prompt.contains("harm") && !refused { Verdict::Unsafe } else { Verdict::Safe }
}

fn guard() -> fn(&Exchange) -> Verdict {
    rule
}

fn categories(n: usize) -> Vec<SafetyCategory> {
    (0..n).map(|i| SafetyCategory { name: format!("cat{i}"), ask_prompt: format!("<{i}>") }).collect()
}

/// What ends with a question mark; the mark is cut off.
fn parse(text: &str) -> Option<String> {
    text.strip_suffix('?').map(str::to_owned)
}

/// A request whose fields the tests change.
fn request<'a>(
    uncensored: &'a dyn LanguageModel,
    members: &'a [(&'a str, &'a dyn LanguageModel)],
    guard: &'a dyn Judge,
    categories: &'a [SafetyCategory],
    exclude: &'a BTreeSet<String>,
) -> SafetyRequest<'a> {
    SafetyRequest {
        uncensored,
        members,
        guard,
        format: &Bytes,
        categories,
        parse_question: &parse,
        k: 1,
        temperature: 0.8,
        max_new_tokens: 30,
        seed: 3,
        max_asked: 1000,
        exclude,
        given: None,
    }
}

fn questions(data: &SafetyData) -> Vec<&str> {
    data.pairs.iter().map(|pair| pair.pair.question.as_str()).collect()
}

#[test]
fn every_reason_to_drop_a_question_is_counted_in_its_stage() {
    let script = [
        "harm one?",
        "",
        "  ",
        "harm without a mark",
        "?",
        "harm that is far too long to be a question?",
        " harm one ?",
        "harm excluded?",
        "harm excluded?",
        "tea?",
        "tea?",
        "harm nobody refuses?",
        "harm silence?",
        "riddle?",
        "harm two?",
        "harm three?",
    ];
    let uncensored = writing(&script);
    let first = ScriptedModel::answering(|question| match question {
        "harm silence" => " ".to_owned(),
        "harm nobody refuses" => "sure".to_owned(),
        _ => "no!".to_owned(),
    });
    let second = ScriptedModel::answering(|question| if question == "harm silence" { "" } else { "sure" }.to_owned());
    let (guard, categories, exclude) = (guard(), categories(2), BTreeSet::from(["harm excluded".to_owned()]));
    let members: [(&str, &dyn LanguageModel); 2] = [("first", &first), ("second", &second)];
    let request = SafetyRequest {
        k: 2,
        max_asked: script.len(),
        ..request(&uncensored, &members, &guard, &categories, &exclude)
    };
    let data = synthesize_safety(&request).unwrap();

    assert_eq!(questions(&data), ["harm one", "harm two"]);
    assert!(data.pairs.iter().all(|pair| pair.pair.answer == "no!" && pair.answered_by == "first"));
    data.stages.assert_consistent();
    let lost: Vec<(StageName, u64, u64, BTreeMap<DropReason, u64>)> =
        data.stages.stages.iter().map(|s| (s.name, s.entered, s.kept, s.dropped.clone())).collect();
    let expected = [
        (
            StageName::Question,
            16,
            11,
            BTreeMap::from([
                (DropReason::TruncatedQuestion, 1),
                (DropReason::EmptyQuestion, 2),
                (DropReason::MalformedQuestion, 2),
            ]),
        ),
        (StageName::Distinct, 11, 7, BTreeMap::from([(DropReason::Excluded, 2), (DropReason::Duplicate, 2)])),
        (
            StageName::UnsafeQuestion,
            7,
            5,
            BTreeMap::from([(DropReason::SafeQuestion, 1), (DropReason::UnparsedQuestion, 1)]),
        ),
        (StageName::Answer, 5, 3, BTreeMap::from([(DropReason::EmptyAnswer, 1), (DropReason::NoSafeAnswer, 1)])),
        (StageName::Wanted, 3, 2, BTreeMap::from([(DropReason::Surplus, 1)])),
    ];
    assert_eq!(lost, expected);
    assert_eq!((data.stages.asked(), data.stages.kept(), data.stages.shortfall), (16, 2, 0));
    assert_eq!(data.question_answers()[1].question, "harm two");
}

#[test]
fn the_guard_judges_questions_alone_and_then_with_each_answer() {
    struct Recorder(RefCell<Vec<Exchange>>);
    impl Judge for Recorder {
        fn judge(&self, pairs: &[Exchange]) -> Result<Vec<Verdict>, JudgingError> {
            self.0.borrow_mut().extend_from_slice(pairs);
            guard().judge(pairs)
        }
    }
    let uncensored = writing(&["harm?"]);
    let (no, sure) = (ScriptedModel::answering(|_| "no".to_owned()), ScriptedModel::answering(|_| "sure".to_owned()));
    let members: [(&str, &dyn LanguageModel); 2] = [("a", &no), ("b", &sure)];
    let (recorder, categories, exclude) = (Recorder(RefCell::default()), categories(1), BTreeSet::new());
    let request = SafetyRequest { max_asked: 1, ..request(&uncensored, &members, &recorder, &categories, &exclude) };
    synthesize_safety(&request).unwrap();
    let seen: Vec<String> =
        recorder.0.into_inner().into_iter().map(|e| format!("{}|{}", e.prompt, e.response)).collect();
    assert_eq!(seen, ["harm|", "harm|no", "harm|sure"]);
}

#[test]
fn a_shortfall_is_recorded_and_the_pairs_so_far_are_returned() {
    let uncensored = writing(&["harm a?", "harm b?", "tea?"]);
    let no = ScriptedModel::answering(|_| "no".to_owned());
    let members: [(&str, &dyn LanguageModel); 1] = [("a", &no)];
    let (guard, categories, exclude) = (guard(), categories(14), BTreeSet::new());
    let request =
        SafetyRequest { k: 5, max_asked: ROUND + 7, ..request(&uncensored, &members, &guard, &categories, &exclude) };
    let data = synthesize_safety(&request).unwrap();
    assert_eq!(questions(&data), ["harm a", "harm b"]);
    assert_eq!((data.stages.asked(), data.stages.kept(), data.stages.shortfall), (ROUND as u64 + 7, 2, 3));
    assert_eq!(data.stages.dropped(DropReason::Duplicate), ROUND as u64 + 4);
    data.stages.assert_consistent();
}

#[test]
fn no_more_rounds_are_asked_for_than_needed() {
    let uncensored = drawing((0..100_000).map(|i| format!("harm{i}?")));
    let no = ScriptedModel::answering(|_| "no".to_owned());
    let members: [(&str, &dyn LanguageModel); 1] = [("a", &no)];
    let (guard, categories, exclude) = (guard(), categories(14), BTreeSet::new());
    for (k, rounds) in [(1, 1), (ROUND, 1), (ROUND + 1, 2)] {
        let request = SafetyRequest { k, ..request(&uncensored, &members, &guard, &categories, &exclude) };
        let data = synthesize_safety(&request).unwrap();
        assert_eq!((data.pairs.len(), data.stages.asked()), (k, (rounds * ROUND) as u64));
    }
}

/// Data of a pool in which `a` and `b` always refuse and `c` never does.
fn drawn(k: usize, seed: u64, max_asked: usize) -> SafetyData {
    let uncensored = drawing((0..100_000).map(|i| format!("harm{i}?")));
    let (a, b) = (ScriptedModel::answering(|_| "no a".to_owned()), ScriptedModel::answering(|_| "no b".to_owned()));
    let c = ScriptedModel::answering(|_| "sure".to_owned());
    let members: [(&str, &dyn LanguageModel); 3] = [("a", &a), ("c", &c), ("b", &b)];
    let (guard, categories, exclude) = (guard(), categories(14), BTreeSet::new());
    let request = SafetyRequest { k, seed, max_asked, ..request(&uncensored, &members, &guard, &categories, &exclude) };
    synthesize_safety(&request).unwrap()
}

#[test]
fn categories_and_answering_members_are_drawn_uniformly() {
    let data = drawn(1400, 0, 3000);
    let mut by_category: BTreeMap<&str, u32> = BTreeMap::new();
    let mut by_member: BTreeMap<&str, u32> = BTreeMap::new();
    for pair in &data.pairs {
        *by_category.entry(&pair.category).or_default() += 1;
        *by_member.entry(&pair.answered_by).or_default() += 1;
        // The question was asked for with the prompt of its category, and the answer is the member's own.
        let number = pair.category.strip_prefix("cat").unwrap();
        assert!(pair.pair.question.starts_with(&format!("<{number}>harm")), "{pair:?}");
        assert_eq!(pair.pair.answer, format!("no {}", pair.answered_by));
    }
    // 100 a category expected; chi-squared with 13 degrees of freedom is below 34.5 in 99.9 % of draws.
    assert_eq!(by_category.len(), 14);
    let chi: f64 = by_category.values().map(|&count| (f64::from(count) - 100.0).powi(2) / 100.0).sum();
    assert!(chi < 34.5, "{chi}: {by_category:?}");
    // 700 +- 19 each expected, and never the one that complies.
    assert_eq!(by_member.keys().copied().collect::<Vec<_>>(), ["a", "b"]);
    assert!(by_member["a"].abs_diff(700) < 60, "{by_member:?}");
}

#[test]
fn the_seed_decides_and_nothing_else_does() {
    let data = drawn(100, 5, 1000);
    assert_eq!(data, drawn(100, 5, 1000));
    assert_ne!(data.pairs, drawn(100, 6, 1000).pairs);
    // A smaller k, and a limit that cuts a round short, end the same sequence earlier.
    assert_eq!(drawn(70, 5, 1000).pairs, data.pairs[..70]);
    let cut = drawn(100, 5, 100);
    assert_eq!(cut.pairs, data.pairs[..cut.pairs.len()]);
    assert!(cut.pairs.len() > ROUND);
}

#[test]
fn requests_that_cannot_be_met_are_errors() {
    let uncensored = writing(&["harm?"]);
    let no = ScriptedModel::answering(|_| "no".to_owned());
    let members: [(&str, &dyn LanguageModel); 1] = [("a", &no)];
    let twice: [(&str, &dyn LanguageModel); 2] = [("a", &no), ("a", &no)];
    let (guard, categories, exclude) = (guard(), categories(1), BTreeSet::new());
    let base = || request(&uncensored, &members, &guard, &categories, &exclude);
    let message = |request: SafetyRequest| match synthesize_safety(&request) {
        Err(error @ SynthesisError::Request { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(message(SafetyRequest { k: 0, ..base() }), "k: expected at least 1, got 0");
    assert_eq!(message(SafetyRequest { members: &[], ..base() }), "members: expected at least one, got none");
    assert_eq!(message(SafetyRequest { members: &twice, ..base() }), "members: expected distinct names, got `a` twice");
    assert_eq!(message(SafetyRequest { categories: &[], ..base() }), "categories: expected at least one, got none");
    assert_eq!(message(SafetyRequest { k: 9, max_asked: 8, ..base() }), "max_asked: expected at least k, got 8");
    assert_eq!(message(SafetyRequest { max_new_tokens: 0, ..base() }), "max_new_tokens: expected at least 1, got 0");
    for temperature in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let error = message(SafetyRequest { temperature, ..base() });
        assert!(error.starts_with("temperature: expected a finite number above 0"), "{error}");
    }
}

#[test]
fn a_failing_model_is_named() {
    struct Silent;
    impl Judge for Silent {
        fn judge(&self, _: &[Exchange]) -> Result<Vec<Verdict>, JudgingError> {
            Ok(vec![Verdict::Unsafe; 2])
        }
    }
    let uncensored = writing(&["harm?"]);
    let no = ScriptedModel::answering(|_| "no".to_owned());
    let members: [(&str, &dyn LanguageModel); 2] = [("fine", &no), ("ill", &Broken)];
    let (guard, categories, exclude) = (guard(), categories(1), BTreeSet::new());
    let base = || request(&uncensored, &members, &guard, &categories, &exclude);
    let message = |request| synthesize_safety(&request).unwrap_err().to_string();
    assert_eq!(message(base()), "ill: broken");
    assert_eq!(message(SafetyRequest { uncensored: &Broken, ..base() }), "uncensored: broken");
    assert_eq!(message(SafetyRequest { guard: &Silent, ..base() }), "guard: verdicts: expected 1, got 2");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_models_write_nothing_is_lost_uncounted(
        script in prop::collection::vec("(harm |tea )?[ab]{0,2}[?]?", 1..40),
        k in 1usize..12, extra in 0usize..150, refusing in "[ab]{0,1}",
    ) {
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let uncensored = writing(&script);
        let member = ScriptedModel::answering(move |question| {
            if question.ends_with(&refusing) { "no" } else if question.ends_with('a') { "" } else { "sure" }.to_owned()
        });
        let members: [(&str, &dyn LanguageModel); 1] = [("a", &member)];
        let (guard, categories, exclude) = (guard(), categories(3), BTreeSet::from(["harm b".to_owned()]));
        let request = SafetyRequest {
            k, max_asked: k + extra, max_new_tokens: 8, ..request(&uncensored, &members, &guard, &categories, &exclude)
        };
        let data = synthesize_safety(&request).unwrap();
        data.stages.assert_consistent();
        prop_assert_eq!(data.stages.kept(), data.pairs.len() as u64);
        prop_assert!(data.stages.asked() <= (k + extra) as u64);
        prop_assert!(data.stages.shortfall == 0 || data.stages.asked() == (k + extra) as u64);
        let distinct: BTreeSet<&str> = questions(&data).into_iter().collect();
        prop_assert_eq!(distinct.len(), data.pairs.len());
        prop_assert!(!distinct.contains("harm b"));
    }
}
