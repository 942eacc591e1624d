//! `bunch judge`: asks a guard model about responses, line by line; and `bunch judges`, the judges there are.

use std::collections::BTreeMap;

use anyhow::Result;
use bunch_checkpoint::sha256_bytes;
use bunch_journal::Journal;
use bunch_safety::{Exchange, Judge, JudgeOptions, Judgement, RefusalList, Tally, read_exchanges};
use serde_json::{Map, Value};

use crate::arguments::{JudgeArguments, JudgesArguments};
use crate::continued::continued;
use crate::loaded_model::LoadedModel;
use crate::progress;

/// Exchanges that are judged together, and so the most that are lost when a run is stopped.
const WINDOW: usize = 16;

/// Judges every line of the responses.
pub fn judge(arguments: &JudgeArguments) -> Result<()> {
    let judge = Judge::find(&arguments.judge)?;
    let mut records = read_exchanges(&arguments.responses)?;
    records.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    let guard = LoadedModel::load(&arguments.guard, &arguments.run)?;
    let identity = identity(&guard, &judge, arguments.probability)?;
    let mut journal = Journal::open(&arguments.out, &identity, arguments.lines.overwrite)?;
    let fields: Vec<&Map<String, Value>> = records.iter().map(|record| &record.fields).collect();
    let done = continued(&journal, &fields, &arguments.out)?;
    let mut judgements = kept(&journal)?;
    let bar = progress::bar("judging", records.len() as u64, "responses", arguments.run.quiet);
    bar.inc(done as u64);
    let exchanges: Vec<Exchange> = records[done..].iter().map(|record| record.exchange.clone()).collect();
    let options = JudgeOptions { window: WINDOW, probability: arguments.probability };
    judge.judge(&exchanges, &guard.model, &guard.tokenizer, options, |window| -> Result<()> {
        let start = judgements.len();
        let lines = window.iter().zip(&fields[start..]).map(|(judgement, fields)| line(fields, judgement));
        journal.append(&lines.collect::<Result<Vec<_>>>()?)?;
        judgements.extend_from_slice(window);
        bar.inc(window.len() as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    journal.finish()?;
    if !arguments.run.quiet {
        println!("{}: {} lines, {done} of them done before", arguments.out.display(), records.len());
        print!("{}", summary(&judge, &judgements));
    }
    Ok(())
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

/// The judgements that a journal holds.
pub fn kept(journal: &Journal) -> Result<Vec<Judgement>> {
    Ok(journal.done().iter().cloned().map(serde_json::from_value).collect::<Result<_, _>>()?)
}

/// A line of the output: the input's fields and the judgement's.
pub fn line(fields: &Map<String, Value>, judgement: &Judgement) -> Result<Value> {
    let mut fields = fields.clone();
    if let Value::Object(judgement) = serde_json::to_value(judgement)? {
        fields.extend(judgement);
    }
    Ok(Value::Object(fields))
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
