//! Intervals in figures.

use bunch_statistics::Interval;

use crate::ReportError;

/// Fails if an end of the interval of `place` is not finite, or the upper is below the lower.
pub(crate) fn check_interval(interval: Option<Interval>, place: impl Fn() -> String) -> Result<(), ReportError> {
    let Some(Interval { low, high }) = interval else { return Ok(()) };
    for (field, got) in [("low", low), ("high", high)] {
        if !got.is_finite() {
            return Err(ReportError::NotFinite { place: place(), field: field.into(), got });
        }
    }
    if high < low {
        let field = "width of an interval".into();
        return Err(ReportError::Negative { place: place(), field, got: high - low });
    }
    Ok(())
}

/// The lowest and highest number that is drawn of a value with its interval.
pub(crate) fn ends(value: f64, interval: Option<Interval>) -> [f64; 2] {
    interval.map_or([value; 2], |Interval { low, high }| [low.min(value), high.max(value)])
}
