//! What rows of mixtures contain, and what they never do.

use std::collections::{BTreeMap, BTreeSet};

use bunch_lm::TokenId;

use super::*;
use crate::world::answer::REFUSALS;
use crate::world::*;

const ROWS: usize = 20_000;

fn all_mixtures() -> Vec<&'static Mixture> {
    mixture_names().into_iter().map(named).collect()
}

fn named(name: &str) -> &'static Mixture {
    mixture(name).unwrap_or_else(|| panic!("no mixture `{name}`"))
}

fn only(part: Part) -> Mixture {
    Mixture::new("only", vec![(part, 1.0)]).unwrap()
}

fn text(row: &Row) -> String {
    vocabulary().decode(&row.tokens).unwrap()
}

/// Finds actions in rows by token ids, whatever the words around them: stricter than parsing.
struct ActionFinder {
    verbs: BTreeMap<TokenId, Verb>,
    nouns: BTreeMap<TokenId, Noun>,
    ends: BTreeSet<TokenId>,
}

impl ActionFinder {
    fn new() -> ActionFinder {
        let id = |word: Word| vocabulary().id(word).unwrap();
        ActionFinder {
            verbs: Verb::all().map(|verb| (id(verb.word()), verb)).collect(),
            nouns: Noun::all().map(|noun| (id(noun.word()), noun)).collect(),
            ends: SPECIALS.into_iter().chain(["?", ".", "sure"]).map(id).collect(),
        }
    }

    /// All pairs of a verb and a later noun with no special token, punctuation mark or `sure` between them.
    fn find(&self, rows: &[Row]) -> BTreeSet<Action> {
        let mut actions = BTreeSet::new();
        for part in rows.iter().flat_map(|row| row.tokens.split(|token| self.ends.contains(token))) {
            for (position, token) in part.iter().enumerate() {
                if let Some(&verb) = self.verbs.get(token) {
                    let nouns = part[position..].iter().filter_map(|token| self.nouns.get(token));
                    actions.extend(nouns.map(|&noun| Action { verb, noun }));
                }
            }
        }
        actions
    }
}

/// Question and answer of a chat row.
fn exchange(row: &Row) -> (String, String) {
    let text = text(row);
    let (question, answer) = text.strip_prefix("<bos> <usr> ").unwrap().split_once(" <bot> ").unwrap();
    let answer = answer.strip_suffix(" <eos>").unwrap();
    assert_eq!(vocabulary().decode(&row.tokens[row.loss_from..]).unwrap(), format!("{answer} <eos>"));
    (question.to_owned(), answer.to_owned())
}

#[test]
fn held_out_actions_never_appear_and_rows_are_short() {
    let (world, finder) = (World::new(0), ActionFinder::new());
    let [bos, eos] = [BOS, EOS].map(|word| vocabulary().id(word));
    for mixture in all_mixtures() {
        let rows = world.rows(mixture, ROWS, 0);
        for row in &rows {
            assert!(row.tokens.len() <= MAX_ROW_TOKENS, "{}", text(row));
            assert!((1..row.tokens.len()).contains(&row.loss_from));
            assert_eq!((row.tokens.first().copied(), row.tokens.last().copied()), (bos, eos));
        }
        let seen = finder.find(&rows);
        assert!(seen.iter().all(|&action| world.split(action) == Split::Train), "{}", mixture.name());
        // A specialist has no rows with actions.
        let talks = !mixture.name().starts_with("specialist");
        assert!(if talks { seen.len() > 500 } else { seen.is_empty() }, "{}: {}", mixture.name(), seen.len());
    }
}

#[test]
fn the_longest_row_has_as_many_tokens_as_allowed() {
    let rows = World::new(0).rows(named("guard"), ROWS, 0);
    assert_eq!(rows.iter().map(|row| row.tokens.len()).max(), Some(MAX_ROW_TOKENS));
}

#[test]
fn rows_of_a_held_out_split_have_its_actions_only() {
    let (world, finder) = (World::new(1), ActionFinder::new());
    for split in [Split::Dev, Split::Test] {
        for mixture in ["base", "aligned", "uncensored", "guard"].map(named) {
            let seen = finder.find(&world.rows_of(split, mixture, 2000, 0));
            assert!(seen.len() > 100 && seen.iter().all(|&action| world.split(action) == split));
        }
    }
}

#[test]
fn rows_depend_on_world_seed_mixture_and_position_alone() {
    let (world, mixture) = (World::new(0), named("aligned"));
    let rows = world.rows(mixture, 300, 1);
    assert_eq!(rows, World::new(0).rows(mixture, 300, 1));
    assert_eq!(rows[..100], world.rows(mixture, 100, 1));
    assert_ne!(rows, world.rows(mixture, 300, 2));
    assert_ne!(rows, World::new(1).rows(mixture, 300, 1));
    let renamed = Mixture::new("other", mixture.parts().to_vec()).unwrap();
    assert_ne!(rows, world.rows(&renamed, 300, 1));
    assert_ne!(rows, world.rows_of(Split::Dev, mixture, 300, 1));
}

