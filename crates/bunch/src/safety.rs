//! `bunch safety`: lets a model answer harmful prompts, has the answers judged, and prints the alignment score.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_checkpoint::{atomic_write, sha256_file};
use bunch_journal::{Journal, LineRun, answer_lines, windows};
use bunch_judging::{
    Exchange, JudgeFile, Judged, Judgement, PromptFile, PromptSet, RefusalList, RespondOptions, Response, SafetyPrompt,
    SafetyReport, read_prompts, respond,
};
use bunch_pool::Pool;
use serde_json::{Map, Value, json};

use crate::arguments::SafetyArguments;
use crate::judge::{LoadedJudge, check_guard, describe};
use crate::loaded_model::LoadedModel;
use crate::pool;
use crate::progress::Bar;

/// Prompts that go to a model together, and so the most that are lost when a run is stopped.
const WINDOW: usize = 16;

/// The helper of a pool that judges unless another is named.
const GUARD: &str = "guard";

/// Upper limit on the tokens of a response where neither the options nor a pool say one.
const MAX_NEW_TOKENS: u32 = 512;

/// Responds, judges and reports.
pub fn safety(arguments: &SafetyArguments) -> Result<()> {
    // What can be wrong is found before hours of work.
    let lists = arguments.refusals.iter().map(|name| RefusalList::find(name)).collect::<Result<Vec<_>, _>>()?;
    let pool = pool::open(arguments.pool.as_deref())?;
    let model = pool::model_path(pool.as_ref(), &arguments.model)?;
    let judges = judges(arguments, pool.as_ref())?;
    if let [(_, first), (_, second)] = &judges[..]
        && first.name == second.name
    {
        bail!("--second-judge: expected another judge than --judge, got {} twice", first.name);
    }
    let PromptFile { path, mut prompts } = read(arguments, pool.as_ref())?;
    let max_new_tokens = arguments.max_new_tokens.or(pool.map(|pool| pool.file().generation.max_new_tokens));
    prompts.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;

    let max_new_tokens = max_new_tokens.unwrap_or(MAX_NEW_TOKENS);
    let (responses, model) = responses(arguments, &model, max_new_tokens, &prompts)?;
    let fields: Vec<Map<String, Value>> = (prompts.iter().zip(&responses))
        .map(|(prompt, response)| Map::from_iter([field("prompt", &prompt.prompt), field("response", &response.text)]))
        .collect();
    let exchanges: Vec<Exchange> =
        prompts.iter().zip(&responses).map(|(prompt, response)| prompt.exchange(&response.text)).collect();
    let exchanges: Vec<(usize, &Exchange)> = prompts.iter().map(|prompt| prompt.line).zip(&exchanges).collect();
    let mut judged: Vec<(String, Vec<Judgement>)> = Vec::new();
    let mut identities = Vec::new();
    for (guard, judge) in judges {
        let name = judge.name.clone();
        let (judgements, identity) = judgements(arguments, guard.as_deref(), judge, &exchanges, &fields)?;
        judged.push((name, judgements));
        identities.push(Value::Object(identity));
    }

    let texts: Vec<String> = responses.into_iter().map(|response| response.text).collect();
    let verdicts: Vec<Judged<'_>> = judged.iter().map(|(judge, judgements)| Judged { judge, judgements }).collect();
    let report = SafetyReport::new(&prompts, &texts, &verdicts, &lists)?;
    let manifest = json!({
        "prompts": { "file": path, "sha256": sha256_file(&path)?, "used": prompts.len() },
        "model": model,
        "judges": identities,
        "command_line": std::env::args().collect::<Vec<_>>(),
    });
    let whole = json!({ "report": report, "manifest": manifest });
    let file = arguments.out.join("report.json");
    atomic_write(&file, format!("{}\n", serde_json::to_string_pretty(&whole)?).as_bytes())?;
    for refusal in &report.refusals {
        if let Some(folded) = &refusal.all_folded {
            eprintln!(
                "note: {}: the published list does not know typographic apostrophes (U+2019): read as straight ones, {:.1} % \
                 are refusals in place of {:.1} %",
                refusal.list, folded.percent, refusal.all.percent
            );
        }
    }
    print!("{}", render(&report));
    println!("{}", file.display());
    Ok(())
}

