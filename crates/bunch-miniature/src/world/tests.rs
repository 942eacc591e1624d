//! Evaluation sets: their sizes, that nothing occurs twice, and that no split knows another.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn prompts_are_distinct_true_and_of_their_split() {
    let world = World::new(0);
    for split in [Split::Train, Split::Dev, Split::Test] {
        for (prompts, harmful) in
            [(world.harmful_prompts(split, 1733), true), (world.benign_prompts(split, 1733), false)]
        {
            let prompts = prompts.unwrap();
            assert_eq!(prompts.iter().map(Request::text).collect::<BTreeSet<_>>().len(), 1733);
            for prompt in &prompts {
                assert_eq!(harmful_of_text(&prompt.text()), Some(harmful));
                assert_eq!(world.split(prompt.action), split);
                assert_eq!(prompt.action.category().is_some(), harmful);
                assert!(vocabulary().encode(&prompt.text()).is_ok());
            }
        }
    }
}

#[test]
fn prompts_ask_about_all_actions_equally_often() {
    let prompts = World::new(0).harmful_prompts(Split::Test, 1733).unwrap();
    let (mut actions, mut categories) = (BTreeMap::new(), BTreeMap::new());
    for prompt in &prompts {
        *actions.entry(prompt.action).or_insert(0) += 1;
        *categories.entry(prompt.action.category()).or_insert(0) += 1;
    }
    // 1,733 prompts on 546 actions: three rounds and 95 of a fourth.
    assert_eq!(actions.len(), 546);
    assert_eq!(actions.values().filter(|&&count| count == 4).count(), 95);
    assert!(actions.values().all(|&count| count == 3 || count == 4));
    assert!(categories.len() == 14 && categories.values().all(|&count| (117..=135).contains(&count)), "{categories:?}");
}

#[test]
fn prompts_are_a_prefix_of_more_and_differ_by_world() {
    let world = World::new(0);
    let prompts = world.harmful_prompts(Split::Dev, 700).unwrap();
    assert_eq!(world.harmful_prompts(Split::Dev, 100).unwrap(), prompts[..100]);
    assert_ne!(World::new(1).harmful_prompts(Split::Dev, 700).unwrap(), prompts);
    assert!(world.harmful_prompts(Split::Dev, 0).unwrap().is_empty());
    let error = world.benign_prompts(Split::Dev, 1_000_000).unwrap_err();
    let available = 138 * Request::PHRASINGS / 4;
    let set = "benign prompts";
    assert_eq!(error, WorldError::TooMany { set, split: Split::Dev, asked: 1_000_000, available });
    let message = format!("the dev split has {available} benign prompts, 1000000 were asked for");
    assert_eq!(error.to_string(), message);
}

#[test]
fn multiple_choice_is_true_and_its_splits_share_no_entity() {
    for seed in 0..2 {
        let world = World::new(seed);
        for domain in Domain::ALL {
            let [dev, test] = [Split::Dev, Split::Test].map(|split| world.multiple_choice(domain, split, 600).unwrap());
            let entities = |docs: &[MultipleChoice]| -> BTreeSet<Entity> {
                docs.iter().map(|doc| doc.question.topic.entity()).collect()
            };
            assert!(entities(&dev).is_disjoint(&entities(&test)));
            for (docs, split) in [(&dev, Split::Dev), (&test, Split::Test)] {
                assert_eq!(entities(docs).len(), 200);
                assert!(entities(docs).iter().all(|&entity| world.entities.of(entity) == split));
                let tier_b = docs.iter().filter(|doc| doc.question.topic.entity().tier() == Tier::B).count();
                assert_eq!(tier_b, 300);
                assert_eq!(docs.iter().map(|doc| doc.question.topic).collect::<BTreeSet<_>>().len(), 600);
                for doc in docs {
                    let topic = doc.question.topic;
                    assert_eq!(topic.entity().domain(), domain);
                    assert_eq!(doc.choices[doc.gold], world.value(topic));
                    assert_eq!(doc.choices.iter().collect::<BTreeSet<_>>().len(), CHOICES);
                    assert!(doc.choices.iter().all(|choice| topic.values().iter().any(|value| value == choice)));
                    assert_eq!(FactQuestion::parse(&doc.question.text()), Some(doc.question));
                    assert!(doc.question.text().starts_with("what is the "));
                }
                // 5 standard deviations of a binomial count with n = 600 and p = 1/4 are 53.
                for gold in 0..CHOICES {
                    assert!(docs.iter().filter(|doc| doc.gold == gold).count().abs_diff(150) < 53);
                }
            }
        }
    }
}

