//! Pools and task vectors as boxes with their measured scores.

use bunch_report::{Arrow, BoxLine, Diagram, DiagramBox, Tone};
use bunch_statistics::{Estimate, Interval};

use super::{Figures, File, both};
use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::Column;
use crate::declared::figure_spec::{PoolDiagram, VectorsDiagram};
use crate::declared::row::Row;

/// Text in a box.
pub(super) fn text(text: impl Into<String>) -> BoxLine {
    BoxLine::Text(text.into())
}

/// An arrow with its head.
pub(super) fn arrow(from: usize, to: usize, label: impl Into<String>) -> Arrow {
    Arrow { from, to, label: label.into(), has_head: true }
}

impl Figures<'_> {
    fn row(&self, name: &str) -> &Row {
        self.experiment.rows.iter().find(|row| row.name == name).expect("checked when it was read")
    }

    /// A number with its interval and unit; a dash where there is none.
    fn number(&self, block: &Block, row: &Row, column: &Column) -> String {
        let Some(Estimate { mean, interval, .. }) = self.estimate(block, row, column) else { return "–".into() };
        let decimals = column.decimals;
        let interval =
            interval.map_or(String::new(), |Interval { low, high }| format!(" [{low:.decimals$}, {high:.decimals$}]"));
        let unit = if column.unit.is_empty() { String::new() } else { format!(" {}", column.unit) };
        format!("{mean:.decimals$}{interval}{unit}")
    }

    /// A row's scores, percentages with their bars.
    pub(super) fn scores(&self, block: &Block, row: &Row, columns: &[String]) -> Vec<BoxLine> {
        let line = |column: &Column| {
            let percent = self.estimate(block, row, column).filter(|_| column.unit == "%");
            BoxLine::Value {
                label: column.label.clone(),
                value: self.number(block, row, column),
                share: percent.map(|estimate| (estimate.mean / 100.0).clamp(0.0, 1.0)),
            }
        };
        self.columns(columns).into_iter().map(line).collect()
    }

    /// What the numbers of a block are.
    pub(super) fn explanation(&self, block: &Block) -> String {
        let seeds = self.cells.iter().filter(|cell| cell.block == block.name).map(|cell| cell.seed);
        match seeds.collect::<std::collections::BTreeSet<u64>>().len() {
            1 => "Scores are of one seed; bars reach from 0 to 100 %.".into(),
            count => format!("Scores are means over {count} seeds with 95 % intervals; bars reach from 0 to 100 %."),
        }
    }

    /// Members on the left, ways to merge in the middle, what they make on the right.
    pub(super) fn pools(&self, name: &str, title: &str, pool: &PoolDiagram) -> Result<Vec<File>, ExperimentError> {
        let mut files = Vec::new();
        for block in &self.experiment.blocks {
            let rows = |names: &[String]| -> Vec<&Row> {
                names.iter().filter(|name| block.has_row(name)).map(|name| self.row(name)).collect()
            };
            let members = rows(&pool.members);
            let groups: Vec<_> = pool.merges.iter().map(|group| (group, rows(&group.rows))).collect();
            let merges: usize = groups.iter().map(|(_, rows)| rows.len()).sum();
            if members.is_empty() || merges == 0 {
                continue;
            }
            // As many rows of the grid as both sides can share out evenly.
            let (tall, low) = (merges, members.len());
            let mut boxes = Vec::new();
            let mut arrows = Vec::new();
            for (index, member) in members.iter().enumerate() {
                boxes.push(DiagramBox {
                    title: member.label.clone(),
                    lines: self.scores(block, member, &pool.columns),
                    columns: [0, 0],
                    rows: [index * tall, (index + 1) * tall - 1],
                    tone: Tone::Plain,
                });
            }
            let mut first = 0;
            let tones = [Tone::Warm, Tone::Cool, Tone::Fresh];
            for (index, (group, rows)) in groups.iter().filter(|(_, rows)| !rows.is_empty()).enumerate() {
                let tone = tones[index % tones.len()];
                let way = boxes.len();
                boxes.push(DiagramBox {
                    title: group.title.clone(),
                    lines: if group.text.is_empty() { Vec::new() } else { vec![text(&group.text)] },
                    columns: [1, 1],
                    rows: [first * low, (first + rows.len()) * low - 1],
                    tone,
                });
                arrows.extend((0..members.len()).map(|member| arrow(member, way, "")));
                for row in rows {
                    arrows.push(arrow(way, boxes.len(), ""));
                    boxes.push(DiagramBox {
                        title: self.label(row),
                        lines: self.scores(block, row, &pool.columns),
                        columns: [2, 2],
                        rows: [first * low, (first + 1) * low - 1],
                        tone,
                    });
                    first += 1;
                }
            }
            let (name, title) = self.named_for(block, name, title);
            let diagram = Diagram { title, boxes, arrows, notes: vec![self.explanation(block)] };
            files.extend(both(&name, diagram.svg()?, diagram.png()?));
        }
        Ok(files)
    }

    /// The base on the left, the models that were made of it in the middle, their merge on the right.
    pub(super) fn vectors(
        &self,
        name: &str,
        title: &str,
        vectors: &VectorsDiagram,
    ) -> Result<Vec<File>, ExperimentError> {
        let named = [&vectors.base, &vectors.expert, &vectors.aligned, &vectors.merge];
        let mut files = Vec::new();
        for block in self.experiment.blocks.iter().filter(|block| named.iter().all(|row| block.has_row(row))) {
            let [base, expert, aligned, merge] = named.map(|row| self.row(row));
            let length = self.column(&vectors.length);
            let [to_expert, to_aligned] =
                [&vectors.cosine_to_expert, &vectors.cosine_to_aligned].map(|name| self.column(name));
            let of = |row: &Row, column: &Column| self.number(block, row, column);
            let model = |row: &Row, columns: [usize; 2], rows: [usize; 2], tone: Tone| DiagramBox {
                title: row.label.clone(),
                lines: self.scores(block, row, &vectors.columns),
                columns,
                rows,
                tone,
            };
            let mut merged = model(merge, [2, 2], [0, 1], Tone::Fresh);
            merged.title = self.label(merge);
            merged.lines.insert(0, text("base + α τ_d + β τ_a"));
            merged.lines.push(BoxLine::Value {
                label: "length of its τ".into(),
                value: of(merge, length),
                share: None,
            });
            let boxes = vec![
                model(base, [0, 0], [0, 1], Tone::Plain),
                model(expert, [1, 1], [0, 0], Tone::Warm),
                model(aligned, [1, 1], [1, 1], Tone::Cool),
                merged,
            ];
            let between = format!("cosine of τ_d and τ_a\n{}", of(expert, to_aligned));
            let arrows = vec![
                arrow(0, 1, format!("τ_d, length\n{}", of(expert, length))),
                arrow(0, 2, format!("τ_a, length\n{}", of(aligned, length))),
                Arrow { has_head: false, ..arrow(1, 2, between) },
                arrow(1, 3, format!("cosine with τ_d\n{}", of(merge, to_expert))),
                arrow(2, 3, format!("cosine with τ_a\n{}", of(merge, to_aligned))),
            ];
            let lengths =
                "τ is a model minus the one on the left. Its length is relative to that of the model's weights; \
                           cosines are between τs."
                    .to_owned();
            let (name, title) = self.named_for(block, name, title);
            let diagram = Diagram { title, boxes, arrows, notes: vec![lengths, self.explanation(block)] };
            files.extend(both(&name, diagram.svg()?, diagram.png()?));
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests;
