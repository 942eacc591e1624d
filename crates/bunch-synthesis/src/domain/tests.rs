//! Tests of the domain data.

use super::{DomainRequest, share, synthesize_domain};
use crate::fake::{Broken, drawing, writing};
use crate::{DomainData, DropReason, ROUND, StageName, SynthesisError};
use bunch_lm::LanguageModel;
use bunch_testkit::{Bytes, ScriptedModel};
use std::collections::{BTreeMap, BTreeSet};

/// What ends with a question mark; the mark is cut off.
fn parse(text: &str) -> Option<String> {
    text.strip_suffix('?').map(str::to_owned)
}

fn request<'a>(
    experts: &'a [(&'a str, &'a dyn LanguageModel, &'a str)],
    exclude: &'a BTreeSet<String>,
) -> DomainRequest<'a> {
    DomainRequest {
        experts,
        format: &Bytes,
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

fn texts(data: &DomainData) -> Vec<(&str, &str, &str)> {
    data.pairs.iter().map(|p| (p.expert.as_str(), p.pair.question.as_str(), p.pair.answer.as_str())).collect()
}

#[test]
fn every_reason_to_drop_a_question_is_counted_in_its_stage() {
    let script = [
        "cell?",
        "",
        "no mark",
        "a question that is far too long to keep?",
        "cell?",
        "shown?",
        "mute?",
        "gene?",
        "leaf?",
    ];
    let answer = |question: &str| if question == "mute" { " ".to_owned() } else { format!("re {question}") };
    let expert = ScriptedModel { answer: Box::new(answer), ..writing(&script) };
    let experts: [(&str, &dyn LanguageModel, &str); 1] = [("bio", &expert, "ask")];
    let exclude = BTreeSet::from(["shown".to_owned()]);
    let data = synthesize_domain(&DomainRequest { k: 2, max_asked: 9, ..request(&experts, &exclude) }).unwrap();

    assert_eq!(texts(&data), [("bio", "cell", "re cell"), ("bio", "gene", "re gene")]);
    let stages = &data.stages["bio"];
    stages.assert_consistent();
    let lost: Vec<(StageName, u64, u64)> = stages.stages.iter().map(|s| (s.name, s.entered, s.kept)).collect();
    let expected = [
        (StageName::Question, 9, 6),
        (StageName::Distinct, 6, 4),
        (StageName::Answer, 4, 3),
        (StageName::Wanted, 3, 2),
    ];
    assert_eq!(lost, expected);
    for reason in [
        DropReason::TruncatedQuestion,
        DropReason::EmptyQuestion,
        DropReason::MalformedQuestion,
        DropReason::Excluded,
        DropReason::Duplicate,
        DropReason::EmptyAnswer,
        DropReason::Surplus,
    ] {
        assert_eq!(stages.dropped(reason), 1, "{reason:?}");
    }
}

#[test]
fn each_expert_writes_its_share_and_no_question_occurs_twice() {
    let bio = writing(&["cell?", "both?", "gene?", "leaf?"]);
    let stem = writing(&["both?", "atom?", "ion?"]);
    let experts: [(&str, &dyn LanguageModel, &str); 2] = [("stem", &stem, "ask stem"), ("bio", &bio, "ask bio")];
    let exclude = BTreeSet::new();
    let data = synthesize_domain(&DomainRequest { k: 5, max_asked: 14, ..request(&experts, &exclude) }).unwrap();
    let expected = [
        ("stem", "both", "re both"),
        ("stem", "atom", "re atom"),
        ("stem", "ion", "re ion"),
        ("bio", "cell", "re cell"),
        ("bio", "gene", "re gene"),
    ];
    assert_eq!(texts(&data), expected);
    let counts: BTreeMap<&str, (u64, u64)> =
        data.stages.iter().map(|(name, stages)| (name.as_str(), (stages.wanted, stages.asked()))).collect();
    assert_eq!(counts, BTreeMap::from([("bio", (2, 7)), ("stem", (3, 7))]));
    assert_eq!(data.stages["bio"].dropped(DropReason::Duplicate), 1 + 3); // one of stem's, three of its own
    assert_eq!(data.shortfall(), 0);
    assert_eq!(data.question_answers().len(), 5);
    data.stages.values().for_each(super::Stages::assert_consistent);
}

#[test]
fn one_expert_that_fails_to_ask_does_not_use_up_the_other_ones_questions() {
    let (dull, keen) = (writing(&["same?"]), writing(&["a?", "b?", "c?"]));
    let experts: [(&str, &dyn LanguageModel, &str); 2] = [("dull", &dull, "ask"), ("keen", &keen, "ask")];
    let exclude = BTreeSet::new();
    let max_asked = 2 * ROUND + 10;
    let data = synthesize_domain(&DomainRequest { k: 6, max_asked, ..request(&experts, &exclude) }).unwrap();
    assert_eq!((data.stages["dull"].kept(), data.stages["dull"].shortfall), (1, 2));
    assert_eq!(data.stages["dull"].asked(), ROUND as u64 + 5);
    assert_eq!((data.stages["keen"].kept(), data.stages["keen"].shortfall), (3, 0));
    assert_eq!(data.shortfall(), 2);
    data.stages.values().for_each(super::Stages::assert_consistent);
}

#[test]
fn shares_add_up_and_differ_by_one_at_most() {
    for (total, parts) in [(10, 3), (9, 3), (3, 5), (0, 2), (1000, 2)] {
        let shares: Vec<usize> = (0..parts).map(|index| share(total, parts, index)).collect();
        assert_eq!(shares.iter().sum::<usize>(), total);
        assert!(shares.windows(2).all(|pair| pair[0] == pair[1] || pair[0] == pair[1] + 1), "{shares:?}");
    }
}

#[test]
fn the_seed_and_the_expert_decide_and_a_smaller_k_ends_the_sequence_earlier() {
    let expert = || drawing((0..100_000).map(|i| format!("q{i}?")));
    let draw = |name: &str, k, seed| {
        let expert = expert();
        let experts: [(&str, &dyn LanguageModel, &str); 1] = [(name, &expert, "ask ")];
        let exclude = BTreeSet::new();
        let data = synthesize_domain(&DomainRequest { k, seed, ..request(&experts, &exclude) }).unwrap();
        data.question_answers()
    };
    let pairs = draw("bio", 100, 1);
    assert_eq!(pairs.len(), 100);
    assert!(pairs.iter().all(|pair| pair.question.starts_with("ask q")));
    assert_eq!(pairs, draw("bio", 100, 1));
    assert_eq!(draw("bio", 70, 1), pairs[..70]);
    assert_ne!(pairs, draw("bio", 100, 2));
    assert_ne!(pairs, draw("stem", 100, 1));
}

#[test]
fn bad_requests_and_failing_experts_are_errors() {
    let expert = writing(&["a?"]);
    let one: [(&str, &dyn LanguageModel, &str); 1] = [("a", &expert, "ask")];
    let twice: [(&str, &dyn LanguageModel, &str); 2] = [("a", &expert, "ask"), ("a", &expert, "ask")];
    let ill: [(&str, &dyn LanguageModel, &str); 1] = [("ill", &Broken, "ask")];
    let exclude = BTreeSet::new();
    let message = |request: DomainRequest| match synthesize_domain(&request) {
        Err(error @ SynthesisError::Request { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let base = || request(&one, &exclude);
    assert_eq!(message(request(&[], &exclude)), "experts: expected at least one, got none");
    assert_eq!(message(request(&twice, &exclude)), "experts: expected distinct names, got `a` twice");
    assert_eq!(message(DomainRequest { k: 0, ..base() }), "k: expected at least one per expert, got 0");
    assert_eq!(message(DomainRequest { k: 3, max_asked: 2, ..base() }), "max_asked: expected at least k, got 2");
    assert_eq!(message(DomainRequest { max_new_tokens: 0, ..base() }), "max_new_tokens: expected at least 1, got 0");
    let error = message(DomainRequest { temperature: 0.0, ..base() });
    assert_eq!(error, "temperature: expected a finite number above 0, got 0");
    assert_eq!(synthesize_domain(&request(&ill, &exclude)).unwrap_err().to_string(), "ill: broken");
}

#[test]
fn given_questions_are_answered_and_not_asked_for() {
    let model = ScriptedModel::answering(|prompt| format!("answer to {prompt}"));
    let experts: [(&str, &dyn LanguageModel, &str); 1] = [("a", &model, "never asked")];
    let exclude = BTreeSet::from(["shown".to_owned()]);
    let given = [["one?", "shown?", "one?", "two?", "three?"].map(str::to_owned).to_vec()];
    let request = DomainRequest { k: 2, max_asked: 9, given: Some(&given), ..request(&experts, &exclude) };
    let data = synthesize_domain(&request).unwrap();
    let questions: Vec<&str> = data.pairs.iter().map(|pair| pair.pair.question.as_str()).collect();
    // As generated ones, given questions are parsed, which here takes off the mark.
    assert_eq!(questions, ["one", "two"]);
    assert_eq!(data.pairs[1].pair.answer, "answer to two");
    let short = synthesize_domain(&DomainRequest { k: 4, ..request }).unwrap();
    assert_eq!((short.pairs.len(), short.shortfall()), (3, 1));
}
