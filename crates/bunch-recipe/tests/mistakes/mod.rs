//! What is wrong with a recipe that is given as text.

use bunch_recipe::Recipe;
use std::path::Path;

/// All problems of a recipe.
pub fn problems(file: &str, text: &str) -> Vec<String> {
    let problems = Recipe::parse(Path::new(file), text).expect_err("a mistake");
    assert_eq!(problems.to_string().lines().count(), problems.0.len());
    problems.0.iter().map(ToString::to_string).collect()
}

/// The only problem of a YAML recipe.
pub fn problem(text: &str) -> String {
    let problems = problems("r.yml", text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().unwrap_or_default()
}

/// A recipe of two experts with these lines after it.
pub fn linear(more: &str) -> String {
    format!(
        "merge_method: linear\nmodels:\n- {{model: a, parameters: {{weight: 1}}}}\n- {{model: b, parameters: {{weight: 2}}}}\n{more}"
    )
}
