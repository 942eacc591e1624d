//! The data generation as boxes: how many questions each stage took in, kept and dropped, and the merge that follows.

use std::collections::{BTreeMap, BTreeSet};

use bunch_evolution::Data;
use bunch_report::{Diagram, DiagramBox, Tone};
use bunch_synthesis::{DropReason, StageName, Stages};

use super::diagrams::{arrow, text};
use super::{Background, Figures, File, both};
use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::figure_spec::StagesDiagram;
use crate::declared::pool_names::{GUARD, UNCENSORED};
use crate::declared::row::Row;
use crate::recording::pool_data::PoolData;

/// One data set on its way, as sums over seeds.
struct Lane {
    /// Who asks, and what it is asked for.
    asker: (String, &'static str),
    stages: Vec<Passed>,
    data: Data,
    /// Pairs by who answered.
    pairs: BTreeMap<String, u64>,
}

/// A stage: what it took in, kept, and dropped by reason.
struct Passed {
    name: StageName,
    entered: u64,
    kept: u64,
    dropped: BTreeMap<DropReason, u64>,
}

impl Lane {
    fn new(asker: (String, &'static str), data: Data, all: &[&Stages]) -> Self {
        let mut stages: Vec<Passed> = Vec::new();
        for stage in all.iter().flat_map(|stages| &stages.stages) {
            let passed = match stages.iter_mut().find(|passed| passed.name == stage.name) {
                Some(passed) => passed,
                None => {
                    stages.push(Passed { name: stage.name, entered: 0, kept: 0, dropped: BTreeMap::new() });
                    stages.last_mut().expect("just pushed")
                }
            };
            passed.entered += stage.entered;
            passed.kept += stage.kept;
            stage.dropped.iter().for_each(|(&reason, count)| *passed.dropped.entry(reason).or_default() += count);
        }
        Self { asker, stages, data, pairs: BTreeMap::new() }
    }

    /// The lanes of a pool: D_safety, then D_expert of each expert.
    fn all(data: &[&PoolData]) -> Vec<Lane> {
        let stages: Vec<&Stages> = data.iter().map(|data| &data.safety.stages).collect();
        let asker = (UNCENSORED.to_owned(), "is asked for unsafe questions");
        let mut safety = Lane::new(asker, Data::Safety, &stages);
        for pair in data.iter().flat_map(|data| &data.safety.pairs) {
            *safety.pairs.entry(pair.answered_by.clone()).or_default() += 1;
        }
        let experts: BTreeSet<&String> = data.iter().flat_map(|data| data.expert.stages.keys()).collect();
        let lane = |expert: &String| {
            let stages: Vec<&Stages> = data.iter().filter_map(|data| data.expert.stages.get(expert)).collect();
            let asker = (expert.clone(), "is asked for questions of its domain");
            let mut lane = Lane::new(asker, Data::Expert, &stages);
            let pairs = data.iter().flat_map(|data| &data.expert.pairs).filter(|pair| pair.expert == *expert);
            lane.pairs.insert(expert.clone(), pairs.count() as u64);
            lane
        };
        [safety].into_iter().chain(experts.into_iter().map(lane)).collect()
    }
}

/// Where a stage stands in its column, below who asks.
fn level(name: StageName) -> usize {
    match name {
        StageName::Question => 1,
        StageName::Distinct => 2,
        StageName::UnsafeQuestion => 3,
        StageName::Answer => 4,
        StageName::Wanted => 5,
    }
}

fn title(name: StageName, data: Data) -> String {
    match (name, data) {
        (StageName::Question, _) => "Is it a question?".into(),
        (StageName::Distinct, _) => "Is it new?".into(),
        (StageName::UnsafeQuestion, _) => format!("Is it unsafe? ({GUARD})"),
        (StageName::Answer, Data::Safety) => format!("Is an answer safe? ({GUARD})"),
        (StageName::Answer, Data::Expert) => "Is it answered?".into(),
        (StageName::Wanted, Data::Safety) => "D_safety".into(),
        (StageName::Wanted, Data::Expert) => "D_expert".into(),
    }
}

fn reason(reason: DropReason) -> &'static str {
    match reason {
        DropReason::TruncatedQuestion => "cut off",
        DropReason::EmptyQuestion => "empty",
        DropReason::MalformedQuestion => "no question",
        DropReason::Excluded => "a test question",
        DropReason::Duplicate => "asked before",
        DropReason::SafeQuestion => "safe",
        DropReason::UnparsedQuestion => "no verdict",
        DropReason::EmptyAnswer => "no answer",
        DropReason::NoSafeAnswer => "no safe answer",
        DropReason::Surplus => "more than wanted",
    }
}

/// A sum over seeds as their mean, with a digit after the point where it is not whole.
fn mean(sum: u64, seeds: usize) -> String {
    let mean = sum as f64 / seeds as f64;
    if mean.fract() == 0.0 { format!("{mean}") } else { format!("{mean:.1}") }
}

impl Figures<'_> {
    /// A column for each data set, its stages from above, and the merge below them all.
    pub(super) fn stages(
        &self,
        name: &str,
        title: &str,
        stages: &StagesDiagram,
        behind: &Background<'_>,
    ) -> Result<Vec<File>, ExperimentError> {
        let mut files = Vec::new();
        for block in &self.experiment.blocks {
            let of_block = behind.generated.iter().filter(|(name, _, _)| *name == block.name);
            let (seeds, data): (Vec<u64>, Vec<&PoolData>) = of_block.map(|(_, seed, data)| (*seed, data)).unzip();
            let Some(row) = self.experiment.rows.iter().find(|row| row.name == stages.row) else { continue };
            if data.is_empty() || !block.has_row(&row.name) {
                continue;
            }
            let lanes = Lane::all(&data);
            let (mut boxes, mut arrows) = (Vec::new(), Vec::new());
            let mut last = Vec::new();
            for (column, lane) in lanes.iter().enumerate() {
                let tone = if lane.data == Data::Safety { Tone::Cool } else { Tone::Warm };
                let (asker, asked) = &lane.asker;
                boxes.push(DiagramBox {
                    title: asker.clone(),
                    lines: vec![text(*asked)],
                    columns: [column, column],
                    rows: [0, 0],
                    tone: Tone::Plain,
                });
                for passed in &lane.stages {
                    let entered = mean(passed.entered, seeds.len());
                    let what = if passed.name == StageName::Question { " asked" } else { " kept" };
                    arrows.push(arrow(boxes.len() - 1, boxes.len(), entered + what));
                    boxes.push(stage_box(passed, lane, column, seeds.len(), tone));
                }
                last.push((lane.data, boxes.len() - 1));
            }
            let merge = boxes.len();
            for (data, at) in last.into_iter().filter(|(data, _)| row.data().contains(data)) {
                arrows.push(arrow(at, merge, loss(data, row, block, behind)));
            }
            let mut lines = vec![text(row.strategy.summary())];
            lines.extend(self.scores(block, row, &stages.columns));
            boxes.push(DiagramBox {
                title: self.label(row),
                lines,
                columns: [0, lanes.len() - 1],
                rows: [6, 6],
                tone: Tone::Fresh,
            });
            let counts = match &seeds[..] {
                [seed] => format!("are those of seed {seed}"),
                _ => format!("are means over {} seeds", seeds.len()),
            };
            let counts = format!(
                "Numbers of questions and losses {counts}; losses, in nats, are those of the merge that was found."
            );
            let (name, title) = self.named_for(block, name, title);
            let diagram = Diagram { title, boxes, arrows, notes: vec![counts, self.explanation(block)] };
            files.extend(both(&name, diagram.svg()?, diagram.png()?));
        }
        Ok(files)
    }
}

