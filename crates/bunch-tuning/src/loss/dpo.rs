//! Direct preference optimisation (Rafailov et al. 2023).

use crate::loss::pair_loss::PairLoss;

/// Equation 7 for one pair, `-ln sigmoid(beta ((ln pi(y_w) - ln ref(y_w)) - (ln pi(y_l) - ln ref(y_l))))`, of the summed
/// log-probabilities of the chosen and the rejected response, in nats.
pub(crate) fn pair(beta: f64, policy: [f64; 2], reference: [f64; 2]) -> PairLoss {
    let [chosen, rejected] = [policy[0] - reference[0], policy[1] - reference[1]];
    let (loss, slope) = negative_log_sigmoid(beta * (chosen - rejected));
    PairLoss { loss, slopes: [beta * slope, -beta * slope] }
}

/// `-ln sigmoid(x)` and its derivative, `-sigmoid(-x)`; neither overflows.
pub(crate) fn negative_log_sigmoid(x: f64) -> (f64, f64) {
    let small = (-x.abs()).exp();
    let slope = if x < 0.0 { -1.0 / (1.0 + small) } else { -small / (1.0 + small) };
    (small.ln_1p() - x.min(0.0), slope)
}

#[cfg(test)]
mod tests {
    use super::{negative_log_sigmoid, pair};

    #[test]
    fn an_untrained_policy_has_ln_2() {
        let found = pair(0.1, [-3.0, -70.0], [-3.0, -70.0]);
        assert_eq!((found.loss, found.slopes), (2_f64.ln(), [-0.05, 0.05]));
    }

    /// Log-ratios 2 and -1: a margin of 0.5 * 3, and sigmoid(-1.5) = 0.182426.
    #[test]
    fn a_pair_by_hand() {
        let found = pair(0.5, [-3.0, -6.0], [-5.0, -5.0]);
        assert!((found.loss - 0.201_413_277_982_752_46).abs() < 1e-15, "{}", found.loss);
        assert!((found.slopes[0] + 0.5 * 0.182_425_523_806_356_35).abs() < 1e-15, "{:?}", found.slopes);
        assert_eq!(found.slopes[1], -found.slopes[0]);
    }

    #[test]
    fn far_margins_stay_finite() {
        assert_eq!(negative_log_sigmoid(-1e6), (1e6, -1.0));
        assert_eq!(negative_log_sigmoid(1e6), (0.0, 0.0));
        assert!(negative_log_sigmoid(f64::NAN).0.is_nan());
    }
}
