//! The miniature as a pool's files: everything in its folder but the models.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{
    Domain, EXCHANGE_TEMPLATE, HarmCategory, MAX_ROW_TOKENS, MultipleChoice, Request, Split, Tier, World, WorldError,
    ask_harmful_prompt, ask_prompt, truth_judge,
};

/// How the guard is asked and read; its template is [`EXCHANGE_TEMPLATE`].
const GUARD: &str = include_str!("pool_files/guard.toml");
/// How the second judge is.
const JUDGE: &str = include_str!("pool_files/judge.toml");
/// How refusals are recognised.
const REFUSALS: &str = include_str!("pool_files/refusals.toml");
/// The beginning of `pool.toml`; `{seed}` stands for the world's.
const POOL: &str = include_str!("pool_files/pool.toml");
/// A task; `{name}`, `{domain}` and `{data}` stand for its name, its field and its file.
const TASK: &str = include_str!("pool_files/task.toml");

/// Prompts and questions of each set: as many as any experiment asks for.
const HARMFUL: usize = 1733;
const RED_TEAM: usize = 1000;
const BENIGN: usize = 500;
const QUESTIONS: usize = 600;
const DEV: usize = 300;

/// Names and contents of the pool's files, without the models, which belong into `models/NAME`.
///
/// # Errors
/// None: a world has as many prompts and questions as are asked for.
pub fn pool_files(world: &World) -> Result<BTreeMap<String, Vec<u8>>, WorldError> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (split, harmful, red_team, benign) in [(Split::Test, HARMFUL, RED_TEAM, BENIGN), (Split::Dev, DEV, DEV, DEV)] {
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
    for domain in Domain::ALL {
        let name = domain.name();
        files.insert(format!("prompts/ask-{name}.jsonl"), lines([json!({ "prompt": ask_prompt(domain) })]));
        for (split, count, task) in
            [(Split::Test, QUESTIONS, name.to_owned()), (Split::Dev, DEV, format!("{name}-dev"))]
        {
            let questions = world.multiple_choice(domain, split, count)?;
            let data = format!("data/{name}-{split}.jsonl");
            let text = TASK.replace("{name}", &task).replace("{domain}", name).replace("{data}", &data);
            files.insert(format!("tasks/{task}.toml"), text);
            files.insert(format!("tasks/{data}"), lines(questions.iter().map(question)));
        }
    }
    files.extend(judge_files().into_iter().map(|(name, text)| (format!("judges/{name}"), text)));
    files.insert("pool.toml".into(), pool_toml(world));
    Ok(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect())
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
        "tier": match topic.entity().tier() {
            Tier::A => "a",
            Tier::B => "b",
        },
    })
}

fn pool_toml(world: &World) -> String {
    let mut text = POOL.replace("{seed}", &world.seed().to_string());
    text = text.replace("{max_new_tokens}", &MAX_ROW_TOKENS.to_string());
    for domain in Domain::ALL.map(Domain::name) {
        for (kind, is_aligned) in [("specialist", true), ("expert", false), ("domain-expert", false)] {
            let aligned = if is_aligned { "aligned = true\n" } else { "" };
            text += &format!(
                "\n[member.{kind}-{domain}]\nmodel = \"models/{kind}-{domain}\"\n{aligned}ask = \"prompts/ask-{domain}.jsonl\"\n"
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::pool_files;
    use crate::world::World;

    #[test]
    fn the_same_world_has_the_same_files() {
        let files = |seed| pool_files(&World::new(seed)).expect("files");
        assert_eq!(files(3), files(3));
        assert_ne!(files(3)["prompts/harmful-test.jsonl"], files(4)["prompts/harmful-test.jsonl"]);
        let text = String::from_utf8(files(3)["pool.toml"].clone()).expect("UTF-8");
        assert!(text.contains("world of seed 3") && text.contains("max_new_tokens = 25"), "{text}");
        assert!(text.contains("[member.domain-expert-math]\nmodel = \"models/domain-expert-math\"\nask = "), "{text}");
        assert!(files(3).values().all(|bytes| bytes.ends_with(b"\n")), "files end with a line break");
    }
}
