//! The figures of an experiment, drawn from its cells and from what stands behind them.

use std::collections::{BTreeMap, BTreeSet};

use bunch_report::{
    BarSeries, Bars, Cell, CellIndex, CurvePanel, CurvePoint, CurveSeries, Curves, Figure, FigureSpec, HeatMap,
    Published, RowSpec, TableSpec, TextPage,
};
use bunch_statistics::Estimate;

use crate::ExperimentError;
use crate::declared::block::Block;
use crate::declared::column::Column;
use crate::declared::experiment::Experiment;
use crate::declared::figure_spec::{Axes, Curve, Drawing, DrawingKind, Front, Plane, Selection};
use crate::declared::row::Row;
use crate::recording::front::hypervolume;
use crate::recording::measurement::Measurement;
use crate::recording::pool_data::PoolData;
use crate::recording::prompts::PromptSheet;

mod diagrams;
mod generation;

/// What figures are drawn from.
pub(crate) struct Figures<'a> {
    experiment: &'a Experiment,
    spec: &'a TableSpec,
    cells: &'a [Cell],
    index: CellIndex<'a>,
    published: &'a [Published],
}

/// What stands behind the cells.
pub(crate) struct Background<'a> {
    pub(crate) measurements: &'a [Measurement],
    /// Generated data by pool and seed.
    pub(crate) generated: &'a [(String, u64, PoolData)],
    pub(crate) prompts: &'a [PromptSheet],
}

/// By seed: a sum, the number of its terms, and their test items.
type Sums = BTreeMap<u64, (f64, f64, u64)>;

/// A file of a results folder.
type File = (String, Vec<u8>);

/// A picture as both of its files.
fn both(name: &str, svg: String, png: Vec<u8>) -> [File; 2] {
    [(format!("{name}.svg"), svg.into_bytes()), (format!("{name}.png"), png)]
}

impl<'a> Figures<'a> {
    pub(crate) fn new(
        experiment: &'a Experiment,
        spec: &'a TableSpec,
        cells: &'a [Cell],
        published: &'a [Published],
    ) -> Result<Self, ExperimentError> {
        Ok(Self { experiment, spec, cells, index: CellIndex::new(cells)?, published })
    }

    /// The files of all figures, as SVG and PNG.
    pub(crate) fn files(&self, behind: &Background<'_>) -> Result<Vec<File>, ExperimentError> {
        let mut files = Vec::new();
        if let Some(axes) = &self.experiment.figure {
            let axes = Axes { x: axes.x.clone(), y: axes.y.clone(), rows: Vec::new() };
            files.extend(self.scatter("figure", &self.spec.title, &axes)?);
        }
        for drawing in &self.experiment.drawings {
            let Drawing { name, title, draw } = drawing;
            match draw {
                DrawingKind::Scatter(axes) => files.extend(self.scatter(name, title, axes)?),
                DrawingKind::Curve(curve) => files.extend(self.curve(name, title, curve)?),
                DrawingKind::BlockCurve(curve) => files.extend(self.block_curve(name, title, curve)?),
                DrawingKind::Map(selection) => files.extend(self.maps(name, title, selection)?),
                DrawingKind::Dots(selection) => files.extend(self.dots(name, title, selection)?),
                DrawingKind::Plane(plane) => files.extend(self.planes(name, title, plane)?),
                DrawingKind::Convergence(selection) => {
                    files.extend(self.convergence(name, title, selection, behind.measurements)?);
                }
                DrawingKind::Front(front) => files.push(self.front(name, front)),
                DrawingKind::Pool(pool) => files.extend(self.pools(name, title, pool)?),
                DrawingKind::Stages(stages) => files.extend(self.stages(name, title, stages, behind)?),
                DrawingKind::Vectors(vectors) => files.extend(self.vectors(name, title, vectors)?),
                DrawingKind::Prompts(_) => files.extend(self.prompts(name, title, behind.prompts)?),
            }
        }
        Ok(files)
    }

