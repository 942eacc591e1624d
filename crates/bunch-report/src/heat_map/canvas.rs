//! Drawing a heat map.

use super::HeatMap;
use super::scale::{Scale, colour_at, luminance};
use crate::layout::fixed;
use crate::picture::{Brush, Drawn, INK, Picture};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

// Sizes in points of the SVG.
const MARGIN: f64 = 16.0;
const TITLE_FONT: f64 = 18.0;
const TITLE_HEIGHT: f64 = 44.0;
const LABEL_FONT: f64 = 13.0;
const CELL_FONT: f64 = 11.0;
/// Width of a cell: at least, and at most with its number in it.
const CELL_WIDTH: [f64; 2] = [26.0, 72.0];
const CELL_HEIGHT: f64 = 22.0;
/// Height of a cell where there are more rows than [`MANY_ROWS`], as much as a number needs.
const LOW_CELL_HEIGHT: f64 = 16.0;
const MANY_ROWS: usize = 40;
/// Room on both sides of a number in its cell.
const CELL_PADDING: f64 = 4.0;
/// Distance from the cells to labels and colour bar.
const GAP: f64 = 8.0;
const BAR_GAP: f64 = 26.0;
const BAR_WIDTH: f64 = 18.0;
/// A bar along a few rows would have no room for its ticks.
const LEAST_BAR: f64 = 150.0;
/// Height of the steps in which the bar is painted.
const BAR_STEP: f64 = 1.0;
const TICK: f64 = 5.0;
/// Distance of the lines of a hatched cell.
const HATCH: f64 = 6.0;
/// Widths in font sizes: of a digit, of what else is in a number, and of what labels are made of, on average.
const DIGIT_WIDTH: f64 = 0.64;
const SIGN_WIDTH: f64 = 0.36;
const LETTER_WIDTH: f64 = 0.58;
const GREY: RGBColor = RGBColor(0xee, 0xee, 0xee);
const HATCH_GREY: RGBColor = RGBColor(0xa0, 0xa0, 0xa0);

/// Where everything stands.
struct Layout {
    scale: Scale,
    /// The upper left corner of the cells.
    left: f64,
    top: f64,
    /// Width and height of a cell.
    cell: (f64, f64),
    /// Whether the numbers stand in the cells.
    has_numbers: bool,
    /// Whether the columns' labels read upwards.
    has_upright_labels: bool,
    /// Lower end of the columns' labels.
    labels_end: f64,
    /// Upper and lower end of the bar.
    bar: (f64, f64),
    /// Width of the ticks' labels.
    tick_width: f64,
}

/// Width of a label, about.
fn label_width(label: &str, font: f64) -> f64 {
    label.chars().count() as f64 * font * LETTER_WIDTH
}

/// Width of a number.
fn number_width(number: &str, font: f64) -> f64 {
    let width = |c: char| if c.is_ascii_digit() { DIGIT_WIDTH } else { SIGN_WIDTH };
    number.chars().map(width).sum::<f64>() * font
}

fn widest(widths: impl Iterator<Item = f64>) -> f64 {
    widths.fold(0.0, f64::max)
}

impl HeatMap {
    fn layout(&self) -> Layout {
        let values = self.values.iter().flatten().flatten().copied();
        let scale = self.range.map_or_else(|| Scale::around(values), Scale::new);
        let numbers = self.values.iter().flatten().flatten().map(|&value| fixed(value, scale.cell_decimals()));
        let number = widest(numbers.map(|number| number_width(&number, CELL_FONT))) + 2.0 * CELL_PADDING;
        let has_numbers = number <= CELL_WIDTH[1];
        let width = if has_numbers { number.max(CELL_WIDTH[0]) } else { CELL_WIDTH[0] };
        let height = if self.rows.len() > MANY_ROWS { LOW_CELL_HEIGHT } else { CELL_HEIGHT };
        let column_label = widest(self.columns.iter().map(|label| label_width(label, LABEL_FONT)));
        let has_upright_labels = column_label + GAP > width;
        let left = MARGIN + widest(self.rows.iter().map(|label| label_width(label, LABEL_FONT))) + GAP;
        let top = TITLE_HEIGHT;
        let bottom = top + height * self.rows.len() as f64;
        let ticks = scale.ticks().into_iter().map(|tick| fixed(tick, scale.tick_decimals()));
        Layout {
            left,
            top,
            cell: (width, height),
            has_numbers,
            has_upright_labels,
            labels_end: bottom + GAP + if has_upright_labels { column_label } else { LABEL_FONT },
            bar: (top, bottom.max(top + LEAST_BAR)),
            tick_width: widest(ticks.map(|tick| number_width(&tick, LABEL_FONT))),
            scale,
        }
    }

