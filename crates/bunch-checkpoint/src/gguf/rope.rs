//! Factors of rotary frequencies, as llama.cpp stores them, and the `rope_scaling` that they come from.

use std::f32::consts::PI;

use serde_json::{Value, json};

/// What all published models with `rope_type` llama3 have.
const LOW_FREQ_FACTOR: f32 = 1.0;
const HIGH_FREQ_FACTOR: f32 = 4.0;
const ORIGINAL_CONTEXT: f32 = 8192.0;

/// How far a stored factor may be from the computed one, relatively: they are computed in f32 by different programs.
const TOLERANCE: f32 = 1e-4;

/// The `rope_scaling` that gives `factors`, of which there is one for each two values of a head, for a model whose
/// rotary base is `theta`. `Some(Value::Null)` if nothing is scaled, None if they come from something else.
///
/// Frequencies whose wavelength exceeds the original context are divided by a common factor, which therefore is the
/// largest one; those of short waves stay; the ones between are interpolated. As the other parameters cannot be read
/// off, they are taken to be the usual ones, and the factors are compared with what these give.
pub(super) fn scaling(factors: &[f32], theta: f64) -> Option<Value> {
    if factors.iter().any(|factor| !factor.is_finite()) {
        return None;
    }
    if factors.iter().all(|&factor| factor == 1.0) {
        return Some(Value::Null);
    }
    let factor = factors.iter().copied().fold(1.0, f32::max);
    let fits = expected_factors(factors.len(), theta, factor)
        .zip(factors)
        .all(|(expected, got)| (expected - got).abs() <= TOLERANCE * expected);
    fits.then(|| {
        json!({
            "factor": f64::from(factor),
            "low_freq_factor": f64::from(LOW_FREQ_FACTOR),
            "high_freq_factor": f64::from(HIGH_FREQ_FACTOR),
            "original_max_position_embeddings": ORIGINAL_CONTEXT as u64,
            "rope_type": "llama3",
        })
    })
}

/// What each of `count` frequencies is divided by.
fn expected_factors(count: usize, theta: f64, factor: f32) -> impl Iterator<Item = f32> {
    (0..count).map(move |i| {
        let frequency = 1.0 / (theta as f32).powf(i as f32 / count as f32);
        let wavelength = 2.0 * PI / frequency;
        if wavelength < ORIGINAL_CONTEXT / HIGH_FREQ_FACTOR {
            1.0
        } else if wavelength > ORIGINAL_CONTEXT / LOW_FREQ_FACTOR {
            factor
        } else {
            let smooth = (ORIGINAL_CONTEXT / wavelength - LOW_FREQ_FACTOR) / (HIGH_FREQ_FACTOR - LOW_FREQ_FACTOR);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{expected_factors, scaling};
    use serde_json::Value;

    #[test]
    fn the_factor_is_recovered() {
        // Llama 3.1 has heads of 128 values and factor 8, Llama 3.2 1B heads of 64 values and factor 32.
        for (count, factor) in [(64, 8.0), (32, 32.0)] {
            let factors: Vec<f32> = expected_factors(count, 500_000.0, factor).collect();
            // By hand: theta^(i/count) * 2 pi passes 2048 and 8192 at i/count = .4410 and .5467.
            assert_eq!(factors.iter().filter(|&&f| f == 1.0).count(), (0.4410 * count as f64) as usize + 1);
            assert_eq!(factors.iter().filter(|&&f| f == factor).count(), count - (0.5467 * count as f64) as usize - 1);
            let found = scaling(&factors, 500_000.0).unwrap();
            assert_eq!(found["factor"], f64::from(factor));
            assert_eq!(found["rope_type"], "llama3");
        }
    }

    #[test]
    fn other_factors_are_not_taken_for_these() {
        let mut factors: Vec<f32> = expected_factors(64, 500_000.0, 8.0).collect();
        assert_eq!(scaling(&factors, 10_000.0), None);
        factors[30] *= 1.01;
        assert_eq!(scaling(&factors, 500_000.0), None);
        assert_eq!(scaling(&[1.0, f32::NAN], 500_000.0), None);
        assert_eq!(scaling(&[1.0; 64], 500_000.0), Some(Value::Null));
    }
}
