//! An axis of a figure: its ends and the round numbers between them.

use crate::layout::rounded;

/// Steps between ticks that an axis has at most, about.
const MOST_STEPS: f64 = 8.0;

/// One axis, with its lowest and highest value and the round ones marked on it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) ticks: Vec<f64>,
    /// Whether equal distances are equal ratios; all values are above 0 then.
    is_logarithmic: bool,
}

impl Axis {
    /// An axis that holds all `values`, with a margin, from one round number to another.
    ///
    /// The axis of percentages ends at 0 and 100, even if a value, such as the end of an interval, lies beyond; that of
    /// values which are all at least 0 starts there at the earliest.
    pub(crate) fn linear(label: String, values: &[f64], is_percent: bool) -> Self {
        let (low, high) = ends(values).unwrap_or((0.0, 1.0));
        let (low, high) = if is_percent { (low.max(0.0), high.min(100.0)) } else { (low, high) };
        let is_positive = low >= 0.0;
        let margin = 0.06 * (high - low).max(1e-9 + high.abs() * 0.02);
        let step = round_step((high - low + 2.0 * margin) / MOST_STEPS);
        let (low, high) = (((low - margin) / step).floor() * step, ((high + margin) / step).ceil() * step);
        // A mark at 0 or 100 % keeps a little room to its outer side.
        let room = 0.03 * (high - low);
        let low = if is_positive { low.max(-room) } else { low };
        let high = if is_percent { high.min(100.0 + room) } else { high };
        Self { label, low, high, ticks: multiples(step, low, high), is_logarithmic: false }
    }

    /// An axis that ends a little beyond the outermost of `values`, for what changes along it.
    pub(crate) fn tight(label: String, values: &[f64]) -> Self {
        let (low, high) = ends(values).unwrap_or((0.0, 1.0));
        let margin = 0.03 * (high - low).max(1e-9 + high.abs() * 0.02);
        let (low, high) = (low - margin, high + margin);
        let ticks = multiples(round_step((high - low) / MOST_STEPS), low, high);
        Self { label, low, high, ticks, is_logarithmic: false }
    }

    /// A logarithmic axis that holds all `values`, which are above 0, with a margin.
    pub(crate) fn logarithmic(label: String, values: &[f64]) -> Self {
        let (low, high) = ends(values).unwrap_or((1.0, 10.0));
        let (low, high) = (low.log10(), high.log10());
        let margin = 0.04 * (high - low).max(0.5);
        let (low, high) = (low - margin, high + margin);
        // Over few decades there is room for more than their ends.
        let factors: &[f64] = if high - low < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = low.floor() as i32..=high.ceil() as i32;
        let every = ((high - low) / MOST_STEPS).ceil().max(1.0) as i32;
        let ticks = decades.filter(|decade| decade.rem_euclid(every) == 0);
        let ticks = ticks.flat_map(|decade| factors.iter().map(move |factor| factor * 10_f64.powi(decade)));
        let (low, high) = (10_f64.powf(low), 10_f64.powf(high));
        let ticks = ticks.filter(|tick| (low..=high).contains(tick)).collect();
        Self { label, low, high, ticks, is_logarithmic: true }
    }

    /// Where `value` lies between the ends of the axis, from 0 to 1 for values on it.
    pub(crate) fn share(&self, value: f64) -> f64 {
        if self.is_logarithmic {
            (value.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// `value`, or the end of the axis that it lies beyond.
    pub(crate) fn clamped(&self, value: f64) -> f64 {
        // Not `clamp`, which would panic if overflow has made an end of the axis no number.
        value.max(self.low).min(self.high)
    }

    /// The ticks with their labels.
    pub(crate) fn labelled_ticks(&self) -> impl Iterator<Item = (f64, String)> {
        self.ticks.iter().map(|&tick| (tick, tick_label(tick)))
    }
}

fn tick_label(tick: f64) -> String {
    let size = tick.abs();
    // Where six digits after the point, or as many before it, would not do.
    if size > 0.0 && !(1e-5..1e7).contains(&size) { format!("{}", Exponential(tick)) } else { rounded(tick) }
}

/// A number as in `2e-6`, its factor rounded so that the last bit of a product never shows.
struct Exponential(f64);

impl std::fmt::Display for Exponential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.3e}", self.0);
        match text.split_once('e') {
            Some((factor, power)) => write!(f, "{}e{power}", factor.trim_end_matches('0').trim_end_matches('.')),
            None => f.write_str(&text),
        }
    }
}

