//! Shapes and colours that tell methods apart, on screen, in print and without colour vision.

use plotters::style::RGBColor;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

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

/// The colours of Okabe and Ito (jfly.uni-koeln.de/color), told apart by every common form of colour vision; yellow, too
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
