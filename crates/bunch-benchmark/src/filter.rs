//! Filters: how an answer is extracted from generated text.

use serde::{Deserialize, Serialize};

use crate::python::{self, Pattern};

/// A named sequence of filters; each pipeline of a task gives its own score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterPipeline {
    /// The name after the comma in `exact_match,strict-match`.
    pub name: String,
    /// Applied in this order.
    pub filter: Vec<Filter>,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "function", rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// One match of a regular expression: its first non-empty group, or the whole match where it has no groups.
    Regex {
        /// In Python's syntax.
        #[serde(default = "numeric_answer")]
        regex_pattern: String,
        /// Which match: 0 is the first, -1 the last.
        #[serde(default)]
        group_select: i64,
        /// The answer where nothing matches.
        #[serde(default = "invalid")]
        fallback: String,
    },
    /// White space at both ends is removed.
    RemoveWhitespace,
    /// Lower case.
    Lowercase,
    /// Upper case.
    Uppercase,
    /// The first of repeated answers; there is one.
    TakeFirst,
}

fn numeric_answer() -> String {
    r"#### (\-?[0-9\.\,]+)".to_string()
}

fn invalid() -> String {
    "[invalid]".to_string()
}

impl FilterPipeline {
    /// The pipeline of a task that names none.
    pub(crate) fn none() -> Self {
        Self { name: "none".to_string(), filter: vec![Filter::TakeFirst] }
    }

    /// What is wrong with the pipeline, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.filter.iter().try_for_each(|filter| match filter {
            Filter::Regex { regex_pattern, .. } => Pattern::new(regex_pattern).map(|_| ()),
            _ => Ok(()),
        })
    }

    /// The answer in a response.
    ///
    /// # Errors
    /// A match that was asked for and is not there, as lm-eval would stop too, or a pattern without end.
    pub(crate) fn apply(&self, response: &str) -> Result<String, String> {
        self.filter.iter().try_fold(response.to_string(), |text, filter| filter.apply(&text))
    }
}

impl Filter {
    fn apply(&self, text: &str) -> Result<String, String> {
        Ok(match self {
            Self::Regex { regex_pattern, group_select, fallback } => {
                let found = Pattern::new(regex_pattern)?.find_all(text)?;
                if found.is_empty() {
                    return Ok(fallback.clone());
                }
                let from_end = if *group_select < 0 { found.len() as i64 } else { 0 };
                let at = usize::try_from(from_end + group_select).ok();
                let groups = at.and_then(|at| found.get(at)).ok_or_else(|| {
                    format!("filter: group_select is {group_select}, but there are {} matches in {text:?}", found.len())
                })?;
                let group = match groups.as_slice() {
                    [only] => only,
                    several => several.iter().find(|group| !group.is_empty()).unwrap_or(fallback),
                };
                python::strip(group).to_string()
            }
            Self::RemoveWhitespace => python::strip(text).to_string(),
            Self::Lowercase => text.to_lowercase(),
            Self::Uppercase => text.to_uppercase(),
            Self::TakeFirst => text.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, FilterPipeline};

    fn regex(pattern: &str, group_select: i64) -> FilterPipeline {
        let filter =
            Filter::Regex { regex_pattern: pattern.to_string(), group_select, fallback: "[invalid]".to_string() };
        FilterPipeline { name: "f".to_string(), filter: vec![filter, Filter::TakeFirst] }
    }

    #[test]
    fn gsm8k_answers() {
        let strict = regex(r"#### (\-?[0-9\.\,]+)", 0);
        let flexible = regex("(-?[$0-9.,]{2,})|(-?[0-9]+)", -1);
        for (text, strictly, flexibly) in [
            ("so 5 + 7 = 12\n#### 12", "12", "12"),
            ("#### -1,234.\n#### 7", "-1,234.", "7"),
            ("She pays $18.50 in all.", "[invalid]", "$18.50"),
            ("the answer is seven", "[invalid]", "[invalid]"),
            ("#### $12 apples", "[invalid]", "$12"),
        ] {
            assert_eq!(strict.apply(text).as_deref(), Ok(strictly), "{text}");
            assert_eq!(flexible.apply(text).as_deref(), Ok(flexibly), "{text}");
        }
    }

    #[test]
    fn several_groups_give_the_first_that_is_not_empty() {
        assert_eq!(regex("(a)?(b)?c", 0).apply("bc").as_deref(), Ok("b"));
        assert_eq!(regex("(a)?(b)?c", 0).apply("c").as_deref(), Ok("[invalid]"));
        assert_eq!(regex("(a)?c", 0).apply("c").as_deref(), Ok(""));
        assert_eq!(regex("a+", 0).apply("b aa").as_deref(), Ok("aa"));
        assert!(regex("a", 1).apply("a").unwrap_err().contains("there are 1 matches"));
        assert!(regex("a", -2).apply("a").is_err());
    }

    #[test]
    fn unknown_filters_and_keys_are_refused() {
        let pipeline: FilterPipeline = toml::from_str(
            "name = 'x'\nfilter = [{function = 'remove_whitespace'}, {function = 'uppercase'}, {function = 'lowercase'}]",
        )
        .expect("a pipeline");
        assert_eq!(pipeline.apply(" É\u{1f}").as_deref(), Ok("é"));
        toml::from_str::<FilterPipeline>("name = 'x'\nfilter = [{function = 'vote'}]").expect_err("unknown");
        let extra = "name = 'x'\nfilter = [{function = 'regex', pattern = 'a'}]";
        toml::from_str::<FilterPipeline>(extra).expect_err("unknown key");
        assert!(regex("(", 0).check().is_err());
    }
}
