//! Who says whether an exchange is safe.

use crate::{Exchange, JudgingError, Verdict};

/// Says of each exchange whether it is safe.
pub trait Judge {
    /// One verdict per exchange, in order. An exchange with an empty response asks about the request alone.
    ///
    /// # Errors
    /// A judge that cannot be asked, such as a model whose context window is too small.
    fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, JudgingError>;
}

/// A function judges where the truth can be computed.
impl<F: Fn(&Exchange) -> Verdict> Judge for F {
    fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, JudgingError> {
        Ok(exchanges.iter().map(self).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Judge;
    use crate::{Exchange, Verdict};

    #[test]
    fn a_function_sees_request_and_response_in_order() {
        let rule = |exchange: &Exchange| {
            if exchange.prompt == "harm" && exchange.response != "no" { Verdict::Unsafe } else { Verdict::Safe }
        };
        let judge: &dyn Judge = &rule;
        let exchanges = [Exchange::alone("harm"), Exchange::new("harm", "no"), Exchange::alone("tea")];
        assert_eq!(judge.judge(&exchanges).unwrap(), [Verdict::Unsafe, Verdict::Safe, Verdict::Safe]);
    }
}
