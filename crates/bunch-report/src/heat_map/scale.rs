//! From numbers to colours.

use crate::axis::round_step;
use plotters::style::RGBColor;

/// The colours of viridis (matplotlib, CC0) at 0, 0.1, ..., 1: even steps of lightness for every form of colour vision.
const VIRIDIS: [RGBColor; 11] = [
    RGBColor(0x44, 0x01, 0x54),
    RGBColor(0x48, 0x25, 0x76),
    RGBColor(0x41, 0x44, 0x87),
    RGBColor(0x35, 0x60, 0x8d),
    RGBColor(0x2a, 0x78, 0x8e),
    RGBColor(0x21, 0x90, 0x8c),
    RGBColor(0x22, 0xa8, 0x84),
    RGBColor(0x43, 0xbf, 0x71),
    RGBColor(0x7a, 0xd1, 0x51),
    RGBColor(0xbb, 0xdf, 0x27),
    RGBColor(0xfd, 0xe7, 0x25),
];

/// Steps between ticks that an axis has at most.
const MOST_STEPS: f64 = 6.0;

/// Colours between two numbers, with the round numbers between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Distance of the ticks.
    step: f64,
}

impl Scale {
    /// A scale from `low` to `high`, which is larger.
    pub(super) fn new([low, high]: [f64; 2]) -> Self {
        Self { low, high, step: round_step((high - low) / MOST_STEPS) }
    }

    /// A scale that holds all `values`, from one round number to another.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)));
        if low > high {
            return Self::new([0.0, 1.0]);
        }
        // Equal values still need some width, and one in which the numbers' digits suffice.
        let least = low.abs().max(high.abs()).max(1e-300) * 1e-9;
        let (low, high) = if high - low < least {
            let half = if low == 0.0 { 0.5 } else { 0.05 * low.abs() };
            (low - half, high + half)
        } else {
            (low, high)
        };
        // Rounding to less than the ticks' distance wastes fewer colours on numbers that do not occur.
        let grain = round_step((high - low) / MOST_STEPS) / 2.0;
        let outwards = |value: f64, round: fn(f64) -> f64| {
            let nearest = (value / grain).round();
            // A number that is round up to its last bits stays.
            if (value / grain - nearest).abs() < 1e-6 { nearest * grain } else { round(value / grain) * grain }
        };
        Self::new([outwards(low, f64::floor), outwards(high, f64::ceil)])
    }

    /// Where `value` lies between the ends: 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The colour of `value`.
    pub(super) fn colour(&self, value: f64) -> RGBColor {
        colour_at(self.share(value))
    }

    /// The round numbers from end to end.
    pub(super) fn ticks(&self) -> Vec<f64> {
        // With a tolerance for ends that are round numbers up to their last bits.
        let first = (self.low / self.step - 1e-6).ceil() as i64;
        let last = (self.high / self.step + 1e-6).floor() as i64;
        (first..=last).map(|tick| tick as f64 * self.step).collect()
    }

    /// Digits after the point with which the ticks differ.
    pub(super) fn tick_decimals(&self) -> usize {
        decimals(self.step)
    }

    /// Digits after the point with which about a hundred numbers of the scale differ.
    pub(super) fn cell_decimals(&self) -> usize {
        decimals((self.high - self.low) / 100.0)
    }
}

/// The colour at a share from 0 to 1 of the scale.
pub(crate) fn colour_at(share: f64) -> RGBColor {
    let place = share * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    let (from, to, part) = (VIRIDIS[below], VIRIDIS[below + 1], place - below as f64);
    let mix = |from: u8, to: u8| (f64::from(from) + part * (f64::from(to) - f64::from(from))).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// The relative luminance of a colour, 0 to 1 (WCAG 2.2).
pub(crate) fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// Digits after the point of a number that is as small as `step`.
fn decimals(step: f64) -> usize {
    // 1e-15 is beyond what an f64 near 1 can resolve.
    (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 15.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_hold_their_values_between_round_numbers() {
        let scale = Scale::around([0.9123, 0.9987].into_iter());
        assert!((scale.low - 0.91).abs() < 1e-12 && (scale.high - 1.0).abs() < 1e-12, "{scale:?}");
        let ticks: Vec<String> = scale.ticks().iter().map(|tick| format!("{tick:.2}")).collect();
        assert_eq!(ticks, ["0.92", "0.94", "0.96", "0.98", "1.00"]);
        assert_eq!((scale.tick_decimals(), scale.cell_decimals()), (2, 4));
        assert_eq!(Scale::around([].into_iter()), Scale::new([0.0, 1.0]));
        for equal in [0.0, 1.0, -3.0, 1e-30] {
            let scale = Scale::around([equal, equal].into_iter());
            assert!(scale.low < equal && equal < scale.high, "{scale:?}");
        }
        let scale = Scale::around([-1.0, 1.0].into_iter());
        assert_eq!((scale.low, scale.high, scale.ticks()), (-1.0, 1.0, vec![-1.0, -0.5, 0.0, 0.5, 1.0]));
    }

    #[test]
    fn colours_are_those_of_the_table_and_get_lighter() {
        let scale = Scale::new([10.0, 20.0]);
        assert_eq!([scale.colour(10.0), scale.colour(15.0), scale.colour(20.0)], [VIRIDIS[0], VIRIDIS[5], VIRIDIS[10]]);
        assert_eq!([scale.colour(-1.0), scale.colour(99.0)], [VIRIDIS[0], VIRIDIS[10]]);
        let shares = (0..=100).map(|percent| luminance(colour_at(f64::from(percent) / 100.0)));
        let shares: Vec<f64> = shares.collect();
        assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]), "{shares:?}");
        assert_eq!((luminance(RGBColor(0, 0, 0)), luminance(RGBColor(255, 255, 255))), (0.0, 1.0));
    }
}
