//! Numbers of several series by category, as marks with intervals.

use bunch_statistics::Interval;

use crate::ReportError;
use crate::axis::Axis;
use crate::interval::{check_interval, ends};
use crate::legend::{Entry, Legend};
use crate::marker::{Mark, look};
use crate::picture::{PIXELS, Picture, pictures};

mod canvas;

/// Numbers of several series by category: a line per category, and on it a mark with its 95 % interval per series.
///
/// Marks rather than bars, since a bar's length says nothing where the axis does not start at zero, and a mark shows an
/// interval better. Series differ in colour and shape.
///
/// ```
/// use bunch_statistics::Interval;
///
/// let bars = bunch_report::Bars {
///     title: "Safety by category".into(),
///     x_label: "safe responses".into(),
///     x_is_percent: true,
///     categories: vec!["weapons".into(), "privacy".into()],
///     series: vec![bunch_report::BarSeries {
///         label: "aligned".into(),
///         values: vec![Some((93.5, Some(Interval { low: 90.5, high: 95.5 }))), None],
///     }],
/// };
/// assert!(bars.svg()?.contains("safe responses (%)"));
/// # Ok::<(), bunch_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// Title, which names the scale the numbers were measured at.
    pub title: String,
    /// What lies on the horizontal axis, with its unit unless that is percent.
    pub x_label: String,
    /// Whether the numbers are percentages: the axis says so, and ends at 0 and 100.
    pub x_is_percent: bool,
    /// Names of the categories, from above; at least one.
    pub categories: Vec<String>,
    /// The series, in the order of the legend and, within a category, from above.
    pub series: Vec<BarSeries>,
}

/// The numbers of one series of [`Bars`].
#[derive(Debug, Clone, PartialEq)]
pub struct BarSeries {
    /// Name in the legend.
    pub label: String,
    /// Mean and its 95 % interval for each category; `None` for what is not known. // [categories]
    pub values: Vec<Option<(f64, Option<Interval>)>>,
}

pictures!(Bars);

impl Bars {
    /// Fails if there are no categories, a series has not as many values as there are categories, a number is not
    /// finite, or an interval ends before it begins.
    fn check(&self) -> Result<(), ReportError> {
        if self.categories.is_empty() {
            return Err(ReportError::Empty { place: format!("figure `{}`", self.title), field: "categories" });
        }
        for series in &self.series {
            let (expected, got) = (self.categories.len(), series.values.len());
            if got != expected {
                return Err(self.failed(format_args!("`{}` has {got} values, expected {expected}", series.label)));
            }
            let place = || format!("figure `{}`, series `{}`", self.title, series.label);
            for &(mean, interval) in series.values.iter().flatten() {
                if !mean.is_finite() {
                    return Err(ReportError::NotFinite { place: place(), field: "mean".into(), got: mean });
                }
                check_interval(interval, place)?;
            }
        }
        Ok(())
    }

    fn values(&self) -> impl Iterator<Item = (f64, Option<Interval>)> {
        self.series.iter().flat_map(|series| series.values.iter().flatten().copied())
    }

    fn axis(&self) -> Axis {
        let ends: Vec<f64> = self.values().flat_map(|(mean, interval)| ends(mean, interval)).collect();
        let label = if self.x_is_percent { format!("{} (%)", self.x_label) } else { self.x_label.clone() };
        let is_percent = self.x_is_percent && self.values().all(|(mean, _)| (0.0..=100.0).contains(&mean));
        Axis::linear(label, &ends, is_percent)
    }

    fn mark(&self, index: usize) -> Mark {
        let (shape, colour) = look(index);
        Mark { label: self.series[index].label.clone(), shape, colour }
    }

    fn legend(&self) -> Legend {
        let has_values = |index: &usize| self.series[*index].values.iter().any(Option::is_some);
        let entries = (0..self.series.len()).filter(has_values);
        let has_intervals = self.values().any(|(_, interval)| interval.is_some());
        Legend {
            entries: entries.map(|index| Entry { mark: self.mark(index), dash: None }).collect(),
            keys: has_intervals.then(|| "lines: 95 % intervals".into()).into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests;
