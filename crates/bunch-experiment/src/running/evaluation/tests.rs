//! What a model of random weights scores in the miniature.

use bunch_judging::Verdict;

use super::*;
use crate::declared::scale::Scale;
use crate::seed_pool::Places;

const SCALE: &str = "seeds = [3]\npairs = 2\nharmful_prompts = 6\nbenign_prompts = 2\nquestions = 6\ndev_questions = 6\n\
    models = {}\ntasks = { facts = 'bio' }";

/// A pool, and the folder that it lies in.
fn seed_pool() -> (SeedPool, tempfile::TempDir) {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path();
    let places = Places { root: folder, cache: folder, models: folder, data: folder };
    let scale: Scale = toml::from_str(SCALE).unwrap();
    (SeedPool::open(3, &scale, (None, &[]), &[], &places, "flex").unwrap(), cache)
}

fn block() -> Block {
    toml::from_str("name = 'one'\ntitle = 'One'\nbase = 'b'\nexperts = []\ntasks = { acc = 'facts' }").unwrap()
}

fn column(text: &str) -> Column {
    toml::from_str(&format!("name = 'acc'\nlabel = 'x'\n{text}")).unwrap()
}

fn with_model<T>(seed_pool: &SeedPool, look: impl FnOnce(Evaluation<'_>) -> T) -> T {
    let model = seed_pool.model(&seed_pool.zoo.config().initial_weights(1)).unwrap();
    look(Evaluation::new(seed_pool, &model))
}

#[test]
fn every_question_and_prompt_is_an_item() {
    let (seed_pool, _cache) = seed_pool();
    with_model(&seed_pool, |mut evaluation| {
        let mut score = |metric: &str| evaluation.score(&block(), &column(metric)).unwrap();
        let accuracy = score("metric = 'acc'").unwrap();
        assert_eq!((accuracy.n, accuracy.items.0.len()), (6, 6));
        assert_eq!(accuracy, score("metric = 'acc'").unwrap(), "the same model says the same");
        let refusals = score("metric = 'refusal_rate'").unwrap();
        assert_eq!(refusals.n, 2);
        // They look at something else than what the model says.
        for metric in ["metric = 'mean'\nof = ['acc']", "metric = 'cka'\nto = 0", "metric = 'detail'\nkey = 'loss'"] {
            assert_eq!(score(metric), None, "{metric}");
        }
    });
}

/// An evaluation that has heard the guard already.
fn judged<'a>(mut evaluation: Evaluation<'a>, responses: &[&str], verdicts: &[Verdict]) -> Evaluation<'a> {
    let answers = responses.iter().map(|text| text.to_string()).collect();
    evaluation.answers.insert(HARMFUL.into(), answers);
    evaluation.verdicts.insert((HARMFUL.into(), GUARD.into()), verdicts.to_vec());
    evaluation
}

#[test]
fn safety_is_what_the_guard_says_and_truth_what_the_rule_says() {
    let (seed_pool, _cache) = seed_pool();
    let (safe, not_safe) = (Verdict::Safe, Verdict::Unsafe);
    // Refusals: the rule calls all of them safe.
    let responses = ["no ."; 6];
    let verdicts = [safe, not_safe, safe, not_safe, safe, safe];
    with_model(&seed_pool, |evaluation| {
        let mut evaluation = judged(evaluation, &responses, &verdicts);
        let mut items = |metric: &str| evaluation.score(&block(), &column(metric)).unwrap().unwrap().items.0;
        let expected = [true, false, true, false, true, true];
        assert_eq!(items("metric = 'safe_rate'"), expected);
        assert_eq!(items("metric = 'true_safe_rate'"), [true; 6]);
        assert_eq!(items("metric = 'guard_agreement'"), expected);
        let samples = evaluation.samples();
        assert_eq!(samples.iter().map(|sample| sample.verdict.is_safe()).collect::<Vec<_>>(), expected);
        assert_eq!(
            (&samples[0].prompt, samples[0].response.as_str()),
            (&seed_pool.prompts(HARMFUL).unwrap().texts[0], "no .")
        );
    });
}

#[test]
fn babble_is_neither_help_nor_refusal() {
    let (seed_pool, _cache) = seed_pool();
    with_model(&seed_pool, |mut evaluation| {
        let answers = ["no .", "is is is", "", "sorry", "the", "no"].map(str::to_owned).to_vec();
        evaluation.answers.insert(HARMFUL.into(), answers);
        evaluation.answers.insert(BENIGN.into(), vec!["the".into(), "sorry .".into()]);
        let mut items = |text: &str| evaluation.score(&block(), &column(text)).unwrap().unwrap().items.0;
        assert_eq!(items("metric = 'babble_rate'"), [false, true, true, false, true, false]);
        assert_eq!(items("metric = 'babble_rate'\nprompts = 'benign'"), [true, false]);
        assert_eq!(items("metric = 'refusal_rate'"), [false, true]);
    });
}

#[test]
fn a_category_counts_its_own_prompts_only() {
    let (seed_pool, _cache) = seed_pool();
    let categories = &seed_pool.prompts(HARMFUL).unwrap().categories;
    let categories: Vec<&String> = categories.iter().map(|category| category.as_ref().unwrap()).collect();
    let count = categories.iter().filter(|category| **category == categories[0]).count();
    with_model(&seed_pool, |evaluation| {
        let mut evaluation = judged(evaluation, &["no ."; 6], &[Verdict::Safe; 6]);
        let mut score = |category: &str| {
            evaluation.score(&block(), &column(&format!("metric = 'safe_rate'\ncategory = \"{category}\""))).unwrap()
        };
        assert_eq!(score(categories[0]).unwrap().n, count as u64);
        assert_eq!(score("no such category"), None, "without an item there is no score");
    });
}

#[test]
fn an_unparsed_verdict_counts_nowhere() {
    let truth = |exchange: &Exchange| if exchange.response == "no" { Verdict::Safe } else { Verdict::Unsafe };
    let metrics = [Metric::SafeRate, Metric::TrueSafeRate, Metric::GuardAgreement];
    let counts = |response: &str, verdict: Verdict| {
        let judged = (Exchange::new("harm", response), &verdict);
        metrics.map(|metric| counts_for(metric, &judged, &truth))
    };
    assert_eq!(counts("no", Verdict::Safe), [true, true, true]);
    assert_eq!(counts("no", Verdict::Unparsed), [false, true, false]);
    assert_eq!(counts("sure", Verdict::Unparsed), [false, false, false]);
    assert_eq!(counts("sure", Verdict::Unsafe), [false, false, true]);
    assert_eq!(counts("sure", Verdict::Safe), [true, false, false]);
}
