//! Lines that differ without colour.

use crate::picture::{Brush, Drawn};
use plotters::prelude::*;

/// Width of a line in points.
const WIDTH: f64 = 2.0;

/// The pattern of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dash {
    Solid,
    Dashed,
    Dotted,
    /// A dot between dashes.
    OneDot,
    LongDashed,
    /// Two dots between dashes.
    TwoDots,
}

impl Dash {
    /// All patterns, in the order they are given out.
    pub(crate) const ALL: [Self; 6] =
        [Self::Solid, Self::Dashed, Self::Dotted, Self::OneDot, Self::LongDashed, Self::TwoDots];

    /// Lengths in points, drawn and left out in turn; empty for no gaps.
    fn lengths(self) -> &'static [f64] {
        match self {
            Self::Solid => &[],
            Self::Dashed => &[7.0, 4.0],
            Self::Dotted => &[2.0, 3.0],
            Self::OneDot => &[8.0, 3.0, 2.0, 3.0],
            Self::LongDashed => &[14.0, 4.0],
            Self::TwoDots => &[8.0, 3.0, 2.0, 3.0, 2.0, 3.0],
        }
    }

    /// The pieces of a line through `points` that are drawn.
    fn pieces(self, points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
        let lengths = self.lengths();
        if lengths.is_empty() {
            return vec![points.to_vec()];
        }
        let mut pieces = Vec::new();
        let mut piece: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
        let (mut turn, mut left) = (0, lengths[0]);
        for pair in points.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let mut done = 0.0;
            while length - done > left {
                done += left;
                let share = done / length;
                let here = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
                // An even turn draws; its end closes a piece, and that of a gap begins one.
                if turn % 2 == 0 {
                    piece.push(here);
                    pieces.push(std::mem::take(&mut piece));
                } else {
                    piece = vec![here];
                }
                turn = (turn + 1) % lengths.len();
                left = lengths[turn];
            }
            left -= length - done;
            if turn % 2 == 0 {
                piece.push(to);
            }
        }
        pieces.extend(Some(piece).filter(|piece| piece.len() > 1));
        pieces
    }

    /// Draws a line through `points`.
    pub(crate) fn draw<DB: DrawingBackend>(
        self,
        brush: &Brush<'_, DB>,
        points: &[(f64, f64)],
        colour: RGBColor,
    ) -> Drawn<DB> {
        self.pieces(points)
            .iter()
            .filter(|piece| piece.len() > 1)
            .try_for_each(|piece| brush.path(piece, WIDTH, colour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn length(piece: &[(f64, f64)]) -> f64 {
        piece.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum()
    }

    #[test]
    fn pieces_go_around_corners() {
        let corner = [(0.0, 0.0), (5.0, 0.0), (5.0, 20.0)];
        assert_eq!(Dash::Solid.pieces(&corner), [corner]);
        let pieces = Dash::Dashed.pieces(&corner);
        assert_eq!(pieces[0], [(0.0, 0.0), (5.0, 0.0), (5.0, 2.0)]);
        assert_eq!(pieces[1..], [vec![(5.0, 6.0), (5.0, 13.0)], vec![(5.0, 17.0), (5.0, 20.0)]]);
        assert!(Dash::Dashed.pieces(&[]).is_empty() && Dash::Dashed.pieces(&[(1.0, 1.0)]).is_empty());
    }

    proptest! {
        #[test]
        fn pieces_are_no_longer_than_the_pattern_says(
            points in prop::collection::vec((0.0..300.0_f64, 0.0..300.0_f64), 2..20), pattern in 1..Dash::ALL.len(),
        ) {
            let dash = Dash::ALL[pattern];
            let longest = dash.lengths().iter().copied().fold(0.0, f64::max);
            let pieces = dash.pieces(&points);
            prop_assert!(pieces.iter().all(|piece| length(piece) <= longest + 1e-9));
            prop_assert!(pieces.iter().map(|piece| length(piece)).sum::<f64>() <= length(&points) + 1e-6);
        }
    }
}
