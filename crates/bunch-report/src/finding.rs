//! What the cells say about a claim.

use std::collections::BTreeSet;

use bunch_statistics::{Estimate, Nested, NestedValue, SeedTest, holm};

use crate::layout::p_text;
use crate::{Cell, CellIndex, Claim, ComparisonDecision, ReportError, TableSpec, Verdict};

mod render;

pub use render::{findings_csv, findings_markdown, findings_terminal};

/// Error rate below which a comparison counts as significant.
const ALPHA: f64 = 0.05;

/// A comparison within one seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedDifference {
    /// The seed.
    pub seed: u64,
    /// `row - other`, in the column's unit.
    pub difference: f64,
    /// Whether the rule accepts it.
    pub holds: bool,
}

/// What seeds have in common above them, such as the pretrained model that several of them start from.
#[derive(Debug, Clone, Copy)]
pub struct SeedGroups {
    /// What a group is, in the plural, as in `trunks`.
    pub name: &'static str,
    /// The group of a seed, by its number.
    pub of: fn(u64) -> u64,
}

impl SeedGroups {
    /// Seeds have nothing in common.
    pub const NONE: Self = Self { name: "", of: |_| 0 };
}

/// One row against another, in one block.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name of the block.
    pub block: String,
    /// Name of the row.
    pub row: String,
    /// Name of the row it is compared with.
    pub other: String,
    /// One entry per seed that has both rows, in order.
    pub seeds: Vec<SeedDifference>,
    /// Mean and spread over seeds; `None` without a seed.
    pub estimate: Option<Estimate>,
    /// Whether the rule accepts the mean over seeds.
    pub mean_holds: bool,
    /// What the interval of the mean says about the rule's margin.
    pub decision: ComparisonDecision,
    /// How sure that is: a test against the rule's margin (`-by` of `less_than`, `by` of `greater_than` and `pairs`,
    /// `-tolerance` of `not_below`, which is then a test of non-inferiority). `None` where seeds are too few or all alike.
    pub test: Option<SeedTest>,
    /// The mean with seeds nested in groups, and where its variance comes from. The standard error of a seed's difference over
    /// items is that of two separate samples, `sqrt(se_row^2 + se_other^2)`: an upper bound, since both rows have the same
    /// items and tend to be right about the same ones. `None` for fewer than two seeds.
    pub nested: Option<Nested>,
}

/// A claim with what the cells say about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The claim.
    pub claim: Claim,
    /// The overall verdict.
    pub verdict: Verdict,
    /// Its comparisons, by block and then in the rule's order.
    pub comparisons: Vec<Comparison>,
    /// What groups of seeds are, in the plural; empty for none.
    pub group_name: &'static str,
}

/// Tests every claim on `cells`, within each seed, over seeds, and over `groups` of them; `spec` declares the rows, columns and
/// blocks they name.
///
/// # Errors
/// If the table or a claim is inconsistent, two claims have one id, a cell appears twice or a number is not finite.
pub fn evaluate(
    claims: &[Claim],
    spec: &TableSpec,
    cells: &[Cell],
    groups: SeedGroups,
) -> Result<Vec<Finding>, ReportError> {
    spec.validate()?;
    let index = CellIndex::new(cells)?;
    let mut ids = BTreeSet::new();
    let finding = |claim: &Claim| {
        claim.validate(spec)?;
        if !ids.insert(claim.id.clone()) {
            return Err(ReportError::Duplicate { what: "claim", name: claim.id.clone() });
        }
        let comparisons = claim.comparisons(spec);
        let compared = comparisons.into_iter().map(|place| compare(claim, &index, place, groups));
        let mut comparisons: Vec<Comparison> = compared.collect();
        correct(&mut comparisons);
        Ok(Finding { verdict: verdict(&comparisons), claim: claim.clone(), comparisons, group_name: groups.name })
    };
    claims.iter().map(finding).collect()
}

fn compare(
    claim: &Claim,
    index: &CellIndex<'_>,
    (block, row, other): (&str, &str, &str),
    groups: SeedGroups,
) -> Comparison {
    let nested = |[cell, other]: [&Cell; 2]| NestedValue {
        value: cell.value - other.value,
        stderr: cell.stderr.hypot(other.stderr),
        group: (groups.of)(cell.seed),
    };
    let pairs = index.pairs(block, claim.rule.column(), row, other);
    let differences = index.differences(block, claim.rule.column(), row, other);
    let judged =
        |&(seed, difference): &(u64, f64)| SeedDifference { seed, difference, holds: claim.rule.accepts(difference) };
    let estimate = index.difference(block, claim.rule.column(), row, other);
    let values: Vec<f64> = differences.iter().map(|&(_, difference)| difference).collect();
    Comparison {
        block: block.into(),
        row: row.into(),
        other: other.into(),
        seeds: differences.iter().map(judged).collect(),
        mean_holds: estimate.is_some_and(|estimate| claim.rule.accepts(estimate.mean)),
        decision: ComparisonDecision::of(&claim.rule, estimate.and_then(|estimate| estimate.interval)),
        estimate,
        test: SeedTest::of(&values, claim.rule.threshold(), claim.rule.direction()),
        nested: Nested::of(&pairs.into_iter().map(nested).collect::<Vec<_>>()),
    }
}

