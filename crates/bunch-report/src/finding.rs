//! What the cells say about a claim.

use std::collections::BTreeSet;
use std::fmt;

use bunch_statistics::{Estimate, SeedTest, holm};

use crate::layout::{Align, TextGrid, csv_text, fixed, p_field, p_text, rounded, signed};
use crate::{Cell, CellIndex, Claim, ReportError, RowSpec, TableSpec};

/// Columns of findings as CSV.
const COLUMNS: [&str; 18] = [
    "claim",
    "verdict",
    "rule",
    "condition",
    "block",
    "column",
    "row",
    "other",
    "seed",
    "difference",
    "min",
    "max",
    "holds",
    "half_width",
    "t",
    "p",
    "holm_p",
    "effect",
];

/// Error rate below which a comparison counts as significant.
const ALPHA: f64 = 0.05;

/// What the columns of a test mean.
const TEST_NOTE: &str = "p: one-sided t test over seeds that the mean difference is on the claim's side of its margin; Holm p: \
    corrected for all comparisons of the claim; effect: distance of the mean from the margin in standard deviations over \
    seeds.";

/// Whether a claim is true of the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every comparison holds in every seed.
    Holds,
    /// Neither of the others: some comparisons hold, in some seeds or in the mean over seeds.
    Partly,
    /// No comparison holds in its mean over seeds (single seeds may).
    DoesNotHold,
    /// A comparison lacks a seed that another has, or there are no cells.
    NotTested,
}

impl Verdict {
    /// A sign that distinguishes verdicts without colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Holds => "✓",
            Self::Partly => "~",
            Self::DoesNotHold => "✗",
            Self::NotTested => "?",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Partly => "partly",
            Self::DoesNotHold => "does not hold",
            Self::NotTested => "not tested",
        })
    }
}

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
    /// How sure that is: a test against the rule's margin (`-by` of `less_than`, `by` of `greater_than` and `pairs`,
    /// `-tolerance` of `not_below`, which is then a test of non-inferiority). `None` where seeds are too few or all alike.
    pub test: Option<SeedTest>,
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
}

/// Tests every claim on `cells`, within each seed and over seeds; `spec` declares the rows, columns and blocks they name.
///
/// # Errors
/// If the table or a claim is inconsistent, two claims have one id, a cell appears twice or a number is not finite.
pub fn evaluate(claims: &[Claim], spec: &TableSpec, cells: &[Cell]) -> Result<Vec<Finding>, ReportError> {
    spec.validate()?;
    let index = CellIndex::new(cells)?;
    let mut ids = BTreeSet::new();
    let finding = |claim: &Claim| {
        claim.validate(spec)?;
        if !ids.insert(claim.id.clone()) {
            return Err(ReportError::Duplicate { what: "claim", name: claim.id.clone() });
        }
        let comparisons = claim.comparisons(spec);
        let compared = comparisons.into_iter().map(|(block, row, other)| compare(claim, &index, block, row, other));
        let mut comparisons: Vec<Comparison> = compared.collect();
        correct(&mut comparisons);
        Ok(Finding { verdict: verdict(&comparisons), claim: claim.clone(), comparisons })
    };
    claims.iter().map(finding).collect()
}

fn compare(claim: &Claim, index: &CellIndex<'_>, block: &str, row: &str, other: &str) -> Comparison {
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
        estimate,
        test: SeedTest::of(&values, claim.rule.threshold(), claim.rule.direction()),
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
        Verdict::NotTested
    } else if comparisons.iter().flat_map(|comparison| &comparison.seeds).all(|seed| seed.holds) {
        Verdict::Holds
    } else if comparisons.iter().all(|comparison| !comparison.mean_holds) {
        Verdict::DoesNotHold
    } else {
        Verdict::Partly
    }
}