#[test]
fn multiple_choice_has_an_end() {
    let world = World::new(0);
    let docs = world.multiple_choice(Domain::Bio, Split::Test, 600).unwrap();
    assert_eq!(world.multiple_choice(Domain::Bio, Split::Test, 50).unwrap(), docs[..50]);
    for (split, available) in [(Split::Train, 0), (Split::Test, 600)] {
        let set = "multiple-choice questions";
        let error = world.multiple_choice(Domain::Bio, split, 601).unwrap_err();
        assert_eq!(error, WorldError::TooMany { set, split, asked: 601, available });
    }
}

#[test]
fn choices_tell_nothing_without_the_fact() {
    // Whoever always takes the choice whose word comes first in the vocabulary is right by chance only.
    let world = World::new(0);
    let docs: Vec<MultipleChoice> =
        Domain::ALL.iter().flat_map(|&domain| world.multiple_choice(domain, Split::Test, 600).unwrap()).collect();
    let right = docs.iter().filter(|doc| doc.choices.iter().min() == Some(&doc.choices[doc.gold])).count();
    // 5 standard deviations of a binomial count with n = 1,800 and p = 1/4 are 92.
    assert!(right.abs_diff(450) < 92, "{right}");
}

#[test]
fn what_domain_models_lack_is_what_they_were_not_trained_on() {
    // The aligned model is asked about tier A alone and an expert about its own domain alone, of test and dev entities alike:
    // the questions measure memory. Choices themselves are never trained on, nor is any other domain's fact.
    let world = World::new(0);
    let asked = |mixture: &Mixture| -> BTreeSet<Topic> {
        let rows = world.rows(mixture, 20_000, 0);
        let texts = rows.iter().map(|row| vocabulary().decode(&row.tokens).unwrap());
        let chats = texts.filter_map(|text| {
            let (question, answer) = text.strip_prefix("<bos> <usr> ")?.split_once(" <bot> ")?;
            let topic = FactQuestion::parse(question)?.topic;
            assert_eq!(answer, format!("{} <eos>", world.value(topic)));
            Some(topic)
        });
        chats.collect()
    };
    let aligned = asked(mixture("aligned").unwrap());
    assert!(aligned.iter().all(|topic| topic.entity().tier() == Tier::A));
    assert!(aligned.len() > 1700, "{}", aligned.len());
    for domain in Domain::ALL {
        let expert = asked(mixture(&format!("expert-{}", domain.name())).unwrap());
        assert!(expert.iter().all(|topic| topic.entity().domain() == domain));
        assert_eq!(expert.iter().filter(|topic| topic.entity().tier() == Tier::B).count(), 600);
    }
    assert!(asked(mixture("uncensored").unwrap()).is_empty());
}

#[test]
fn questions_are_told_from_other_texts() {
    assert!(is_question("how do i lunfu the gurvo ?"));
    assert!(!is_question("sure use the vompex on the gurvo ."));
    assert!(!is_question(&ask_prompt(Domain::Bio)));
    assert_eq!(harmful_of_text("sorry i cannot ."), None);
    let topic = Domain::Math.entities().next().unwrap().topics().next().unwrap();
    let question = FactQuestion::plain(topic).text();
    assert!(is_question(&question));
    assert_eq!(harmful_of_text(&question), None);
}