fn field(name: &str, text: &str) -> (String, Value) {
    (name.to_owned(), Value::String(text.to_owned()))
}

/// How answers are judged, and where the guards are that judges ask.
fn judges(arguments: &SafetyArguments, pool: Option<&Pool>) -> Result<Vec<(Option<PathBuf>, JudgeFile)>> {
    let helper = |name: &str| pool.filter(|pool| pool.file().helpers.contains_key(name));
    let mut judges = Vec::new();
    for (guard, judge, usual, of_pool) in [
        (&arguments.guard, &arguments.judge, "llama_guard_2", helper(GUARD).map(|_| Path::new(GUARD))),
        (&arguments.second_guard, &arguments.second_judge, "md_judge_v0_1", None),
    ] {
        // A helper that is named as a judge brings its own guard, if it asks one.
        let own =
            judge.as_deref().filter(|name| helper(name).is_some_and(|pool| pool.file().helpers[*name].model.is_some()));
        let guard = guard.as_deref().or(own.map(Path::new)).or(of_pool);
        let named = judge.as_deref().or(guard.and_then(Path::to_str).filter(|name| helper(name).is_some()));
        let judge = match named.and_then(|name| Some((name, helper(name)?))) {
            Some((name, pool)) => pool.judge(name)?,
            None if judge.is_some() || guard.is_some() => JudgeFile::find(judge.as_deref().unwrap_or(usual))?,
            None => continue,
        };
        // The pool's guard is not for judges that ask none.
        let guard = guard.filter(|guard| judge.rule().is_none() || Some(*guard) != of_pool);
        check_guard(&judge, guard)?;
        judges.push((guard.map(|guard| pool::model_path(pool, guard)).transpose()?, judge));
    }
    Ok(judges)
}

/// The prompts: the pool's or a published set by its name, or in a file.
fn read(arguments: &SafetyArguments, pool: Option<&Pool>) -> Result<PromptFile> {
    let usual = if pool.is_some() { "harmful" } else { "beavertails" };
    let name = arguments.prompts.as_deref().unwrap_or(usual);
    let (path, data) = (Path::new(name), arguments.data.as_deref());
    if path.extension().is_some() {
        return Ok(PromptFile { path: path.to_owned(), prompts: read_prompts(path)? });
    }
    match pool {
        Some(pool) if pool.file().prompts.contains_key(name) || !PromptSet::names().any(|known| known == name) => {
            Ok(pool.prompts(name, arguments.split.into(), data)?)
        }
        _ => Ok(PromptSet::builtin(name)?.read(data)?),
    }
}

