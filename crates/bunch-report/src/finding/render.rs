//! Findings as Markdown, for a terminal, and as CSV.

use bunch_statistics::{Estimate, SeedTest};

use crate::layout::{Align, TextGrid, csv_text, fixed, p_field, p_text, rounded, signed};
use crate::{Finding, RowSpec, TableSpec};

/// Columns of findings as CSV that say what was compared with what; `verdict` is the claim's.
const PLACE: [&str; 9] = ["claim", "verdict", "rule", "condition", "block", "column", "row", "other", "seed"];

/// What the columns of a test mean.
const TEST_NOTE: &str = "p: one-sided t test over seeds that the mean difference is on the claim's side of its margin; Holm p: \
    corrected for all comparisons of the claim; effect: distance of the mean from the margin in standard deviations over \
    seeds.";

impl Finding {
    /// Columns of [`findings_csv`] that have numbers, or what these say of a single comparison.
    pub const NUMBERS: [&str; 10] =
        ["difference", "min", "max", "holds", "decision", "half_width", "t", "p", "holm_p", "effect"];

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
            ("decided", Align::Left),
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
            let half_width = comparison.estimate.and_then(|estimate| estimate.half_width());
            let holding = comparison.seeds.iter().filter(|seed| seed.holds).count();
            let tested = |text: fn(&SeedTest) -> String| comparison.test.as_ref().map_or("—".into(), text);
            grid.push(vec![
                comparison.block.clone(),
                format!("{} − {}", label(&comparison.row), label(&comparison.other)),
                number(|estimate| estimate.mean),
                half_width.map_or("—".into(), |half_width| fixed(half_width, decimals)),
                number(|estimate| estimate.min),
                number(|estimate| estimate.max),
                comparison.decision.to_string(),
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

/// `claims.csv`: one line per comparison and seed, and one with seed `mean` that has the range over seeds, the decision, half
/// the width of the 95 % t interval and the test of the mean against the rule's margin ([`SeedTest`]).
///
/// Numbers are rounded to 1e-6, p-values to four digits.
pub fn findings_csv(findings: &[Finding]) -> String {
    const EMPTY: [String; 6] = [const { String::new() }; 6];
    let mut rows = vec![PLACE.into_iter().chain(Finding::NUMBERS).map(String::from).collect()];
    for finding in findings {
        let rule = &finding.claim.rule;
        for comparison in &finding.comparisons {
            let mut line = |seed: String, [difference, min, max]: [String; 3], holds: String, test: [String; 6]| {
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
                Some(estimate) => {
                    let mut test = EMPTY;
                    test[0] = comparison.decision.to_string();
                    test[1] = estimate.half_width().map(rounded).unwrap_or_default();
                    if let Some(SeedTest { t, p, holm_p, effect }) = comparison.test {
                        test[2..].clone_from_slice(&[rounded(t), p_field(p), p_field(holm_p), rounded(effect)]);
                    }
                    let numbers = [estimate.mean, estimate.min, estimate.max].map(rounded);
                    line("mean".into(), numbers, comparison.mean_holds.to_string(), test);
                }
                None => {
                    let mut test = EMPTY;
                    test[0] = comparison.decision.to_string();
                    line("mean".into(), [const { String::new() }; 3], String::new(), test);
                }
            }
        }
    }
    csv_text(&rows)
}
