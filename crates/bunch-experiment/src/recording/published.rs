//! The paper's values, read from its CSV file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use bunch_report::{How, Published};

use crate::ExperimentError;
use crate::declared::experiment::Experiment;
use crate::declared::row::Row;

/// Columns of published values that say what a line is about and not what it says.
const ABOUT: [&str; 3] = ["pool", "how", "source"];

/// Reads `data/papers/<key>/<values>` below `root` and gives its numbers this experiment's names.
///
/// A line is a row's if it agrees with every column that any row is identified by: a row that says nothing of one wants it empty.
/// Where the file has a column `pool`, that is the block. What the file lacks is published as not found; columns that the
/// file does not have are not published.
pub(crate) fn load(root: &Path, experiment: &Experiment) -> Result<Vec<Published>, ExperimentError> {
    let paper = &experiment.paper;
    let Some(file) = &paper.values else { return Ok(Vec::new()) };
    let path = root.join("data/papers").join(&paper.key).join(file);
    let fail = |what: String| ExperimentError::Inconsistent { path: path.clone(), what };
    let file = File::open(&path).map_err(ExperimentError::io(&path))?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|error| fail(error.to_string()))?.clone();
    let has = |name: &str| header.iter().any(|column| column == name);
    let keys: Vec<BTreeMap<&str, &str>> = experiment.rows.iter().map(|row| key_of(row, &has)).collect();
    let named: BTreeSet<&str> = keys.iter().flat_map(|key| key.keys().copied()).collect();
    if let Some(unknown) = named.iter().find(|name| !has(name)) {
        return Err(fail(format!("no column `{unknown}`")));
    }
    let lines: Vec<BTreeMap<String, String>> =
        reader.deserialize().collect::<Result<_, _>>().map_err(|error| fail(error.to_string()))?;
    let mut values = Vec::new();
    for (block, row) in experiment.places() {
        let position = experiment.rows.iter().position(|other| other.name == row.name).unwrap_or_default();
        let key = &keys[position];
        let is_rows = |line: &&BTreeMap<String, String>| {
            named.iter().all(|name| line[*name] == key.get(name).copied().unwrap_or_default())
        };
        let is_blocks = |line: &&BTreeMap<String, String>| line.get("pool").is_none_or(|pool| *pool == block.name);
        let its = || lines.iter().filter(is_rows);
        if row.published.is_some() && its().next().is_none() {
            return Err(fail(format!("no line for row `{}`", row.name)));
        }
        let line = row.published.as_ref().and_then(|_| its().find(is_blocks));
        for column in experiment.columns.iter().filter(|column| has(&column.name) && !ABOUT.contains(&&*column.name)) {
            let text = line.map_or("", |line| line[&column.name].as_str());
            let value = match text {
                "" => None,
                text => Some(text.parse().map_err(|_| fail(format!("`{text}` is not a number")))?),
            };
            let how = match line.and_then(|line| line.get("how")).map(String::as_str) {
                _ if value.is_none() => How::NotFound,
                None | Some("printed") => How::Printed,
                Some("second-hand") => How::SecondHand,
                Some(other) => {
                    return Err(fail(format!("column `how`: got `{other}`, expected printed or second-hand")));
                }
            };
            values.push(Published {
                row: row.name.clone(),
                column: column.name.clone(),
                block: block.name.clone(),
                value,
                how,
                source: paper.item.clone(),
            });
        }
    }
    Ok(values)
}

/// The columns that identify a row's line, with what stands in them there.
fn key_of<'a>(row: &'a Row, has: &impl Fn(&str) -> bool) -> BTreeMap<&'a str, &'a str> {
    let Some(key) = &row.published else { return BTreeMap::new() };
    let usual = [("merging", &key.merging), ("task_weighting", &key.task_weighting), ("data", &key.data)];
    // The usual ones are always there to be named; of a file without them, nothing was said.
    let usual = usual.into_iter().filter(|(name, text)| has(name) || !text.is_empty());
    let more = key.more.iter().map(|(name, text)| (name.as_str(), text));
    usual.chain(more).map(|(name, text)| (name, text.as_str())).collect()
}
