//! A merge with given parameters.

use bunch_merging::{Info, Method};
use serde::{Deserialize, Serialize};

use crate::EvolutionError;
use crate::strategy::{ByOptions, Cost, Environment, Found, FoundMerge, FoundModel, Strategy};

/// Any merge method with the parameters given, as in `strategy.fixed.merge.ties = { density = 0.2 }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedMerge {
    /// The method with its parameters.
    pub merge: Method,
    /// What the base is to the merge.
    #[serde(default, skip_serializing_if = "BaseAs::is_reference")]
    pub base: BaseAs,
}

/// What the pool's base is to a merge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseAs {
    /// What task vectors are relative to.
    #[default]
    Reference,
    /// The same and the first expert too, for methods that average.
    Expert,
    /// Nothing: the experts are merged alone, by methods that do not need a base.
    LeftOut,
}

impl BaseAs {
    fn is_reference(&self) -> bool {
        *self == Self::Reference
    }
}

impl FixedMerge {
    pub(crate) const BY_OPTIONS: Option<ByOptions> =
        Some(ByOptions { summary: "The parameters of --set", settings: &["merge"] });
}

impl Strategy for FixedMerge {
    fn methods(&self) -> Vec<Info> {
        vec![self.merge.info()]
    }

    fn cost(&self, _experts: usize) -> Cost {
        Cost { candidates: 1, merges: 1, ..Cost::default() }
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        if self.base == BaseAs::Expert && !self.merge.info().roles.is_empty() {
            let expected = format!("another: {} knows its models by role", self.merge.info().name);
            return Err(EvolutionError::setting("base", "expert", expected));
        }
        let experts = experts + usize::from(self.base == BaseAs::Expert);
        Ok(self.merge.validate(experts)?)
    }

    fn summary(&self) -> String {
        format!("{} with the parameters given", self.merge.info().title)
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        _name: &str,
        progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let (members, seed) = (environment.members, environment.seed);
        let weights = environment.weights(&members.candidate(self.merge.clone(), self.base, seed)?)?;
        progress();
        let merge = FoundMerge { method: self.merge.clone(), base: self.base };
        Ok(FoundModel { weights, found: Found::default(), merge: Some(merge) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, first, pool};

    fn fixed(text: &str) -> FixedMerge {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_base_is_a_reference_an_expert_or_left_out() {
        // The base is 0, the experts are 1 and 2.
        let merged = |text: &str| first(&Scripted::default().find(&fixed(text), &pool(2)).unwrap().weights);
        assert_eq!(merged("merge.linear = {}"), 1.5);
        assert_eq!(merged("merge.linear = {}\nbase = 'expert'"), 1.0);
        assert_eq!(merged("merge.nuslerp = {}"), 1.5);
        assert!((merged("merge.nuslerp = {}\nbase = 'left_out'") - 1.5196).abs() < 1e-3);
        assert_eq!(merged("merge.task_arithmetic = { weights = [1.0, 0.5] }"), 2.0);
    }

    #[test]
    fn the_number_of_experts_is_checked_with_the_base_where_it_is_one() {
        let slerp = fixed("merge.slerp = { t = 0.5 }");
        assert!(slerp.check(1).is_ok());
        assert!(slerp.check(2).unwrap_err().to_string().contains("exactly one expert"));
        let roles = fixed("merge.mergealign = {}\nbase = 'expert'").check(1).unwrap_err();
        assert_eq!(roles.to_string(), "`base` is expert, expected another: mergealign knows its models by role");
        let weights = fixed("merge.linear = { weights = [0.5, 0.5] }\nbase = 'expert'");
        assert!(weights.check(1).is_ok() && weights.check(2).is_err());
    }
}
