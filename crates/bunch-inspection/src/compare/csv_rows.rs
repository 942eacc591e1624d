//! A comparison as CSV.

use std::collections::{BTreeMap, BTreeSet};

use bunch_checkpoint::TensorName;

use super::comparison::{Comparison, TensorComparison};
use super::difference::Difference;
use super::error::ComparisonError;

/// The columns before the numbers of weights.
const TENSOR_COLUMNS: [&str; 6] = ["tensor", "layer", "module", "shape", "dtype_a", "dtype_b"];

/// The columns of weights.
const WEIGHT_COLUMNS: [&str; 8] =
    ["values", "norm_a", "norm_b", "cosine", "distance", "relative_distance", "max_difference", "equal_share"];

/// The columns of task vectors.
const TASK_COLUMNS: [&str; 9] = [
    "task_values",
    "norm_base",
    "task_norm_a",
    "task_norm_b",
    "task_relative_norm_a",
    "task_relative_norm_b",
    "task_cosine",
    "sign_agreement",
    "both_zero_share",
];

impl Comparison {
    /// One row per tensor with all numbers, to full precision, and the remarks; fields without a number are empty. The
    /// columns are the same with and without base. A tensor that was not compared has a row of its name and remarks.
    ///
    /// # Errors
    /// None is known: the CSV is written to memory.
    pub fn csv(&self) -> Result<String, ComparisonError> {
        let mut remarks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for Difference { tensor, kind } in &self.differences {
            remarks.entry(tensor).or_default().push(kind.to_string());
        }
        let mut rows: Vec<(TensorName, &str, Option<&TensorComparison>)> = self
            .tensors
            .iter()
            .map(|tensor| (tensor.parsed_name.clone(), tensor.name.as_str(), Some(tensor)))
            .collect();
        let compared: BTreeSet<&str> = self.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        let others = remarks.keys().filter(|name| !compared.contains(*name));
        rows.extend(others.map(|&name| (TensorName::of(name), name, None)));
        rows.sort_by(|a, b| (&a.0.layer, a.1).cmp(&(&b.0.layer, b.1)));

        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(TENSOR_COLUMNS.iter().chain(&WEIGHT_COLUMNS).chain(&TASK_COLUMNS).chain(&["remarks"]))?;
        for (parsed, name, tensor) in rows {
            let layer = parsed.layer.map(|layer| layer.to_string()).unwrap_or_default();
            let mut row = vec![name.to_owned(), layer, parsed.module];
            row.extend(numbers(tensor));
            row.push(remarks.get(name).map(|remarks| remarks.join("; ")).unwrap_or_default());
            writer.write_record(row)?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        String::from_utf8(bytes).map_err(|error| csv::Error::from(std::io::Error::other(error)).into())
    }
}

/// Everything between a row's module and its remarks.
fn numbers(tensor: Option<&TensorComparison>) -> Vec<String> {
    let fields = TENSOR_COLUMNS.len() - 3 + WEIGHT_COLUMNS.len() + TASK_COLUMNS.len();
    let Some(tensor) = tensor else { return vec![String::new(); fields] };
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
    let measures = tensor.measures();
    let mut row = vec![
        shape.join("x"),
        tensor.dtype_a.clone(),
        tensor.dtype_b.clone(),
        measures.values.to_string(),
        measures.norm_a.to_string(),
        measures.norm_b.to_string(),
        text(measures.cosine),
        measures.distance.to_string(),
        text(measures.relative_distance),
        measures.max_difference.to_string(),
        text(measures.equal_share),
    ];
    if let Some(task) = measures.task_vectors {
        row.extend([
            task.values.to_string(),
            task.norm_base.to_string(),
            task.norm_a.to_string(),
            task.norm_b.to_string(),
            text(task.relative_norm_a),
            text(task.relative_norm_b),
            text(task.cosine),
            text(task.sign_agreement),
            text(task.both_zero_share),
        ]);
    }
    row.resize(fields, String::new());
    row
}
