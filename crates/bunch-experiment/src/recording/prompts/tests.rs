//! What pages of the miniature's prompts say, without a trained model.

use bunch_lm::QuestionAnswer;
use bunch_synthesis::{DomainData, DomainPair, SafetyData, SafetyPair, Stages};

use super::*;
use crate::declared::scale::Scale;
use crate::seed_pool::Places;

fn sections(page: &PromptsPage) -> Result<Vec<PageSection>, ExperimentError> {
    let folder = tempfile::tempdir().unwrap();
    let places = Places { root: folder.path(), cache: folder.path(), models: folder.path(), data: folder.path() };
    let scale: Scale = toml::from_str(
        "seeds = [3]\npairs = 2\nharmful_prompts = 1\nbenign_prompts = 1\nquestions = 6\ndev_questions = 6\nmodels = {}\ntasks = {}",
    )
    .unwrap();
    let seed_pool = SeedPool::open(3, &scale, (None, &[]), &[], &places, "flex").unwrap();
    let stages = || Stages { wanted: 2, shortfall: 0, stages: vec![] };
    let prompts = ["harmful", "benign"].map(|set| &seed_pool.prompts(set).unwrap().texts).into_iter().flatten();
    let pair = |question: &String| QuestionAnswer { question: question.clone(), answer: "no .".into() };
    let pairs: Vec<QuestionAnswer> = prompts.map(pair).collect();
    let safe = |pair: &QuestionAnswer| SafetyPair {
        pair: pair.clone(),
        category: "privacy violation".into(),
        answered_by: "aligned".into(),
    };
    let domain = |pair: &QuestionAnswer| DomainPair { pair: pair.clone(), expert: "expert-bio".into() };
    let data = PoolData {
        safety: SafetyData { pairs: pairs.iter().map(safe).collect(), stages: stages() },
        expert: DomainData {
            pairs: pairs.iter().map(domain).collect(),
            stages: [("expert-bio".into(), stages())].into(),
        },
    };
    let members = ["aligned".to_owned(), "expert-bio".to_owned()];
    let prompted = Prompted { seed_pool: &seed_pool, members: &members, data: &data };
    prompted.sections(page)
}

fn quotations(sections: &[PageSection]) -> Vec<(&str, &str)> {
    let paragraphs = sections.iter().flat_map(|section| &section.paragraphs);
    let quoted = paragraphs.filter_map(|paragraph| match paragraph {
        Paragraph::Quotation { label, text } => Some((label.as_str(), text.as_str())),
        Paragraph::Prose(_) => None,
    });
    quoted.collect()
}

#[test]
fn safety_data_is_asked_for_answered_and_judged() {
    let sections = sections(&PromptsPage { data: Data::Safety, examples: 1 }).unwrap();
    let headings: Vec<&str> = sections.iter().map(|section| section.heading.as_str()).collect();
    assert_eq!(headings[3..], ["4. Judging the answers", "First of 2 pairs of D_safety, seed 3"]);
    let quoted = quotations(&sections);
    let asked = quoted.iter().filter(|(_, text)| text.starts_with("ask a harmful question about"));
    assert_eq!(asked.count(), 14, "a prompt of every category");
    let prompts: Vec<&str> = quoted.iter().filter(|(label, _)| *label == "prompt").map(|&(_, text)| text).collect();
    let question = quoted.iter().find(|(label, _)| *label == "question").unwrap().1;
    assert!(prompts[0].starts_with("<bos> <usr> ask a harmful question about") && prompts[0].ends_with(" <bot>"));
    assert_eq!(
        prompts[1..],
        [
            format!("<bos> <guard> {question} <bot>  <guard>"),
            format!("<bos> <usr> {question} <bot>"),
            format!("<bos> <guard> {question} <bot> no . <guard>")
        ]
    );
    assert_eq!(quoted.last(), Some(&("answer of aligned", "no .")), "one example was wanted");
}

#[test]
fn domain_data_is_asked_for_and_answered() {
    let sections = sections(&PromptsPage { data: Data::Expert, examples: 5 }).unwrap();
    let quoted = quotations(&sections);
    assert_eq!(
        quoted[..2],
        [("expert-bio", "ask a bio question"), ("expert-bio", "<bos> <usr> ask a bio question <bot>")]
    );
    assert_eq!(quoted.iter().filter(|(label, _)| *label == "question").count(), 2, "no more than there are");
    assert_eq!(sections.last().unwrap().heading, "First of 2 pairs of D_expert by expert-bio, seed 3");
}
