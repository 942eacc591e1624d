//! Drawing a page of text.

use super::{Paragraph, TextPage};
use crate::font::{Face, wrapped};
use crate::picture::{Brush, Drawn, INK, Picture};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

// Sizes in points of the SVG.
const MARGIN: f64 = 18.0;
pub(super) const WIDTH: f64 = 700.0;
const TITLE_FONT: f64 = 20.0;
const TITLE_LINE: f64 = 27.0;
const HEADING_FONT: f64 = 17.0;
const HEADING_LINE: f64 = 24.0;
const PROSE_FONT: f64 = 15.0;
const PROSE_LINE: f64 = 20.0;
const LABEL_FONT: f64 = 13.0;
const QUOTATION_FONT: f64 = 14.0;
const QUOTATION_LINE: f64 = 19.0;
/// Room above a heading, and between paragraphs.
const ABOVE_HEADING: f64 = 14.0;
const BETWEEN: f64 = 7.0;
/// Room around quotations on their ground, and between labels and quotations.
const PADDING: f64 = 9.0;
/// Width at which labels are broken.
const WIDEST_LABEL: f64 = 200.0;
const GROUND: RGBColor = RGBColor(0xf3, 0xf4, 0xf6);
/// The bar at the left of a ground, and the line under the title.
const RULE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const FAINT: RGBColor = RGBColor(0x59, 0x59, 0x59);

/// A piece of the page at its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// A ground from its upper to its lower edge.
    Ground { top: f64, bottom: f64 },
    /// A line of text: face, size and colour, left end and middle of the height.
    Line { face: Face, size: f64, colour: RGBColor, text: String, place: (f64, f64) },
}

/// The pieces of a page from above, and where it ends.
pub(super) struct Layout {
    pub(super) pieces: Vec<Piece>,
    pub(super) bottom: f64,
}

impl Layout {
    /// Lines of one height, from the current end of the page.
    fn lines(&mut self, lines: Vec<String>, (face, size, colour): (Face, f64, RGBColor), line: f64, left: f64) {
        for text in lines {
            let place = (left, self.bottom + line / 2.0);
            self.pieces.push(Piece::Line { face, size, colour, text, place });
            self.bottom += line;
        }
    }

    /// Quotations on one ground, their labels next to them.
    fn quotations(&mut self, quotations: &[(&str, &str)], labels: f64) {
        let top = self.bottom;
        let ground = self.pieces.len();
        self.pieces.push(Piece::Ground { top, bottom: top });
        self.bottom += PADDING * 0.8;
        let left = MARGIN + PADDING + labels + PADDING;
        let mut before = "";
        for &(label, text) in quotations {
            if label != before && !before.is_empty() {
                // What begins as the first one did begins another round of the same.
                self.bottom += if label == quotations[0].0 { PADDING * 1.5 } else { PADDING / 3.0 };
            }
            let start = self.bottom;
            if label != before {
                let lines = wrapped(label, LABEL_FONT, WIDEST_LABEL);
                let look = (Face::Sans, LABEL_FONT, FAINT);
                self.lines(lines, look, QUOTATION_LINE, MARGIN + PADDING);
            }
            let labelled = std::mem::replace(&mut self.bottom, start);
            let room = WIDTH - MARGIN - PADDING - left;
            for line in text.split('\n') {
                let lines = Face::Mono.wrapped(line, QUOTATION_FONT, room);
                self.lines(lines, (Face::Mono, QUOTATION_FONT, INK), QUOTATION_LINE, left);
            }
            self.bottom = self.bottom.max(labelled);
            before = label;
        }
        self.bottom += PADDING * 0.8;
        self.pieces[ground] = Piece::Ground { top, bottom: self.bottom };
        self.bottom += BETWEEN;
    }
}

impl TextPage {
    pub(super) fn layout(&self) -> Layout {
        let mut layout = Layout { pieces: Vec::new(), bottom: MARGIN };
        let room = WIDTH - 2.0 * MARGIN;
        let title = wrapped(&self.title, TITLE_FONT, room);
        layout.lines(title, (Face::Sans, TITLE_FONT, INK), TITLE_LINE, MARGIN);
        let paragraphs = self.sections.iter().flat_map(|section| &section.paragraphs);
        let labels = paragraphs.filter_map(|paragraph| match paragraph {
            Paragraph::Quotation { label, .. } => Some(label),
            Paragraph::Prose(_) => None,
        });
        let labels = labels.flat_map(|label| wrapped(label, LABEL_FONT, WIDEST_LABEL));
        let labels = labels.map(|line| Face::Sans.width(&line, LABEL_FONT)).fold(0.0, f64::max);
        for section in &self.sections {
            layout.bottom += ABOVE_HEADING;
            let heading = wrapped(&section.heading, HEADING_FONT, room);
            layout.lines(heading, (Face::Sans, HEADING_FONT, RULE), HEADING_LINE, MARGIN);
            let mut quotations: Vec<(&str, &str)> = Vec::new();
            for paragraph in &section.paragraphs {
                match paragraph {
                    Paragraph::Quotation { label, text } => quotations.push((label, text)),
                    Paragraph::Prose(text) => {
                        if !quotations.is_empty() {
                            layout.quotations(&std::mem::take(&mut quotations), labels);
                        }
                        layout.lines(
                            wrapped(text, PROSE_FONT, room),
                            (Face::Sans, PROSE_FONT, INK),
                            PROSE_LINE,
                            MARGIN,
                        );
                        layout.bottom += BETWEEN;
                    }
                }
            }
            if !quotations.is_empty() {
                layout.quotations(&quotations, labels);
            }
        }
        layout
    }
}

impl Picture for TextPage {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (self.layout().bottom + MARGIN - BETWEEN).ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        for piece in self.layout().pieces {
            match piece {
                Piece::Ground { top, bottom } => {
                    brush.rectangle((MARGIN, top), (WIDTH - MARGIN, bottom), GROUND)?;
                    brush.rectangle((MARGIN, top), (MARGIN + 2.5, bottom), RULE)?;
                }
                Piece::Line { face, size, colour, text, place } => {
                    brush.text_in(face, &text, (size, colour), place, HPos::Left)?;
                }
            }
        }
        Ok(())
    }
}
