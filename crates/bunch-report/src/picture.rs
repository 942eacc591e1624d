//! Something drawn in points, as SVG and as PNG.

use crate::ReportError;
use crate::font::{self, Face};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Display;

/// Units a point in the SVG, whose coordinates plotters writes as whole numbers.
const SVG_UNITS: u32 = 10;
/// Samples a pixel and direction: plotters does not smooth polygons, so the PNG is drawn larger and averaged.
const SAMPLES: usize = 2;
/// How much lower, in font sizes, the bitmap's text must be set for its small letters to be centred as the SVG's are.
const BITMAP_DROP: f64 = 0.14;

/// Colour of text and axes.
pub(crate) const INK: RGBColor = RGBColor(0x26, 0x26, 0x26);
/// Colour of lines that help the eye.
pub(crate) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// Pixels a point in a PNG, for print and dense screens.
pub(crate) const PIXELS: usize = 2;

/// The result of drawing.
pub(crate) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something that can be drawn; sizes and places are in points, from the upper left corner.
pub(crate) trait Picture {
    /// What errors name.
    fn title(&self) -> &str;

    /// Width and height.
    fn size(&self) -> (u32, u32);

    /// Draws everything on a white ground.
    fn draw<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Drawn<DB>;

    /// The picture as SVG; text stays text, in DejaVu Sans or the viewer's sans-serif.
    fn to_svg(&self) -> Result<String, ReportError> {
        let mut text = String::new();
        let (width, height) = self.size();
        let units = (width * SVG_UNITS, height * SVG_UNITS);
        {
            let area = SVGBackend::with_string(&mut text, units).into_drawing_area();
            self.draw_on(&Brush { area: &area, scale: f64::from(SVG_UNITS), drop: 0.0 })?;
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

    /// The picture as PNG with that many pixels a point.
    fn to_png(&self, pixels: usize) -> Result<Vec<u8>, ReportError> {
        let (width, height) = self.size();
        let (width, height) = (width as usize * pixels, height as usize * pixels);
        let mut drawn = vec![0; 3 * width * SAMPLES * height * SAMPLES];
        {
            let size = ((width * SAMPLES) as u32, (height * SAMPLES) as u32);
            let area = BitMapBackend::with_buffer(&mut drawn, size).into_drawing_area();
            self.draw_on(&Brush { area: &area, scale: (pixels * SAMPLES) as f64, drop: BITMAP_DROP })?;
            area.present().map_err(|error| self.failed(error))?;
        }
        // plotters encodes a PNG only into a file.
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

    /// Draws with the built-in typeface.
    fn draw_on<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>) -> Result<(), ReportError> {
        if !font::register() {
            return Err(self.failed("the built-in typeface is unreadable"));
        }
        brush.area.fill(&WHITE).map_err(|error| self.failed(error))?;
        self.draw(brush).map_err(|error| self.failed(error))
    }

    /// The error that drawing failed.
    fn failed(&self, error: impl Display) -> ReportError {
        ReportError::Drawing { title: self.title().to_owned(), message: error.to_string() }
    }
}

/// The public functions of a picture that is checked before it is drawn.
macro_rules! pictures {
    ($picture:ty) => {
        impl $picture {
            /// The picture as SVG; text stays text, in DejaVu Sans or the viewer's sans-serif.
            ///
            /// # Errors
            /// A field is not as documented, or the drawing library fails.
            pub fn svg(&self) -> Result<String, ReportError> {
                self.check()?;
                self.to_svg()
            }

            /// The picture as PNG.
            ///
            /// # Errors
            /// Those of [`Self::svg`]; the temporary file that encoding needs cannot be used.
            pub fn png(&self) -> Result<Vec<u8>, ReportError> {
                self.check()?;
                self.to_png(PIXELS)
            }
        }
    };
}
pub(crate) use pictures;

/// Draws in points on an area of any resolution.
pub(crate) struct Brush<'a, DB: DrawingBackend> {
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

    /// A line of that width.
    pub(crate) fn line(&self, from: (f64, f64), to: (f64, f64), width: f64, colour: impl Color) -> Drawn<DB> {
        self.path(&[from, to], width, colour)
    }

    /// A line of that width through all `points`.
    pub(crate) fn path(&self, points: &[(f64, f64)], width: f64, colour: impl Color) -> Drawn<DB> {
        let style = colour.stroke_width((width * self.scale).round().max(1.0) as u32);
        let points: Vec<(i32, i32)> = points.iter().map(|&point| self.pixel(point)).collect();
        self.area.draw(&PathElement::new(points, style))
    }

    /// A filled polygon.
    pub(crate) fn polygon(&self, corners: impl IntoIterator<Item = (f64, f64)>, colour: impl Color) -> Drawn<DB> {
        let corners: Vec<(i32, i32)> = corners.into_iter().map(|corner| self.pixel(corner)).collect();
        self.area.draw(&Polygon::new(corners, colour.filled()))
    }

    /// A filled rectangle from its upper left to its lower right corner.
    pub(crate) fn rectangle(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Drawn<DB> {
        self.area.draw(&Rectangle::new([self.pixel(from), self.pixel(to)], colour.filled()))
    }

    /// Text whose small letters are centred on the height of `place`, which is at its left end, middle or right end.
    pub(crate) fn text(&self, text: &str, font: (f64, RGBColor), place: (f64, f64), end: HPos) -> Drawn<DB> {
        self.text_in(Face::Sans, text, font, place, end)
    }

    /// Text in a typeface, at `place` as that of [`Brush::text`].
    pub(crate) fn text_in(
        &self,
        face: Face,
        text: &str,
        (size, colour): (f64, RGBColor),
        place: (f64, f64),
        end: HPos,
    ) -> Drawn<DB> {
        let style = (face.family(), size * self.scale).into_font().color(&colour).pos(Pos::new(end, VPos::Center));
        self.area.draw_text(text, &style, self.pixel((place.0, place.1 + self.drop * size)))
    }

    /// Text that reads upwards, at `place` with its lower end, middle or upper end (`Left`, `Center`, `Right`).
    pub(crate) fn upright_text(&self, text: &str, font: (f64, RGBColor), place: (f64, f64), end: HPos) -> Drawn<DB> {
        let (size, colour) = font;
        let font = (Face::Sans.family(), size * self.scale).into_font().transform(FontTransform::Rotate270);
        let style = font.color(&colour).pos(Pos::new(end, VPos::Center));
        self.area.draw_text(text, &style, self.pixel((place.0 + self.drop * size, place.1)))
    }
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
