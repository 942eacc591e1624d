//! A comparison as a table for the terminal.

use super::comparison::Comparison;
use super::measures::Measures;

/// Remarks that are printed; more of them are in the CSV.
const MOST_REMARKS: usize = 20;

impl Comparison {
    /// Aligned text: the whole, modules, layers, then the remarks. `-` stands for a number that there is not.
    pub fn table(&self) -> String {
        let mut text = format!("A     {}\nB     {}\n", self.a.display(), self.b.display());
        if let Some(base) = &self.base {
            text += &format!("base  {}\n", base.display());
        }
        text += &format!("{} tensors compared\n\n", self.tensors.len());

        let has_base = self.base.is_some();
        let mut lines = vec![header(has_base)];
        lines.push(row("total".to_owned(), &self.total(), has_base));
        lines.extend(self.modules().into_iter().map(|(module, measures)| row(module, &measures, has_base)));
        let first_layer = lines.len();
        lines.extend(self.layers().into_iter().map(|(layer, measures)| {
            let label = layer.map_or_else(|| "outside of layers".to_owned(), |layer| self.layer_label(&layer));
            row(label, &measures, has_base)
        }));
        let mut widths = vec![0; header(has_base).len()];
        for (column, cell) in lines.iter().flat_map(|line| line.iter().enumerate()) {
            widths[column] = cell.chars().count().max(widths[column]);
        }
        for (index, line) in lines.iter().enumerate() {
            if [1, 2, first_layer].contains(&index) {
                text += &format!("{}\n", "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
            }
            text += &aligned(line, &widths);
        }

        if !self.differences.is_empty() {
            text += &format!("\n{} remarks\n", self.differences.len());
        }
        for difference in self.differences.iter().take(MOST_REMARKS) {
            text += &format!("- {difference}\n");
        }
        if let Some(more @ 1..) = self.differences.len().checked_sub(MOST_REMARKS) {
            text += &format!("- and {more} more, all in the CSV\n");
        }
        text
    }
}

fn header(has_base: bool) -> Vec<String> {
    let weights = ["", "values", "cosine", "|A-B|/|A|", "max |A-B|", "equal"];
    let task_vectors = ["task cosine", "|A-base|/|base|", "|B-base|/|base|", "same sign", "both zero"];
    let shown = if has_base { &task_vectors[..] } else { &[] };
    weights.iter().chain(shown).map(|title| (*title).to_owned()).collect()
}

fn row(label: String, measures: &Measures, has_base: bool) -> Vec<String> {
    let mut row = vec![
        label,
        measures.values.to_string(),
        cosine(measures.cosine),
        ratio(measures.relative_distance),
        ratio(Some(measures.max_difference)),
        percent(measures.equal_share),
    ];
    if has_base {
        let task = measures.task_vectors;
        row.extend([
            cosine(task.and_then(|task| task.cosine)),
            ratio(task.and_then(|task| task.relative_norm_a)),
            ratio(task.and_then(|task| task.relative_norm_b)),
            percent(task.and_then(|task| task.sign_agreement)),
            percent(task.and_then(|task| task.both_zero_share)),
        ]);
    }
    row
}

/// Labels to the left, numbers to the right.
fn aligned(line: &[String], widths: &[usize]) -> String {
    let cells = line.iter().zip(widths).enumerate().map(|(column, (text, &width))| match column {
        0 => format!("{text:<width$}"),
        _ => format!("{text:>width$}"),
    });
    format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
}

fn shown(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), text)
}

fn cosine(value: Option<f64>) -> String {
    shown(value, |value| format!("{value:.6}"))
}

fn ratio(value: Option<f64>) -> String {
    shown(value, |value| if value == 0.0 { "0".to_owned() } else { format!("{value:.3e}") })
}

fn percent(value: Option<f64>) -> String {
    shown(value, |value| format!("{:.2} %", 100.0 * value))
}
