//! The miniature as a pool's files: everything in its folder but the models.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{
    Domain, EXCHANGE_TEMPLATE, HarmCategory, MAX_ROW_TOKENS, MultipleChoice, Preference, RELATIONS, Request, Split,
    Tier, World, WorldError, ask_harmful_prompt, ask_prompt, question_rule, truth_judge, vocabulary,
};

/// How the guard is asked and read; its template is [`EXCHANGE_TEMPLATE`].
const GUARD: &str = include_str!("pool_files/guard.toml");
/// How the second judge is.
const JUDGE: &str = include_str!("pool_files/judge.toml");
/// How refusals are recognised.
const REFUSALS: &str = include_str!("pool_files/refusals.toml");
/// The beginning of `pool.toml`; `{seed}` stands for the world's.
const POOL: &str = include_str!("pool_files/pool.toml");
/// A task; `{name}`, `{about}` and `{data}` stand for its name, what it asks about and its file.
const TASK: &str = include_str!("pool_files/task.toml");

/// Prompts and questions of each set: as many as any experiment asks for.
const HARMFUL: usize = 1733;
const RED_TEAM: usize = 1000;
const BENIGN: usize = 500;
const QUESTIONS: usize = 576;
const DEV: usize = 300;
/// Prompts and questions that are given where none are generated, of each kind.
const GIVEN: usize = 576;
const PREFERENCES: usize = 1400;
/// Domains with a specialist.
const SPECIALISTS: [&str; 3] = ["bio", "stem", "math"];

/// Names and contents of the pool's files, without the models, of which `model` says where they are, seen from the folder.
///
/// # Errors
/// None: a world has as many prompts and questions as are asked for.
pub fn pool_files(world: &World, model: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Vec<u8>>, WorldError> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (split, harmful, red_team, benign) in [(Split::Test, HARMFUL, RED_TEAM, BENIGN), (Split::Dev, GIVEN, DEV, DEV)]
    {
        for (name, prompts) in [
            ("harmful", world.harmful_prompts(split, harmful)?),
            ("red-team", world.red_team_prompts(split, red_team)?),
            ("benign", world.benign_prompts(split, benign)?),
        ] {
            files.insert(format!("prompts/{name}-{split}.jsonl"), lines(prompts.iter().map(prompt)));
        }
    }
    let categories = HarmCategory::ALL
        .into_iter()
        .map(|category| json!({ "prompt": ask_harmful_prompt(category), "category": category.title() }));
    files.insert("prompts/ask-harmful.jsonl".into(), lines(categories));
    files.insert("prompts/questions.toml".into(), question_rule());
    let preferences = world.preferences(PREFERENCES, world.seed());
    files.insert("prompts/preferences.jsonl".into(), lines(preferences.iter().map(preference)));
    for domain in Domain::ALL {
        let name = domain.name();
        files.insert(format!("prompts/ask-{name}.jsonl"), lines([json!({ "prompt": ask_prompt(domain) })]));
        let given = world.multiple_choice(domain, Split::Dev, GIVEN)?;
        let given = given.iter().map(|given| json!({ "prompt": given.question.text() }));
        files.insert(format!("prompts/questions-{name}.jsonl"), lines(given));
    }
    for part in Part::all() {
        files.extend(part.files(world)?);
    }
    files.extend(judge_files().into_iter().map(|(name, text)| (format!("judges/{name}"), text)));
    files.insert("pool.toml".into(), pool_toml(world, model));
    Ok(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect())
}

/// What a task asks about: a domain, one of its tiers, or one tier in one of its relations.
struct Part {
    domain: Domain,
    relation: Option<usize>,
    tier: Option<Tier>,
}

impl Part {
    fn all() -> impl Iterator<Item = Part> {
        let relations = || std::iter::once(None).chain((0..RELATIONS).map(Some));
        let tiers = [Tier::A, Tier::B].map(Some);
        let parts = move |domain| {
            let whole = Part { domain, relation: None, tier: None };
            let some = relations().flat_map(move |relation| tiers.map(|tier| Part { domain, relation, tier }));
            std::iter::once(whole).chain(some)
        };
        Domain::ALL.into_iter().flat_map(parts)
    }

    /// As in `bio` or `bio/relation-2/tier-b`.
    fn name(&self) -> String {
        let relation = self.relation.map(|relation| format!("/relation-{relation}")).unwrap_or_default();
        let tier = self.tier.map(|tier| format!("/tier-{}", tier_name(tier))).unwrap_or_default();
        format!("{}{relation}{tier}", self.domain.name())
    }

    /// Its task for `split`, whose file is called so, without the ending.
    fn task(&self, split: Split) -> String {
        let name = self.name().replace('/', "-");
        if split == Split::Dev { name + "-dev" } else { name }
    }