/// The multiples of `step` from `low` to `high`.
fn multiples(step: f64, low: f64, high: f64) -> Vec<f64> {
    let ticks = (low / step).ceil() as i64..=(high / step).floor() as i64;
    ticks.map(|tick| tick as f64 * step).collect()
}

fn ends(values: &[f64]) -> Option<(f64, f64)> {
    Some((values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?))
}

/// The smallest of 1, 2 and 5 times a power of ten that is at least `step`.
pub(crate) fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    round.into_iter().find(|&round| round >= step * (1.0 - 1e-9)).unwrap_or(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_are_round() {
        assert_eq!([0.3, 1.0, 1.1, 2.5, 7.0].map(round_step), [0.5, 1.0, 2.0, 5.0, 10.0]);
    }

    #[test]
    fn ends_are_round_and_percentages_end_at_100() {
        let y = Axis::linear("y".into(), &[52.0, 58.0, 71.8], true);
        assert_eq!((y.low, y.high, &y.ticks[..]), (50.0, 75.0, &[50.0, 55.0, 60.0, 65.0, 70.0, 75.0][..]));
        let x = Axis::linear("x".into(), &[48.3, 120.0], true);
        assert!(x.low == 40.0 && x.high > 100.0 && x.high < 103.0, "{x:?}");
        assert!(Axis::linear("x".into(), &[48.3, 120.0], false).high >= 120.0);
        let empty = Axis::linear("x".into(), &[], false);
        assert!(empty.high > empty.low);
        assert_eq!(Axis::linear("loss".into(), &[0.1, 5.0], false).ticks[0], 0.0);
        let tight = Axis::tight("step".into(), &[0.0, 300.0]);
        assert_eq!((tight.low, tight.high, tight.ticks.len()), (-9.0, 309.0, 7));
        assert_eq!([x.clamped(120.0), x.clamped(60.0)], [x.high, 60.0]);
    }

    #[test]
    fn logarithmic_axes_have_equal_ratios() {
        let axis = Axis::logarithmic("steps".into(), &[1.0, 100.0]);
        assert_eq!(axis.ticks, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert!((axis.share(10.0) - 0.5).abs() < 1e-12);
        let wide = Axis::logarithmic("steps".into(), &[1e-3, 1e4]);
        assert_eq!(wide.ticks.len(), 8);
        assert!(Axis::logarithmic("steps".into(), &[1e-30, 1e30]).ticks.len() < 12);
        let point = Axis::logarithmic("steps".into(), &[3.0]);
        assert!(point.low < 3.0 && point.high > 3.0);
    }

    #[test]
    fn ticks_are_told_apart() {
        assert_eq!([0.25, 1e-3, 2e-6, 1e7, -3e8].map(tick_label), ["0.25", "0.001", "2e-6", "1e7", "-3e8"]);
    }

    proptest! {
        #[test]
        fn values_lie_within_and_ticks_are_few(values in prop::collection::vec(-1e6..1e6_f64, 1..9)) {
            let axis = Axis::linear("x".into(), &values, false);
            prop_assert!(values.iter().all(|&value| (0.0..=1.0).contains(&axis.share(value))));
            prop_assert!((2..=14).contains(&axis.ticks.len()), "{axis:?}");
            let positive: Vec<f64> = values.iter().map(|value| value.abs() + 1e-6).collect();
            let axis = Axis::logarithmic("x".into(), &positive);
            prop_assert!(positive.iter().all(|&value| (0.0..=1.0).contains(&axis.share(value))));
            prop_assert!(axis.ticks.len() <= 14, "{axis:?}");
        }
    }
}
