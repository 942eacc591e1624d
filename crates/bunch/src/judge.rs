//! `bunch judge`: judges responses, line by line; and `bunch judges`, the judges there are.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use bunch_checkpoint::sha256_bytes;
use bunch_journal::Journal;
use bunch_judging::{Exchange, JudgeFile, Judgement, RefusalList, Tally, read_exchanges};

use crate::arguments::{JudgeArguments, JudgesArguments, ModelOptions};
use crate::continued::continued;
use crate::loaded_model::LoadedModel;
use crate::progress;

/// Exchanges that are judged together, and so the most that are lost when a run is stopped.
const WINDOW: usize = 16;

/// A judge that can be asked: with its guard, or a rule of words without one.
pub struct LoadedJudge {
    /// The judge.
    pub file: JudgeFile,
    guard: Option<LoadedModel>,
    probability: bool,
}

impl LoadedJudge {
    /// Loads the judge's guard, if it asks one.
    pub fn load(file: JudgeFile, guard: Option<&Path>, probability: bool, options: &ModelOptions) -> Result<Self> {
        match (file.rule(), guard) {
            (None, None) => bail!("judge {}: asks a model; give its folder or file as its guard", file.name),
            (Some(_), Some(guard)) => bail!(
                "judge {}: is a rule of words and asks no model; leave out the guard {} or name another judge",
                file.name,
                guard.display()
            ),
            (Some(_), None) if probability => bail!("judge {}: is a rule of words and has no probabilities", file.name),
            _ => {}
        }
        let guard = guard.map(|path| LoadedModel::load(path, options)).transpose()?;
        Ok(Self { file, guard, probability })
    }

    /// What judgements depend on.
    pub fn identity(&self) -> Map<String, Value> {
        let mut identity = match &self.guard {
            Some(guard) => guard.identity(),
            None => Map::from_iter([("bunch".into(), env!("CARGO_PKG_VERSION").into())]),
        };
        identity.insert("command".into(), "judge".into());
        identity.insert("judge".into(), self.file.name.clone().into());
        identity.insert("judge_sha256".into(), sha256_bytes(self.file.definition.as_bytes()).into());
        identity.insert("probability".into(), self.probability.into());
        identity
    }

    /// Judges exchanges, each given with its line; after each window `keep` is given its judgements.
    pub fn judge(
        &self,
        exchanges: &[(usize, &Exchange)],
        mut keep: impl FnMut(&[Judgement]) -> Result<()>,
    ) -> Result<()> {
        if let Some(rule) = self.file.rule() {
            let judgements = exchanges.iter().map(|(_, exchange)| Judgement::from(rule.verdict(exchange)));
            return keep(&judgements.collect::<Vec<_>>());
        }
        let Some(guard) = &self.guard else { return Ok(()) };
        self.file.with_model(&guard.model, &guard.tokenizer, self.probability)?.judgements(exchanges, WINDOW, keep)
    }
}

/// Judges every line of the responses.
pub fn judge(arguments: &JudgeArguments) -> Result<()> {
    let judge = JudgeFile::find(&arguments.judge)?;
    let mut records = read_exchanges(&arguments.responses)?;
    records.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    let judge = LoadedJudge::load(judge, arguments.guard.as_deref(), arguments.probability, &arguments.run)?;
    let identity = judge.identity();
    let mut journal = Journal::open(&arguments.out, &identity, arguments.lines.overwrite)?;
    let fields: Vec<&Map<String, Value>> = records.iter().map(|record| &record.fields).collect();
    let done = continued(&journal, &fields, &arguments.out)?;
    let mut judgements = kept(&journal)?;
    let bar = progress::bar("judging", records.len() as u64, "responses", arguments.run.quiet);
    bar.inc(done as u64);
    let exchanges: Vec<(usize, &Exchange)> =
        records[done..].iter().map(|record| (record.line, &record.exchange)).collect();
    judge.judge(&exchanges, |window| {
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
        print!("{}", summary(&judge.file, &judgements));
    }
    Ok(())
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
fn summary(judge: &JudgeFile, judgements: &[Judgement]) -> String {
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
        let judge = JudgeFile::find(name)?;
        let model = judge.model.as_deref().unwrap_or("none, a rule of words");
        println!("{}: {}\nmodel: {model}\nsource: {}", judge.name, judge.title, judge.source);
        for (code, title) in &judge.categories {
            println!("  {code} {title}");
        }
        return Ok(());
    }
    println!("Judges (--judge):");
    for name in JudgeFile::names() {
        let judge = JudgeFile::builtin(name)?;
        println!("  {name:26} {}, for {}", judge.title, judge.model.as_deref().unwrap_or("no model"));
    }
    println!("Refusal lists (--refusals):");
    for name in RefusalList::names() {
        println!("  {name:26} {}", RefusalList::builtin(name)?.title);
    }
    Ok(())
}
