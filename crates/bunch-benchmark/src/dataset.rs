//! Data sets: where their files lie under the data folder, and their rows as the documents lm-evaluation-harness sees.

mod layout;
mod reader;
mod split;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::BenchmarkError;
use crate::template::Templates;
use layout::Layout;
pub(crate) use reader::Format;
pub use split::DataFile;
pub(crate) use split::Split;
use split::fill;

/// A published data set: its licence, where to get it, and the layouts its files come in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDefinition {
    /// Full name.
    pub title: String,
    /// The publisher's page.
    pub homepage: String,
    /// Licence, in words.
    pub licence: String,
    /// Where the files can be had.
    pub download: String,
    /// Folders below the data folder that are searched, in this order, before the data folder itself.
    folders: Vec<String>,
    layouts: Vec<Layout>,
}

/// All data sets of `data/datasets.toml`, by id.
///
/// # Errors
/// A definition that cannot be read; the one compiled in can.
pub fn datasets() -> Result<BTreeMap<String, DatasetDefinition>, BenchmarkError> {
    let source = include_str!("../../../data/datasets.toml");
    toml::from_str(source).map_err(BenchmarkError::definition("data/datasets.toml"))
}

/// What is asked of a data set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'request> {
    /// The task that asks, for messages.
    pub task: &'request str,
    /// The data set's id.
    pub dataset: &'request str,
    /// Configuration or subject; empty where the data set has only one.
    pub name: &'request str,
    /// `train`, `validation`, `dev` or `test`.
    pub split: &'request str,
    /// The folder given with `--data`.
    pub data_dir: Option<&'request Path>,
}

impl Wanted<'_> {
    /// A layout's file name with the configuration's name in it.
    fn file(&self, pattern: &str) -> String {
        let snake = self.name.to_lowercase().replace('-', "_");
        pattern.replace("{name}", self.name).replace("{snake_name}", &snake)
    }
}

impl DatasetDefinition {
    /// Finds and reads a split.
    pub(crate) fn read(&self, wanted: Wanted, templates: &Templates) -> Result<Split, BenchmarkError> {
        let mut mismatch = None;
        let roots = self.folders.iter().map(String::as_str).chain([""]);
        let roots: Vec<PathBuf> =
            wanted.data_dir.into_iter().flat_map(|dir| roots.clone().map(|root| dir.join(root))).collect();
        for layout in &self.layouts {
            for root in &roots {
                for pattern in layout.patterns(wanted.split) {
                    let found = reader::glob(&root.join(wanted.file(pattern)))?;
                    if found.is_empty() {
                        continue;
                    }
                    match layout.read(&found, root, wanted.split, templates) {
                        Ok(split) => return Ok(split),
                        // Another layout may lie in a file of the same name.
                        Err(error @ BenchmarkError::Column { row: 1, .. }) => mismatch = mismatch.or(Some(error)),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Err(mismatch.unwrap_or_else(|| self.missing(wanted)))
    }

    fn missing(&self, wanted: Wanted) -> BenchmarkError {
        let folder = self.folders.first().map(|folder| format!("{folder}/")).unwrap_or_default();
        let patterns = self.layouts.iter().flat_map(|layout| layout.patterns(wanted.split));
        BenchmarkError::MissingData {
            task: wanted.task.to_string(),
            dataset: wanted.dataset.to_string(),
            split: wanted.split.to_string(),
            data_dir: wanted.data_dir.map(Path::to_path_buf),
            files: patterns.map(|pattern| format!("{folder}{}", wanted.file(pattern))).collect(),
            folders: self.folders.clone(),
            title: self.title.clone(),
            licence: self.licence.clone(),
            download: self.download.clone(),
        }
    }
}

/// Reads a split from one file, as it is; the format follows from the file's ending.
pub(crate) fn read_file(path: &Path) -> Result<Split, BenchmarkError> {
    let format = Format::of(path)?;
    let mut docs = reader::rows(path, format)?;
    fill(&mut docs);
    Ok(Split { docs, files: vec![reader::record(path)?] })
}

#[cfg(test)]
mod tests;
