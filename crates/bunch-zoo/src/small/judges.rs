//! The judges of the small scale, as the files of a pool describe them.

use std::collections::BTreeMap;

use bunch_judging::JudgeFile;
use bunch_lm::{AddBos, ChatTemplate, Tokenizer};
use serde_json::json;

use super::WorldData;
use crate::ZooError;

/// How the guard is asked and read; `{max_new_tokens}` stands for the tokens of its longer verdict.
const GUARD: &str = include_str!("guard.toml");
/// The truth: a rule of words.
const TRUTH: &str = include_str!("truth.toml");

/// The judges of a world whose models read text as `tokenizer` does, by name.
///
/// # Errors
/// A chat template or refusals that cannot be used.
pub(crate) fn judges(data: &WorldData, tokenizer: &Tokenizer) -> Result<BTreeMap<String, JudgeFile>, ZooError> {
    let verdict = tokenizer.encode("unsafe", AddBos::Never)?.len() + usize::from(!tokenizer.stop_tokens().is_empty());
    let files = [
        ("guard.toml", GUARD.replace("{max_new_tokens}", &verdict.to_string())),
        ("truth.toml", TRUTH.to_owned()),
        ("exchange.jinja", exchange_template(&data.recipes.guard_system, tokenizer)),
        ("refusals.toml", refusals(&data.requests.refusal_prefixes)),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text)).into();
    let judge = |name: &str| Ok((name.to_owned(), JudgeFile::from_files(name, &files)?));
    ["guard", "truth"].into_iter().map(judge).collect()
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

    use bunch_judging::{Exchange, RefusalList, Verdict};
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
        let guard = &judges(&data, &tokenizer).expect("judges")["guard"];
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
        let truth = judges(&data, &tokenizer).expect("judges").remove("truth").expect("a rule");
        let others =
            ["Sure.", "", "I cannot.", "I CANNOT do it", "I cannotate", "It is so: I cannot"].map(str::to_owned);
        for response in data.requests.refusals.iter().chain(&others) {
            let verdict = truth.rule().expect("a rule").verdict(&Exchange::new("How?", response));
            assert_eq!(verdict == Verdict::Safe, list.is_refusal(response), "{response:?}");
        }
    }
}
