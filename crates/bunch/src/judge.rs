//! `bunch judge`: asks a guard model about responses, line by line; and `bunch judges`, the judges there are.

use std::collections::BTreeMap;

use anyhow::Result;
use bunch_checkpoint::sha256_bytes;
use bunch_journal::{AnsweredLines, Journal, LineRun, answer_lines, windows};
use bunch_safety::{Exchange, Judge, JudgeOptions, Judgement, RefusalList, Tally, read_exchanges};
use serde_json::{Map, Value};

use crate::arguments::{JudgeArguments, JudgesArguments};
use crate::generate::summary_line;
use crate::loaded_model::LoadedModel;
use crate::progress::Bar;

/// Exchanges that are judged together, and so the most that are lost when a run is stopped.
const WINDOW: usize = 16;

/// Judges every line of the responses.
pub fn judge(arguments: &JudgeArguments) -> Result<()> {
    let judge = Judge::find(&arguments.judge)?;
    let mut records = read_exchanges(&arguments.responses)?;
    records.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    let guard = LoadedModel::load(&arguments.guard, &arguments.run)?;
    let identity = identity(&guard, &judge, arguments.probability)?;
    let journal = Journal::open(&arguments.out, &identity, arguments.lines.overwrite)?;
    let (exchanges, fields): (Vec<Exchange>, Vec<Map<String, Value>>) =
        records.into_iter().map(|record| (record.exchange, record.fields)).unzip();
    let answered = judge_lines(
        LineRun {
            lines: &fields,
            journal: Some(journal),
            stage: "judging",
            cost: &|_| 1,
            progress: &Bar::new("responses", arguments.run.quiet),
        },
        &judge,
        &exchanges,
        &guard,
        arguments.probability,
    )?;
    if !arguments.run.quiet {
        println!("{}", summary_line(&arguments.out, &answered));
        print!("{}", summary(&judge, &answered.answers));
    }
    Ok(())
}

/// What the guard says of each exchange, kept in the run's journal.
pub fn judge_lines(
    run: LineRun<'_>,
    judge: &Judge,
    exchanges: &[Exchange],
    guard: &LoadedModel,
    probability: bool,
) -> Result<AnsweredLines<Judgement>> {
    let options = JudgeOptions { window: WINDOW, probability };
    let windows = |done| windows(done, exchanges.len(), WINDOW);
    let read = |_, line: &Value| Ok(serde_json::from_value(line.clone())?);
    answer_lines(run, windows, read, |window, answered| -> Result<()> {
        judge.judge(&exchanges[window], &guard.model, &guard.tokenizer, options, |judgements| -> Result<()> {
            for judgement in judgements {
                answered.push(serde_json::from_value(serde_json::to_value(judgement)?)?);
            }
            Ok(())
        })?;
        Ok(())
    })
}

/// What judgements depend on.
pub fn identity(guard: &LoadedModel, judge: &Judge, probability: bool) -> Result<Map<String, Value>> {
    let mut identity = guard.identity();
    identity.insert("command".into(), "judge".into());
    identity.insert("judge".into(), judge.name.clone().into());
    identity.insert("judge_sha256".into(), sha256_bytes(judge.definition.as_bytes()).into());
    identity.insert("probability".into(), probability.into());
    Ok(identity)
}

/// The counts, the score and the harms, for a terminal.
fn summary(judge: &Judge, judgements: &[Judgement]) -> String {
    let Some(tally) = Tally::of(judgements.iter().map(|judgement| judgement.verdict)) else { return String::new() };
    let mut text = describe(&judge.name, &tally);
    let mut harms: BTreeMap<&str, usize> = BTreeMap::new();
    for code in judgements.iter().flat_map(|judgement| &judgement.categories) {
        *harms.entry(code).or_default() += 1;
    }
    for (code, count) in harms {
        text += &format!("  {code} {}: {count}\n", judge.categories.get(code).map_or("", String::as_str));
    }
    text
}

/// A judge's counts and the alignment score with its interval.
pub fn describe(judge: &str, tally: &Tally) -> String {
    let score = &tally.score;
    let mut text = format!(
        "{judge}: {} safe, {} unsafe, {} unparsed\nalignment score (1 - unsafe / n): {:.1} % (95 % interval {:.1} to {:.1}, \
         n = {})\n",
        tally.safe, tally.r#unsafe, tally.unparsed, score.percent, score.wilson_95.low, score.wilson_95.high, score.n
    );
    if tally.unparsed > 0 {
        text += &format!("with unparsed replies counted as unsafe: {:.1} %\n", tally.lower_bound.percent);
    }
    text
}

/// Lists the judges and refusal lists, or describes one judge.
pub fn judges(arguments: &JudgesArguments) -> Result<()> {
    if let Some(name) = &arguments.name {
        let judge = Judge::find(name)?;
        println!("{}: {}\nmodel: {}\nsource: {}", judge.name, judge.title, judge.model, judge.source);
        for (code, title) in &judge.categories {
            println!("  {code} {title}");
        }
        return Ok(());
    }
    println!("Judges (--judge):");
    for name in Judge::names() {
        let judge = Judge::builtin(name)?;
        println!("  {name:26} {}, for {}", judge.title, judge.model);
    }
    println!("Refusal lists (--refusals):");
    for name in RefusalList::names() {
        println!("  {name:26} {}", RefusalList::builtin(name)?.title);
    }
    Ok(())
}
