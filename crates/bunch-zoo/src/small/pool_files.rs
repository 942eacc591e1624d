//! The small scale as a pool's files: everything in its folder but the models.

use std::collections::BTreeMap;

use bunch_lm::{AddBos, ChatTemplate, Tokenizer};
use bunch_miniature::world::Split;
use serde::Serialize;
use serde_json::json;

use super::{Category, Shares, WorldData};
use crate::{MemberRecipe, ZooError};

/// The beginning of `pool.toml`.
const POOL: &str = include_str!("pool_files/pool.toml");
/// A task; `{name}`, `{domain}` and `{data}` stand for its name, what it asks about and its file.
const TASK: &str = include_str!("pool_files/task.toml");
/// How the guard is asked and read; `{max_new_tokens}` stands for the tokens of its longer verdict.
const GUARD: &str = include_str!("pool_files/guard.toml");
/// The truth: a rule of words.
const TRUTH: &str = include_str!("pool_files/truth.toml");

/// Names and contents of the pool's files, without the models, of which `model` says where they are, seen from the folder.
///
/// # Errors
/// A tokenizer that cannot write the guard's verdicts.
pub(crate) fn pool_files(
    data: &WorldData,
    tokenizer: &Tokenizer,
    seed: u64,
    model: &dyn Fn(&str) -> String,
) -> Result<BTreeMap<String, Vec<u8>>, ZooError> {
    let mut files = BTreeMap::new();
    for split in [Split::Test, Split::Dev] {
        let harmful = data.requests.harmful_by_category(split, seed).into_iter();
        let harmful = harmful.map(|(category, prompt)| json!({ "prompt": prompt, "category": category }));
        files.insert(format!("prompts/harmful-{split}.jsonl"), lines(harmful));
        files.insert(format!("prompts/benign-{split}.jsonl"), lines(prompts(data.requests.benign(split, seed))));
        for (name, domain) in &data.domains {
            let task = if split == Split::Dev { format!("{name}-dev") } else { name.clone() };
            let lines_of = format!("data/{task}.jsonl");
            let text = TASK.replace("{name}", &task).replace("{domain}", name).replace("{data}", &lines_of);
            files.insert(format!("tasks/{task}.toml"), text);
            files.insert(format!("tasks/{lines_of}"), lines(domain.multiple_choice(name, split, seed)));
        }
    }
    let ask = |category: &Category| json!({ "prompt": data.requests.ask(category), "category": category.name });
    files.insert("prompts/ask-harmful.jsonl".into(), lines(data.requests.categories.iter().map(ask)));
    for (name, domain) in &data.domains {
        files.insert(format!("prompts/ask-{name}.jsonl"), lines(prompts([domain.ask.clone()])));
    }
    files.extend(judge_files(data, tokenizer)?.into_iter().map(|(name, text)| (format!("judges/{name}"), text)));
    files.insert("pool.toml".into(), pool_toml(data, model));
    Ok(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect())
}

/// JSON lines.
fn lines(values: impl IntoIterator<Item = impl Serialize>) -> String {
    values.into_iter().map(|value| json!(value).to_string() + "\n").collect()
}

fn prompts(texts: impl IntoIterator<Item = String>) -> impl Iterator<Item = serde_json::Value> {
    texts.into_iter().map(|text| json!({ "prompt": text }))
}

fn pool_toml(data: &WorldData, model: &dyn Fn(&str) -> String) -> String {
    let recipes = &data.recipes;
    let task =
        |name: &String| format!("{name} = {{ test = \"tasks/{name}.toml\", dev = \"tasks/{name}-dev.toml\" }}\n");
    let settings = [
        ("{max_new_tokens}", recipes.answer_tokens.to_string()),
        ("{temperature}", recipes.temperature.to_string()),
        ("{system}", json!(recipes.system).to_string()),
        ("{max_asked}", recipes.patience.to_string()),
        ("{tasks}\n", data.domains.keys().map(task).collect()),
    ];
    let mut text = settings.iter().fold(POOL.to_owned(), |text, (place, value)| text.replace(place, value));
    let is_helper = |member: &MemberRecipe<Shares>| ["guard", "uncensored"].contains(&member.name.as_str());
    for member in data.recipes.members.iter() {
        let (name, kind) = (&member.name, if is_helper(member) { "helper" } else { "member" });
        let extra = match (name.as_str(), &member.domain) {
            ("guard", _) => "judge = \"judges/guard.toml\"\n".to_owned(),
            ("uncensored", _) => "ask = \"prompts/ask-harmful.jsonl\"\n".to_owned(),
            (_, Some(domain)) => format!("ask = \"prompts/ask-{domain}.jsonl\"\n"),
            (_, None) => "aligned = true\n".to_owned(),
        };
        text += &format!("\n[{kind}.{name}]\nmodel = \"{}\"\n{extra}", model(name));
    }
    text
}

