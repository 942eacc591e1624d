//! `bunch report`: all results as one HTML page.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bunch_checkpoint::atomic_write;
use bunch_experiment::{Options, results_page};

use crate::arguments::ReportArguments;
use crate::reproduce::{command_line, workspace_root};

/// Writes the page that the arguments name, from results alone: nothing is trained or measured.
pub fn report(arguments: ReportArguments) -> Result<()> {
    let root = workspace_root()?;
    let results = if arguments.results.is_absolute() { arguments.results } else { root.join(arguments.results) };
    let options = Options {
        scale: String::new(),
        seeds: None,
        device: String::new(),
        jobs: None,
        limit: None,
        fresh: false,
        overwrite: false,
        cache: PathBuf::new(),
        results: results.clone(),
        models: root.join("models"),
        data: root.join("datasets"),
        command_line: command_line(&root),
    };
    let page = results_page(&root, &results, &arguments.scale, &options)?;
    let items = page.parts.iter().flat_map(|part| &part.items);
    let (measured, missing): (Vec<_>, Vec<_>) = items.partition(|item| item.measured.is_some());
    let text = page.html();
    atomic_write(&arguments.out, text.as_bytes()).with_context(|| arguments.out.display().to_string())?;
    let megabytes = text.len() as f64 / 1e6;
    println!("{}: {} items, {megabytes:.1} MB", arguments.out.display(), measured.len());
    if !missing.is_empty() {
        let commands: Vec<&str> = missing.iter().map(|item| item.command.as_str()).collect();
        println!("Without results yet:\n  {}", commands.join("\n  "));
    }
    Ok(())
}
