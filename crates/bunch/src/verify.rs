//! `bunch verify`: checks committed results against their files, their claims, and the same experiments run again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bunch_experiment::{
    Committed, Compared, Deviation, ExperimentError, Failure, Finished, Options, ResultsPlace, Run, Selection, Suite,
    Variant, tolerance_reason,
};

use crate::arguments::VerifyArguments;
use crate::interruption;
use crate::reproduce::{command_line, workspace_root};

/// How many differences of one results folder are printed.
const SHOWN: usize = 20;

/// What was found so far.
#[derive(Default)]
struct Tally {
    /// Folders in which something is wrong.
    wrong: Vec<String>,
    /// Folders whose numbers were not computed again, because their pretrained model is missing.
    not_rerun: Vec<String>,
    same: usize,
    tolerated: usize,
    /// Whether anything was compared within a tolerance, with whatever outcome.
    has_tolerated: bool,
}

impl Tally {
    fn is_wrong(&mut self, title: String) {
        if !self.wrong.contains(&title) {
            self.wrong.push(title);
        }
    }

    /// Prints differences, if there are any.
    fn report(&mut self, title: &str, deviations: &[Deviation]) {
        for deviation in deviations.iter().take(SHOWN) {
            println!("  wrong: {deviation}");
        }
        if deviations.len() > SHOWN {
            println!("  wrong: and {} more", deviations.len() - SHOWN);
        }
        if !deviations.is_empty() {
            self.is_wrong(title.to_owned());
        }
    }

    fn fail(&mut self, title: &str, error: ExperimentError) {
        println!("  wrong: {}", crate::display_chain(&anyhow::Error::from(error)));
        self.is_wrong(title.to_owned());
    }
}

/// Verifies the results that the arguments name.
pub fn verify(arguments: VerifyArguments) -> Result<()> {
    let root = workspace_root()?;
    let below_root = |path: &PathBuf| if path.is_absolute() { path.clone() } else { root.join(path) };
    let (results, cache) = (below_root(&arguments.results), below_root(&arguments.cache));
    // Where the experiments write what is compared: no place where anybody's results are.
    let again = cache.join("verification");
    let options = Options {
        scale: String::new(),
        seeds: None,
        device: String::new(),
        jobs: arguments.jobs,
        limit: None,
        fresh: arguments.fresh,
        overwrite: true,
        models: below_root(&arguments.models),
        data: root.join("datasets"),
        results: again.clone(),
        cache,
        command_line: command_line(&root),
    };
    let selection = Selection::new(&root, &results, &arguments.items)?;
    let mut tally = Tally::default();
    let mut committed = Vec::new();
    let mut paper = "";
    for place in &selection.places {
        let folder = place.name.split('/').next().unwrap_or_default();
        if folder != paper {
            println!("{folder}");
            paper = folder;
        }
        let title = title(&place.name, &place.variant);
        println!("{title}");
        match Committed::open(&root, &results, place, &options) {
            Ok(found) => {
                check(&mut tally, &title, &found);
                committed.push(found);
            }
            Err(error) => tally.fail(&title, error),
        }
    }
    for name in &selection.without_results {
        println!("{name}\n  wrong: expected results in {}, got none", display_path(&root, &results.join(name)));
        tally.is_wrong(name.clone());
    }
    if !arguments.claims_only {
        println!("\nRunning the same experiments again");
        interruption::stop_between_writes()?;
        run_again(&mut tally, &root, &committed, &again)?;
    }
    conclude(&tally, selection.places.len(), arguments.claims_only)
}

fn title(name: &str, variant: &dyn std::fmt::Display) -> String {
    format!("{name} ({variant})")
}

fn display_path(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Checks what follows from the files alone, and prints it.
fn check(tally: &mut Tally, title: &str, committed: &Committed) {
    match committed.check() {
        Ok(checked) => {
            let verdicts =
                if checked.claims.is_empty() { String::new() } else { format!("; claims: {}", checked.verdicts) };
            println!("  {} files in the manifest{verdicts}", checked.files);
            for claim in &checked.claims {
                println!("  {}", claim.replace('\n', "\n  "));
            }
            tally.report(title, &checked.deviations);
        }
        Err(error) => tally.fail(title, error),
    }
}

/// Runs the experiments one after another and compares their results with the committed ones.
fn run_again(tally: &mut Tally, root: &Path, committed: &[Committed], again: &Path) -> Result<()> {
    if again.exists() {
        std::fs::remove_dir_all(again).with_context(|| again.display().to_string())?;
    }
    let place_of = |run: &Run| ResultsPlace { name: run.name().to_owned(), variant: run.variant().to_string() };
    // Results of another specification need not agree in any number; `check` has reported them.
    let runs = committed.iter().filter(|found| found.has_its_specification()).map(|found| found.run().clone());
    let suite = Suite::new(runs.collect());
    println!("{suite}");
    let place = |failure: &Failure| (failure.name.clone(), failure.variant.clone());
    let before: Vec<(String, Variant)> = suite.failures().iter().map(place).collect();
    let mut ended = |run: &Run, result: &Result<Finished, ExperimentError>| {
        let title = title(run.name(), run.variant());
        let Ok(finished) = result else { return println!("{title}: failed") };
        let cells = format!("{} cells computed, {} from the cache", finished.computed, finished.cached);
        let Some(found) = committed.iter().find(|found| *found.place() == place_of(run)) else { return };
        match found.compare(root, &finished.folder) {
            Ok(Compared { tolerated, deviations }) => {
                tally.has_tolerated |= tolerated.is_some();
                match (&tolerated, deviations.is_empty()) {
                    (None, true) => tally.same += 1,
                    (Some(_), true) => tally.tolerated += 1,
                    _ => {}
                }
                let outcome = match (&tolerated, deviations.len()) {
                    (None, 0) => "the same bit for bit".to_owned(),
                    (Some(_), 0) => "the same within the tolerance".to_owned(),
                    (_, count) => format!("{count} differences"),
                };
                println!("{title}: {outcome} ({cells})");
                if let Some(reason) = &tolerated {
                    println!("  not every bit must be the same: {reason}");
                }
                tally.report(&title, &deviations);
            }
            Err(error) => tally.fail(&title, error),
        }
    };
    let failures = suite.execute(&mut ended)?;
    for Failure { name, variant, error } in failures {
        let title = title(&name, &variant);
        if error.is_missing_model() && before.contains(&(name, variant)) {
            println!("{title}: not computed again, because its pretrained model is missing");
            tally.not_rerun.push(title);
        } else {
            println!("{title}");
            tally.fail(&title, error);
        }
    }
    if tally.has_tolerated {
        println!("Why within a tolerance: {}", tolerance_reason(root)?);
    }
    if again.exists() {
        std::fs::remove_dir_all(again).with_context(|| again.display().to_string())?;
    }
    Ok(())
}

fn conclude(tally: &Tally, places: usize, claims_only: bool) -> Result<()> {
    let Tally { wrong, not_rerun, same, tolerated, .. } = tally;
    println!();
    println!("Results verified: {places}, with something wrong in {}", wrong.len());
    if !claims_only {
        println!(
            "Computed again: {same} the same bit for bit, {tolerated} within the tolerance; not computed again: {}",
            not_rerun.len()
        );
    }
    if wrong.is_empty() { Ok(()) } else { bail!("something is wrong with {}", wrong.join(", ")) }
}
