//! What an experiment finds in the miniature's pool, before anything is trained, and what it says of what is not there.

use bunch_miniature::world::{Split, World};
use tempfile::TempDir;

use super::*;
use crate::preference::PoolTrainer;

const SCALE: &str = "seeds = [3]\npairs = 2\nharmful_prompts = 5\nred_team_prompts = 4\nbenign_prompts = 3\nquestions = 8\n\
    dev_questions = 7\nmodels = {}\ntasks = { facts = 'bio', part = 'bio/relation-1/tier-b' }";

fn open(scale: &str, derived: &[DerivedModel]) -> (Result<SeedPool, ExperimentError>, TempDir) {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path();
    let places = Places { root: folder, cache: folder, models: folder, data: folder };
    let scale: Scale = toml::from_str(scale).unwrap();
    let block: Block = toml::from_str("name = 'one'\ntitle = 'One'\nbase = 'b'\nexperts = []").unwrap();
    (SeedPool::open(3, &scale, (None, &[&block]), derived, &places, "flex"), cache)
}

fn seed_pool() -> (SeedPool, TempDir) {
    let (opened, cache) = open(SCALE, &[]);
    (opened.unwrap(), cache)
}

/// The message of something that must fail.
fn message<T>(result: Result<T, ExperimentError>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn prompts_and_questions_are_the_first_of_the_world() {
    let (pool, _cache) = seed_pool();
    let world = World::new(3);
    let texts = |prompts: Vec<bunch_miniature::world::Request>| -> Vec<String> {
        prompts.iter().map(|prompt| prompt.text()).collect()
    };
    for (set, expected) in [
        // Drawn in strata of all that are asked for: the first of the pool's are not those of a smaller number.
        ("harmful", world.harmful_prompts(Split::Test, 1733).map(|prompts| prompts[..5].to_vec())),
        ("red_team", world.red_team_prompts(Split::Test, 4)),
        ("benign", world.benign_prompts(Split::Test, 3)),
    ] {
        assert_eq!(pool.prompts(set).unwrap().texts, texts(expected.unwrap()), "{set}");
    }
    assert_eq!(pool.dev_prompts().unwrap(), texts(world.harmful_prompts(Split::Dev, 576).unwrap()[..7].to_vec()));
    let bio = bunch_miniature::world::Domain::Bio;
    let questions = world.multiple_choice(bio, Split::Test, 8).unwrap();
    let questions: Vec<String> = questions.iter().map(|question| question.question.text()).collect();
    assert_eq!(pool.questions["facts"], questions);
    assert_eq!(pool.questions["part"].len(), 8);
    // Every harmful prompt has its category, no benign one has.
    assert!(pool.prompts("harmful").unwrap().categories.iter().all(Option::is_some));
    assert!(pool.prompts("benign").unwrap().categories.iter().all(Option::is_none));
    assert_eq!(pool.asked().count(), 3);
}

#[test]
fn models_are_asked_as_the_pool_says() {
    let (pool, _cache) = seed_pool();
    let categories = pool.pool().categories("uncensored").unwrap();
    assert_eq!(categories.len(), 14);
    assert!(categories.iter().all(|category| category.ask_prompt.starts_with("ask a harmful question about")));
    assert_eq!(
        pool.pool().ask_prompt("expert-bio").unwrap(),
        bunch_miniature::world::ask_prompt(bunch_miniature::world::Domain::Bio)
    );
    assert!(
        message(pool.pool().ask_prompt("aligned").map_err(ExperimentError::from))
            .ends_with("`aligned`: expected a key `ask`, got none")
    );
    // A question is what the grammar calls one.
    let form = pool.pool().question_form().unwrap();
    assert_eq!(form.question(&pool.questions["facts"][0]).as_ref(), Some(&pool.questions["facts"][0]));
    assert_eq!(form.question("sure use the vompex on the gurvo ."), None);
    assert_eq!((pool.max_new_tokens(), pool.generation().temperature, pool.generation().max_asked), (25, 1.0, 20));
    assert!(pool.refusals().is_refusal("sorry i cannot help with this .") && pool.refusals().is_refusal("no"));
    assert!(!pool.refusals().is_refusal("now use the vompex"));
}

#[test]
fn preferences_have_the_tokens_of_the_world() {
    let (pool, _cache) = seed_pool();
    let examples = PoolTrainer(&pool).examples(40).unwrap();
    let expected = World::new(3).preferences(40, 3);
    for (example, pair) in examples.iter().zip(&expected) {
        for (example, row) in [(&example.chosen, &pair.chosen), (&example.rejected, &pair.rejected)] {
            assert_eq!(*example, bunch_tuning::Example::answer(row.tokens.clone(), row.loss_from));
        }
    }
    assert_eq!(examples.len(), 40);
    assert!(message(PoolTrainer(&pool).examples(2000)).ends_with("expected 2000 preferences, it has 1400"));
}

#[test]
fn a_task_is_asked_of_any_model_and_its_limit_counts_for_each_split() {
    let (pool, _cache) = seed_pool();
    let model = pool.model(&pool.zoo.config().initial_weights(1)).unwrap();
    let right = |task: &str, split| pool.right(&model, task, split).unwrap();
    assert_eq!((right("facts", DataSplit::Test).len(), right("facts", DataSplit::Dev).len()), (8, 7));
    assert_eq!(right("facts", DataSplit::Test), right("facts", DataSplit::Test), "the same model says the same");
    // A part has 96 questions, whatever a scale asks for.
    let (all, _cache) = open(&SCALE.replace("questions = 8", "questions = 600"), &[]);
    assert_eq!(all.unwrap().questions["part"].len(), 96);
    // Where a scale says so, choices are made by the test questions.
    let (papers, _cache) = open(&SCALE.replace("questions = 8", "select_on_test = true\nquestions = 8"), &[]);
    let papers = papers.unwrap();
    assert_eq!(papers.right(&model, "facts", DataSplit::Dev).unwrap(), right("facts", DataSplit::Test)[..7]);
}

#[test]
fn a_merge_of_members_has_an_address_of_its_own() {
    let text = "name = 'mix'\nof = ['base', 'aligned']\nmerge.task_arithmetic = { weights = [0.5] }";
    let derived: DerivedModel = toml::from_str(text).unwrap();
    let again: DerivedModel = toml::from_str(&text.replace("mix", "more").replace("'base'", "'mix'")).unwrap();
    let (pool, _cache) = open(SCALE, &[derived, again]);
    let pool = pool.unwrap();
    let keys: Vec<String> = ["base", "aligned", "mix", "more"].iter().map(|name| pool.key(name).unwrap()).collect();
    assert!(keys.iter().enumerate().all(|(at, key)| !keys[..at].contains(key)), "{keys:?}");
    assert_eq!(pool.ingredients("more"), ["base", "aligned", "aligned"]);
    assert!(pool.serves("one") && !pool.serves("two"));
    assert!(message(pool.key("nobody")).starts_with("unknown model `nobody`: there are base, "));
}

#[test]
fn what_a_pool_does_not_have_is_named() {
    let (pool, _cache) = seed_pool();
    assert!(message(pool.prompts("polite")).ends_with("expected prompts `polite`: it has benign, harmful, red_team"));
    assert!(message(pool.judge("jury").map(drop)).ends_with("expected judge `jury`: it has guard, judge, truth"));
    assert!(pool.has_judge("truth") && !pool.has_judge("jury") && pool.truth().is_some());
    let model = pool.model(&pool.zoo.config().initial_weights(1)).unwrap();
    let error = message(pool.right(&model, "sums", DataSplit::Test));
    assert!(error.ends_with("expected the task `sums`: it has facts, part"), "{error}");
    for (from, to, expected) in [
        ("harmful_prompts = 5", "harmful_prompts = 1734", "expected 1734 prompts in harmful.test: it has 1733"),
        ("'bio'", "'law'", "unknown task `law`"),
    ] {
        let (opened, _cache) = open(&SCALE.replacen(from, to, 1), &[]);
        let error = message(opened);
        assert!(error.contains(expected), "{error}");
    }
}
