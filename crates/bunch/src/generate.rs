//! `bunch generate`: continues prompts, line by line.

use anyhow::{Context, Result, bail};
use bunch_journal::{Journal, read_lines};
use bunch_lm::{AddBos, GenerateConfig, LanguageModel, Message, Sampling, TokenId, Tokenizer};
use serde_json::{Value, json};

use crate::arguments::{GenerateArguments, TextOptions};
use crate::continued::continued;
use crate::loaded_model::LoadedModel;
use crate::progress;

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
    let mut journal = Journal::open(&arguments.out, &identity, arguments.lines.overwrite)?;
    let fields: Vec<_> = lines.iter().map(|line| &line.fields).collect();
    let done = continued(&journal, &fields, &arguments.out)?;
    let bar = progress::bar("generating", lines.len() as u64, "prompts", arguments.run.quiet);
    bar.inc(done as u64);
    let first = if arguments.temperature > 0.0 { done - done % WINDOW } else { done };
    for start in (first..lines.len()).step_by(WINDOW) {
        let end = (start + WINDOW).min(lines.len());
        let config = GenerateConfig { max_new_tokens: new, stop: stop.clone(), sampling: sampling(arguments, start) };
        let answers = loaded.model.continuations(&prompts[start..end], &config).with_context(|| {
            format!("{}, lines {} to {}", path.display(), lines[start].number, lines[end - 1].number)
        })?;
        let mut written = Vec::new();
        for (index, answer) in (start..end).zip(answers).filter(|(index, _)| *index >= done) {
            let mut fields = lines[index].fields.clone();
            let text = loaded.tokenizer.decode(&answer.tokens, true)?;
            let ids: Vec<TokenId> = answer.tokens.into_iter().chain(answer.stop).collect();
            fields.insert("ids".into(), json!(ids));
            fields.insert("text".into(), json!(text));
            written.push(Value::Object(fields));
        }
        journal.append(&written)?;
        bar.inc(written.len() as u64);
    }
    bar.finish_and_clear();
    journal.finish()?;
    if !arguments.run.quiet {
        println!("{}: {} lines, {done} of them done before", arguments.out.display(), lines.len());
    }
    Ok(())
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
pub fn encode_prompt(tokenizer: &Tokenizer, prompt: &str, text: &TextOptions) -> Result<Vec<TokenId>> {
    let add_bos = AddBos::from(text.add_bos);
    if text.apply_chat_template {
        let rendered = tokenizer.render_chat(&[Message::new("user", prompt)], true)?;
        return Ok(tokenizer.encode(&rendered, add_bos)?);
    }
    Ok(tokenizer.encode(prompt, add_bos)?)
}
