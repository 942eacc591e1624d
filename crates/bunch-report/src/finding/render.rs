//! Findings as Markdown, for a terminal, and as CSV.

use bunch_statistics::{Estimate, Interval, Nested, SeedTest};

use crate::layout::{Align, TextGrid, csv_text, fixed, p_field, p_text, rounded, signed};
use crate::{Comparison, Finding, RowSpec, TableSpec};

/// Columns of findings as CSV that say what was compared with what; `verdict` is the claim's.
const PLACE: [&str; 9] = ["claim", "verdict", "rule", "condition", "block", "column", "row", "other", "seed"];

/// What the columns of a test mean.
const TEST_NOTE: &str = "p: one-sided t test over seeds that the mean difference is on the claim's side of its margin; Holm p: \
    corrected for all comparisons of the claim; effect: distance of the mean from the margin in standard deviations over \
    seeds. Detectable: the distance of the true mean from the margin, for the comparison that needs the largest, that so many seeds \
    with this spread would have shown with 80 % power. Items are an upper bound: rows are right about the same ones.";

impl Finding {
    /// Columns of [`findings_csv`] that have numbers, or what these say of a single comparison.
    pub const NUMBERS: [&str; 18] = [
        "difference",
        "min",
        "max",
        "holds",
        "decision",
        "half_width",
        "t",
        "p",
        "holm_p",
        "effect",
        "detectable",
        "nested_mean",
        "nested_low",
        "nested_high",
        "nested_df",
        "items_percent",
        "seeds_percent",
        "groups_percent",
    ];

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

    /// Where the variance of the weakest comparison comes from, its mean over groups of seeds, and what this number of seeds
    /// could have shown; `None` where there is no spread over seeds.
    pub(crate) fn variance(&self, spec: &TableSpec) -> Option<String> {
        let (weakest, _) = self.weakest()?;
        let nested = weakest.nested?;
        let [items, seeds, groups] = nested.percentages()?;
        let decimals =
            spec.columns.iter().find(|column| column.name == self.claim.rule.column()).map_or(1, |c| c.decimals);
        let mut text = format!("Variance of the weakest comparison: at most {items:.0} % items, {seeds:.0} % seeds");
        if let Some(between) = nested.groups {
            text += &format!(", {groups:.0} % {}", self.group_name);
            if between > 0.0 {
                let Nested { mean, interval: Interval { low, high }, degrees_of_freedom, .. } = nested;
                let [mean, low, high] = [mean, low, high].map(|value| signed(value, decimals));
                text += &format!("; its mean over {} is {mean} [{low}, {high}]", self.group_name);
                text += &format!(" (degrees of freedom: {degrees_of_freedom})");
            }
        }
        let detectable = self.comparisons.iter().filter_map(|comparison| Some(comparison.test?.detectable));
        if let Some(largest) = detectable.reduce(f64::max) {
            text += &format!(". Detectable in every comparison: {} beyond the margin", fixed(largest, decimals));
        }
        Some(text)
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
            "### {}: {}\n\n{} ({})\n\n{}; {}.\n\nHow sure: {}.\n\n{}{}",
            finding.claim.id,
            finding.verdict,
            finding.claim.text,
            finding.claim.source,
            finding.demand(spec),
            finding.counts(),
            finding.certainty(),
            finding.variance(spec).map(|text| format!("{text}.\n\n")).unwrap_or_default(),
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
/// the width of the 95 % t interval, the test of the mean against the rule's margin ([`SeedTest`]), and the mean over groups of
/// seeds with the percentages of the variance ([`Nested`]).
///
/// Numbers are rounded to 1e-6, p-values to four digits.
pub fn findings_csv(findings: &[Finding]) -> String {
    let mut rows = vec![PLACE.into_iter().chain(Finding::NUMBERS).map(String::from).collect()];
    for finding in findings {
        let rule = &finding.claim.rule;
        for comparison in &finding.comparisons {
            let mut line = |seed: String, numbers: Vec<String>| {
                let head = [&finding.claim.id, &finding.verdict.to_string(), rule.name(), &rule.condition()];
                let place = [&comparison.block, rule.column(), &comparison.row, &comparison.other, &seed];
                let mut fields: Vec<String> = head.into_iter().chain(place).map(String::from).chain(numbers).collect();
                fields.resize(PLACE.len() + Finding::NUMBERS.len(), String::new());
                rows.push(fields);
            };
            for seed in &comparison.seeds {
                let empty = String::new;
                line(seed.seed.to_string(), vec![rounded(seed.difference), empty(), empty(), seed.holds.to_string()]);
            }
            line("mean".into(), comparison.numbers());
        }
    }
    csv_text(&rows)
}

impl Comparison {
    /// The fields of [`Finding::NUMBERS`], as far as they are known.
    fn numbers(&self) -> Vec<String> {
        let number = |value: Option<f64>| value.map(rounded).unwrap_or_default();
        let (estimate, test, nested) = (self.estimate, self.test, self.nested);
        let of_groups = nested.and_then(|nested| Some((nested.percentages()?, nested.groups.is_some())));
        vec![
            number(estimate.map(|estimate| estimate.mean)),
            number(estimate.map(|estimate| estimate.min)),
            number(estimate.map(|estimate| estimate.max)),
            estimate.map(|_| self.mean_holds.to_string()).unwrap_or_default(),
            self.decision.to_string(),
            number(estimate.and_then(|estimate| estimate.half_width())),
            number(test.map(|test| test.t)),
            test.map(|test| p_field(test.p)).unwrap_or_default(),
            test.map(|test| p_field(test.holm_p)).unwrap_or_default(),
            number(test.map(|test| test.effect)),
            number(test.map(|test| test.detectable)),
            number(nested.map(|nested| nested.mean)),
            number(nested.map(|nested| nested.interval.low)),
            number(nested.map(|nested| nested.interval.high)),
            nested.map(|nested| nested.degrees_of_freedom.to_string()).unwrap_or_default(),
            number(of_groups.map(|([items, ..], _)| items)),
            number(of_groups.map(|([_, seeds, _], _)| seeds)),
            number(of_groups.filter(|(_, has_groups)| *has_groups).map(|([.., groups], _)| groups)),
        ]
    }
}
