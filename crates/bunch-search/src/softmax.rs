//! Weights from scores, without a search.

use crate::SearchError;

/// LM-Cocktail's weights: `softmax(scores / temperature)` (Hammoud et al. 2024, Eq. 3).
///
/// The paper's score of model `t` is its negated mean cross-entropy, `w_t = E[-L_ce(f_t(q), a)]`, so the model with the
/// lower loss gets the larger weight. Weights are positive and sum to 1; a low temperature favours the best model, a high
/// one makes them equal.
///
/// # Errors
/// If there is no score, a score is not finite, or `temperature` is not finite and above 0.
///
/// ```
/// let weights = bunch_search::softmax_weights(&[-1.0, -1.0 - 3_f64.ln()], 1.0)?;
/// assert!((weights[0] - 0.75).abs() < 1e-15 && (weights[1] - 0.25).abs() < 1e-15);
/// # Ok::<(), bunch_search::SearchError>(())
/// ```
pub fn softmax_weights(scores: &[f64], temperature: f64) -> Result<Vec<f64>, SearchError> {
    if !(temperature.is_finite() && temperature > 0.0) {
        return Err(SearchError::Temperature { got: temperature });
    }
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        return Err(SearchError::NotFinite { what: "softmax scores".into(), index, got: scores[index] });
    }
    let highest = scores.iter().copied().reduce(f64::max).ok_or(SearchError::NoScores)?;
    // Subtracting the highest score first keeps every exponent at or below 0, so that nothing overflows.
    let exponentials: Vec<f64> = scores.iter().map(|score| ((score - highest) / temperature).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    Ok(exponentials.iter().map(|exponential| exponential / sum).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hand_computed() {
        let weights = softmax_weights(&[-2.0 * 2_f64.ln(), 0.0], 2.0).unwrap();
        assert!((weights[0] - 1.0 / 3.0).abs() < 1e-15, "{weights:?}");
        assert_eq!(softmax_weights(&[-1e300, -0.5, -1e300], 1e-300).unwrap(), [0.0, 1.0, 0.0]);
        assert_eq!(softmax_weights(&[-3.0], 0.1).unwrap(), [1.0]);
    }

    #[test]
    fn bad_input_is_an_error() {
        assert_eq!(softmax_weights(&[], 1.0), Err(SearchError::NoScores));
        for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(softmax_weights(&[0.0], temperature), Err(SearchError::Temperature { .. })));
        }
        assert!(matches!(softmax_weights(&[0.0, f64::NAN], 1.0), Err(SearchError::NotFinite { index: 1, .. })));
    }

    proptest! {
        #[test]
        fn weights_sum_to_one_keep_the_order_and_ignore_a_shift(
            scores in prop::collection::vec(-20.0..0.0_f64, 1..6), temperature in 0.1..10.0_f64, shift in -5.0..5.0_f64,
        ) {
            let weights = softmax_weights(&scores, temperature).unwrap();
            prop_assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for (i, a) in scores.iter().enumerate() {
                for (j, b) in scores.iter().enumerate() {
                    prop_assert!(a < b || weights[i] >= weights[j]);
                }
            }
            let shifted: Vec<f64> = scores.iter().map(|score| score + shift).collect();
            for (a, b) in weights.iter().zip(softmax_weights(&shifted, temperature).unwrap()) {
                prop_assert!((a - b).abs() < 1e-10);
            }
        }
    }
}
