//! Hypervolume: how much of a plane a set of points dominates.

/// The area between `reference` and the points, for coordinates of which more is better: a point dominates everything
/// below and to the left of it. Points that are not above the reference in both coordinates count for nothing.
pub(crate) fn hypervolume(points: &[[f64; 2]], reference: [f64; 2]) -> f64 {
    let mut points: Vec<[f64; 2]> =
        points.iter().copied().filter(|point| point[0] > reference[0] && point[1] > reference[1]).collect();
    // From the right: each point adds the strip above what those to its right reach.
    points.sort_by(|a, b| b[0].total_cmp(&a[0]).then(b[1].total_cmp(&a[1])));
    let (mut area, mut top) = (0.0, reference[1]);
    for [x, y] in points {
        if y > top {
            area += (x - reference[0]) * (y - top);
            top = y;
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use super::hypervolume;

    #[test]
    fn strips_are_added_once() {
        assert_eq!(hypervolume(&[], [0.0, 0.0]), 0.0);
        assert_eq!(hypervolume(&[[2.0, 3.0]], [0.0, 0.0]), 6.0);
        // A staircase: 3 x 1 and 1 x 2 above it.
        assert_eq!(hypervolume(&[[1.0, 3.0], [3.0, 1.0]], [0.0, 0.0]), 5.0);
        // Dominated points, copies and those below the reference add nothing.
        let more = [[1.0, 3.0], [3.0, 1.0], [1.0, 1.0], [3.0, 1.0], [-1.0, 9.0]];
        assert_eq!(hypervolume(&more, [0.0, 0.0]), 5.0);
        assert_eq!(hypervolume(&[[2.0, 3.0]], [1.0, 1.0]), 2.0);
    }
}
