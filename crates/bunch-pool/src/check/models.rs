//! Whether the models are there, are sound, and fit together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bunch_checkpoint::Checkpoint;
use bunch_inspection::describe::{DescribeOptions, Description, describe};
use bunch_judging::Exchange;
use bunch_lm::{Message, Tokenizer, text_files};

use crate::report::{ModelRole, ModelSummary};
use crate::{Pool, PoolError, PoolProblem};

/// A model that could be opened.
struct Opened {
    key: String,
    name: String,
    path: PathBuf,
    architecture: String,
    shapes: BTreeMap<String, Vec<usize>>,
    /// Ids and tokens; none where the tokenizer's files do not say them.
    tokens: Option<Vec<(u32, String)>>,
    tokenizer: Option<Tokenizer>,
}

/// Checks all models and summarises those that are there.
pub(super) fn check(pool: &Pool, problems: &mut Vec<PoolProblem>) -> Vec<ModelSummary> {
    let file = pool.file();
    let mut summaries = Vec::new();
    let mut members = Vec::new();
    for name in file.members.keys() {
        let role = if *name == file.base { ModelRole::Base } else { ModelRole::Member };
        members.extend(open(pool, &format!("member.{name}"), (name, role), problems, &mut summaries));
    }
    let reference = members.iter().position(|member| member.name == file.base).unwrap_or(0);
    if let Some(base) = members.get(reference) {
        for member in members.iter().filter(|member| member.name != base.name) {
            compare_weights(base, member, problems);
            compare_tokens(base, member, problems);
            compare_templates(base, member, problems);
        }
    }
    for (name, helper) in &file.helpers {
        let key = format!("helper.{name}");
        let role = if helper.judge.is_some() { ModelRole::Judge } else { ModelRole::Helper };
        let model = match &helper.model {
            Some(_) => open(pool, &key, (name, role), problems, &mut summaries),
            None => None,
        };
        if helper.judge.is_some() {
            check_judge(pool, name, model.as_ref(), problems);
        }
        // The pretrained model is merged with members, but it need not chat.
        if let (Some(base), Some(model), true) =
            (members.get(reference), &model, file.pretrained.as_ref() == Some(name))
        {
            compare_weights(base, model, problems);
            compare_tokens(base, model, problems);
        }
    }
    summaries.sort_by_key(|summary: &ModelSummary| match summary.role {
        ModelRole::Base => 0,
        ModelRole::Member => 1,
        ModelRole::Judge | ModelRole::Helper => 2,
    });
    summaries
}

fn open(
    pool: &Pool,
    key: &str,
    (name, role): (&str, ModelRole),
    problems: &mut Vec<PoolProblem>,
    summaries: &mut Vec<ModelSummary>,
) -> Option<Opened> {
    let key = format!("{key}.model");
    let path = match pool.model(name) {
        Ok(path) => path,
        Err(PoolError::NoModel { expected, got, remedy, .. }) => {
            problems.push(PoolProblem::new(key, pool.path(), (expected, got), remedy));
            return None;
        }
        Err(error) => {
            problems.push(PoolProblem::new(key, pool.path(), ("a model", error), "correct it"));
            return None;
        }
    };
    let description = describe(&path, &DescribeOptions::default());
    for problem in &description.problems {
        let remedy = "repair the model or fetch it again (bunch inspect shows it all)";
        problems.push(PoolProblem::new(&key, &path, ("a sound model", problem), remedy));
    }
    summaries.push(summary(name, role, &description));
    let checkpoint = Checkpoint::open(&path).ok()?;
    let shape = |tensor: &str| Some((tensor.to_owned(), checkpoint.info(tensor)?.shape.clone()));
    let shapes = checkpoint.names().filter_map(shape).collect();
    let gguf = checkpoint.gguf_metadata().ok().flatten();
    let tokenizer = Tokenizer::from_model(checkpoint.dir(), gguf.as_ref());
    if let Err(error) = &tokenizer {
        let remedy = "add the tokenizer's files: members are asked and judged";
        problems.push(PoolProblem::new(&key, &path, ("a tokenizer", error), remedy));
    }
    let files = text_files(checkpoint.dir(), gguf.as_ref()).ok();
    let tokens = files
        .and_then(|files| bunch_vocabulary::Tokenizer::new(files).ok())
        .map(|tokenizer| tokenizer.tokens().into_iter().map(|(id, token)| (id, token.to_owned())).collect::<Vec<_>>());
    Some(Opened {
        key,
        name: name.to_owned(),
        architecture: architecture(&description),
        path,
        shapes,
        tokens: tokens.filter(|tokens| !tokens.is_empty()),
        tokenizer: tokenizer.ok(),
    })
}

fn summary(name: &str, role: ModelRole, description: &Description) -> ModelSummary {
    ModelSummary {
        name: name.to_owned(),
        role,
        architecture: architecture(description),
        parameters: description.parameters.total,
        dtypes: description.dtypes.keys().cloned().collect(),
        disk: description.shards.iter().map(|shard| shard.bytes).sum(),
    }
}