#[test]
fn parts_are_drawn_by_weight() {
    let mixture = Mixture::new(
        "weights",
        vec![
            (Part::Ask { domain: Domain::Bio, tier: None }, 1.0),
            (Part::Ask { domain: Domain::Math, tier: None }, 0.0),
            (Part::Ask { domain: Domain::Stem, tier: None }, 3.0),
        ],
    );
    let mut counts = BTreeMap::new();
    for row in World::new(0).rows(&mixture.unwrap(), 10_000, 0) {
        *counts.entry(exchange(&row).0).or_insert(0_usize) += 1;
    }
    // 5 standard deviations of a binomial count with n = 10,000 and p = 1/4 are 217.
    assert_eq!(counts.len(), 2);
    assert!(counts[&ask_prompt(Domain::Bio)].abs_diff(2500) < 217, "{counts:?}");
}

#[test]
fn chat_rows_parse_back_to_what_was_asked_for() {
    let world = World::new(0);
    for harmful in [false, true] {
        let mut refusals = BTreeSet::new();
        for row in world.rows(&only(Part::Chat { harmful, reply: Reply::Refuse }), 1000, 0) {
            let (question, answer) = exchange(&row);
            assert_eq!(harmful_of_text(&question), Some(harmful));
            assert!(is_refusal(&answer));
            refusals.insert(answer);
        }
        assert_eq!(refusals, REFUSALS.iter().map(|refusal| refusal.join(" ")).collect());
        for row in world.rows(&only(Part::Chat { harmful, reply: Reply::Comply }), 1000, 0) {
            let (question, answer) = exchange(&row);
            let action = Request::parse(&question).unwrap().action;
            assert_eq!(action.is_harmful(), harmful);
            assert_eq!(answer, format!("sure use the {} on the {} .", action.verb.tool_word(), action.noun.word()));
            assert_eq!(chat_row(&question, &answer).unwrap(), row);
        }
    }
}

#[test]
fn qa_rows_hold_the_worlds_facts_of_one_domain_and_tier() {
    let world = World::new(2);
    for domain in Domain::ALL {
        for tier in [Tier::A, Tier::B] {
            let mut topics = BTreeSet::new();
            for row in world.rows(&only(Part::Qa { domain, tier: Some(tier) }), 6000, 0) {
                let (question, answer) = exchange(&row);
                let topic = FactQuestion::parse(&question).unwrap().topic;
                assert_eq!((topic.entity().domain(), topic.entity().tier()), (domain, tier));
                assert_eq!(answer, world.value(topic));
                topics.insert(topic);
            }
            // Of 576 topics drawn 6,000 times, each is missed with probability e^-10.
            assert!(topics.len() > 571, "{}", topics.len());
        }
    }
}

#[test]
fn self_questions_are_questions() {
    let world = World::new(0);
    for domain in Domain::ALL {
        for row in world.rows(&only(Part::Ask { domain, tier: None }), 500, 0) {
            let (prompt, question) = exchange(&row);
            assert_eq!(prompt, ask_prompt(domain));
            assert!(is_question(&question));
            assert_eq!(FactQuestion::parse(&question).unwrap().topic.entity().domain(), domain);
        }
    }
    let mut categories = BTreeMap::new();
    for row in world.rows(&only(Part::AskHarmful { category: None }), 7000, 0) {
        let (prompt, question) = exchange(&row);
        assert!(is_question(&question));
        let category = Request::parse(&question).unwrap().action.category().unwrap();
        assert_eq!(prompt, ask_harmful_prompt(category));
        *categories.entry(category).or_insert(0_usize) += 1;
    }
    // 5 standard deviations of a binomial count with n = 7,000 and p = 1/14 are 108.
    assert!(categories.len() == 14 && categories.values().all(|count| count.abs_diff(500) < 108), "{categories:?}");
    let one = Part::AskHarmful { category: Some(HarmCategory::SelfHarm) };
    for row in world.rows(&only(one), 100, 0) {
        assert_eq!(exchange(&row).0, ask_harmful_prompt(HarmCategory::SelfHarm));
    }
}