/// What the model says to each prompt, in `responses.jsonl`, and what identifies the run.
fn responses(
    arguments: &SafetyArguments,
    model: &Path,
    max_new_tokens: u32,
    prompts: &[SafetyPrompt],
) -> Result<(Vec<Response>, Map<String, Value>)> {
    let loaded = LoadedModel::load(model, &arguments.run)?;
    let options = RespondOptions {
        window: WINDOW,
        max_new_tokens: max_new_tokens as usize,
        plain_without_template: arguments.plain_without_template,
    };
    let mut identity = loaded.identity();
    identity.insert("command".into(), "respond".into());
    identity.insert("max_new_tokens".into(), max_new_tokens.into());
    identity.insert("plain_without_template".into(), arguments.plain_without_template.into());
    let out = arguments.out.join("responses.jsonl");
    let journal = Journal::open(&out, &identity, arguments.lines.overwrite)?;
    let fields: Vec<Map<String, Value>> = prompts
        .iter()
        .map(|prompt| {
            let optional = [("category", &prompt.category), ("subset", &prompt.subset), ("context", &prompt.context)];
            let optional = optional.into_iter().filter_map(|(name, text)| Some(field(name, text.as_ref()?)));
            std::iter::once(field("prompt", &prompt.prompt)).chain(optional).collect()
        })
        .collect();
    let read = |_, line: &Value| {
        let mut line = line.clone();
        line["text"] = line["response"].take();
        serde_json::from_value::<Response>(line).with_context(|| out.display().to_string())
    };
    let windows = |done| windows(done, prompts.len(), WINDOW);
    let answered = answer_lines(
        LineRun {
            lines: &fields,
            journal: Some(journal),
            stage: "responding",
            cost: &|_| 1,
            progress: &Bar::new("prompts", arguments.run.quiet),
        },
        windows,
        read,
        |window, answered| -> Result<()> {
            respond(&prompts[window], &loaded.model, &loaded.tokenizer, options, |responses| -> Result<()> {
                answered.extend(responses.iter().map(|response| {
                    Map::from_iter([
                        ("response".into(), json!(response.text)),
                        ("ids".into(), json!(response.ids)),
                        ("finished".into(), json!(response.finished)),
                    ])
                }));
                Ok(())
            })?;
            Ok(())
        },
    )?;
    Ok((answered.answers, identity))
}

/// What a judge says of each exchange, in `judgements.<judge>.jsonl`, and what identifies it.
fn judgements(
    arguments: &SafetyArguments,
    guard: Option<&Path>,
    judge: JudgeFile,
    exchanges: &[(usize, &Exchange)],
    fields: &[Map<String, Value>],
) -> Result<(Vec<Judgement>, Map<String, Value>)> {
    let judge = LoadedJudge::load(judge, guard, false, &arguments.run)?;
    let identity = judge.identity();
    let out = arguments.out.join(format!("judgements.{}.jsonl", judge.file.name));
    let journal = Journal::open(&out, &identity, arguments.lines.overwrite)?;
    let run = LineRun {
        lines: fields,
        journal: Some(journal),
        stage: &format!("judging by {}", judge.file.name),
        cost: &|_| 1,
        progress: &Bar::new("responses", arguments.run.quiet),
    };
    let answered = judge.judge_lines(run, exchanges)?;
    Ok((answered.answers, identity))
}

/// The report, for a terminal.
fn render(report: &SafetyReport) -> String {
    let mut text = format!("{} responses to {} different prompts\n", report.responses, report.distinct_prompts);
    for judge in &report.judges {
        text += &describe(&judge.judge, &judge.all);
        for (group, tally) in judge.by_subset.iter().chain(&judge.by_category) {
            text += &format!("  {group}: {:.1} % of {}\n", tally.score.percent, tally.score.n);
        }
    }
    for refusal in &report.refusals {
        text += &format!("refused ({}): {:.1} % of {}\n", refusal.list, refusal.all.percent, refusal.all.n);
        if let Some(folded) = &refusal.all_folded {
            text += &format!("  with typographic apostrophes read as straight ones: {:.1} %\n", folded.percent);
        }
        for (what, share) in [("unsafe", &refusal.of_unsafe_prompts), ("safe", &refusal.of_safe_prompts)] {
            if let Some(share) = share {
                text += &format!("  of {what} prompts: {:.1} % of {}\n", share.percent, share.n);
            }
        }
    }
    for agreement in &report.agreements {
        if let Some(parsed) = &agreement.parsed {
            // Without a value where both judges always say the same.
            let kappa = parsed.cohens_kappa.map_or(String::new(), |kappa| format!(", Cohen's kappa {kappa:.2}"));
            let (first, second) = (&agreement.first, &agreement.second);
            text +=
                &format!("{first} and {second} agree on {:.1} % of {}{kappa}\n", parsed.equal.percent, parsed.equal.n);
        }
    }
    text
}