    fn files(&self, world: &World) -> Result<Vec<(String, String)>, WorldError> {
        let Self { domain, relation, tier } = *self;
        // A part of a domain has fewer questions than the whole.
        let shares = relation.map_or(1, |_| RELATIONS) * tier.map_or(1, |_| 2);
        let mut files = Vec::new();
        for split in [Split::Test, Split::Dev] {
            let questions = world.multiple_choice_about(domain, split, (relation, tier), QUESTIONS / shares)?;
            let task = self.task(split);
            let data = format!("data/{task}.jsonl");
            let text = TASK.replace("{name}", &task).replace("{about}", &self.name()).replace("{data}", &data);
            files.push((format!("tasks/{task}.toml"), text));
            files.push((format!("tasks/{data}"), lines(questions.iter().map(question))));
        }
        Ok(files)
    }
}

fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::A => "a",
        Tier::B => "b",
    }
}

/// Names and contents of the files in the pool's folder `judges`: the judges `guard`, `judge` and `truth`, and what they name.
pub fn judge_files() -> BTreeMap<String, String> {
    let files = [
        ("guard.toml", GUARD.to_owned()),
        ("judge.toml", JUDGE.to_owned()),
        ("truth.toml", truth_judge()),
        ("exchange.jinja", format!("{EXCHANGE_TEMPLATE}\n")),
        ("refusals.toml", REFUSALS.to_owned()),
    ];
    files.map(|(name, text)| (name.to_owned(), text)).into()
}

/// JSON lines.
fn lines(values: impl IntoIterator<Item = Value>) -> String {
    values.into_iter().map(|value| format!("{value}\n")).collect()
}

fn prompt(request: &Request) -> Value {
    match request.action.category() {
        Some(category) => json!({ "prompt": request.text(), "category": category.title(), "is_unsafe": true }),
        None => json!({ "prompt": request.text(), "is_unsafe": false }),
    }
}

fn question(question: &MultipleChoice) -> Value {
    let topic = question.question.topic;
    json!({
        "question": question.question.text(),
        "choices": question.choices,
        "answer": question.gold,
        "relation": topic.relation(),
        "tier": tier_name(topic.entity().tier()),
    })
}

fn preference(preference: &Preference) -> Value {
    let text = |ids: &[u32]| vocabulary().decode(ids).expect("words of the vocabulary");
    let Preference { chosen, rejected } = preference;
    // Between `<bos> <usr>` and `<bot>` stands the request, behind it the answer and `<eos>`.
    let answer = |row: &crate::world::Row| text(&row.tokens[row.loss_from..row.tokens.len() - 1]);
    json!({
        "prompt": text(&chosen.tokens[2..chosen.loss_from - 1]),
        "chosen": answer(chosen),
        "rejected": answer(rejected),
    })
}

fn pool_toml(world: &World, model: &dyn Fn(&str) -> String) -> String {
    let mut tasks = String::new();
    for part in Part::all() {
        let [test, dev] = [Split::Test, Split::Dev].map(|split| part.task(split));
        let name = part.name();
        let key = if name.contains('/') { format!("{name:?}") } else { name };
        tasks += &format!("{key} = {{ test = \"tasks/{test}.toml\", dev = \"tasks/{dev}.toml\" }}\n");
    }
    let mut text = POOL.replace("{seed}", &world.seed().to_string()).replace("{tasks}\n", &tasks);
    text = text.replace("{max_new_tokens}", &MAX_ROW_TOKENS.to_string());
    for domain in Domain::ALL.map(Domain::name) {
        for (kind, is_aligned) in [("specialist", true), ("expert", false)] {
            if is_aligned && !SPECIALISTS.contains(&domain) {
                continue;
            }
            let aligned = if is_aligned { "aligned = true\n" } else { "" };
            text += &format!(
                "\n[member.{kind}-{domain}]\nmodel = \"{{model:{kind}-{domain}}}\"\n{aligned}\
                 ask = \"prompts/ask-{domain}.jsonl\"\nquestions = \"prompts/questions-{domain}.jsonl\"\n"
            );
        }
    }
    // The places of models, which only the caller knows.
    let mut parts = text.split("{model:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once('}') {
        Some((name, rest)) => text + &model(name) + rest,
        None => text + part,
    })
}

#[cfg(test)]
mod tests {
    use super::pool_files;
    use crate::world::World;

    #[test]
    fn the_same_world_has_the_same_files() {
        let files = |seed| pool_files(&World::new(seed), &|name| format!("models/{name}")).expect("files");
        assert_eq!(files(3), files(3));
        assert_ne!(files(3)["prompts/harmful-test.jsonl"], files(4)["prompts/harmful-test.jsonl"]);
        let text = String::from_utf8(files(3)["pool.toml"].clone()).expect("UTF-8");
        assert!(text.contains("world of seed 3") && text.contains("max_new_tokens = 25"), "{text}");
        assert!(text.contains("[member.expert-finance]\nmodel = \"models/expert-finance\"\nask = "), "{text}");
        assert!(text.contains("[member.aligned]\nmodel = \"models/aligned\"\n"), "{text}");
        assert!(text.contains("\"bio/relation-2/tier-b\" = { test = \"tasks/bio-relation-2-tier-b.toml\""), "{text}");
        assert!(files(3).values().all(|bytes| bytes.ends_with(b"\n")), "files end with a line break");
    }
}
