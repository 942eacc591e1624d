//! One quantity along another, a line per series.

use bunch_statistics::Interval;

use crate::ReportError;
use crate::axis::Axis;
use crate::dash::Dash;
use crate::interval::{check_interval, ends};
use crate::legend::{Entry, Legend};
use crate::marker::{Mark, look};
use crate::picture::{PIXELS, Picture, pictures};

mod canvas;

/// Most points of a series that are all marked; of more, only the last is.
const MOST_MARKS: usize = 40;

/// Lines in panels, in rows of at most three.
///
/// Series have one look throughout, by their label: a colour that every common form of colour vision distinguishes, a mark,
/// and, where there are too many points for marks and no series is dashed on purpose, a pattern of the line. What a paper
/// has is drawn as open marks.
///
/// ```
/// use bunch_report::{CurvePanel, CurvePoint, CurveSeries, Curves};
/// use bunch_statistics::Interval;
///
/// let points = [(1.0, 50.0), (2.0, 71.5)].map(|(x, y)| CurvePoint { x, y, interval: Some(Interval { low: y - 2.5, high: y + 1.5 }) });
/// let series =
///     CurveSeries { label: "TIES".into(), points: points.to_vec(), published: vec![(1.0, 52.0)], dashed: false };
/// let panel = CurvePanel {
///     title: "7B".into(),
///     x_label: "merged models".into(),
///     y_label: "alignment".into(),
///     y_is_percent: true,
///     series: vec![series],
/// };
/// let curves = Curves { title: "Alignment by number of models".into(), panels: vec![panel], log_x: false };
/// assert!(curves.svg()?.contains("alignment (%)"));
/// # Ok::<(), bunch_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Title, which names the scale the points were measured at.
    pub title: String,
    /// Panels, row by row; at least one.
    pub panels: Vec<CurvePanel>,
    /// Whether equal ratios are equal distances on the horizontal axes.
    pub log_x: bool,
}

/// One part of [`Curves`], with axes of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePanel {
    /// Title; empty for none.
    pub title: String,
    /// What lies on the horizontal axis, with its unit.
    pub x_label: String,
    /// What lies on the vertical axis, with its unit unless that is percent.
    pub y_label: String,
    /// Whether the vertical axis has percentages: it says so, and ends at 0 and 100.
    pub y_is_percent: bool,
    /// The lines.
    pub series: Vec<CurveSeries>,
}

/// A line of a [`CurvePanel`].
#[derive(Debug, Clone, PartialEq)]
pub struct CurveSeries {
    /// Name, which decides the look and stands in the legend once.
    pub label: String,
    /// Points measured here, in the order of the line.
    pub points: Vec<CurvePoint>,
    /// `(x, y)` of a paper's values.
    pub published: Vec<(f64, f64)>,
    /// Whether the line is dashed; for what is of another kind, such as a reference.
    pub dashed: bool,
}

/// A point of a [`CurveSeries`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Place on the horizontal axis.
    pub x: f64,
    /// Place on the vertical axis.
    pub y: f64,
    /// The 95 % interval of `y`; `None` if it is not known.
    pub interval: Option<Interval>,
}

pictures!(Curves);

impl Curves {
    /// Fails if there is no panel, a number is not finite, an interval ends before it begins, or an `x` of a logarithmic axis is
    /// not above 0.
    fn check(&self) -> Result<(), ReportError> {
        if self.panels.is_empty() {
            return Err(ReportError::Empty { place: format!("figure `{}`", self.title), field: "panels" });
        }
        for panel in &self.panels {
            for series in &panel.series {
                let place = || format!("figure `{}`, panel `{}`, series `{}`", self.title, panel.title, series.label);
                let ours = series.points.iter().map(|point| (point.x, point.y, point.interval));
                let paper = series.published.iter().map(|&(x, y)| (x, y, None));
                for (x, y, interval) in ours.chain(paper) {
                    for (field, got) in [("x", x), ("y", y)] {
                        if !got.is_finite() {
                            return Err(ReportError::NotFinite { place: place(), field: field.into(), got });
                        }
                    }
                    check_interval(interval, place)?;
                    if self.log_x && x <= 0.0 {
                        return Err(self.failed(format_args!("{x} of `{}` is on a logarithmic axis", series.label)));
                    }
                }
            }
        }
        Ok(())
    }

    fn series(&self) -> impl Iterator<Item = &CurveSeries> {
        self.panels.iter().flat_map(|panel| &panel.series)
    }

    /// The look of every series that has points, in the order of first appearance.
    fn looks(&self) -> Vec<Entry> {
        let mut labels: Vec<&str> = Vec::new();
        let mut looks: Vec<Entry> = Vec::new();
        let shown = || self.series().filter(|series| !series.points.is_empty() || !series.published.is_empty());
        let has_dashes = shown().any(|series| series.dashed);
        for series in shown() {
            let index = labels.iter().position(|label| *label == series.label).unwrap_or_else(|| {
                labels.push(&series.label);
                labels.len() - 1
            });
            // A series has one pattern, so the longest one of a label decides.
            let same = shown().filter(|other| other.label == series.label);
            let is_long = same.map(|other| other.points.len()).max() > Some(MOST_MARKS);
            let dash = match series.dashed {
                true => Dash::Dashed,
                false if is_long && !has_dashes => Dash::ALL[index % Dash::ALL.len()],
                false => Dash::Solid,
            };
            let (shape, colour) = look(index);
            let entry = Entry { mark: Mark { label: series.label.clone(), shape, colour }, dash: Some(dash) };
            if !looks.contains(&entry) {
                looks.push(entry);
            }
        }
        looks
    }

    fn legend(&self) -> Legend {
        let mut keys = Vec::new();
        for (key, is_long) in [("bars: 95 % intervals", false), ("bands: 95 % intervals", true)] {
            let mut series = self.series().filter(|series| (series.points.len() > MOST_MARKS) == is_long);
            if series.any(|series| series.points.iter().any(|point| point.interval.is_some())) {
                keys.push(key.to_string());
            }
        }
        if self.series().any(|series| !series.published.is_empty()) {
            keys.push("open: the paper".into());
        }
        Legend { entries: self.looks(), keys }
    }
}

impl CurvePanel {
    fn axes(&self, is_logarithmic: bool) -> (Axis, Axis) {
        let ours = || self.series.iter().flat_map(|series| &series.points);
        let paper = || self.series.iter().flat_map(|series| &series.published);
        let xs: Vec<f64> = ours().map(|point| point.x).chain(paper().map(|point| point.0)).collect();
        let bars = ours().flat_map(|point| ends(point.y, point.interval));
        let ys: Vec<f64> = bars.chain(paper().map(|point| point.1)).collect();
        let x = match is_logarithmic {
            true => Axis::logarithmic(self.x_label.clone(), &xs),
            false => Axis::tight(self.x_label.clone(), &xs),
        };
        let y_label = if self.y_is_percent { format!("{} (%)", self.y_label) } else { self.y_label.clone() };
        // Intervals may reach beyond what a percentage can be; that points do means that they are none.
        let paper = paper().map(|point| point.1);
        let is_percent =
            self.y_is_percent && ours().map(|point| point.y).chain(paper).all(|y| (0.0..=100.0).contains(&y));
        (x, Axis::linear(y_label, &ys, is_percent))
    }
}

#[cfg(test)]
mod tests;
