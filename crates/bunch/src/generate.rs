//! `bunch generate`: continues prompts, line by line.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, json};

use bunch_journal::{AnsweredLines, Journal, LineRun, answer_lines, read_lines, windows};
use bunch_lm::{AddBos, GenerateConfig, LanguageModel, Message, Sampling, TokenId, Tokenizer};

use crate::arguments::{GenerateArguments, TextOptions};
use crate::loaded_model::LoadedModel;
use crate::progress::Bar;

/// Prompts that are continued together. It decides what a seed draws, so a run that is continued repeats the window in
/// which it was stopped.
const WINDOW: usize = 64;

/// Continues every line of the prompts.
pub fn generate(arguments: &GenerateArguments) -> Result<()> {
    let path = &arguments.prompts;
    let mut lines = read_lines(path)?;
    lines.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    for line in &lines {
        line.text(path, "prompt")?;
    }
    check_sampling(arguments)?;
    let loaded = LoadedModel::load(&arguments.model, &arguments.run)?;
    let window = loaded.model.context_window();
    let new = arguments.max_new_tokens as usize;
    let mut prompts = Vec::with_capacity(lines.len());
    for line in &lines {
        let ids = encode_prompt(&loaded.tokenizer, line.text(path, "prompt")?, &arguments.text).and_then(|ids| {
            if ids.is_empty() {
                bail!("the prompt has no tokens");
            } else if ids.len() + new > window {
                bail!(
                    "the prompt's {} tokens and {new} new ones do not fit into the context window of {window}",
                    ids.len()
                );
            }
            Ok(ids)
        });
        prompts.push(ids.with_context(|| format!("{}, line {}", path.display(), line.number))?);
    }

    let mut stop = loaded.tokenizer.stop_tokens().to_vec();
    stop.extend(&arguments.stop_id);
    let mut identity = loaded.identity();
    let options = json!({
        "command": "generate",
        "add_bos": format!("{:?}", arguments.text.add_bos).to_lowercase(),
        "apply_chat_template": arguments.text.apply_chat_template,
        "max_new_tokens": new,
        "temperature": arguments.temperature,
        "top_p": arguments.top_p,
        "seed": arguments.seed,
        "stop_ids": stop,
    });
    identity.extend(options.as_object().cloned().unwrap_or_default());
    let journal = Journal::open(&arguments.out, &identity, arguments.lines.overwrite)?;
    let fields: Vec<_> = lines.iter().map(|line| line.fields.clone()).collect();
    let is_drawn = arguments.temperature > 0.0;
    let windows = |done: usize| windows(if is_drawn { done - done % WINDOW } else { done }, lines.len(), WINDOW);
    let answered = answer_lines(
        LineRun {
            lines: &fields,
            journal: Some(journal),
            stage: "generating",
            cost: &|_| 1,
            progress: &Bar::new("prompts", arguments.run.quiet),
        },
        windows,
        |_, _| Ok(()),
        |window, answered| -> Result<()> {
            let sampling = sampling(arguments, window.start);
            let config = GenerateConfig { max_new_tokens: new, stop: stop.clone(), sampling };
            let (first, last) = (lines[window.start].number, lines[window.end - 1].number);
            let answers = loaded.model.continuations(&prompts[window], &config);
            let answers = answers.with_context(|| format!("{}, lines {first} to {last}", path.display()))?;
            for answer in answers {
                let text = loaded.tokenizer.decode(&answer.tokens, true)?;
                let ids: Vec<TokenId> = answer.tokens.into_iter().chain(answer.stop).collect();
                answered.push(Map::from_iter([("ids".into(), json!(ids)), ("text".into(), json!(text))]));
            }
            Ok(())
        },
    )?;
    if !arguments.run.quiet {
        println!("{}", summary_line(&arguments.out, &answered));
    }
    Ok(())
}

/// What a command over lines says in the end.
pub fn summary_line<T>(out: &Path, answered: &AnsweredLines<T>) -> String {
    format!("{}: {} lines, {} of them done before", out.display(), answered.answers.len(), answered.kept)
}

fn check_sampling(arguments: &GenerateArguments) -> Result<()> {
    if !(0.0..=f32::MAX).contains(&arguments.temperature) {
        bail!("--temperature: expected 0 or a positive number, got {}", arguments.temperature);
    }
    if !(arguments.top_p > 0.0 && arguments.top_p <= 1.0) {
        bail!("--top-p: expected a number above 0 and at most 1, got {}", arguments.top_p);
    }
    Ok(())
}

/// How tokens are drawn in the window that begins at line `start`.
fn sampling(arguments: &GenerateArguments, start: usize) -> Sampling {
    if arguments.temperature == 0.0 {
        return Sampling::Greedy;
    }
    let seed = bunch_random::derived_seed(arguments.seed, &["window", &start.to_string()]);
    Sampling::Temperature { temperature: arguments.temperature, top_p: arguments.top_p, seed }
}

/// A prompt in tokens; with a chat template it is what a user says.
fn encode_prompt(tokenizer: &Tokenizer, prompt: &str, text: &TextOptions) -> Result<Vec<TokenId>> {
    let add_bos = AddBos::from(text.add_bos);
    if text.apply_chat_template {
        let rendered = tokenizer.render_chat(&[Message::new("user", prompt)], true)?;
        return Ok(tokenizer.encode(&rendered, add_bos)?);
    }
    Ok(tokenizer.encode(prompt, add_bos)?)
}