fn architecture(description: &Description) -> String {
    let config = &description.config;
    let name = config.architectures.first().or(config.model_type.as_ref());
    name.map_or("unknown", String::as_str).to_owned()
}

fn compare_weights(base: &Opened, other: &Opened, problems: &mut Vec<PoolProblem>) {
    if base.architecture != other.architecture {
        let expected = format!("the architecture of {}, {}", base.name, base.architecture);
        let remedy = "leave the model out: models of different architecture cannot be merged";
        problems.push(PoolProblem::new(&other.key, &other.path, (expected, &other.architecture), remedy));
    }
    let described =
        |shape: Option<&Vec<usize>>| shape.map_or("no such tensor".to_owned(), |shape| format!("{shape:?}"));
    let names = base.shapes.keys().chain(other.shapes.keys().filter(|name| !base.shapes.contains_key(*name)));
    let mut different = names.filter(|name| base.shapes.get(*name) != other.shapes.get(*name));
    if let Some(name) = different.next() {
        let more = match different.count() {
            0 => String::new(),
            more => format!(" (and {more} more tensors differ)"),
        };
        let expected = format!("tensor `{name}` as in {}: {}", base.name, described(base.shapes.get(name)));
        let got = format!("{}{more}", described(other.shapes.get(name)));
        let remedy = "leave the model out, or take one of the base's shape";
        problems.push(PoolProblem::new(&other.key, &other.path, (expected, got), remedy));
    }
}

fn compare_tokens(base: &Opened, other: &Opened, problems: &mut Vec<PoolProblem>) {
    let (Some(ours), Some(theirs)) = (&base.tokens, &other.tokens) else { return };
    let theirs: BTreeMap<u32, &str> = theirs.iter().map(|(id, token)| (*id, token.as_str())).collect();
    let ours: BTreeMap<u32, &str> = ours.iter().map(|(id, token)| (*id, token.as_str())).collect();
    let ids = ours.keys().chain(theirs.keys().filter(|id| !ours.contains_key(*id)));
    let mut different = ids.filter(|id| ours.get(*id) != theirs.get(*id));
    if let Some(id) = different.next() {
        let described = |token: Option<&&str>| token.map_or("no token".to_owned(), |token| format!("{token:?}"));
        let more = different.count();
        let expected = format!("the vocabulary of {}, where id {id} is {}", base.name, described(ours.get(id)));
        let got = format!("{} (and {more} more ids differ)", described(theirs.get(id)));
        let remedy = "give the model the base's vocabulary first (a recipe's `tokenizer` section merges vocabularies)";
        problems.push(PoolProblem::new(&other.key, &other.path, (expected, got), remedy));
    }
}

/// A conversation that shows what a chat template does.
fn conversation() -> [Message; 3] {
    [Message::user("Hello"), Message::assistant("Hello to you"), Message::user("How are you")]
}

fn compare_templates(base: &Opened, other: &Opened, problems: &mut Vec<PoolProblem>) {
    let (Some(ours), Some(theirs)) = (&base.tokenizer, &other.tokenizer) else { return };
    let rendered = theirs.render_chat(&conversation(), true);
    match (ours.render_chat(&conversation(), true), rendered) {
        (Ok(expected), Ok(got)) if expected != got => {
            let faults = (format!("a chat as in {}, {expected:?}", base.name), format!("{got:?}"));
            let remedy = "give the model the base's chat template, if it was trained with it";
            problems.push(PoolProblem::new(&other.key, &other.path, faults, remedy));
        }
        (Ok(_), Err(error)) => {
            let remedy = "give the model the base's chat template, if it was trained with it";
            problems.push(PoolProblem::new(&other.key, &other.path, ("a chat template", error), remedy));
        }
        // What is wrong with the base's is said of the base.
        (Err(_), _) | (Ok(_), Ok(_)) => {}
    }
}

fn check_judge(pool: &Pool, name: &str, model: Option<&Opened>, problems: &mut Vec<PoolProblem>) {
    let key = format!("helper.{name}.judge");
    let judge = match pool.judge(name) {
        Ok(judge) => judge,
        Err(error) => {
            let remedy = "name a judge (bunch judges lists them), or a TOML file with its template beside it";
            problems.push(PoolProblem::new(key, pool.path(), ("a judge", error), remedy));
            return;
        }
    };
    let Some(model) = model else { return };
    let Some(tokenizer) = &model.tokenizer else { return };
    if let Err(error) = judge.render(&Exchange::new("Hello", "Hello to you"), tokenizer) {
        let remedy = "name a judge with a template of its own, or give the model its chat template";
        problems.push(PoolProblem::new(
            key,
            &model.path,
            ("a template that puts an exchange to the judge", error),
            remedy,
        ));
    }
}
