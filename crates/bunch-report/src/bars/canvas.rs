//! Drawing numbers by category.

use bunch_statistics::Interval;

use super::Bars;
use crate::axis::Axis;
use crate::font;
use crate::frame::{BELOW, BESIDE, GAP, LABEL_FONT, MARGIN, TICK, TICK_FONT, draw_title};
use crate::picture::{Brush, Drawn, GRID, INK, Picture};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

// Sizes in points of the SVG.
const TITLE_HEIGHT: f64 = 48.0;
const WIDTH: f64 = 440.0;
/// Width at which the categories' names are broken.
const WIDEST_NAME: f64 = 280.0;
const NAME_FONT: f64 = 15.0;
const NAME_LINE: f64 = 19.0;
/// Height of a mark's line within its category, and what a category has around them.
const MARK_LINE: f64 = 13.0;
const PADDING: f64 = 12.0;
const INTERVAL_WIDTH: f64 = 1.8;
/// Ground of every other category.
const SHADE: RGBColor = RGBColor(0xf5, 0xf5, 0xf5);

/// Where everything stands.
struct Layout {
    /// Lines of each category's name.
    names: Vec<Vec<String>>,
    /// Upper edge of each category, and lower edge of the last.
    edges: Vec<f64>,
    /// Ends of the horizontal axis.
    left: f64,
    right: f64,
    x: Axis,
}

impl Bars {
    fn layout(&self) -> Layout {
        let names: Vec<Vec<String>> =
            self.categories.iter().map(|name| font::wrapped(name, NAME_FONT, WIDEST_NAME)).collect();
        let mut edges = vec![TITLE_HEIGHT];
        let mut edge = TITLE_HEIGHT;
        for name in &names {
            let marks = MARK_LINE * self.series.len() as f64;
            edge += PADDING + marks.max(NAME_LINE * name.len() as f64);
            edges.push(edge);
        }
        let widest = names.iter().flatten().map(|line| font::width(line, NAME_FONT)).fold(0.0, f64::max);
        let left = MARGIN + widest + 2.0 * GAP;
        Layout { names, edges, left, right: left + WIDTH, x: self.axis() }
    }

    fn draw_axis<DB: DrawingBackend>(brush: &Brush<'_, DB>, layout: &Layout) -> Drawn<DB> {
        let (top, bottom) = (TITLE_HEIGHT, layout.bottom());
        for pair in layout.edges.windows(2).step_by(2) {
            brush.rectangle((layout.left, pair[0]), (layout.right, pair[1]), SHADE)?;
        }
        for (value, label) in layout.x.labelled_ticks() {
            let x = layout.across(value);
            brush.line((x, top), (x, bottom), 1.0, GRID)?;
            brush.line((x, bottom), (x, bottom + TICK), 1.0, INK)?;
            brush.text(&label, (TICK_FONT, INK), (x, bottom + TICK + TICK_FONT * 0.7), HPos::Center)?;
        }
        brush.line((layout.left, bottom), (layout.right, bottom), 1.0, INK)?;
        brush.line((layout.left, top), (layout.left, bottom), 1.0, INK)?;
        let size = font::fitting(&layout.x.label, LABEL_FONT, WIDTH + BESIDE);
        let place = ((layout.left + layout.right) / 2.0, bottom + BELOW - LABEL_FONT);
        brush.text(&layout.x.label, (size, INK), place, HPos::Center)
    }

    fn draw_names<DB: DrawingBackend>(brush: &Brush<'_, DB>, layout: &Layout) -> Drawn<DB> {
        for (name, edges) in layout.names.iter().zip(layout.edges.windows(2)) {
            let first = (edges[0] + edges[1] - NAME_LINE * (name.len() - 1) as f64) / 2.0;
            for (index, line) in name.iter().enumerate() {
                let place = (layout.left - 2.0 * GAP, first + NAME_LINE * index as f64);
                brush.text(line, (NAME_FONT, INK), place, HPos::Right)?;
            }
        }
        Ok(())
    }

    fn draw_marks<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, layout: &Layout) -> Drawn<DB> {
        let middle = (self.series.len() as f64 - 1.0) / 2.0;
        for (index, series) in self.series.iter().enumerate() {
            let mark = self.mark(index);
            for (value, edges) in series.values.iter().zip(layout.edges.windows(2)) {
                let Some((mean, interval)) = *value else { continue };
                let y = (edges[0] + edges[1]) / 2.0 + MARK_LINE * (index as f64 - middle);
                if let Some(Interval { low, high }) = interval {
                    let [from, to] = [low, high].map(|end| layout.across(layout.x.clamped(end)));
                    brush.line((from, y), (to, y), INTERVAL_WIDTH, mark.colour.mix(0.7))?;
                }
                mark.fill(brush, (layout.across(mean), y))?;
            }
        }
        Ok(())
    }
}

impl Layout {
    fn across(&self, value: f64) -> f64 {
        self.left + self.x.share(value) * (self.right - self.left)
    }

    fn bottom(&self) -> f64 {
        self.edges.last().copied().unwrap_or(TITLE_HEIGHT)
    }
}

impl Picture for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let (layout, legend) = (self.layout(), self.legend());
        let width = layout.right + BESIDE + legend.width();
        let height = (layout.bottom() + BELOW).max(TITLE_HEIGHT + legend.height() + MARGIN);
        (width.ceil() as u32, height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        let layout = self.layout();
        draw_title(self, brush, MARGIN, TITLE_HEIGHT)?;
        Self::draw_axis(brush, &layout)?;
        Self::draw_names(brush, &layout)?;
        self.draw_marks(brush, &layout)?;
        self.legend().draw(brush, (layout.right + BESIDE, TITLE_HEIGHT))
    }
}
