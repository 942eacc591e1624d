//! Drawing boxes and arrows.

use super::plan::{
    BAR, Content, HEAD_FONT, HEAD_LINE, LABEL_FONT, LABEL_LINE, LINE, LINE_FONT, Line, MARGIN, NOTE_FONT, NOTE_LINE,
    PADDING, Rectangle, Stroke, TITLE_FONT, TITLE_LINE,
};
use super::{Diagram, Tone};
use crate::marker::PALETTE;
use crate::picture::{Brush, Drawn, GRID, INK, Picture};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

const OUTLINE: f64 = 1.6;
const ARROW_WIDTH: f64 = 1.6;
/// Length of an arrow's head, and half its width.
const HEAD: (f64, f64) = (10.0, 4.6);
/// Colour of arrows.
const ARROW: RGBColor = RGBColor(0x55, 0x55, 0x55);
/// How much of a tone's colour is in the ground of a head.
const TINT: f64 = 0.2;

impl Tone {
    fn colour(self) -> RGBColor {
        match self {
            Tone::Plain => RGBColor(0x77, 0x77, 0x77),
            Tone::Warm => PALETTE[2],
            Tone::Cool => PALETTE[1],
            Tone::Fresh => PALETTE[3],
        }
    }

    /// A light shade of the colour, for text to stand on.
    fn tint(self) -> RGBColor {
        let RGBColor(red, green, blue) = self.colour();
        let [red, green, blue] =
            [red, green, blue].map(|part| (255.0 - TINT * (255.0 - f64::from(part))).round() as u8);
        RGBColor(red, green, blue)
    }
}

fn draw_box<DB: DrawingBackend>(brush: &Brush<'_, DB>, place: &Rectangle, content: &Content, tone: Tone) -> Drawn<DB> {
    let Rectangle { left, top, right, bottom } = *place;
    let head = top + content.head_height();
    // Rectangles in rectangles rather than a path, whose corners would not all look alike.
    brush.rectangle((left, top), (right, bottom), tone.colour())?;
    let inner = [(left + OUTLINE, top + OUTLINE), (right - OUTLINE, bottom - OUTLINE)];
    brush.rectangle(inner[0], inner[1], WHITE)?;
    brush.rectangle(inner[0], (inner[1].0, head.min(inner[1].1)), tone.tint())?;
    for (index, line) in content.head.iter().enumerate() {
        let y = top + 0.4 * PADDING + HEAD_LINE * (index as f64 + 0.5);
        brush.text(line, (HEAD_FONT, INK), (left + PADDING, y), HPos::Left)?;
    }
    let mut y = head + PADDING / 2.0;
    for line in &content.lines {
        let middle = y + LINE / 2.0;
        match line {
            Line::Text(text) => brush.text(text, (LINE_FONT, INK), (left + PADDING, middle), HPos::Left)?,
            Line::Value { label, value, share } => {
                brush.text(label, (LINE_FONT, INK), (left + PADDING, middle), HPos::Left)?;
                brush.text(value, (LINE_FONT, INK), (right - PADDING, middle), HPos::Right)?;
                if let Some(share) = share {
                    let (from, to) = (left + PADDING, right - PADDING);
                    let end = from + share * (to - from);
                    brush.rectangle((from, y + LINE), (to, y + LINE + BAR), GRID)?;
                    brush.rectangle((from, y + LINE), (end, y + LINE + BAR), tone.colour())?;
                }
            }
        }
        y += line.height();
    }
    Ok(())
}

fn draw_arrow<DB: DrawingBackend>(brush: &Brush<'_, DB>, stroke: &Stroke) -> Drawn<DB> {
    let Stroke { from, to, .. } = *stroke;
    let length = (to.0 - from.0).hypot(to.1 - from.1).max(f64::MIN_POSITIVE);
    let (x, y) = ((to.0 - from.0) / length, (to.1 - from.1) / length);
    let (head, half) = HEAD;
    let neck = (to.0 - head * x, to.1 - head * y);
    brush.line(from, if stroke.has_head { neck } else { to }, ARROW_WIDTH, ARROW)?;
    if stroke.has_head {
        brush.polygon([to, (neck.0 - half * y, neck.1 + half * x), (neck.0 + half * y, neck.1 - half * x)], ARROW)?;
    }
    if !stroke.label.is_empty() {
        let Rectangle { left, top, right, bottom } = stroke.ground;
        brush.rectangle((left, top), (right, bottom), WHITE)?;
    }
    for (index, line) in stroke.label.iter().enumerate() {
        let place = (stroke.ground.middle().0, stroke.ground.top + LABEL_LINE * (index as f64 + 0.5));
        brush.text(line, (LABEL_FONT, INK), place, HPos::Center)?;
    }
    Ok(())
}

impl Picture for Diagram {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let plan = self.plan();
        (plan.width.ceil() as u32, plan.height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        let plan = self.plan();
        for (index, line) in plan.title.iter().enumerate() {
            let y = MARGIN + TITLE_LINE * (index as f64 + 0.5);
            brush.text(line, (TITLE_FONT, INK), (MARGIN, y), HPos::Left)?;
        }
        for stroke in &plan.arrows {
            draw_arrow(brush, stroke)?;
        }
        for ((place, content), each) in plan.boxes.iter().zip(&self.boxes) {
            draw_box(brush, place, content, each.tone)?;
        }
        for (index, line) in plan.notes.iter().enumerate() {
            let y = plan.notes_top + NOTE_LINE * (index as f64 + 0.5);
            brush.text(line, (NOTE_FONT, INK), (MARGIN, y), HPos::Left)?;
        }
        Ok(())
    }
}