/// A stage with what it dropped, or the data set that it fills with who answered.
fn stage_box(passed: &Passed, lane: &Lane, column: usize, seeds: usize, tone: Tone) -> DiagramBox {
    let value = |label: String, sum: u64| bunch_report::BoxLine::Value { label, value: mean(sum, seeds), share: None };
    let mut lines = Vec::new();
    if passed.name == StageName::Answer && lane.data == Data::Safety {
        lines.push(text("every model of the pool answers"));
    }
    if passed.name == StageName::Wanted {
        lines.push(value("pairs".into(), passed.kept));
        lines.extend(lane.pairs.iter().map(|(model, &pairs)| value(format!("answered by {model}"), pairs)));
    }
    lines.extend(passed.dropped.iter().map(|(&why, &count)| value(format!("dropped: {}", reason(why)), count)));
    if passed.dropped.is_empty() && passed.name != StageName::Wanted {
        lines.push(value("dropped".into(), 0));
    }
    DiagramBox {
        title: title(passed.name, lane.data),
        lines,
        columns: [column, column],
        rows: [level(passed.name); 2],
        tone,
    }
}

/// The loss of the merge that was found, as a mean over seeds; the name of the data alone where none was reported.
fn loss(data: Data, row: &Row, block: &Block, behind: &Background<'_>) -> String {
    let (key, name) = match data {
        Data::Safety => ("loss_safety", "L_safety"),
        Data::Expert => ("loss_expert", "L_expert"),
    };
    let here = behind.measurements.iter().filter(|run| run.row == row.name && run.block == block.name);
    let losses: Vec<f64> = here.filter_map(|run| run.detail.get(key).copied()).collect();
    match losses.len() {
        0 => String::new(),
        count => format!("{name} {:.3}", losses.iter().sum::<f64>() / count as f64),
    }
}
