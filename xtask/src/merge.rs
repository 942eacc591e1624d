//! The merges that are measured.

use std::path::Path;

use clap::ValueEnum;
use serde_json::json;

/// A merge that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Merge {
    /// The mean of two experts.
    Linear,
    /// Two experts, with a gradient of `t` over the layers.
    Slerp,
    /// Base and two experts of weight 0.5.
    TaskArithmetic,
    /// Base and two experts of weight 0.5 and density 0.5.
    Ties,
    /// The same with random instead of largest entries kept.
    DareTies,
}

impl Merge {
    /// Its name on the command line, in recipes and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Slerp => "slerp",
            Self::TaskArithmetic => "task_arithmetic",
            Self::Ties => "ties",
            Self::DareTies => "dare_ties",
        }
    }

    /// Target: bunch needs at most one part in this many of mergekit's processor time.
    pub const fn cpu_target(self) -> u32 {
        match self {
            Self::Linear | Self::Slerp | Self::TaskArithmetic => 10,
            Self::Ties | Self::DareTies => 20,
        }
    }

    /// Target: bunch needs at most one part in this many of mergekit's wall time.
    pub const fn wall_target(self) -> u32 {
        8
    }

    /// The folder names of the models that are read, of a base and two `experts`.
    pub fn inputs<'a>(self, experts: &[&'a str]) -> Vec<&'a str> {
        match self {
            Self::Linear | Self::Slerp => experts.to_vec(),
            Self::TaskArithmetic | Self::Ties | Self::DareTies => [&["base"], experts].concat(),
        }
    }

    /// The recipe that merges these `experts` below `models`. YAML in the form of JSON, so that any path can be in it.
    pub fn recipe(self, models: &Path, experts: &[&str]) -> String {
        let path = |name: &str| models.join(name).display().to_string();
        let parameters = match self {
            Self::Linear | Self::TaskArithmetic => json!({ "weight": 0.5 }),
            Self::Slerp => json!({}),
            Self::Ties | Self::DareTies => json!({ "weight": 0.5, "density": 0.5 }),
        };
        let list: Vec<_> =
            experts.iter().map(|name| json!({ "model": path(name), "parameters": parameters })).collect();
        let mut recipe = json!({ "merge_method": self.name(), "models": list, "dtype": "bfloat16" });
        match self {
            Self::Linear => {}
            Self::Slerp => {
                recipe["base_model"] = json!(experts.first().map(|name| path(name)));
                recipe["parameters"] = json!({ "t": [0.1, 0.5, 0.3, 0.7, 0.9] });
            }
            Self::TaskArithmetic | Self::Ties | Self::DareTies => recipe["base_model"] = json!(path("base")),
        }
        format!("{recipe:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Merge;
    use clap::ValueEnum;
    use serde_json::{Value, json};
    use std::path::Path;

    fn recipe(merge: Merge) -> Value {
        serde_json::from_str(&merge.recipe(Path::new("/m"), &["e1", "e2"])).unwrap()
    }

    #[test]
    fn names_are_those_of_the_command_line_and_of_the_recipe() {
        for merge in Merge::value_variants() {
            assert_eq!(merge.to_possible_value().unwrap().get_name(), merge.name());
            assert_eq!(recipe(*merge)["merge_method"], merge.name());
        }
    }

    #[test]
    fn recipes_name_the_models_that_are_read_and_no_others() {
        for merge in Merge::value_variants() {
            let recipe = recipe(*merge);
            let listed = recipe["models"].as_array().unwrap().iter().map(|model| model["model"].as_str().unwrap());
            let mut named: Vec<&str> = listed.chain(recipe["base_model"].as_str()).collect();
            named.sort_unstable();
            named.dedup();
            let inputs: Vec<String> = merge.inputs(&["e1", "e2"]).iter().map(|name| format!("/m/{name}")).collect();
            assert_eq!(named, inputs, "{merge:?}");
        }
    }

    #[test]
    fn the_recipe_of_ties() {
        let parameters = json!({ "weight": 0.5, "density": 0.5 });
        let expected = json!({
            "merge_method": "ties",
            "models": [
                { "model": "/m/e1", "parameters": parameters },
                { "model": "/m/e2", "parameters": parameters },
            ],
            "base_model": "/m/base",
            "dtype": "bfloat16",
        });
        assert_eq!(recipe(Merge::Ties), expected);
    }
}
