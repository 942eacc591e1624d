//! The odds ratio of odds ratio preference optimisation (Hong et al. 2024).

use crate::loss::dpo::negative_log_sigmoid;
use crate::loss::pair_loss::PairLoss;

/// The mean log-probability of a token that is certain. f32 rounds those nearer to 0 to it, and 0 has no odds.
const CERTAIN: f64 = -1e-12;

/// `L_OR` of equation 7 for one pair, `-ln sigmoid(ln (odds(y_w) / odds(y_l)))` with `odds(y) = P(y) / (1 - P(y))`, of
/// the mean log-probabilities `ln P` (equation 3) of the tokens of the chosen and the rejected response, in nats.
pub(crate) fn pair([chosen, rejected]: [f64; 2]) -> PairLoss {
    let [chosen, rejected] = [chosen, rejected].map(|mean| if mean > CERTAIN { CERTAIN } else { mean });
    // d ln odds / d ln P = 1 / (1 - P).
    let [chosen_slope, rejected_slope] = [chosen, rejected].map(|mean| -1.0 / mean.exp_m1());
    let (loss, slope) = negative_log_sigmoid(log_odds(chosen) - log_odds(rejected));
    PairLoss { loss, slopes: [slope * chosen_slope, -slope * rejected_slope] }
}

/// `ln P - ln(1 - P)` for `mean = ln P` below 0.
fn log_odds(mean: f64) -> f64 {
    // 1 - exp loses digits where P is near 1, the other form where it is near 0.
    let complement = if mean > -std::f64::consts::LN_2 { (-mean.exp_m1()).ln() } else { (-mean.exp()).ln_1p() };
    mean - complement
}

#[cfg(test)]
mod tests {
    use super::{log_odds, pair};

    #[test]
    fn equal_odds_have_ln_2() {
        for mean in [-1e-6, -0.3, -2.0, -80.0] {
            assert_eq!(pair([mean, mean]).loss, 2_f64.ln(), "{mean}");
        }
    }

    /// P = 0.8 and 0.5: odds of 4 and 1, a ratio of 4, and sigmoid(ln 4) = 4 / 5.
    #[test]
    fn a_pair_by_hand() {
        let found = pair([0.8_f64.ln(), 0.5_f64.ln()]);
        assert!((found.loss - 1.25_f64.ln()).abs() < 1e-15, "{}", found.loss);
        // -sigmoid(-ln 4) = -1/5, by 1 / (1 - 0.8) and 1 / (1 - 0.5).
        assert!((found.slopes[0] + 1.0).abs() < 1e-14 && (found.slopes[1] - 0.4).abs() < 1e-15, "{:?}", found.slopes);
    }

    #[test]
    fn slopes_agree_with_differences() {
        for means in [[-0.01, -3.0], [-5.0, -0.2], [-0.7, -0.69], [-30.0, -1e-3]] {
            for side in [0, 1] {
                let step = 1e-6 * means[side];
                let moved = |by: f64| {
                    let mut means = means;
                    means[side] += by;
                    pair(means).loss
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * step);
                let found = pair(means).slopes[side];
                assert!((slope - found).abs() < 1e-7 * (1.0 + found.abs()), "{means:?}: {found} against {slope}");
            }
        }
    }

    #[test]
    fn certain_and_impossible_responses_stay_finite() {
        for means in [[0.0, -1e4], [-1e4, 0.0], [0.0, 0.0], [1e-7, -1.0]] {
            let found = pair(means);
            assert!(found.loss.is_finite() && found.slopes.iter().all(|slope| slope.is_finite()), "{means:?}");
        }
        assert!(pair([f64::NAN, -1.0]).loss.is_nan());
        // ln(1 - P) is ln of 1e-9 where P is 1 - 1e-9.
        assert!((log_odds(-1e-9) + 1e-9_f64.ln()).abs() < 1e-8);
    }
}