impl Finding {
    /// How often the claim holds, as in `holds in 7 of 9 comparisons; per seed 3/3, 2/3, 2/3`.
    ///
    /// A comparison is counted once per seed; seeds are in ascending order.
    pub fn counts(&self) -> String {
        let seeds = seeds(&self.comparisons);
        let all: Vec<&SeedDifference> = self.comparisons.iter().flat_map(|comparison| &comparison.seeds).collect();
        let per_seed: Vec<String> = seeds
            .iter()
            .map(|&seed| {
                let here: Vec<bool> = all.iter().filter(|entry| entry.seed == seed).map(|entry| entry.holds).collect();
                format!("{}/{}", here.iter().filter(|holds| **holds).count(), here.len())
            })
            .collect();
        let absent = self.comparisons.len() * seeds.len().max(1) - all.len();
        let holding = all.iter().filter(|entry| entry.holds).count();
        let mut text = format!("holds in {holding} of {} comparisons", all.len());
        if !per_seed.is_empty() {
            text += &format!("; per seed {}", per_seed.join(", "));
        }
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

    pub(crate) fn grid(&self, spec: &TableSpec) -> TextGrid {
        let label = |name: &str| {
            let row = spec.rows.iter().find(|row| row.name == name);
            row.map_or_else(|| name.to_string(), RowSpec::full_label)
        };
        let column = spec.columns.iter().find(|column| column.name == self.claim.rule.column());
        let decimals = column.map_or(1, |column| column.decimals);
        let header = [
            ("block", Align::Left),
            ("comparison", Align::Left),
            ("mean", Align::Right),
            ("± 95 %", Align::Right),
            ("min", Align::Right),
            ("max", Align::Right),
            ("seeds", Align::Right),
            ("p", Align::Right),
            ("Holm p", Align::Right),
            ("effect", Align::Right),
        ];
        let mut grid = TextGrid::new(header.map(|(title, align)| (title.into(), align)).into());
        for comparison in &self.comparisons {
            let number = |get: fn(&Estimate) -> f64| match &comparison.estimate {
                Some(estimate) => signed(get(estimate), decimals),
                None => "—".into(),
            };
            let half_width = comparison.estimate.and_then(|estimate| estimate.half_width);
            let holding = comparison.seeds.iter().filter(|seed| seed.holds).count();
            let tested = |text: fn(&SeedTest) -> String| comparison.test.as_ref().map_or("—".into(), text);
            grid.push(vec![
                comparison.block.clone(),
                format!("{} − {}", label(&comparison.row), label(&comparison.other)),
                number(|estimate| estimate.mean),
                half_width.map_or("—".into(), |half_width| fixed(half_width, decimals)),
                number(|estimate| estimate.min),
                number(|estimate| estimate.max),
                format!("{holding}/{}", comparison.seeds.len()),
                tested(|test| p_text(test.p)),
                tested(|test| p_text(test.holm_p)),
                tested(|test| signed(test.effect, 1)),
            ]);
        }
        grid
    }

    pub(crate) fn demand(&self, spec: &TableSpec) -> String {
        let name = self.claim.rule.column();
        let column = spec.columns.iter().find(|column| column.name == name);
        let label = column.map_or_else(|| name.to_string(), |column| column.full_label());
        format!("Tested as: difference of {label} {}", self.claim.rule.condition())
    }
}

/// The findings as Markdown, one section each.
pub fn findings_markdown(findings: &[Finding], spec: &TableSpec) -> String {
    let section = |finding: &Finding| {
        format!(
            "### {}: {}\n\n{} ({})\n\n{}; {}.\n\nHow sure: {}.\n\n{}",
            finding.claim.id,
            finding.verdict,
            finding.claim.text,
            finding.claim.source,
            finding.demand(spec),
            finding.counts(),
            finding.certainty(),
            finding.grid(spec).markdown()
        )
    };
    let mut text = findings.iter().map(section).collect::<Vec<_>>().join("\n");
    if findings.iter().flat_map(|finding| &finding.comparisons).any(|comparison| comparison.test.is_some()) {
        text += &format!("\n{TEST_NOTE}\n");
    }
    text
}

/// The findings for a terminal, in short: the comparisons stand in the Markdown and the CSV.
pub fn findings_terminal(findings: &[Finding], spec: &TableSpec) -> String {
    let section = |finding: &Finding| {
        let head = format!("{} {}: {}", finding.verdict.sign(), finding.claim.id, finding.verdict);
        let claim = format!("{} ({})", finding.claim.text, finding.claim.source);
        let test = format!("{}; {}.", finding.demand(spec), finding.counts());
        format!("{head}\n  {claim}\n  {test}\n  How sure: {}.\n", finding.certainty())
    };
    findings.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// `claims.csv`: one line per comparison and seed, and one with seed `mean` that has the range over seeds, half the width of
/// the 95 % t interval and the test of the mean against the rule's margin ([`SeedTest`]).
///
/// Numbers are rounded to 1e-6, p-values to four digits.
pub fn findings_csv(findings: &[Finding]) -> String {
    const EMPTY: [String; 5] = [const { String::new() }; 5];
    let mut rows = vec![COLUMNS.map(String::from).to_vec()];
    for finding in findings {
        let rule = &finding.claim.rule;
        for comparison in &finding.comparisons {
            let mut line = |seed: String, [difference, min, max]: [String; 3], holds: String, test: [String; 5]| {
                let head = [&finding.claim.id, &finding.verdict.to_string(), rule.name(), &rule.condition()];
                let place = [&comparison.block, rule.column(), &comparison.row, &comparison.other];
                let texts = head.into_iter().chain(place).map(String::from);
                rows.push(texts.chain([seed, difference, min, max, holds]).chain(test).collect());
            };
            for seed in &comparison.seeds {
                let numbers = [rounded(seed.difference), String::new(), String::new()];
                line(seed.seed.to_string(), numbers, seed.holds.to_string(), EMPTY);
            }
            match comparison.estimate {
                Some(Estimate { mean, min, max, half_width, .. }) => {
                    let mut test = EMPTY;
                    test[0] = half_width.map(rounded).unwrap_or_default();
                    if let Some(SeedTest { t, p, holm_p, effect }) = comparison.test {
                        test[1..].clone_from_slice(&[rounded(t), p_field(p), p_field(holm_p), rounded(effect)]);
                    }
                    let numbers = [mean, min, max].map(rounded);
                    line("mean".into(), numbers, comparison.mean_holds.to_string(), test);
                }
                None => line("mean".into(), [const { String::new() }; 3], String::new(), EMPTY),
            }
        }
    }
    csv_text(&rows)
}

#[cfg(test)]
mod tests;
