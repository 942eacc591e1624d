//! Drawing a figure, as SVG and as PNG.

use super::{Axis, Figure, Mark, Panel, Point};
use crate::layout::rounded;
use crate::{Estimate, ReportError, font};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;

// Sizes in points of the SVG.
const PANEL_WIDTH: f64 = 440.0;
const PANEL_HEIGHT: f64 = 420.0;
const TITLE_HEIGHT: f64 = 40.0;
/// Room between a panel's outer edges and its axes: left, right, top, bottom.
const FRAME: [f64; 4] = [66.0, 18.0, 34.0, 58.0];
const LEGEND_LINE: f64 = 22.0;
const LEGEND_MARGIN: f64 = 18.0;
/// Distance from the centre of a legend's mark to its label.
const LEGEND_GAP: f64 = 14.0;
/// Radius of a mark.
const MARK: f64 = 5.5;
const TICK: f64 = 5.0;
const TITLE_FONT: f64 = 20.0;
const PANEL_FONT: f64 = 17.0;
const LABEL_FONT: f64 = 16.0;
const TICK_FONT: f64 = 14.0;
const INK: RGBColor = RGBColor(0x26, 0x26, 0x26);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// Units a point in the SVG, whose coordinates plotters writes as whole numbers.
const SVG_UNITS: u32 = 10;
/// Pixels a point in the PNG, for print and dense screens.
const PIXELS: usize = 2;
/// Samples a pixel and direction: plotters does not smooth polygons, so the PNG is drawn larger and averaged.
const SAMPLES: usize = 2;
/// How much lower, in font sizes, the bitmap's text must be set for its small letters to be centred as the SVG's are.
const BITMAP_DROP: f64 = 0.14;

type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Draws in points on an area of any resolution.
struct Brush<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    /// Pixels of the area a point.
    scale: f64,
    /// Correction of the text's height, in font sizes.
    drop: f64,
}

impl<DB: DrawingBackend> Brush<'_, DB> {
    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }

    fn line(&self, from: (f64, f64), to: (f64, f64), width: f64, colour: RGBAColor) -> Drawn<DB> {
        let style = colour.stroke_width((width * self.scale).round().max(1.0) as u32);
        self.area.draw(&PathElement::new([self.pixel(from), self.pixel(to)], style))
    }

    fn polygon(&self, corners: impl Iterator<Item = (f64, f64)>, colour: RGBColor) -> Drawn<DB> {
        let corners: Vec<(i32, i32)> = corners.map(|corner| self.pixel(corner)).collect();
        self.area.draw(&Polygon::new(corners, colour.filled()))
    }

    /// Text whose small letters are centred on the height of `place`, which is at its left end, middle or right end.
    fn text(&self, text: &str, size: f64, place: (f64, f64), end: HPos) -> Drawn<DB> {
        let style = (font::FAMILY, size * self.scale).into_font().color(&INK).pos(Pos::new(end, VPos::Center));
        self.area.draw_text(text, &style, self.pixel((place.0, place.1 + self.drop * size)))
    }

    /// Text centred at `place` that reads upwards.
    fn upright_text(&self, text: &str, size: f64, place: (f64, f64)) -> Drawn<DB> {
        let font = (font::FAMILY, size * self.scale).into_font().transform(FontTransform::Rotate270);
        let style = font.color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
        self.area.draw_text(text, &style, self.pixel((place.0 + self.drop * size, place.1)))
    }
}

impl Figure {
    /// The figure as SVG; text stays text, in DejaVu Sans or the viewer's sans-serif.
    ///
    /// # Errors
    /// If the drawing library fails.
    pub fn svg(&self) -> Result<String, ReportError> {
        let mut text = String::new();
        let (width, height) = self.size();
        let units = (width * SVG_UNITS, height * SVG_UNITS);
        {
            let area = SVGBackend::with_string(&mut text, units).into_drawing_area();
            self.draw(&Brush { area: &area, scale: f64::from(SVG_UNITS), drop: 0.0 })?;
            area.present().map_err(|error| self.failed(error))?;
        }
        // The view box keeps the fine units; the picture itself is as large as its points say.
        let drawn = format!("<svg width=\"{}\" height=\"{}\"", units.0, units.1);
        if !text.starts_with(&drawn) {
            return Err(self.failed(format_args!("the SVG does not start with {drawn}")));
        }
        text.replace_range(..drawn.len(), &format!("<svg width=\"{width}\" height=\"{height}\""));
        Ok(text)
    }