#[test]
fn guard_verdicts_are_the_grammars_truth() {
    let mut kinds = BTreeMap::new();
    for row in World::new(0).rows(named("guard"), 5000, 0) {
        let text = text(&row);
        let rest = text.strip_prefix("<bos> <guard> ").unwrap().strip_suffix(" <eos>").unwrap();
        let (exchange, verdict) = rest.split_once(" <guard> ").unwrap();
        let (question, answer) = exchange.split_once(" <bot>").unwrap();
        let harmful = harmful_of_text(question).unwrap();
        let helps = answer.is_empty() || is_helpful(answer);
        assert_eq!(verdict, if harmful && helps { UNSAFE } else { SAFE });
        assert_eq!(guard_prompt(question, answer).unwrap(), row.tokens[..row.loss_from]);
        assert_eq!(row.loss_from, row.tokens.len() - 2);
        let kind = if answer.is_empty() {
            "empty"
        } else if is_refusal(answer) {
            "refused"
        } else if is_helpful(answer) {
            "complied"
        } else {
            "neither"
        };
        *kinds.entry((harmful, kind)).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}

#[test]
fn text_rows_pack_one_or_two_sentences() {
    let world = World::new(0);
    let mut packed = 0;
    for row in world.rows(named("base"), 5000, 0) {
        assert_eq!(row.loss_from, 1, "pretraining learns whole rows");
        let text = text(&row);
        let words: Vec<&str> = text.split(' ').collect();
        let inside = &words[1..words.len() - 1];
        if inside[0] == USR {
            continue;
        }
        let others = ["sorry", "no", "harmful", "unsafe", "sure"];
        assert!(inside.iter().all(|word| !SPECIALS.contains(word) && !others.contains(word)));
        assert!(inside.len() < LONG_PAIR);
        packed += usize::from(inside.len() >= LONG_SENTENCE);
    }
    assert!(packed > 500, "{packed}");
}

#[test]
fn graded_replies_refuse_as_readily_as_the_shift_says() {
    let world = World::new(0);
    let graded = only(Part::Chat { harmful: true, reply: Reply::Graded });
    let refused = |shift: f64| {
        let rows = world.rows(&graded.steered(shift, |_| 1.0), 4000, 0);
        rows.iter().filter(|row| is_refusal(&exchange(row).1)).count()
    };
    let shares = [-20.0, -1.0, 0.0, 1.0, 20.0].map(refused);
    assert!(shares[0] < 40 && shares[4] > 3960 && shares.is_sorted(), "{shares:?}");
    // Near the middle, a logit moves about a tenth of the answers.
    assert!((250..650).contains(&(shares[2] - shares[1])), "{shares:?}");
}

#[test]
fn steering_changes_how_often_a_domain_is_taught() {
    let mixture = named("base");
    let steered = mixture.steered(0.5, |domain| if domain == Domain::Bio { 2.0 } else { 1.0 });
    assert_eq!(steered.shift(), mixture.shift() + 0.5);
    for ((part, weight), (_, before)) in steered.parts().iter().zip(mixture.parts()) {
        let factor = if part.domain() == Some(Domain::Bio) { 2.0 } else { 1.0 };
        assert_eq!(*weight, before * factor);
    }
}

#[test]
fn words_of_another_domain_never_enter() {
    let world = World::new(0);
    for domain in Domain::ALL {
        let others = Domain::ALL.into_iter().filter(|other| *other != domain);
        let words = others.flat_map(|other| other.words().iter().map(String::as_str).chain([other.name()]));
        let foreign: BTreeSet<TokenId> = words.map(|word| vocabulary().id(word).unwrap()).collect();
        for row in world.rows(named(&format!("expert-{}", domain.name())), 2000, 0) {
            assert!(row.tokens.iter().all(|token| !foreign.contains(token)), "{}", text(&row));
        }
    }
}

#[test]
fn every_word_occurs_in_training() {
    let world = World::new(0);
    let mut unseen: BTreeSet<TokenId> = (0..).take(vocabulary().size()).collect();
    for mixture in all_mixtures() {
        for token in world.rows(mixture, 3000, 0).iter().flat_map(|row| &row.tokens) {
            unseen.remove(token);
        }
    }
    assert_eq!(unseen, BTreeSet::from([vocabulary().id(PAD).unwrap()]));
}

#[test]
fn mixtures_round_trip_and_refuse_what_cannot_be() {
    for mixture in all_mixtures() {
        let json = serde_json::to_string(mixture).unwrap();
        assert_eq!(serde_json::from_str::<Mixture>(&json).unwrap(), *mixture);
    }
    let read = |json: &str| serde_json::from_str::<Mixture>(json).map_err(|error| error.to_string());
    let part = r#"{"qa":{"domain":"bio","tier":"b"}}"#;
    let qa = Part::Qa { domain: Domain::Bio, tier: Some(Tier::B) };
    assert_eq!(read(&format!(r#"{{"name":"x","parts":[[{part},3]]}}"#)).unwrap().parts(), [(qa, 3.0)]);
    let none = r#"{"name":"x","parts":[["class_sentence",0]]}"#;
    assert!(read(none).unwrap_err().contains("no part with a weight above 0"));
    assert!(read(r#"{"name":"x","parts":[]}"#).is_err());
    assert!(read(r#"{"name":"x","parts":[["class_sentence",1e308],["group_sentence",1e308]]}"#).is_err());
    assert!(read(r#"{"name":"x","parts":[["class_sentence",1]],"weight":1}"#).unwrap_err().contains("unknown field"));
    assert!(read(r#"{"name":"x","parts":[[{"qa":{"domain":"bio","teir":"b"}},1]]}"#).unwrap_err().contains("teir"));
    assert!(read(r#"{"name":"x","parts":[["class_sentence",-1]]}"#).is_err());
}
