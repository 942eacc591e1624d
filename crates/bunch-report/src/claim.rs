//! A paper's claim as a rule on cells, decided before they are measured.

use crate::{ReportError, TableSpec};
use serde::{Deserialize, Serialize};

/// A claim and the rule that tests it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Short unique name.
    pub id: String,
    /// The claim in words.
    pub text: String,
    /// Where the paper makes it.
    pub source: String,
    /// What must be true of the cells.
    pub rule: Rule,
}

/// What a claim demands, as in `rule.less_than = { rows = ["ties"], column = "alignment", than_row = "aligned", by = 10 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Every row is below one row by more than a margin.
    LessThan(AgainstRow),
    /// Every row is above one row by more than a margin.
    GreaterThan(AgainstRow),
    /// The first of every pair is above the second by more than a margin.
    Pairs(Pairs),
    /// The first of every pair is at most a tolerance below the second.
    NotBelow(NotBelow),
}

/// Several rows against one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgainstRow {
    /// Rows that are compared.
    pub rows: Vec<String>,
    /// Column they are compared in.
    pub column: String,
    /// Row they are compared with.
    pub than_row: String,
    /// Margin in the column's unit, at least 0; the difference must exceed it.
    #[serde(default)]
    pub by: f64,
    /// Blocks; empty for all that have the rows.
    #[serde(default)]
    pub blocks: Vec<String>,
}

/// Rows against each their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// Column the rows are compared in.
    pub column: String,
    /// `[row, other row]` each.
    pub pairs: Vec<(String, String)>,
    /// Margin in the column's unit, at least 0; the difference must exceed it.
    #[serde(default)]
    pub by: f64,
    /// Blocks; empty for all that have the rows.
    #[serde(default)]
    pub blocks: Vec<String>,
}

/// Rows against each their own, allowed to be a little worse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotBelow {
    /// `[row, other row]` each.
    pub pairs: Vec<(String, String)>,
    /// Column the rows are compared in.
    pub column: String,
    /// How far below the other a row may be, in the column's unit, at least 0.
    pub tolerance: f64,
    /// Blocks; empty for all that have the rows.
    #[serde(default)]
    pub blocks: Vec<String>,
}

impl Rule {
    /// Name in TOML.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LessThan(_) => "less_than",
            Self::GreaterThan(_) => "greater_than",
            Self::Pairs(_) => "pairs",
            Self::NotBelow(_) => "not_below",
        }
    }

    /// Column that is compared.
    pub fn column(&self) -> &str {
        match self {
            Self::LessThan(rule) | Self::GreaterThan(rule) => &rule.column,
            Self::Pairs(rule) => &rule.column,
            Self::NotBelow(rule) => &rule.column,
        }
    }

    /// The condition on `row - other`.
    ///
    /// Differences are rounded to 1e-9 first, so that a difference equal to the margin is not decided by the last bit of
    /// a subtraction.
    pub(crate) fn accepts(&self, difference: f64) -> bool {
        let difference = (difference * 1e9).round() / 1e9;
        match self {
            Self::LessThan(rule) => difference < -rule.by,
            Self::GreaterThan(rule) => difference > rule.by,
            Self::Pairs(rule) => difference > rule.by,
            Self::NotBelow(rule) => difference >= -rule.tolerance,
        }
    }

    /// The number that a difference is compared with, in the column's unit: -10 of `less_than` by 10.
    pub(crate) fn threshold(&self) -> f64 {
        match self {
            Self::LessThan(rule) => 0.0 - rule.by,
            Self::GreaterThan(rule) => rule.by,
            Self::Pairs(rule) => rule.by,
            Self::NotBelow(rule) => 0.0 - rule.tolerance,
        }
    }

    /// 1 where differences above the threshold speak for the claim, -1 where those below do.
    pub(crate) fn direction(&self) -> f64 {
        match self {
            Self::LessThan(_) => -1.0,
            Self::GreaterThan(_) | Self::Pairs(_) | Self::NotBelow(_) => 1.0,
        }
    }

    /// The condition in signs, as in `< -10`.
    pub fn condition(&self) -> String {
        let sign = match self {
            Self::LessThan(_) => '<',
            Self::GreaterThan(_) | Self::Pairs(_) => '>',
            Self::NotBelow(_) => '≥',
        };
        format!("{sign} {}", self.threshold())
    }

    /// `(row, other)` of every comparison within a block.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        match self {
            Self::LessThan(rule) | Self::GreaterThan(rule) => {
                rule.rows.iter().map(|row| (row.as_str(), rule.than_row.as_str())).collect()
            }
            Self::Pairs(Pairs { pairs, .. }) | Self::NotBelow(NotBelow { pairs, .. }) => {
                pairs.iter().map(|(row, other)| (row.as_str(), other.as_str())).collect()
            }
        }
    }

    /// Blocks named, or none for all.
    pub(crate) fn blocks(&self) -> &[String] {
        match self {
            Self::LessThan(rule) | Self::GreaterThan(rule) => &rule.blocks,
            Self::Pairs(rule) => &rule.blocks,
            Self::NotBelow(rule) => &rule.blocks,
        }
    }

    fn margin(&self) -> (&'static str, f64) {
        match self {
            Self::LessThan(rule) | Self::GreaterThan(rule) => ("by", rule.by),
            Self::Pairs(rule) => ("by", rule.by),
            Self::NotBelow(rule) => ("tolerance", rule.tolerance),
        }
    }
}

