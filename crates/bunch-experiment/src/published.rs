//! The paper's values, read from its CSV file.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use bunch_report::{How, Published};

use crate::ExperimentError;
use crate::experiment::Experiment;

/// Reads `data/papers/<key>/<values>` below `root` and gives its numbers this experiment's names.
///
/// A row and column that the file lacks is published as not found; a column the paper does not have is not published.
pub(crate) fn load(root: &Path, experiment: &Experiment) -> Result<Vec<Published>, ExperimentError> {
    let paper = &experiment.paper;
    let path = root.join("data/papers").join(&paper.key).join(&paper.values);
    let fail = |what: String| ExperimentError::Inconsistent { path: path.clone(), what };
    let file = File::open(&path).map_err(ExperimentError::io(&path))?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|error| fail(error.to_string()))?.clone();
    for needed in ["merging", "task_weighting", "data"] {
        if !header.iter().any(|name| name == needed) {
            return Err(fail(format!("no column `{needed}`")));
        }
    }
    let lines: Vec<BTreeMap<String, String>> =
        reader.deserialize().collect::<Result<_, _>>().map_err(|error| fail(error.to_string()))?;
    let mut values = Vec::new();
    for block in &experiment.blocks {
        for row in &experiment.rows {
            let key = &row.published;
            let line = lines.iter().find(|line| {
                line["merging"] == key.merging
                    && line["task_weighting"] == key.task_weighting
                    && line["data"] == key.data
                    && line.get("pool").is_none_or(|pool| *pool == block.name)
            });
            let line = line.ok_or_else(|| fail(format!("no line for row `{}` of block `{}`", row.name, block.name)))?;
            for column in experiment.columns.iter().filter(|column| header.iter().any(|name| name == column.name)) {
                let value = match line[&column.name].as_str() {
                    "" => None,
                    text => Some(text.parse().map_err(|_| fail(format!("`{text}` is not a number")))?),
                };
                values.push(Published {
                    row: row.name.clone(),
                    column: column.name.clone(),
                    block: block.name.clone(),
                    value,
                    how: if value.is_some() { How::Printed } else { How::NotFound },
                    source: paper.item.clone(),
                });
            }
        }
    }
    Ok(values)
}
