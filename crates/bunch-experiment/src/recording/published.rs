//! The paper's values, read from its CSV file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use bunch_report::{How, Published};
use serde::Deserialize;
use serde::de::{self, value::StrDeserializer};

use crate::ExperimentError;
use crate::declared::block::{Block, BlockValues};
use crate::declared::experiment::Experiment;
use crate::declared::row::Row;

/// Columns of published values that say what a line is about and not what it says.
const ABOUT: [&str; 3] = ["pool", "how", "source"];

/// Reads the files of published values below `data/papers` in `root` and gives their numbers this experiment's names.
///
/// A line is a row's if it agrees with every column that any row is identified by: a row that says nothing of one wants it empty.
/// Where the file has a column `pool`, that is the block. What the file lacks is published as not found; columns that the
/// file does not have are not published.
pub(crate) fn load(root: &Path, experiment: &Experiment) -> Result<Vec<Published>, ExperimentError> {
    let mut files: BTreeMap<String, ValuesFile> = BTreeMap::new();
    let mut values = Vec::new();
    for (block, row) in experiment.places() {
        let Some(place) = experiment.published_place(block) else { continue };
        if !files.contains_key(&place.file) {
            files.insert(place.file.clone(), ValuesFile::read(root, experiment, &place.file)?);
        }
        values.extend(files[&place.file].values(experiment, block, row, &place)?);
    }
    Ok(values)
}

/// A file of published values.
struct ValuesFile {
    path: PathBuf,
    header: csv::StringRecord,
    lines: Vec<BTreeMap<String, String>>,
    /// The columns that identify a row.
    named: BTreeSet<String>,
}

impl ValuesFile {
    fn read(root: &Path, experiment: &Experiment, file: &str) -> Result<Self, ExperimentError> {
        let path = root.join("data/papers").join(file);
        let fail = |what: String| ExperimentError::Inconsistent { path: path.clone(), what };
        let mut reader = csv::Reader::from_reader(File::open(&path).map_err(ExperimentError::io(&path))?);
        let header = reader.headers().map_err(|error| fail(error.to_string()))?.clone();
        let lines = reader.deserialize().collect::<Result<_, _>>().map_err(|error| fail(error.to_string()))?;
        let mut file = Self { path: path.clone(), header, lines, named: BTreeSet::new() };
        file.named = experiment.rows.iter().flat_map(|row| file.key_of(row).into_keys()).map(String::from).collect();
        match file.named.iter().find(|name| !file.has(name)) {
            Some(unknown) => Err(fail(format!("no column `{unknown}`"))),
            None => Ok(file),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.header.iter().any(|column| column == name)
    }

    /// What the file says of a row of a block, in the experiment's columns.
    fn values(
        &self,
        experiment: &Experiment,
        block: &Block,
        row: &Row,
        place: &BlockValues,
    ) -> Result<Vec<Published>, ExperimentError> {
        let fail = |what: String| ExperimentError::Inconsistent { path: self.path.clone(), what };
        let key = self.key_of(row);
        let is_rows = |line: &&BTreeMap<String, String>| {
            self.named.iter().all(|name| line[name] == key.get(name.as_str()).copied().unwrap_or_default())
        };
        let is_blocks = |line: &&BTreeMap<String, String>| line.get("pool").is_none_or(|pool| *pool == block.name);
        let its = || self.lines.iter().filter(is_rows);
        if row.published.is_some() && its().next().is_none() {
            return Err(fail(format!("no line for row `{}`", row.name)));
        }
        let line = row.published.as_ref().and_then(|_| its().find(is_blocks));
        let named =
            experiment.columns.iter().map(|column| (column, place.columns.get(&column.name).unwrap_or(&column.name)));
        let mut values = Vec::new();
        for (column, name) in named.filter(|(_, name)| self.has(name) && !ABOUT.contains(&&***name)) {
            let text = line.map_or("", |line| line[name].as_str());
            let value = match text {
                "" => None,
                text => Some(text.parse().map_err(|_| fail(format!("`{text}` is not a number")))?),
            };
            let how = match line.and_then(|line| line.get("how")).map(String::as_str) {
                _ if value.is_none() => How::NotFound,
                None => How::Printed,
                Some(how) => How::deserialize(StrDeserializer::new(how))
                    .map_err(|error: de::value::Error| fail(format!("column `how`: {error}")))?,
            };
            values.push(Published {
                row: row.name.clone(),
                column: column.name.clone(),
                block: block.name.clone(),
                value,
                how,
                source: place.source.clone(),
            });
        }
        Ok(values)
    }

    /// The columns that identify a row's line, with what stands in them there.
    fn key_of<'a>(&self, row: &'a Row) -> BTreeMap<&'a str, &'a str> {
        let Some(key) = &row.published else { return BTreeMap::new() };
        let usual = [("merging", &key.merging), ("task_weighting", &key.task_weighting), ("data", &key.data)];
        // The usual ones are always there to be named; of a file without them, nothing was said.
        let usual = usual.into_iter().filter(|(name, text)| self.has(name) || !text.is_empty());
        let more = key.more.iter().map(|(name, text)| (name.as_str(), text));
        usual.chain(more).map(|(name, text)| (name, text.as_str())).collect()
    }
}
