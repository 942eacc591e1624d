//! Verdicts: of a comparison whether its interval decides it, of a claim what follows.

use std::fmt;

use bunch_statistics::Interval;

use crate::Rule;

/// What the 95 % interval over seeds of a mean difference says about a rule's margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonDecision {
    /// The whole interval lies on the claim's side of the margin.
    For,
    /// The whole interval lies on the other side, or at most touches a margin that must be exceeded.
    Against,
    /// The margin lies within the interval, or there is no interval: fewer than two seeds.
    Undecided,
}

impl ComparisonDecision {
    /// The decision of `rule` on a difference that lies in `interval`. Without a spread over seeds the interval is a point,
    /// and the point decides.
    pub(crate) fn of(rule: &Rule, interval: Option<Interval>) -> Self {
        let Some(Interval { low, high }) = interval else { return Self::Undecided };
        match [low, high].map(|end| rule.accepts(end)) {
            [true, true] => Self::For,
            [false, false] => Self::Against,
            [true, false] | [false, true] => Self::Undecided,
        }
    }
}

impl fmt::Display for ComparisonDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::For => "for",
            Self::Against => "against",
            Self::Undecided => "undecided",
        })
    }
}

/// Whether a claim is true of the cells: what follows from the decisions on its comparisons, whatever the undecided ones would
/// turn out to be with more seeds. Where it depends on them, the claim is undecided.
///
/// A claim demands every comparison, so a single decision against it refutes the claim as a whole; [`Partly`](Self::Partly)
/// and [`DoesNotHold`](Self::DoesNotHold) both are refutations, and differ in whether anything is left of the claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every comparison is decided for the claim.
    Holds,
    /// At least one comparison is decided for the claim and at least one against it; others may be undecided.
    Partly,
    /// Every comparison is decided against the claim.
    DoesNotHold,
    /// None of the others: some or all comparisons are undecided, and no two are decided in opposite ways.
    Undecided,
    /// A comparison lacks a seed that another has, or there are no cells.
    NotTested,
}

impl Verdict {
    /// The verdict on a claim from the decisions on its comparisons, all of them with the same seeds; not tested without any.
    pub(crate) fn of(decisions: &[ComparisonDecision]) -> Self {
        let has = |decision| decisions.contains(&decision);
        match [ComparisonDecision::For, ComparisonDecision::Against, ComparisonDecision::Undecided].map(has) {
            [true, false, false] => Self::Holds,
            [true, true, _] => Self::Partly,
            [false, true, false] => Self::DoesNotHold,
            [false, false, false] => Self::NotTested,
            [true, false, true] | [false, true, true] | [false, false, true] => Self::Undecided,
        }
    }

    /// A sign that distinguishes verdicts without colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Holds => "✓",
            Self::Partly => "~",
            Self::DoesNotHold => "✗",
            Self::Undecided => "?",
            Self::NotTested => "–",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Partly => "partly",
            Self::DoesNotHold => "does not hold",
            Self::Undecided => "undecided",
            Self::NotTested => "not tested",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_what_no_undecided_comparison_can_change() {
        use ComparisonDecision::{Against, For, Undecided};
        for (decisions, verdict) in [
            (&[For, For][..], Verdict::Holds),
            (&[Against, Against], Verdict::DoesNotHold),
            (&[For, Against], Verdict::Partly),
            (&[For, Undecided, Against], Verdict::Partly),
            (&[For, Undecided], Verdict::Undecided),
            (&[Against, Undecided], Verdict::Undecided),
            (&[Undecided], Verdict::Undecided),
            (&[], Verdict::NotTested),
        ] {
            assert_eq!(Verdict::of(decisions), verdict, "{decisions:?}");
        }
    }

    #[test]
    fn an_interval_decides_that_lies_on_one_side() {
        let rule = |text: &str| toml::from_str::<Rule>(text).unwrap();
        let above = rule("pairs = { column = 'x', pairs = [['a', 'b']], by = 5.0 }");
        let below = rule("less_than = { rows = ['a'], column = 'x', than_row = 'c', by = 10.0 }");
        let not_below = rule("not_below = { column = 'x', pairs = [['a', 'b']], tolerance = 1.0 }");
        let decided = |rule: &Rule, low, high| ComparisonDecision::of(rule, Some(Interval { low, high }));
        for (rule, low, high, expected) in [
            (&above, 5.1, 9.0, ComparisonDecision::For),
            (&above, 5.0, 9.0, ComparisonDecision::Undecided),
            (&above, 4.0, 9.0, ComparisonDecision::Undecided),
            (&above, 1.0, 5.0, ComparisonDecision::Against),
            (&above, 6.0, 6.0, ComparisonDecision::For),
            (&above, 5.0, 5.0, ComparisonDecision::Against),
            (&below, -20.0, -10.1, ComparisonDecision::For),
            (&below, -20.0, -10.0, ComparisonDecision::Undecided),
            (&below, -10.0, 3.0, ComparisonDecision::Against),
            (&not_below, -1.0, 2.0, ComparisonDecision::For),
            (&not_below, -1.1, 2.0, ComparisonDecision::Undecided),
            (&not_below, -3.0, -1.1, ComparisonDecision::Against),
        ] {
            assert_eq!(decided(rule, low, high), expected, "{} on {low} to {high}", rule.condition());
        }
        assert_eq!(ComparisonDecision::of(&above, None), ComparisonDecision::Undecided);
    }
}