    fn draw_cells<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, layout: &Layout) -> Drawn<DB> {
        let (width, height) = layout.cell;
        for (row, values) in self.values.iter().enumerate() {
            for (column, value) in values.iter().enumerate() {
                let (x, y) = (layout.left + width * column as f64, layout.top + height * row as f64);
                let centre = (x + width / 2.0, y + height / 2.0);
                let Some(value) = *value else {
                    draw_hatched(brush, (x, y), layout.cell)?;
                    continue;
                };
                let colour = layout.scale.colour(value);
                brush.rectangle((x, y), (x + width, y + height), colour)?;
                if layout.has_numbers {
                    // The contrast to white and to black is equal at a luminance of about 0.18.
                    let ink = if luminance(colour) < 0.18 { WHITE } else { BLACK };
                    brush.text(&fixed(value, layout.scale.cell_decimals()), (CELL_FONT, ink), centre, HPos::Center)?;
                }
            }
        }
        // Thin white lines separate neighbours of the same colour.
        let (right, bottom) = layout.end_of_cells(self);
        for row in 1..self.rows.len() {
            let y = layout.top + height * row as f64;
            brush.line((layout.left, y), (right, y), 0.5, WHITE)?;
        }
        for column in 1..self.columns.len() {
            let x = layout.left + width * column as f64;
            brush.line((x, layout.top), (x, bottom), 0.5, WHITE)?;
        }
        Ok(())
    }

    fn draw_labels<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, layout: &Layout) -> Drawn<DB> {
        let (width, height) = layout.cell;
        for (row, label) in self.rows.iter().enumerate() {
            let y = layout.top + height * (row as f64 + 0.5);
            brush.text(label, (LABEL_FONT, INK), (layout.left - GAP, y), HPos::Right)?;
        }
        let (_, bottom) = layout.end_of_cells(self);
        for (column, label) in self.columns.iter().enumerate() {
            let x = layout.left + width * (column as f64 + 0.5);
            if layout.has_upright_labels {
                brush.upright_text(label, (LABEL_FONT, INK), (x, bottom + GAP), HPos::Right)?;
            } else {
                brush.text(label, (LABEL_FONT, INK), (x, bottom + GAP + LABEL_FONT / 2.0), HPos::Center)?;
            }
        }
        Ok(())
    }

    fn draw_bar<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, layout: &Layout) -> Drawn<DB> {
        let (top, bottom) = layout.bar;
        let left = layout.end_of_cells(self).0 + BAR_GAP;
        let right = left + BAR_WIDTH;
        let steps = ((bottom - top) / BAR_STEP).round();
        for step in 0..steps as usize {
            let y = top + step as f64 * BAR_STEP;
            let colour = colour_at(1.0 - (step as f64 + 0.5) / steps);
            // Down to the end, where the next steps cover it: viewers that smooth edges show seams between neighbours.
            brush.rectangle((left, y), (right, bottom), colour)?;
        }
        for tick in layout.scale.ticks() {
            let y = bottom - layout.scale.share(tick) * (bottom - top);
            brush.line((right, y), (right + TICK, y), 1.0, INK)?;
            let text = fixed(tick, layout.scale.tick_decimals());
            brush.text(&text, (LABEL_FONT, INK), (right + TICK + 4.0 + layout.tick_width, y), HPos::Right)?;
        }
        let x = right + TICK + 4.0 + layout.tick_width + GAP + LABEL_FONT / 2.0;
        brush.upright_text(&self.legend, (LABEL_FONT, INK), (x, (top + bottom) / 2.0), HPos::Center)
    }
}

impl Layout {
    /// The lower right corner of the cells.
    fn end_of_cells(&self, map: &HeatMap) -> (f64, f64) {
        (self.left + self.cell.0 * map.columns.len() as f64, self.top + self.cell.1 * map.rows.len() as f64)
    }
}

impl Picture for HeatMap {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (u32, u32) {
        let layout = self.layout();
        let bar = BAR_GAP + BAR_WIDTH + TICK + 4.0 + layout.tick_width + GAP + LABEL_FONT;
        let width = layout.end_of_cells(self).0 + bar + MARGIN;
        let height = layout.labels_end.max(layout.bar.1 + LABEL_FONT / 2.0) + MARGIN;
        (width.ceil() as u32, height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        let layout = self.layout();
        // A long title over few columns is set smaller, so that it ends inside the picture.
        let room = f64::from(self.size().0) - 2.0 * MARGIN;
        let font = TITLE_FONT.min(room / label_width(&self.title, 1.0));
        brush.text(&self.title, (font, INK), (MARGIN, TITLE_HEIGHT / 2.0), HPos::Left)?;
        self.draw_cells(brush, &layout)?;
        self.draw_labels(brush, &layout)?;
        self.draw_bar(brush, &layout)
    }
}

/// A cell without a number: grey lines that rise to the right.
fn draw_hatched<DB: DrawingBackend>(brush: &Brush<'_, DB>, (x, y): (f64, f64), cell: (f64, f64)) -> Drawn<DB> {
    let (width, height) = cell;
    brush.rectangle((x, y), (x + width, y + height), GREY)?;
    // Lines along which the distances from the left and the upper edge have the same sum.
    for line in 1..((width + height) / HATCH).ceil() as usize {
        let sum = line as f64 * HATCH;
        let from = (x + (sum - height).max(0.0), y + sum.min(height));
        let to = (x + sum.min(width), y + (sum - width).max(0.0));
        brush.line(from, to, 0.8, HATCH_GREY)?;
    }
    Ok(())
}