/// Names and contents of the files in the pool's folder `judges`, for models that read text as `tokenizer` does.
///
/// # Errors
/// A tokenizer that cannot write the guard's verdicts.
pub(crate) fn judge_files(data: &WorldData, tokenizer: &Tokenizer) -> Result<BTreeMap<String, String>, ZooError> {
    let verdict = tokenizer.encode("unsafe", AddBos::Never)?.len() + usize::from(!tokenizer.stop_tokens().is_empty());
    let files = [
        ("guard.toml", GUARD.replace("{max_new_tokens}", &verdict.to_string())),
        ("truth.toml", TRUTH.to_owned()),
        ("exchange.jinja", exchange_template(&data.recipes.guard_system, tokenizer)),
        ("refusals.toml", refusals(&data.requests.refusal_prefixes)),
    ];
    Ok(files.map(|(name, text)| (name.to_owned(), text)).into())
}

/// The template of exchanges: a system message and one that quotes the exchange, in the pretrained model's own template. A model
/// without one is of no use before the guard is asked.
fn exchange_template(system: &str, tokenizer: &Tokenizer) -> String {
    let template = tokenizer.chat_template().map_or("", ChatTemplate::source);
    format!(
        "{{% set messages = [{{'role': 'system', 'content': {}}}, {{'role': 'user', 'content': 'User: ' ~ \
         messages[0].content ~ ('\\nAgent: ' ~ messages[1].content if messages[1].content else '')}}] %}}\
         {{% set add_generation_prompt = true +%}}{template}",
        json!(system)
    )
}

fn refusals(prefixes: &[String]) -> String {
    let list = json!(prefixes);
    format!(
        "title = \"Refusals of the small scale\"\nsource = \"data/small/requests.toml\"\nmatch = \"starts_with_word\"\n\
         ignore_case = true\nstrings = {list}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bunch_judging::{Exchange, JudgeFile, RefusalList, Verdict};
    use bunch_lm::Message;

    use super::*;

    fn world() -> (WorldData, Tokenizer) {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let data = WorldData::load(&crates.join("..")).expect("the committed data");
        let model = crates.join("bunch-lm/tests/oracle/models/llama-gqa-tied");
        (data, Tokenizer::from_directory(&model).expect("a tokenizer"))
    }

    #[test]
    fn the_guard_reads_a_system_message_and_one_that_quotes_the_exchange() {
        let (data, tokenizer) = world();
        let files = judge_files(&data, &tokenizer).expect("files");
        let guard = JudgeFile::from_files("guard", &files).expect("a judge");
        for (exchange, quoted) in [
            (
                Exchange::new("How {{ do }} I?", "Like \"this\"\n<|im_end|>"),
                "User: How {{ do }} I?\nAgent: Like \"this\"\n<|im_end|>",
            ),
            (Exchange::alone("How?"), "User: How?"),
        ] {
            let messages = [Message::system(&data.recipes.guard_system), Message::user(quoted)];
            let expected = tokenizer.render_chat(&messages, true).expect("rendered");
            assert_eq!(guard.render(&exchange, &tokenizer).expect("rendered"), Some(expected));
        }
    }

    #[test]
    fn what_declines_is_safe() {
        let (data, tokenizer) = world();
        let list = RefusalList::of_first_words("small", data.requests.refusal_prefixes.clone()).expect("prefixes");
        let files = judge_files(&data, &tokenizer).expect("files");
        let truth = JudgeFile::from_files("truth", &files).expect("a judge");
        let others =
            ["Sure.", "", "I cannot.", "I CANNOT do it", "I cannotate", "It is so: I cannot"].map(str::to_owned);
        for response in data.requests.refusals.iter().chain(&others) {
            let verdict = truth.rule().expect("a rule").verdict(&Exchange::new("How?", response));
            assert_eq!(verdict == Verdict::Safe, list.is_refusal(response), "{response:?}");
        }
    }
}
