//! The loss of one pair of responses.

/// The loss of a pair and its derivatives by the log-probabilities, summed or mean, of the chosen and the rejected response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PairLoss {
    pub(crate) loss: f64,
    pub(crate) slopes: [f64; 2],
}
