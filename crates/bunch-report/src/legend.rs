//! What the marks and lines of a figure stand for.

use crate::dash::Dash;
use crate::font;
use crate::marker::Mark;
use crate::picture::{Brush, Drawn, INK};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const FONT: f64 = 16.0;
const LINE: f64 = 22.0;
/// Room on both sides.
const MARGIN: f64 = 18.0;
/// Distance from the centre of a mark to its label.
const GAP: f64 = 14.0;
/// Half the length of a line next to its label, enough for every pattern to repeat.
const HALF_LINE: f64 = 26.0;
/// Width at which labels are broken.
const WIDEST: f64 = 250.0;
/// Width that explanations have next to narrower labels.
const LEAST: f64 = 200.0;

/// One mark, or one line, and its name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) mark: Mark,
    /// The pattern of the line that the mark lies on; `None` for a mark alone.
    pub(crate) dash: Option<Dash>,
}

/// A legend: entries, then explanations of what all of them have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Legend {
    pub(crate) entries: Vec<Entry>,
    pub(crate) keys: Vec<String>,
}

impl Legend {
    /// Distance from the left edge to the labels.
    fn labels(&self) -> f64 {
        let has_lines = self.entries.iter().any(|entry| entry.dash.is_some());
        MARGIN + GAP + if has_lines { HALF_LINE * 2.0 - 6.0 } else { 0.0 }
    }

    fn lines(&self) -> Vec<(Option<&Entry>, f64, String)> {
        let mut lines = Vec::new();
        for entry in &self.entries {
            for (index, line) in font::wrapped(&entry.mark.label, FONT, WIDEST).into_iter().enumerate() {
                lines.push((Some(entry).filter(|_| index == 0), self.labels(), line));
            }
        }
        if !self.entries.is_empty() && !self.keys.is_empty() {
            lines.push((None, 0.0, String::new()));
        }
        let room = WIDEST.min(self.width_of_labels().max(LEAST));
        for key in &self.keys {
            lines.extend(font::wrapped(key, FONT, room).into_iter().map(|line| (None, MARGIN - 6.0, line)));
        }
        lines
    }

    fn width_of_labels(&self) -> f64 {
        let lines = self.entries.iter().flat_map(|entry| font::wrapped(&entry.mark.label, FONT, WIDEST));
        lines.map(|line| font::width(&line, FONT)).fold(0.0, f64::max)
    }

    /// Width in points, 0 if there is nothing to explain.
    pub(crate) fn width(&self) -> f64 {
        let ends = self.lines().into_iter().map(|(_, x, line)| x + font::width(&line, FONT) + MARGIN);
        ends.fold(0.0, f64::max)
    }

    /// Height in points.
    pub(crate) fn height(&self) -> f64 {
        LINE * self.lines().len() as f64
    }

    /// Draws the legend with its upper left corner at `place`.
    pub(crate) fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, place: (f64, f64)) -> Drawn<DB> {
        for (index, (entry, x, line)) in self.lines().into_iter().enumerate() {
            let y = place.1 + LINE * (index as f64 + 0.5);
            if let Some(entry) = entry {
                let mut centre = (place.0 + MARGIN, y);
                if let Some(dash) = entry.dash {
                    centre.0 += HALF_LINE - 6.0;
                    let ends = [(centre.0 - HALF_LINE, y), (centre.0 + HALF_LINE, y)];
                    dash.draw(brush, &ends, entry.mark.colour)?;
                }
                entry.mark.fill(brush, centre)?;
            }
            brush.text(&line, (FONT, INK), (place.0 + x, y), HPos::Left)?;
        }
        Ok(())
    }
}
