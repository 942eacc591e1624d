//! Drawing a figure.

use plotters::prelude::*;

use bunch_statistics::{Estimate, Interval};

use super::spread::spread;
use super::{Figure, Panel, Point};
use crate::axis::Axis;
use crate::frame::{ABOVE, BELOW, BESIDE, Frame, MARGIN, draw_title, room_for};
use crate::picture::{Brush, Drawn, Picture};

// Sizes in points of the SVG.
const PANEL_WIDTH: f64 = 360.0;
const PANEL_HEIGHT: f64 = 328.0;
const TITLE_HEIGHT: f64 = 40.0;

/// Panels side by side, at most; more of them stand in rows of about as many each.
const MOST_COLUMNS: usize = 4;

impl Figure {
    /// The panels in rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[Panel]> {
        let rows = self.panels.len().div_ceil(MOST_COLUMNS).max(1);
        self.panels.chunks(self.panels.len().div_ceil(rows).max(1))
    }

    /// The left edge of every frame of a row of panels, and the end of the last.
    fn columns(row: &[Panel]) -> (Vec<f64>, f64) {
        let mut end = MARGIN;
        let lefts = row.iter().map(|panel| {
            let left = end + room_for(&panel.y);
            end = left + PANEL_WIDTH + BESIDE;
            left
        });
        (lefts.collect(), end)
    }

    /// Where the longest row of panels ends.
    fn end(&self) -> f64 {
        self.rows().map(|row| Self::columns(row).1).fold(MARGIN, f64::max)
    }
}

impl Picture for Figure {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let rows = self.rows().count() as f64;
        let panels = rows * (ABOVE + PANEL_HEIGHT + BELOW) - ABOVE;
        let (width, height) = (self.end() + self.legend.width(), self.legend.height().max(panels));
        (width.ceil() as u32, (TITLE_HEIGHT + ABOVE + height).ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        let start = self.panels.first().map_or(MARGIN, |panel| MARGIN + room_for(&panel.y));
        draw_title(self, brush, start, TITLE_HEIGHT)?;
        let mut top = TITLE_HEIGHT + ABOVE;
        for row in self.rows() {
            for (panel, left) in row.iter().zip(Self::columns(row).0) {
                let (right, bottom) = (left + PANEL_WIDTH, top + PANEL_HEIGHT);
                panel.draw(brush, &Frame { left, right, top, bottom, x: &panel.x, y: &panel.y })?;
            }
            top += PANEL_HEIGHT + BELOW + ABOVE;
        }
        self.legend.draw(brush, (self.end(), TITLE_HEIGHT + ABOVE))
    }
}

impl Panel {
    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, frame: &Frame<'_>) -> Drawn<DB> {
        frame.draw(brush, &self.title)?;
        // Bars below marks, and the paper's below ours, so that nothing measured here is hidden.
        for point in &self.points {
            for ends in self.bars(point) {
                let [from, to] = ends.map(|end| frame.place(end));
                brush.line(from, to, 1.4, point.mark.colour.mix(0.45))?;
            }
        }
        for (point, place) in self.places(frame, |point| point.paper) {
            point.mark.outline(brush, place)?;
        }
        for (point, place) in self.places(frame, |point| point.ours.map(|(x, y)| (x.mean, y.mean))) {
            point.mark.fill(brush, place)?;
        }
        Ok(())
    }

    /// The points that have what is picked, and where its mark is drawn.
    fn places(
        &self,
        frame: &Frame<'_>,
        pick: impl Fn(&Point) -> Option<(f64, f64)>,
    ) -> impl Iterator<Item = (&Point, (f64, f64))> {
        let known: Vec<(&Point, (f64, f64))> =
            self.points.iter().filter_map(|point| Some((point, frame.place(pick(point)?)))).collect();
        let places: Vec<(f64, f64)> = known.iter().map(|(_, place)| *place).collect();
        known.into_iter().map(|(point, _)| point).zip(spread(&places))
    }

    /// The error bars of a point, cut off at the axes' ends.
    fn bars(&self, point: &Point) -> Vec<[(f64, f64); 2]> {
        let Some((x, y)) = point.ours else { return Vec::new() };
        let ends = |estimate: &Estimate, axis: &Axis| {
            estimate.interval.map(|Interval { low, high }| [low, high].map(|end| axis.clamped(end)))
        };
        let across = ends(&x, &self.x).map(|ends| ends.map(|end| (end, y.mean)));
        let along = ends(&y, &self.y).map(|ends| ends.map(|end| (x.mean, end)));
        across.into_iter().chain(along).collect()
    }
}
