//! `bunch fetch`: brings a model from the Hugging Face hub.

use std::path::PathBuf;

use anyhow::Result;
use bunch_hub::Observer;
use indicatif::ProgressBar;

use crate::arguments::FetchArguments;
use crate::progress;

/// Fetches what is not there yet.
pub fn fetch(arguments: &FetchArguments) -> Result<()> {
    let default = || PathBuf::from("models").join(&arguments.repo);
    let out = arguments.out.clone().unwrap_or_else(default);
    let bar = Bar(progress::bar("fetching", 0, "bytes", arguments.quiet), std::cell::RefCell::default());
    let fetched = bunch_hub::fetch(&arguments.repo, arguments.revision.as_deref(), &out, &bar)?;
    bar.0.finish_and_clear();
    if !arguments.quiet {
        println!("{}: {} at commit {}", out.display(), fetched.repo, fetched.commit);
        for file in &fetched.files {
            let source = if file.downloaded == 0 { ", was there" } else { "" };
            println!("  {} {} bytes, {}{source}", file.name, file.size, file.digest);
        }
    }
    Ok(())
}

/// The bar, and how much of each file is there.
struct Bar(ProgressBar, std::cell::RefCell<std::collections::BTreeMap<String, u64>>);

impl Observer for Bar {
    fn planned(&self, _: usize, bytes: u64) {
        self.0.set_length(bytes);
    }

    fn progress(&self, file: &str, done: u64, _: u64) {
        let mut files = self.1.borrow_mut();
        files.insert(file.to_owned(), done);
        self.0.set_position(files.values().sum());
    }
}
