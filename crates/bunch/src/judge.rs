//! `bunch judge`: judges responses, line by line; and `bunch judges`, which lists the judges.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use bunch_checkpoint::sha256_bytes;
use bunch_journal::{AnsweredLines, Journal, LineRun, answer_lines, windows};
use bunch_judging::{Exchange, JudgeFile, Judgement, RefusalList, Tally, read_exchanges};

use crate::arguments::{JudgeArguments, JudgesArguments, ModelOptions};
use crate::generate::summary_line;
use crate::loaded_model::LoadedModel;
use crate::progress::Bar;

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
        check_guard(&file, guard)?;
        if probability && file.rule().is_some() {
            bail!("judge {}: is a rule of words and has no probabilities", file.name);
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

    /// What the judge says of each exchange, given with its line, kept in the run's journal.
    pub fn judge_lines(&self, run: LineRun<'_>, exchanges: &[(usize, &Exchange)]) -> Result<AnsweredLines<Judgement>> {
        let asked = match &self.guard {
            Some(guard) => Some(self.file.with_model(&guard.model, &guard.tokenizer, self.probability)?),
            None => None,
        };
        let windows = |done| windows(done, exchanges.len(), WINDOW);
        let read = |_, line: &Value| Ok(serde_json::from_value(line.clone())?);
        answer_lines(run, windows, read, |window, answered| -> Result<()> {
            let mut keep = |judgements: &[Judgement]| -> Result<()> {
                for judgement in judgements {
                    answered.push(serde_json::from_value(serde_json::to_value(judgement)?)?);
                }
                Ok(())
            };
            match (&asked, self.file.rule()) {
                (Some(judge), _) => judge.judgements(&exchanges[window], WINDOW, keep),
                (None, Some(rule)) => exchanges[window]
                    .iter()
                    .try_for_each(|(_, exchange)| keep(&[Judgement::from(rule.verdict(exchange))])),
                (None, None) => Ok(()),
            }
        })
    }
}

/// Whether there is a guard for a judge that asks one, and none for a rule of words.
pub fn check_guard(judge: &JudgeFile, guard: Option<&Path>) -> Result<()> {
    match (judge.rule(), guard) {
        (None, None) => bail!("judge {}: asks a model, expected --guard too", judge.name),
        (Some(_), Some(guard)) => bail!(
            "judge {}: is a rule of words and asks no model; leave out the guard {} or name another judge",
            judge.name,
            guard.display()
        ),
        _ => Ok(()),
    }
}

/// Judges every line of the responses.
pub fn judge(arguments: &JudgeArguments) -> Result<()> {
    let judge = JudgeFile::find(&arguments.judge)?;
    let mut records = read_exchanges(&arguments.responses)?;
    records.truncate(arguments.lines.limit.unwrap_or(usize::MAX));
    let judge = LoadedJudge::load(judge, arguments.guard.as_deref(), arguments.probability, &arguments.run)?;
    let journal = Journal::open(&arguments.out, &judge.identity(), arguments.lines.overwrite)?;
    let fields: Vec<Map<String, Value>> = records.iter().map(|record| record.fields.clone()).collect();
    let exchanges: Vec<(usize, &Exchange)> = records.iter().map(|record| (record.line, &record.exchange)).collect();
    let run = LineRun {
        lines: &fields,
        journal: Some(journal),
        stage: "judging",
        cost: &|_| 1,
        progress: &Bar::new("responses", arguments.run.quiet),
    };
    let answered = judge.judge_lines(run, &exchanges)?;
    if !arguments.run.quiet {
        println!("{}", summary_line(&arguments.out, &answered));
        print!("{}", summary(&judge.file, &answered.answers));
    }
    Ok(())
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
