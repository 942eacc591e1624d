//! `bunch eval`: scores a model on benchmarks, as lm-evaluation-harness does.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_benchmark::{Catalog, Options, Selection, Task, check_data, evaluate};
use bunch_checkpoint::atomic_write;
use bunch_journal::manifest_path;
use bunch_pool::Pool;
use serde_json::json;

use crate::arguments::EvalArguments;
use crate::loaded_model::LoadedModel;
use crate::pool;
use crate::progress::Bar;

/// Evaluates, or lists what can be evaluated.
pub fn eval(arguments: &EvalArguments) -> Result<()> {
    let mut catalog = Catalog::builtin()?;
    if arguments.list {
        println!("Tasks: {}", catalog.task_names().join(", "));
        println!("Groups: {}", catalog.group_names().join(", "));
        return Ok(());
    }
    let Some(model) = &arguments.model else { bail!("expected --model") };
    let pool = pool::open(arguments.pool.as_deref())?;
    let model = pool::model_path(pool.as_ref(), model)?;
    let selection = match &arguments.perplexity {
        Some(path) => Selection { tasks: vec![Task::perplexity(path)?], groups: Vec::new() },
        None => {
            let tasks = tasks(arguments, pool.as_ref())?;
            catalog.select(&tasks.iter().map(String::as_str).collect::<Vec<_>>())?
        }
    };
    if let Some(out) = arguments.out.as_ref().filter(|out| out.exists() && !arguments.overwrite) {
        bail!("{}: already exists (replace it with --overwrite)", out.display());
    }
    let mut options = Options {
        data_dir: arguments.data.clone(),
        n_shot: arguments.n_shot,
        limit: arguments.limit,
        add_bos: arguments.text.add_bos.into(),
        apply_chat_template: arguments.text.apply_chat_template,
        fewshot_as_multiturn: arguments.fewshot_as_multiturn,
        system_instruction: arguments.system_instruction.clone(),
        fewshot_seed: arguments.fewshot_seed,
        log_samples: arguments.log_samples,
        journal: arguments.out.as_deref().map(journal_of),
        replace_journal: arguments.overwrite,
        ..Options::default()
    };
    // Missing data are found before the model is loaded.
    check_data(&selection, &options)?;
    let loaded = LoadedModel::load(&model, &arguments.run)?;
    options.model = loaded.identity();
    let bar = Bar::new("tokens", arguments.run.quiet);
    let evaluation = evaluate(&selection, &loaded.model, &loaded.tokenizer, &options, &bar)?;
    drop(bar);
    print!("{}", evaluation.table());

    let Some(out) = &arguments.out else { return Ok(()) };
    let mut results = evaluation.results.clone();
    results.insert("command_line".into(), json!(std::env::args().collect::<Vec<_>>()));
    let mut text = serde_json::to_string_pretty(&results)?;
    text.push('\n');
    if arguments.log_samples {
        for (task, samples) in &evaluation.samples {
            let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
            atomic_write(&sibling(out, &format!("samples.{task}.jsonl")), lines.as_bytes())?;
        }
    }
    atomic_write(out, text.as_bytes())?;
    // The results hold all that the journal does.
    for path in options.journal.iter().flat_map(|journal| [journal.clone(), manifest_path(journal)]) {
        if path.exists() {
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    println!("{}", out.display());
    Ok(())
}

/// The tasks that are asked for: a pool's, by name, or any others; without names, all of the pool.
fn tasks(arguments: &EvalArguments, pool: Option<&Pool>) -> Result<Vec<String>> {
    let Some(pool) = pool else { return Ok(arguments.tasks.clone()) };
    let split = arguments.split.into();
    let names: Vec<&String> = match arguments.tasks.as_slice() {
        [] => pool.file().tasks.keys().collect(),
        names => names.iter().collect(),
    };
    let task = |name: &String| {
        let is_of_pool = pool.file().tasks.contains_key(name);
        Ok(if is_of_pool { pool.task(name, split)? } else { name.clone() })
    };
    names.into_iter().map(task).collect()
}

/// Where answers are kept until the results in `out` are complete.
fn journal_of(out: &Path) -> PathBuf {
    sibling(out, "answers.jsonl")
}

/// `results.json` and `x` give `results.x`.
fn sibling(out: &Path, ending: &str) -> PathBuf {
    out.with_extension(ending)
}
