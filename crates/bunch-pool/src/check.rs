//! Everything that is wrong with a pool, before any work.

mod data;
mod models;

use std::path::Path;

use crate::report::PoolReport;
use crate::{Pool, PoolProblem};

/// Looks at everything that a pool names: headers of models, tokenizers, templates, judges, prompts and tasks. Published
/// prompts and data sets are looked for in the folder `data`. Reads no weights.
pub fn check(pool: &Pool, data: Option<&Path>) -> PoolReport {
    let mut problems = names(pool);
    let models = models::check(pool, &mut problems);
    let data = data::check(pool, data, &mut problems);
    PoolReport { title: pool.file().title.clone(), problems, models, data }
}

/// Names that the file gives and that mean nothing in it.
fn names(pool: &Pool) -> Vec<PoolProblem> {
    let file = pool.file();
    let members: Vec<&str> = file.members.keys().map(String::as_str).collect();
    let mut problems = Vec::new();
    if members.is_empty() {
        let faults = ("at least one [member.NAME]", "none");
        problems.push(PoolProblem::new("member", pool.path(), faults, "name the models that are merged"));
    } else if !file.members.contains_key(&file.base) {
        let faults = (format!("one of the members {}", members.join(", ")), format!("`{}`", file.base));
        problems.push(PoolProblem::new("base", pool.path(), faults, "name a member as base"));
    }
    if let Some(pretrained) = file.pretrained.as_ref().filter(|name| !pool.has_model(name)) {
        let faults = ("the name of a member or helper", format!("`{pretrained}`"));
        let remedy = format!("add [helper.{pretrained}] with its model");
        problems.push(PoolProblem::new("pretrained", pool.path(), faults, remedy));
    }
    for name in file.helpers.keys().filter(|name| file.members.contains_key(*name)) {
        let faults = ("a name that no member has", format!("`{name}` twice"));
        problems.push(PoolProblem::new(format!("helper.{name}"), pool.path(), faults, "rename the helper"));
    }
    for (name, _) in file.helpers.iter().filter(|(_, helper)| helper.model.is_none() && helper.judge.is_none()) {
        let faults = ("a key `model` or `judge`", "neither");
        problems.push(PoolProblem::new(format!("helper.{name}"), pool.path(), faults, "say what the helper is"));
    }
    for (name, member) in file.members.iter().filter(|(_, member)| member.topic.is_some() && member.ask.is_some()) {
        let faults =
            ("either `topic` or `ask`", format!("both, `{}` the topic", member.topic.as_deref().unwrap_or("")));
        problems.push(PoolProblem::new(format!("member.{name}"), pool.path(), faults, "leave one of them out"));
    }
    problems
}
