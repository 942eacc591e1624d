//! Drawing curves.

use bunch_statistics::Interval;

use super::{CurvePanel, CurvePoint, CurveSeries, Curves, MOST_MARKS};
use crate::axis::Axis;
use crate::frame::{ABOVE, BELOW, BESIDE, Frame, MARGIN, draw_title, room_for};
use crate::legend::Entry;
use crate::picture::{Brush, Drawn, Picture};
use plotters::prelude::*;

// Sizes in points of the SVG.
const TITLE_HEIGHT: f64 = 40.0;
const PANEL_WIDTH: f64 = 330.0;
const PANEL_HEIGHT: f64 = 260.0;
/// Panels in a row.
const MOST_COLUMNS: usize = 3;
const BAR_WIDTH: f64 = 1.4;
/// Half the length of the line across the end of an error bar.
const CAP: f64 = 3.0;

/// Where everything stands.
struct Layout {
    axes: Vec<(Axis, Axis)>,
    /// Left edge of the frames of each column.
    lefts: Vec<f64>,
    /// Where the legend starts.
    end: f64,
    /// Room above every frame: for titles, if there are any.
    above: f64,
}

impl Layout {
    /// Height of a row of panels.
    fn row(&self) -> f64 {
        self.above + PANEL_HEIGHT + BELOW
    }
}

impl Curves {
    fn layout(&self) -> Layout {
        let axes: Vec<(Axis, Axis)> = self.panels.iter().map(|panel| panel.axes(self.log_x)).collect();
        let mut end = MARGIN;
        let columns = 0..self.panels.len().min(MOST_COLUMNS);
        let lefts = columns.map(|column| {
            let here = axes.iter().skip(column).step_by(MOST_COLUMNS);
            let left = end + here.map(|(_, y)| room_for(y)).fold(0.0, f64::max);
            end = left + PANEL_WIDTH + BESIDE;
            left
        });
        let lefts = lefts.collect();
        let above = if self.panels.iter().any(|panel| !panel.title.is_empty()) { ABOVE } else { MARGIN };
        Layout { axes, lefts, end, above }
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        brush: &Brush<'_, DB>,
        panel: &CurvePanel,
        frame: &Frame<'_>,
        looks: &[Entry],
    ) -> Drawn<DB> {
        frame.draw(brush, &panel.title)?;
        let look = |series: &&CurveSeries| looks.iter().find(|look| look.is_of(series));
        let shown = || panel.series.iter().filter_map(|series| Some((series, look(&series)?)));
        // What is uncertain below what is measured, and the paper's below ours.
        for (series, look) in shown() {
            if series.points.len() > MOST_MARKS {
                draw_band(brush, frame, &series.points, look.mark.colour)?;
            } else {
                draw_bars(brush, frame, &series.points, look.mark.colour)?;
            }
        }
        for (series, look) in shown() {
            for &point in &series.published {
                look.mark.outline(brush, frame.place(point))?;
            }
        }
        for (series, look) in shown() {
            let points: Vec<(f64, f64)> = series.points.iter().map(|point| frame.place((point.x, point.y))).collect();
            if let Some(dash) = look.dash {
                dash.draw(brush, &points, look.mark.colour)?;
            }
        }
        for (series, look) in shown() {
            let unmarked = if series.points.len() > MOST_MARKS { series.points.len() - 1 } else { 0 };
            for point in &series.points[unmarked..] {
                look.mark.fill(brush, frame.place((point.x, point.y)))?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn is_of(&self, series: &CurveSeries) -> bool {
        let is_dashed = self.dash == Some(crate::dash::Dash::Dashed);
        self.mark.label == series.label && (!series.dashed || is_dashed)
    }
}

impl Picture for Curves {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let rows = self.panels.len().div_ceil(MOST_COLUMNS) as f64;
        let (layout, legend) = (self.layout(), self.legend());
        let height = (rows * layout.row()).max(layout.above + legend.height() + MARGIN);
        ((layout.end + legend.width()).ceil() as u32, (TITLE_HEIGHT + height).ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        let (layout, legend) = (self.layout(), self.legend());
        let start = layout.lefts.first().copied().unwrap_or(MARGIN);
        draw_title(self, brush, start, TITLE_HEIGHT)?;
        for (index, (panel, (x, y))) in self.panels.iter().zip(&layout.axes).enumerate() {
            let left = layout.lefts[index % MOST_COLUMNS];
            let top = TITLE_HEIGHT + layout.above + (index / MOST_COLUMNS) as f64 * layout.row();
            let frame = Frame { left, right: left + PANEL_WIDTH, top, bottom: top + PANEL_HEIGHT, x, y };
            self.draw_panel(brush, panel, &frame, &legend.entries)?;
        }
        legend.draw(brush, (layout.end, TITLE_HEIGHT + layout.above))
    }
}

/// The ends of a point's interval, cut off at the axis' ends.
fn interval(point: &CurvePoint, frame: &Frame<'_>) -> Option<[(f64, f64); 2]> {
    let Interval { low, high } = point.interval?;
    Some([low, high].map(|end| frame.place((point.x, frame.y.clamped(end)))))
}

fn draw_bars<DB: DrawingBackend>(
    brush: &Brush<'_, DB>,
    frame: &Frame<'_>,
    points: &[CurvePoint],
    colour: RGBColor,
) -> Drawn<DB> {
    for ends in points.iter().filter_map(|point| interval(point, frame)) {
        brush.line(ends[0], ends[1], BAR_WIDTH, colour.mix(0.6))?;
        for (x, y) in ends {
            brush.line((x - CAP, y), (x + CAP, y), BAR_WIDTH, colour.mix(0.6))?;
        }
    }
    Ok(())
}

/// A band where single bars would run into each other; interrupted where a point has no interval.
fn draw_band<DB: DrawingBackend>(
    brush: &Brush<'_, DB>,
    frame: &Frame<'_>,
    points: &[CurvePoint],
    colour: RGBColor,
) -> Drawn<DB> {
    let intervals: Vec<_> = points.iter().map(|point| interval(point, frame)).collect();
    for run in intervals.split(Option::is_none).filter(|run| run.len() > 1) {
        let run = || run.iter().flatten();
        let outline = run().map(|ends| ends[0]).chain(run().rev().map(|ends| ends[1]));
        brush.polygon(outline, colour.mix(0.15))?;
    }
    Ok(())
}
