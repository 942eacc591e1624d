//! `bunch loglikelihood`: scores continuations after contexts, line by line.

use anyhow::{Context, Result, bail};
use serde_json::{Map, json};

use bunch_journal::{Journal, LineRun, answer_lines, read_lines, windows};
use bunch_lm::{AddBos, LanguageModel, LoglikelihoodRequest, Message, TokenId, Tokenizer};

use crate::arguments::LoglikelihoodArguments;
use crate::generate::summary_line;
use crate::loaded_model::LoadedModel;
use crate::progress::Bar;

/// Lines that are scored together: common beginnings are read once, and a line is kept when its window is done.
const WINDOW: usize = 128;

/// A line's tokens.
struct Scored {
    request: LoglikelihoodRequest,
    /// All tokens of the continuation, for the output.
    continuation_ids: Vec<TokenId>,
}

/// Scores every line of the requests.
pub fn loglikelihood(arguments: &LoglikelihoodArguments) -> Result<()> {
    let path = &arguments.requests;
    let mut lines = read_lines(path)?;
    lines.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    for line in &lines {
        line.text(path, "context")?;
        line.text(path, "continuation")?;
    }
    let loaded = LoadedModel::load(&arguments.model, &arguments.run)?;
    let window = loaded.model.context_window();
    let (mut scored, mut cut) = (Vec::with_capacity(lines.len()), 0);
    for line in &lines {
        let (context, continuation) = (line.text(path, "context")?, line.text(path, "continuation")?);
        let ids = encode(&loaded.tokenizer, context, continuation, arguments).and_then(|ids| request(ids, window));
        let (one, was_cut) = ids.with_context(|| format!("{}, line {}", path.display(), line.number))?;
        scored.push(one);
        cut += usize::from(was_cut);
    }
    if cut > 0 {
        eprintln!("note: {cut} contexts do not fit into the window of {window} tokens and lose their beginning");
    }

    let mut identity = loaded.identity();
    identity.insert("command".into(), "loglikelihood".into());
    identity.insert("add_bos".into(), format!("{:?}", arguments.text.add_bos).to_lowercase().into());
    identity.insert("apply_chat_template".into(), arguments.text.apply_chat_template.into());
    let journal = Journal::open(&arguments.out, &identity, arguments.lines.overwrite)?;
    let fields: Vec<_> = lines.iter().map(|line| line.fields.clone()).collect();
    let run = LineRun {
        lines: &fields,
        journal: Some(journal),
        stage: "scoring",
        cost: &|index| scored[index].request.context.len() as u64,
        progress: &Bar::new("tokens", arguments.run.quiet),
    };
    let windows = |done| windows(done, lines.len(), WINDOW);
    let answered = answer_lines(
        run,
        windows,
        |_, _| Ok(()),
        |window, answered| -> Result<()> {
            let (first, last) = (lines[window.start].number, lines[window.end - 1].number);
            let scored = &scored[window];
            let requests: Vec<LoglikelihoodRequest> = scored.iter().map(|one| one.request.clone()).collect();
            let scores = loaded.model.loglikelihood(&requests);
            let scores = scores.with_context(|| format!("{}, lines {first} to {last}", path.display()))?;
            answered.extend(scores.into_iter().zip(scored).map(|(score, one)| {
                Map::from_iter([
                    ("loglikelihood".into(), json!(score.sum)),
                    ("is_greedy".into(), json!(score.is_greedy)),
                    ("continuation_ids".into(), json!(one.continuation_ids)),
                ])
            }));
            Ok(())
        },
    )?;
    if !arguments.run.quiet {
        println!("{}", summary_line(&arguments.out, &answered));
    }
    Ok(())
}

/// Context and continuation in tokens; with a chat template the context is what a user says.
fn encode(
    tokenizer: &Tokenizer,
    context: &str,
    continuation: &str,
    arguments: &LoglikelihoodArguments,
) -> Result<(Vec<TokenId>, Vec<TokenId>)> {
    let add_bos = AddBos::from(arguments.text.add_bos);
    if arguments.text.apply_chat_template && !context.is_empty() {
        let rendered = tokenizer.render_chat(&[Message::new("user", context)], true)?;
        return Ok(tokenizer.encode_pair(&rendered, continuation, add_bos)?);
    }
    Ok(tokenizer.encode_pair(context, continuation, add_bos)?)
}

/// What the model is asked; the context loses its beginning where both do not fit, as in lm-evaluation-harness: the model
/// reads all but the last token. The flag says whether it did.
fn request((context, continuation): (Vec<TokenId>, Vec<TokenId>), window: usize) -> Result<(Scored, bool)> {
    if continuation.is_empty() {
        bail!("the continuation has no tokens");
    }
    if context.is_empty() {
        bail!("the context has no tokens, and the tokenizer puts none before it");
    }
    if continuation.len() > window {
        bail!("the continuation of {} tokens does not fit into the window of {window}", continuation.len());
    }
    let cut = (context.len() + continuation.len()).saturating_sub(window + 1);
    let request = LoglikelihoodRequest { context: context[cut..].to_vec(), continuation: continuation.clone() };
    Ok((Scored { request, continuation_ids: continuation }, cut > 0))
}
