//! Shapes and colours that distinguish methods, on screen, in print and without colour vision.

use crate::picture::{Brush, Drawn};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Radius of a mark in points.
pub(crate) const MARK: f64 = 5.5;

/// A mark in a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A disc.
    Circle,
    /// A square on its side.
    Square,
    /// A triangle pointing up.
    TriangleUp,
    /// A square on its corner.
    Diamond,
    /// A triangle pointing down.
    TriangleDown,
    /// A hexagon.
    Hexagon,
    /// A five-pointed star.
    Star,
}

impl Shape {
    /// All shapes, in the order they are given out.
    pub(crate) const ALL: [Self; 7] =
        [Self::Circle, Self::Square, Self::TriangleUp, Self::Diamond, Self::TriangleDown, Self::Hexagon, Self::Star];

    /// Corners around (0, 0), in pixels with y downwards; shapes of one `size` look equally large.
    pub(crate) fn corners(self, size: f64) -> Vec<(f64, f64)> {
        // Radius factor and angle of the first corner (clockwise from the right), then the number of corners.
        let (radius, start, count) = match self {
            Self::Circle => (0.95, 0.0, 48),
            Self::Square => (1.2, PI / 4.0, 4),
            Self::TriangleUp => (1.3, -PI / 2.0, 3),
            Self::Diamond => (1.3, 0.0, 4),
            Self::TriangleDown => (1.3, PI / 2.0, 3),
            Self::Hexagon => (1.1, 0.0, 6),
            Self::Star => (1.45, -PI / 2.0, 10),
        };
        let corner = |index: usize| {
            let inner = if self == Self::Star && index % 2 == 1 { 0.5 } else { 1.0 };
            let angle = start + 2.0 * PI * index as f64 / count as f64;
            (radius * inner * size * angle.cos(), radius * inner * size * angle.sin())
        };
        (0..count).map(corner).collect()
    }
}

/// The colours of Okabe and Ito (jfly.uni-koeln.de/color), distinguishable with every common form of colour vision; yellow, too
/// light for open marks on white, comes last.
pub(crate) const PALETTE: [RGBColor; 8] = [
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xf0, 0xe4, 0x42),
];

/// Shape and colour of the series at a place in the legend; the first twelve and more differ in both together.
pub(crate) fn look(index: usize) -> (Shape, RGBColor) {
    // Without yellow, which a thin line on white does not show.
    let colours = &PALETTE[..PALETTE.len() - 1];
    // Sevens of both: the second round of colours has its shapes moved on by three.
    let shape = (index + 3 * (index / colours.len())) % Shape::ALL.len();
    (Shape::ALL[shape], colours[index % colours.len()])
}

/// How a method or a series looks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) label: String,
    pub(crate) shape: Shape,
    pub(crate) colour: RGBColor,
}

impl Mark {
    fn corners(&self, radius: f64, centre: (f64, f64)) -> Vec<(f64, f64)> {
        self.shape.corners(radius).into_iter().map(|(x, y)| (centre.0 + x, centre.1 + y)).collect()
    }

    /// Draws the mark filled, with a thin white rim that keeps marks that overlap apart.
    pub(crate) fn fill<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, centre: (f64, f64)) -> Drawn<DB> {
        brush.polygon(self.corners(MARK + 0.9, centre), WHITE)?;
        brush.polygon(self.corners(MARK, centre), self.colour)
    }

    /// Draws the mark open, as a ring: out and around, in and back, so that what lies inside shows through.
    pub(crate) fn outline<DB: DrawingBackend>(&self, brush: &Brush<'_, DB>, centre: (f64, f64)) -> Drawn<DB> {
        let closed = |radius| {
            let corners = self.corners(radius, centre);
            let first = corners[0];
            corners.into_iter().chain([first])
        };
        let inner: Vec<(f64, f64)> = closed(MARK * 0.62).collect();
        brush.polygon(closed(MARK).chain(inner.into_iter().rev()), self.colour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_surround_the_centre() {
        for shape in Shape::ALL {
            let corners = shape.corners(10.0);
            let n = corners.len() as f64;
            let (x, y) = corners.iter().fold((0.0, 0.0), |(x, y), corner| (x + corner.0 / n, y + corner.1 / n));
            assert!(x.abs() < 1e-9 && y.abs() < 1e-9, "{shape:?}");
        }
        let up = Shape::TriangleUp.corners(10.0);
        assert!(up[0].1 < up[1].1, "y points down");
    }
}
