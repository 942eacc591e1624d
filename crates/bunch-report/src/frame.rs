//! The frame of a panel: its axes, with ticks, grid and labels.

use crate::axis::Axis;
use crate::font;
use crate::picture::{Brush, Drawn, GRID, INK, Picture};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Room around a picture.
pub(crate) const MARGIN: f64 = 14.0;
const TITLE_FONT: f64 = 20.0;
pub(crate) const PANEL_FONT: f64 = 17.0;
pub(crate) const LABEL_FONT: f64 = 16.0;
pub(crate) const TICK_FONT: f64 = 14.0;
pub(crate) const TICK: f64 = 5.0;
/// Distance of a label from what it belongs to.
pub(crate) const GAP: f64 = 4.0;
/// Room above a frame for its title.
pub(crate) const ABOVE: f64 = 34.0;
/// Room below a frame for ticks and label.
pub(crate) const BELOW: f64 = 58.0;
/// Room to the right of a frame, for half of the last tick's label.
pub(crate) const BESIDE: f64 = 18.0;

/// A panel's place and its two axes.
pub(crate) struct Frame<'a> {
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
}

/// Room to the left of a frame for the ticks and the label of its vertical axis.
pub(crate) fn room_for(y: &Axis) -> f64 {
    let ticks = y.labelled_ticks().map(|(_, label)| font::width(&label, TICK_FONT)).fold(0.0, f64::max);
    TICK + 2.0 * GAP + ticks + 1.5 * LABEL_FONT
}

/// Draws a picture's title from `left` on in the topmost `height`; a long one is set smaller, so that it ends inside the
/// picture.
pub(crate) fn draw_title<DB: DrawingBackend>(
    picture: &impl Picture,
    brush: &Brush<'_, DB>,
    left: f64,
    height: f64,
) -> Drawn<DB> {
    let font = font::fitting(picture.title(), TITLE_FONT, f64::from(picture.size().0) - left - MARGIN);
    brush.text(picture.title(), (font, INK), (left, height / 2.0), HPos::Left)
}

impl Frame<'_> {
    pub(crate) fn across(&self, x: f64) -> f64 {
        self.left + self.x.share(x) * (self.right - self.left)
    }

    pub(crate) fn up(&self, y: f64) -> f64 {
        self.bottom - self.y.share(y) * (self.bottom - self.top)
    }

    /// Where a point of both axes is drawn.
    pub(crate) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.across(x), self.up(y))
    }

    /// Draws grid, axes, their labels and the panel's title.
    pub(crate) fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, title: &str) -> Drawn<DB> {
        let Self { left, right, top, bottom, .. } = *self;
        let width = right - left;
        let size = font::fitting(title, PANEL_FONT, width + BESIDE);
        brush.text(title, (size, INK), (left, top - ABOVE / 2.0), HPos::Left)?;
        for (value, label) in self.x.labelled_ticks() {
            let x = self.across(value);
            brush.line((x, top), (x, bottom), 1.0, GRID)?;
            brush.line((x, bottom), (x, bottom + TICK), 1.0, INK)?;
            brush.text(&label, (TICK_FONT, INK), (x, bottom + TICK + TICK_FONT * 0.7), HPos::Center)?;
        }
        for (value, label) in self.y.labelled_ticks() {
            let y = self.up(value);
            brush.line((left, y), (right, y), 1.0, GRID)?;
            brush.line((left - TICK, y), (left, y), 1.0, INK)?;
            brush.text(&label, (TICK_FONT, INK), (left - TICK - GAP, y), HPos::Right)?;
        }
        brush.line((left, bottom), (right, bottom), 1.0, INK)?;
        brush.line((left, top), (left, bottom), 1.0, INK)?;
        let size = font::fitting(&self.x.label, LABEL_FONT, width + BESIDE);
        let below = bottom + BELOW - LABEL_FONT;
        brush.text(&self.x.label, (size, INK), ((left + right) / 2.0, below), HPos::Center)?;
        let size = font::fitting(&self.y.label, LABEL_FONT, bottom - top + ABOVE);
        let beside = left - room_for(self.y) + LABEL_FONT * 0.7;
        brush.upright_text(&self.y.label, (size, INK), (beside, (top + bottom) / 2.0), HPos::Center)
    }
}
