//! The experts of a pool, in a list or each in its role.

use std::collections::BTreeMap;
use std::ops::Deref;

use bunch_merging::{Info, ROLE_NAMES};
use serde::{Deserialize, Serialize};

/// The experts of a pool: a list of models, or a model for each role, as in `{ tuned = "a", aligned = "b" }`, for methods
/// that know their models by role. They are written as a list, since roles change no number: the hash of an experiment is
/// that of its models in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Vec<String>")]
pub(crate) struct Experts {
    models: Vec<String>,
    /// As many as models, or none.
    roles: Vec<String>,
}

/// How an experiment writes experts.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a list of models, or a table with a model for each role")]
enum Written {
    List(Vec<String>),
    ByRole(BTreeMap<String, String>),
}

impl TryFrom<Written> for Experts {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut by_role = match written {
            Written::List(models) => return Ok(models.into()),
            Written::ByRole(by_role) => by_role,
        };
        // The order of the table says nothing: members are numbered in the order in which methods list roles.
        let known = ROLE_NAMES.iter().skip(1);
        let (roles, models) = known.filter_map(|role| by_role.remove_entry(*role)).unzip();
        match by_role.keys().next() {
            None => Ok(Self { models, roles }),
            Some(unknown) => Err(format!("unknown role `{unknown}`, expected one of {}", ROLE_NAMES[1..].join(", "))),
        }
    }
}

impl From<Vec<String>> for Experts {
    fn from(models: Vec<String>) -> Self {
        Self { models, roles: Vec::new() }
    }
}

impl From<Experts> for Vec<String> {
    fn from(experts: Experts) -> Self {
        experts.models
    }
}

impl Deref for Experts {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.models
    }
}

impl Experts {
    /// Refuses a method that knows its models by other roles than these.
    pub(crate) fn check_roles(&self, info: &Info) -> Result<(), String> {
        let fits = |(index, role): (usize, &String)| info.role_of(index).is_some_and(|known| known.name == role);
        let fit = self.roles.len() == self.models.len() && self.roles.iter().enumerate().all(fits);
        if info.roles.is_empty() || fit {
            return Ok(());
        }
        let roles: Vec<String> = info.expert_roles().iter().map(|role| format!("{} = \"..\"", role.name)).collect();
        Err(format!("{} knows its models by role, expected experts = {{ {} }}", info.name, roles.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::Experts;
    use bunch_merging::{Linear, MergeMethod, Mergealign};

    #[derive(serde::Deserialize, Debug)]
    struct Block {
        experts: Experts,
    }

    fn experts(text: &str) -> Experts {
        toml::from_str::<Block>(&format!("experts = {text}")).expect("valid").experts
    }

    #[test]
    fn roles_are_in_the_order_of_methods_whatever_the_table_says() {
        let by_role = experts("{ aligned = 'a', tuned = 't' }");
        assert_eq!(*by_role, ["t", "a"]);
        assert!(by_role.check_roles(&Mergealign::INFO).is_ok());
        assert!(by_role.check_roles(&Linear::INFO).is_ok());
    }

    #[test]
    fn bare_lists_and_other_roles_are_refused() {
        let refused = |experts: Experts| experts.check_roles(&Mergealign::INFO).expect_err("refused");
        let expected = "mergealign knows its models by role, expected experts = { tuned = \"..\", aligned = \"..\" }";
        assert_eq!(refused(experts("['t', 'a']")), expected);
        assert_eq!(refused(experts("{ aligned = 'a', safety = 's' }")), expected);
        let error = toml::from_str::<Block>("experts = { algned = 'a' }").expect_err("unknown").to_string();
        assert!(error.contains("unknown role `algned`, expected one of tuned, aligned"), "{error}");
    }
}