/// Holm's correction for all tests of a claim.
fn correct(comparisons: &mut [Comparison]) {
    let tests: Vec<&mut SeedTest> = comparisons.iter_mut().filter_map(|comparison| comparison.test.as_mut()).collect();
    let corrected = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
    for (test, holm_p) in tests.into_iter().zip(corrected) {
        test.holm_p = holm_p;
    }
}

/// `= 0.031` or `< 0.001`.
fn equal_or_below(p: f64) -> String {
    let text = p_text(p);
    if text.starts_with('<') { text } else { format!("= {text}") }
}

fn seeds(comparisons: &[Comparison]) -> BTreeSet<u64> {
    comparisons.iter().flat_map(|comparison| &comparison.seeds).map(|seed| seed.seed).collect()
}

fn verdict(comparisons: &[Comparison]) -> Verdict {
    let seeds = seeds(comparisons).len();
    if seeds == 0 || comparisons.iter().any(|comparison| comparison.seeds.len() < seeds) {
        return Verdict::NotTested;
    }
    Verdict::of(&comparisons.iter().map(|comparison| comparison.decision).collect::<Vec<_>>())
}

impl Finding {
    /// How the comparisons are decided, and how often the claim holds within a seed, as in `comparisons: 1 for, 1 against, 1
    /// undecided; within seeds 7 of 9 hold (3/3, 2/3, 2/3)`; seeds are in ascending order.
    pub fn counts(&self) -> String {
        let count = |decision| self.comparisons.iter().filter(|comparison| comparison.decision == decision).count();
        let [pro, contra, open] =
            [ComparisonDecision::For, ComparisonDecision::Against, ComparisonDecision::Undecided].map(count);
        let mut text = format!("comparisons: {pro} for, {contra} against, {open} undecided");
        let seeds = seeds(&self.comparisons);
        let all: Vec<&SeedDifference> = self.comparisons.iter().flat_map(|comparison| &comparison.seeds).collect();
        let per_seed: Vec<String> = seeds
            .iter()
            .map(|&seed| {
                let here: Vec<bool> = all.iter().filter(|entry| entry.seed == seed).map(|entry| entry.holds).collect();
                format!("{}/{}", here.iter().filter(|holds| **holds).count(), here.len())
            })
            .collect();
        if !per_seed.is_empty() {
            let holding = all.iter().filter(|entry| entry.holds).count();
            text += &format!("; within seeds {holding} of {} hold ({})", all.len(), per_seed.join(", "));
        }
        let absent = self.comparisons.len() * seeds.len().max(1) - all.len();
        if absent > 0 {
            text += &format!("; {absent} without cells");
        }
        text
    }

    /// How sure the claim is over seeds, as in `5 of 7 comparisons significant over seeds (Holm p < 0.05); all together
    /// p = 0.31`.
    ///
    /// The claim demands every comparison, so the largest p is that of the claim as a whole, without a correction: the
    /// intersection-union test (Berger 1982, Technometrics 24:295). With a comparison that cannot be tested, it is not said.
    pub(crate) fn certainty(&self) -> String {
        let tests: Vec<&SeedTest> = self.comparisons.iter().filter_map(|comparison| comparison.test.as_ref()).collect();
        let Some(largest) = tests.iter().map(|test| test.p).reduce(f64::max) else {
            return "no test over seeds: fewer than two, or all alike".into();
        };
        let untested = self.comparisons.len() - tests.len();
        let sure = tests.iter().filter(|test| test.holm_p < ALPHA).count();
        let mut text = format!("{sure} of {} comparisons significant over seeds (Holm p < {ALPHA})", tests.len());
        match untested {
            0 => text += &format!("; all together p {}", equal_or_below(largest)),
            _ => text += &format!("; {untested} without a test, their seeds too few or all alike"),
        }
        text
    }

    /// The mean over seeds that is closest to refuting the claim, or refutes it the most, with its interval: how much there
    /// is of what the claim says, at the least. `None` without cells.
    pub(crate) fn weakest(&self) -> Option<(&Comparison, Estimate)> {
        let estimates = self.comparisons.iter().filter_map(|comparison| Some((comparison, comparison.estimate?)));
        let support = |estimate: &Estimate| self.claim.rule.direction() * estimate.mean;
        estimates.min_by(|(_, a), (_, b)| support(a).total_cmp(&support(b)))
    }
}

#[cfg(test)]
mod tests;
