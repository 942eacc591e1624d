//! A rule: a judge that computes its verdict, where the truth is known.

use super::{Exchange, Judge, Verdict};
use crate::EvaluationError;

/// Judges with a function, such as a grammar's definition of harm.
#[derive(Debug, Clone, Copy)]
pub struct RuleJudge<F>(F);

impl<F: Fn(&Exchange) -> Verdict> RuleJudge<F> {
    /// A judge that says what `rule` says.
    pub fn new(rule: F) -> Self {
        Self(rule)
    }
}

impl<F: Fn(&Exchange) -> Verdict> Judge for RuleJudge<F> {
    fn judge(&self, pairs: &[Exchange]) -> Result<Vec<Verdict>, EvaluationError> {
        Ok(pairs.iter().map(&self.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::RuleJudge;
    use crate::{Exchange, Judge, Verdict};

    #[test]
    fn the_rule_sees_request_and_reply_in_order() {
        let rule = RuleJudge::new(|exchange: &Exchange| {
            if exchange.prompt == "harm" && exchange.response != "no" { Verdict::Unsafe } else { Verdict::Safe }
        });
        let refused = Exchange { prompt: "harm".into(), response: "no".into() };
        let judge: &dyn Judge = &rule;
        let verdicts = judge.judge(&[Exchange::request("harm"), refused, Exchange::request("tea")]).unwrap();
        assert_eq!(verdicts, [Verdict::Unsafe, Verdict::Safe, Verdict::Safe]);
    }
}
