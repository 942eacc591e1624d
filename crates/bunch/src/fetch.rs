//! `bunch fetch`: brings a model from the Hugging Face hub.

use std::path::PathBuf;

use anyhow::Result;

use crate::arguments::FetchArguments;
use crate::progress::Bar;

/// Fetches what is not there yet.
pub fn fetch(arguments: &FetchArguments) -> Result<()> {
    let default = || PathBuf::from("models").join(&arguments.repo);
    let out = arguments.out.clone().unwrap_or_else(default);
    let progress = Bar::new("bytes", arguments.quiet);
    let fetched = bunch_hub::fetch(&arguments.repo, arguments.revision.as_deref(), &out, &progress)?;
    drop(progress);
    if !arguments.quiet {
        println!("{}: {} at commit {}", out.display(), fetched.repo, fetched.commit);
        for file in &fetched.files {
            let source = if file.downloaded == 0 { ", was there" } else { "" };
            println!("  {} {} bytes, {}{source}", file.name, file.size, file.digest);
        }
    }
    Ok(())
}