    /// The figure as PNG.
    ///
    /// # Errors
    /// If the drawing library fails, or the temporary file that it needs for encoding cannot be used.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        self.png_of(PIXELS)
    }

    /// The figure as PNG with that many pixels a point.
    pub(super) fn png_of(&self, pixels: usize) -> Result<Vec<u8>, ReportError> {
        let (width, height) = self.size();
        let (width, height) = (width as usize * pixels, height as usize * pixels);
        let mut drawn = vec![0; 3 * width * SAMPLES * height * SAMPLES];
        {
            let size = ((width * SAMPLES) as u32, (height * SAMPLES) as u32);
            let area = BitMapBackend::with_buffer(&mut drawn, size).into_drawing_area();
            self.draw(&Brush { area: &area, scale: (pixels * SAMPLES) as f64, drop: BITMAP_DROP })?;
            area.present().map_err(|error| self.failed(error))?;
        }
        let directory = tempfile::tempdir().map_err(|error| self.failed(error))?;
        let path = directory.path().join("figure.png");
        {
            let size = (width as u32, height as u32);
            let averaged = BitMapElement::with_owned_buffer((0, 0), size, averaged(&drawn, width, height));
            let averaged = averaged.ok_or_else(|| self.failed("the averaged image has the wrong size"))?;
            let area = BitMapBackend::new(&path, size).into_drawing_area();
            area.draw(&averaged).map_err(|error| self.failed(error))?;
            area.present().map_err(|error| self.failed(error))?;
        }
        std::fs::read(&path).map_err(|source| ReportError::Read { path, source })
    }

    fn failed(&self, error: impl Display) -> ReportError {
        ReportError::Drawing { title: self.title.clone(), message: error.to_string() }
    }

    /// Lines of the legend: the methods, then what filled and open marks are.
    fn keys(&self) -> Vec<String> {
        let ours = if self.has_bars { "filled: ours, mean and 95 % interval over seeds" } else { "filled: ours" };
        let keys = [(self.has_ours, ours), (self.has_paper, "open: the paper")];
        keys.into_iter().filter(|(shown, _)| *shown).flat_map(|(_, text)| wrapped(text)).collect()
    }

    fn legend_width(&self) -> f64 {
        let lines = self.legend.iter().map(|mark| mark.label.clone()).chain(self.keys());
        let longest = lines.map(|line| line.chars().count()).max().unwrap_or(0);
        // Half the font size a character is what labels of mostly small letters take, and a little more.
        2.0 * LEGEND_MARGIN + LEGEND_GAP + 0.5 * LABEL_FONT * longest as f64
    }

    /// Width and height in points.
    fn size(&self) -> (u32, u32) {
        let legend = LEGEND_LINE * (self.legend.len() + self.keys().len() + 3) as f64;
        let width = PANEL_WIDTH * self.panels.len() as f64 + self.legend_width();
        (width.ceil() as u32, (TITLE_HEIGHT + legend.max(PANEL_HEIGHT)).ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Result<(), ReportError> {
        if !font::register() {
            return Err(self.failed("the built-in typeface is unreadable"));
        }
        self.draw_parts(brush).map_err(|error| self.failed(error))
    }

    fn draw_parts<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB> {
        brush.area.fill(&WHITE)?;
        // A long title over few panels is set smaller, so that it ends inside the canvas.
        let room = f64::from(self.size().0) - FRAME[0] - LEGEND_MARGIN;
        let font = TITLE_FONT.min(room / (0.54 * self.title.chars().count().max(1) as f64));
        brush.text(&self.title, font, (FRAME[0], TITLE_HEIGHT / 2.0), HPos::Left)?;
        for (index, panel) in self.panels.iter().enumerate() {
            panel.draw(brush, PANEL_WIDTH * index as f64)?;
        }
        let x = PANEL_WIDTH * self.panels.len() as f64 + LEGEND_MARGIN;
        let mut y = TITLE_HEIGHT + FRAME[2] + LEGEND_LINE / 2.0;
        for mark in &self.legend {
            mark.fill(brush, (x, y))?;
            brush.text(&mark.label, LABEL_FONT, (x + LEGEND_GAP, y), HPos::Left)?;
            y += LEGEND_LINE;
        }
        y += LEGEND_LINE / 2.0;
        for key in self.keys() {
            brush.text(&key, LABEL_FONT, (x - MARK, y), HPos::Left)?;
            y += LEGEND_LINE;
        }
        Ok(())
    }
}

impl Axis {
    /// Where `value` lies between the ends of the axis, from 0 to 1 for values on it.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

impl Panel {
    /// Draws the panel with its left edge at `offset`.
    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, offset: f64) -> Drawn<DB> {
        let (left, right) = (offset + FRAME[0], offset + PANEL_WIDTH - FRAME[1]);
        let (top, bottom) = (TITLE_HEIGHT + FRAME[2], TITLE_HEIGHT + PANEL_HEIGHT - FRAME[3]);
        let across = |x: f64| left + self.x.share(x) * (right - left);
        let up = |y: f64| bottom - self.y.share(y) * (bottom - top);
        brush.text(&self.title, PANEL_FONT, (left, TITLE_HEIGHT + FRAME[2] / 2.0), HPos::Left)?;
        for &value in &self.x.ticks {
            let x = across(value);
            brush.line((x, top), (x, bottom), 1.0, GRID.into())?;
            brush.line((x, bottom), (x, bottom + TICK), 1.0, INK.into())?;
            brush.text(&rounded(value), TICK_FONT, (x, bottom + TICK + TICK_FONT * 0.7), HPos::Center)?;
        }
        for &value in &self.y.ticks {
            let y = up(value);
            brush.line((left, y), (right, y), 1.0, GRID.into())?;
            brush.line((left - TICK, y), (left, y), 1.0, INK.into())?;
            brush.text(&rounded(value), TICK_FONT, (left - TICK - 4.0, y), HPos::Right)?;
        }
        brush.line((left, bottom), (right, bottom), 1.0, INK.into())?;
        brush.line((left, top), (left, bottom), 1.0, INK.into())?;
        let below = TITLE_HEIGHT + PANEL_HEIGHT - LABEL_FONT;
        brush.text(&self.x.label, LABEL_FONT, ((left + right) / 2.0, below), HPos::Center)?;
        brush.upright_text(&self.y.label, LABEL_FONT, (offset + LABEL_FONT, (top + bottom) / 2.0))?;
        // Bars below marks, and the paper's below ours, so that nothing measured here is hidden.
        for point in &self.points {
            for [from, to] in self.bars(point) {
                let ends = [from, to].map(|(x, y)| (across(x), up(y)));
                brush.line(ends[0], ends[1], 1.4, point.mark.colour.mix(0.45))?;
            }
        }
        for point in &self.points {
            if let Some((x, y)) = point.paper {
                point.mark.outline(brush, (across(x), up(y)))?;
            }
        }
        for point in &self.points {
            if let Some((x, y)) = point.ours {
                point.mark.fill(brush, (across(x.mean), up(y.mean)))?;
            }
        }
        Ok(())
    }

    /// The error bars of a point, cut off at the axes' ends.
    fn bars(&self, point: &Point) -> Vec<[(f64, f64); 2]> {
        let Some((x, y)) = point.ours else { return Vec::new() };
        let ends = |estimate: &Estimate| estimate.half_width.map(|half| [estimate.mean - half, estimate.mean + half]);
        let across = ends(&x).map(|ends| ends.map(|end| (end.clamp(self.x.low, self.x.high), y.mean)));
        let along = ends(&y).map(|ends| ends.map(|end| (x.mean, end.clamp(self.y.low, self.y.high))));
        across.into_iter().chain(along).collect()
    }
}

impl Mark {
    fn corners(&self, radius: f64, centre: (f64, f64)) -> Vec<(f64, f64)> {
        self.shape.corners(radius).into_iter().map(|(x, y)| (centre.0 + x, centre.1 + y)).collect()
    }

    /// The filled mark, with a thin white rim that keeps marks that overlap apart.
    fn fill<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, centre: (f64, f64)) -> Drawn<DB> {
        brush.polygon(self.corners(MARK + 0.9, centre).into_iter(), WHITE)?;
        brush.polygon(self.corners(MARK, centre).into_iter(), self.colour)
    }

    /// The open mark, as a ring: out and around, in and back, so that what lies inside shows through.
    fn outline<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, centre: (f64, f64)) -> Drawn<DB> {
        let closed = |radius| {
            let corners = self.corners(radius, centre);
            let first = corners[0];
            corners.into_iter().chain([first])
        };
        let inner: Vec<(f64, f64)> = closed(MARK * 0.62).collect();
        brush.polygon(closed(MARK).chain(inner.into_iter().rev()), self.colour)
    }
}

/// `text` in lines of at most about 24 characters, broken at blanks.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.len() - 1;
        if lines[line].is_empty() {
            lines[line] = word.into();
        } else if lines[line].chars().count() + word.chars().count() < 24 {
            lines[line] += &format!(" {word}");
        } else {
            lines.push(word.into());
        }
    }
    lines
}

/// Every pixel of the result is the mean of its [`SAMPLES`] by [`SAMPLES`] in `drawn`. // [height, width, 3]
fn averaged(drawn: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut sums = vec![0_u16; 3 * width * height];
    for (y, row) in drawn.chunks_exact(3 * width * SAMPLES).enumerate() {
        let sums = &mut sums[3 * width * (y / SAMPLES)..][..3 * width];
        for (sums, samples) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * SAMPLES)) {
            for (channel, &sample) in samples.iter().enumerate() {
                sums[channel % 3] += u16::from(sample);
            }
        }
    }
    sums.into_iter().map(|sum| (sum / (SAMPLES * SAMPLES) as u16) as u8).collect()
}