    fn column(&self, name: &str) -> &'a Column {
        self.experiment.columns.iter().find(|column| column.name == name).expect("checked when it was read")
    }

    /// Mean and interval over seeds.
    fn estimate(&self, block: &Block, row: &Row, column: &Column) -> Option<Estimate> {
        self.index.summary(&block.name, &row.name, &column.name, column.is_percent()).map(|summary| summary.estimate)
    }

    /// What a reader calls a row.
    fn label(&self, row: &Row) -> String {
        let spec = self.spec.rows.iter().find(|spec| spec.name == row.name);
        spec.map_or_else(|| row.name.clone(), RowSpec::full_label)
    }

    fn rows(&self, selection: &[String]) -> Vec<&'a Row> {
        let rows = self.experiment.rows.iter();
        rows.filter(|row| selection.is_empty() || selection.contains(&row.name)).collect()
    }

    fn blocks(&self, selection: &Selection) -> impl Iterator<Item = &'a Block> {
        let blocks = self.experiment.blocks.iter();
        blocks.filter(|block| selection.blocks.is_empty() || selection.blocks.contains(&block.name))
    }

    fn columns(&self, selection: &[String]) -> Vec<&'a Column> {
        let columns = self.experiment.columns.iter();
        columns.filter(|column| selection.is_empty() || selection.contains(&column.name)).collect()
    }

    /// Name and title of a picture of one block, which say so where there are several.
    fn named_for(&self, block: &Block, name: &str, title: &str) -> (String, String) {
        match self.experiment.blocks.len() {
            1 => (name.into(), title.into()),
            _ => (format!("{name}-{}", block.name), format!("{title}: {}", block.title)),
        }
    }

    /// A page for each block.
    fn prompts(&self, name: &str, title: &str, sheets: &[PromptSheet]) -> Result<Vec<File>, ExperimentError> {
        let mut files = Vec::new();
        for block in &self.experiment.blocks {
            let of_block = |sheet: &&PromptSheet| sheet.drawing == name && sheet.block == block.name;
            let Some(sheet) = sheets.iter().find(of_block) else { continue };
            let (name, title) = self.named_for(block, name, title);
            let page = TextPage { title, sections: sheet.sections.clone() };
            files.extend(both(&name, page.svg()?, page.png()?));
        }
        Ok(files)
    }

    fn scatter(&self, name: &str, title: &str, axes: &Axes) -> Result<[File; 2], ExperimentError> {
        let spec = FigureSpec { title: title.into(), x: axes.x.clone(), y: axes.y.clone(), rows: axes.rows.clone() };
        let figure = Figure::new(&spec, self.spec, self.cells, self.published)?;
        Ok(both(name, figure.svg()?, figure.png()?))
    }

    /// A panel for each column of each block; a line for each group of rows that have the coordinate.
    fn curve(&self, name: &str, title: &str, curve: &Curve) -> Result<[File; 2], ExperimentError> {
        let mut panels = Vec::new();
        for block in &self.experiment.blocks {
            for column in self.columns(&curve.columns) {
                let mut series: Vec<CurveSeries> = Vec::new();
                for row in self.experiment.rows.iter().filter(|row| block.has_row(&row.name)) {
                    let Some(&x) = row.at.get(&curve.x) else { continue };
                    let point = self.estimate(block, row, column).map(|at| point(x, &at));
                    let line = match series.iter_mut().find(|line| line.label == row.group) {
                        Some(line) => line,
                        None => {
                            series.push(line_of(row.group.clone()));
                            series.last_mut().expect("just pushed")
                        }
                    };
                    line.points.extend(point);
                    line.published.extend(self.paper(block, row, column).map(|y| (x, y)));
                }
                let title = if self.experiment.blocks.len() > 1 { block.title.clone() } else { String::new() };
                panels.push(panel(title, curve, column, series));
            }
        }
        let curves = Curves { title: title.into(), panels, log_x: false };
        Ok(both(name, curves.svg()?, curves.png()?))
    }

    fn paper(&self, block: &Block, row: &Row, column: &Column) -> Option<f64> {
        let here =
            |value: &&Published| (&value.block, &value.row, &value.column) == (&block.name, &row.name, &column.name);
        self.published.iter().find(here)?.value
    }

    /// A panel for each column, a line for each row; within a seed, blocks that stand at one place are averaged.
    fn block_curve(&self, name: &str, title: &str, curve: &Curve) -> Result<[File; 2], ExperimentError> {
        let mut panels = Vec::new();
        for column in self.columns(&curve.columns) {
            let mut series = Vec::new();
            for row in &self.experiment.rows {
                // By place and seed: the sum over blocks, and their number. Places are ordered as numbers.
                let mut places: Vec<(f64, Sums)> = Vec::new();
                for block in self.experiment.blocks.iter().filter(|block| block.has_row(&row.name)) {
                    let Some(&x) = block.at.get(&curve.x) else { continue };
                    let at = match places.iter().position(|(place, _)| *place == x) {
                        Some(at) => at,
                        None => {
                            places.push((x, BTreeMap::new()));
                            places.len() - 1
                        }
                    };
                    for cell in self.index.cells(&block.name, &row.name, &column.name) {
                        let sum = places[at].1.entry(cell.seed).or_default();
                        *sum = (sum.0 + cell.value, sum.1 + 1.0, sum.2 + cell.n);
                    }
                }
                places.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut line = line_of(row.label.clone());
                for (x, seeds) in places {
                    let means: Vec<f64> = seeds.values().map(|(sum, count, _)| sum / count).collect();
                    let items = seeds.values().map(|(_, _, items)| items).sum();
                    let estimate = match column.is_percent() {
                        true => Estimate::of_percentages(&means, items),
                        false => Estimate::of(&means),
                    };
                    line.points.extend(estimate.map(|estimate| point(x, &estimate)));
                }
                series.push(line);
            }
            series.retain(|line| !line.points.is_empty());
            panels.push(panel(String::new(), curve, column, series));
        }
        let curves = Curves { title: title.into(), panels, log_x: false };
        Ok(both(name, curves.svg()?, curves.png()?))
    }

    /// A map for each row: blocks down, columns across.
    fn maps(&self, name: &str, title: &str, selection: &Selection) -> Result<Vec<File>, ExperimentError> {
        let columns = self.columns(&selection.columns);
        let mut files = Vec::new();
        for row in self.rows(&selection.rows) {
            let blocks: Vec<&Block> = self.blocks(selection).filter(|block| block.has_row(&row.name)).collect();
            let value = |block: &Block, column: &Column| Some(self.estimate(block, row, column)?.mean);
            let line = |block: &&Block| columns.iter().map(|column| value(block, column)).collect();
            let map = HeatMap {
                title: format!("{title}: {}", self.label(row)),
                rows: blocks.iter().map(|block| block.title.clone()).collect(),
                columns: columns.iter().map(|column| column.label.clone()).collect(),
                values: blocks.iter().map(line).collect(),
                legend: columns.first().map(|column| column.unit.clone()).unwrap_or_default(),
                range: None,
            };
            files.extend(both(&format!("{name}-{}", row.name), map.svg()?, map.png()?));
        }
        Ok(files)
    }

    /// A picture for each block: columns down, a mark for each row. With one column, rows are the categories.
    fn dots(&self, name: &str, title: &str, selection: &Selection) -> Result<Vec<File>, ExperimentError> {
        let (columns, rows) = (self.columns(&selection.columns), self.rows(&selection.rows));
        let mut files = Vec::new();
        for block in self.blocks(selection) {
            let rows: Vec<&Row> = rows.iter().copied().filter(|row| block.has_row(&row.name)).collect();
            let value = |row: &Row, column: &Column| {
                self.estimate(block, row, column).map(|estimate| (estimate.mean, estimate.interval))
            };
            let (x_label, categories, series): (&str, Vec<String>, Vec<BarSeries>) = match &columns[..] {
                [column] => {
                    let values = rows.iter().map(|row| value(row, column)).collect();
                    let series = BarSeries { label: column.label.clone(), values };
                    (&column.label, rows.iter().map(|row| self.label(row)).collect(), vec![series])
                }
                _ => {
                    let series = rows.iter().map(|row| {
                        let values = columns.iter().map(|column| value(row, column)).collect();
                        BarSeries { label: self.label(row), values }
                    });
                    ("score", columns.iter().map(|column| column.label.clone()).collect(), series.collect())
                }
            };
            let unit = columns.first().map(|column| column.unit.as_str()).unwrap_or_default();
            let (name, title) = self.named_for(block, name, title);
            let bars = Bars { title, x_label: x_label.into(), x_is_percent: unit == "%", categories, series };
            files.extend(both(&name, bars.svg()?, bars.png()?));
        }
        Ok(files)
    }

    /// A map for each block: one coordinate of the rows across, the other down.
    fn planes(&self, name: &str, title: &str, plane: &Plane) -> Result<Vec<File>, ExperimentError> {
        let places = |key: &String| {
            let mut places: Vec<f64> = self.experiment.rows.iter().filter_map(|row| row.at.get(key).copied()).collect();
            places.sort_by(f64::total_cmp);
            places.dedup();
            places
        };
        let (xs, mut ys) = (places(&plane.x), places(&plane.y));
        // As on a plot, the vertical coordinate grows upwards.
        ys.reverse();
        let column = self.column(&plane.column);
        let mut files = Vec::new();
        for block in &self.experiment.blocks {
            let value = |x: f64, y: f64| {
                let is_there = |row: &&Row| row.at.get(&plane.x) == Some(&x) && row.at.get(&plane.y) == Some(&y);
                Some(self.estimate(block, self.experiment.rows.iter().find(is_there)?, column)?.mean)
            };
            let line = |&y: &f64| xs.iter().map(|&x| value(x, y)).collect();
            let map = HeatMap {
                title: format!("{title}: {}", block.title),
                rows: ys.iter().map(|y| format!("{} = {y}", plane.y)).collect(),
                columns: xs.iter().map(|x| format!("{} = {x}", plane.x)).collect(),
                values: ys.iter().map(line).collect(),
                legend: format!("{} ({})", column.label, column.unit),
                range: (column.unit == "%").then_some([0.0, 100.0]),
            };
            files.extend(both(&format!("{name}-{}", block.name), map.svg()?, map.png()?));
        }
        Ok(files)
    }

    /// A panel for each block, a line for each search: the best loss so far, and its interval over seeds.
    fn convergence(
        &self,
        name: &str,
        title: &str,
        selection: &Selection,
        measurements: &[Measurement],
    ) -> Result<Vec<File>, ExperimentError> {
        let mut panels = Vec::new();
        for block in self.blocks(selection) {
            let mut series = Vec::new();
            for row in self.rows(&selection.rows) {
                let runs = measurements.iter().filter(|run| run.block == block.name && run.row == row.name);
                let curves: Vec<Vec<f64>> =
                    runs.map(|run| best_so_far(run.trace.iter().map(|step| step.loss))).collect();
                let steps = curves.iter().map(Vec::len).min().unwrap_or_default();
                let at = |step: usize| Estimate::of(&curves.iter().map(|curve| curve[step]).collect::<Vec<_>>());
                let points: Vec<CurvePoint> =
                    (0..steps).filter_map(|step| Some(point((step + 1) as f64, &at(step)?))).collect();
                if !points.is_empty() {
                    series.push(CurveSeries { points, ..line_of(self.label(row)) });
                }
            }
            if !series.is_empty() {
                panels.push(CurvePanel {
                    title: block.title.clone(),
                    x_label: "evaluations".into(),
                    y_label: "best loss (nats; minus dev accuracy in % for grids)".into(),
                    y_is_percent: false,
                    series,
                });
            }
        }
        if panels.is_empty() {
            return Ok(Vec::new());
        }
        let curves = Curves { title: title.into(), panels, log_x: false };
        Ok(both(name, curves.svg()?, curves.png()?).to_vec())
    }

    /// `NAME.csv`: the hypervolume of each set of rows, by block and seed.
    fn front(&self, name: &str, front: &Front) -> File {
        let seeds: BTreeSet<u64> = self.cells.iter().map(|cell| cell.seed).collect();
        let mut text = String::from("block,set,seed,hypervolume\n");
        for block in &self.experiment.blocks {
            let value = |row: &str, column: &str, seed: u64| {
                let cells = self.index.cells(&block.name, row, column);
                cells.iter().find(|cell| cell.seed == seed).map(|cell| cell.value)
            };
            for (set, rows) in &front.fronts {
                for &seed in &seeds {
                    let point = |row: &String| Some([value(row, &front.x, seed)?, value(row, &front.y, seed)?]);
                    let points: Vec<[f64; 2]> = rows.iter().filter_map(point).collect();
                    let volume = hypervolume(&points, front.reference);
                    text += &format!("{},{set},{seed},{}\n", block.name, (volume * 1e6).round() / 1e6);
                }
            }
        }
        (format!("{name}.csv"), text.into_bytes())
    }
}

fn line_of(label: String) -> CurveSeries {
    CurveSeries { label, points: Vec::new(), published: Vec::new(), dashed: false }
}

fn point(x: f64, estimate: &Estimate) -> CurvePoint {
    CurvePoint { x, y: estimate.mean, interval: estimate.interval }
}

fn panel(title: String, curve: &Curve, column: &Column, series: Vec<CurveSeries>) -> CurvePanel {
    // The axis of percentages says so itself.
    let unit = if matches!(&*column.unit, "" | "%") { String::new() } else { format!(" ({})", column.unit) };
    CurvePanel {
        title,
        x_label: curve.label.clone(),
        y_label: format!("{}{unit}", column.label),
        y_is_percent: column.unit == "%",
        series,
    }
}

/// The lowest value up to each.
fn best_so_far(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let best = values.scan(f64::INFINITY, |best, value| {
        *best = best.min(value);
        Some(*best)
    });
    best.collect()
}

#[cfg(test)]
mod tests;