impl Claim {
    /// Checks the claim against the table it is about.
    ///
    /// # Errors
    /// If the rule compares nothing, its margin is negative or not finite, or it names a row, column or block that the
    /// table, or the block, does not have.
    pub fn validate(&self, spec: &TableSpec) -> Result<(), ReportError> {
        let place = format!("claim `{}`", self.id);
        let (field, got) = self.rule.margin();
        if !got.is_finite() {
            return Err(ReportError::NotFinite { place, field: field.into(), got });
        }
        if got < 0.0 {
            return Err(ReportError::Negative { place, field: field.into(), got });
        }
        spec.column(self.rule.column(), &place)?;
        for (row, other) in self.rule.pairs() {
            spec.row(row, &place)?;
            spec.row(other, &place)?;
        }
        for name in self.rule.blocks() {
            let block = spec.block(name, &place)?;
            let pairs = self.rule.pairs();
            if let Some(got) = pairs.iter().flat_map(|(row, other)| [row, other]).find(|row| !block.has_row(row)) {
                let (got, expected) = ((*got).into(), block.rows.join(", "));
                return Err(ReportError::Unknown {
                    place: format!("{place}, block `{name}`"),
                    what: "row",
                    got,
                    expected,
                });
            }
        }
        if self.comparisons(spec).is_empty() {
            return Err(ReportError::Empty { place, field: "rule" });
        }
        Ok(())
    }

    /// `(block, row, other)` of every comparison, blocks in the table's order.
    pub(crate) fn comparisons<'a>(&'a self, spec: &'a TableSpec) -> Vec<(&'a str, &'a str, &'a str)> {
        let named = self.rule.blocks();
        let blocks = spec.blocks.iter().filter(|block| named.is_empty() || named.contains(&block.name));
        blocks
            .flat_map(|block| {
                let pairs = self.rule.pairs().into_iter();
                let here = pairs.filter(|(row, other)| block.has_row(row) && block.has_row(other));
                here.map(|(row, other)| (block.name.as_str(), row, other))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::spec;

    fn claim(rule: &str) -> Claim {
        toml::from_str(&format!("id = 'c'\ntext = 't'\nsource = 's'\nrule.{rule}")).unwrap()
    }

    #[test]
    fn every_rule_reads_from_toml() {
        let claim_of = |text: &str| claim(text).rule;
        let less =
            claim_of("less_than = { rows = ['a', 'b'], column = 'x', than_row = 'c', by = 10.0, blocks = ['p'] }");
        assert_eq!(less.pairs(), [("a", "c"), ("b", "c")]);
        assert_eq!((less.name(), less.column(), less.condition()), ("less_than", "x", "< -10".into()));
        assert_eq!([-10.5, -10.0, 10.0 - 20.0 - 1e-13, 0.0].map(|d| less.accepts(d)), [true, false, false, false]);
        let greater = claim_of("greater_than = { rows = ['a'], column = 'x', than_row = 'c' }");
        assert_eq!([0.1, 0.0, -0.1].map(|d| greater.accepts(d)), [true, false, false]);
        let pairs = claim_of("pairs = { column = 'x', pairs = [['a', 'b']], by = 0.5 }");
        assert_eq!(pairs.pairs(), [("a", "b")]);
        assert_eq!([0.6, 0.5, 61.6 - 61.1].map(|d| pairs.accepts(d)), [true, false, false]);
        let not_below = claim_of("not_below = { column = 'x', pairs = [['a', 'b']], tolerance = 0.9 }");
        assert_eq!([0.0, -0.9, 73.7 - 74.6, -0.91].map(|d| not_below.accepts(d)), [true, true, true, false]);
        let margins = [&less, &greater, &pairs, &not_below].map(|rule| (rule.threshold(), rule.direction()));
        assert_eq!(margins, [(-10.0, -1.0), (0.0, 1.0), (0.5, 1.0), (-0.9, 1.0)]);
        assert_eq!([greater, pairs, not_below].map(|rule| rule.condition()), ["> 0", "> 0.5", "≥ -0.9"]);
    }

    #[test]
    fn claims_that_cannot_be_tested_are_refused() {
        let message = |rule: &str| claim(rule).validate(&spec()).unwrap_err().to_string();
        assert!(
            message("less_than = { rows = ['tise'], column = 'alignment', than_row = 'aligned' }")
                .starts_with("claim `c`: unknown row `tise`, expected one of: aligned, ")
        );
        assert!(message("pairs = { column = 'x', pairs = [['aligned', 'cocktail']] }").contains("unknown column `x`"));
        assert!(message("pairs = { column = 'alignment', pairs = [] }").ends_with("claim `c`: `rule` is empty"));
        assert_eq!(
            message("pairs = { column = 'alignment', pairs = [['aligned', 'cocktail']], by = -1.0 }"),
            "claim `c`: `by` is -1, expected at least 0"
        );
        assert_eq!(
            message("pairs = { column = 'alignment', pairs = [['aligned', 'cocktail']], blocks = ['stem'] }"),
            "claim `c`, block `stem`: unknown row `cocktail`, expected one of: aligned, ties-grid, ties-ours"
        );
        let unknown =
            toml::from_str::<Claim>("id='c'\ntext='t'\nsource='s'\nrule.pairs = { column='x', pairs=[], bi=1 }");
        assert!(unknown.unwrap_err().to_string().contains("unknown field `bi`"));
    }

    #[test]
    fn without_named_blocks_all_that_have_the_rows_are_compared() {
        let both =
            claim("pairs = { column = 'alignment', pairs = [['ties-ours', 'ties-grid'], ['aligned', 'cocktail']] }");
        let spec = spec();
        assert_eq!(
            both.comparisons(&spec),
            [("bio", "ties-ours", "ties-grid"), ("bio", "aligned", "cocktail"), ("stem", "ties-ours", "ties-grid")]
        );
    }
}
