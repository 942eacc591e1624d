//! Whether committed results are what they say: their files, their claims, and their numbers computed again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_report::{
    Comparison, Finding, MANIFEST_FILE, Machine, Manifest, TableSpec, evaluate, findings_csv, read_cells,
};

use crate::ExperimentError;
use crate::declared::experiment::list_experiments;
use crate::declared::variant::Variant;
use crate::planning::run::{Options, Run};
use crate::recording::results::count_verdicts;
use crate::verifying::deviation::{Deviation, csv_deviations};
use crate::verifying::tolerance::Tolerance;

/// A results folder that is to be verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResultsPlace {
    /// `<paper>/<item>`.
    pub name: String,
    /// The scale, and what was changed about it.
    pub variant: String,
}

/// Which results folders are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Those that are there, sorted.
    pub places: Vec<ResultsPlace>,
    /// Experiments that were asked for, or are there, and have no results but quick looks.
    pub without_results: Vec<String>,
}

impl Selection {
    /// The folders below `results` that `items` name (`<paper>`, `<paper>/<item>` or `<paper>/<item>/<variant>`); all that git
    /// keeps where none is named. A quick look is verified only where it is named in full.
    ///
    /// # Errors
    /// An item that names nothing, a folder that cannot be read.
    pub fn new(root: &Path, results: &Path, items: &[String]) -> Result<Self, ExperimentError> {
        let all = list_results(results)?;
        let experiments = list_experiments(root)?;
        let names =
            |item: &str, path: &str| item == path || path.strip_prefix(item).is_some_and(|rest| rest.starts_with('/'));
        for item in items {
            let known = experiments.iter().any(|name| names(item, name))
                || all.iter().any(|place| names(item, &format!("{}/{}", place.name, place.variant)));
            if !known {
                let known = experiments.join(", ");
                return Err(ExperimentError::UnknownExperiment { name: item.clone(), known });
            }
        }
        let wanted = |path: &str| items.is_empty() || items.iter().any(|item| names(item, path));
        let kept = all.iter().filter(|place| !is_quick_look(&place.variant));
        let with_results: BTreeSet<String> = kept.map(|place| place.name.clone()).collect();
        let places = all.into_iter().filter(|place| {
            let path = format!("{}/{}", place.name, place.variant);
            if is_quick_look(&place.variant) { items.contains(&path) } else { wanted(&path) }
        });
        let places = places.collect();
        let without_results = experiments.into_iter().filter(|name| wanted(name) && !with_results.contains(name));
        Ok(Self { places, without_results: without_results.collect() })
    }
}

/// Whether a folder's name says that something was changed about the scale: git ignores these.
fn is_quick_look(folder: &str) -> bool {
    folder.parse::<Variant>().is_ok_and(|variant| variant.is_changed())
}

/// Every `<paper>/<item>/<variant>` below `results`.
fn list_results(results: &Path) -> Result<Vec<ResultsPlace>, ExperimentError> {
    let folders = |path: &Path| -> Result<Vec<String>, ExperimentError> {
        let entries = fs::read_dir(path).map_err(ExperimentError::io(path))?;
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    let mut places = Vec::new();
    for paper in folders(results)? {
        for item in folders(&results.join(&paper))? {
            for variant in folders(&results.join(&paper).join(&item))? {
                places.push(ResultsPlace { name: format!("{paper}/{item}"), variant });
            }
        }
    }
    places.sort();
    Ok(places)
}

/// Committed results with what made them.
pub struct Committed {
    place: ResultsPlace,
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
    pub(crate) run: Run,
}

/// What the files of a results folder say by themselves.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Files that the manifest vouches for.
    pub files: usize,
    /// Each claim with its verdict and the numbers behind it, for a terminal.
    pub claims: Vec<String>,
    /// How many claims have which verdict.
    pub verdicts: String,
    /// What is not as it should be.
    pub deviations: Vec<Deviation>,
}

/// How numbers that were computed again compare with the committed ones.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Why not all bits had to be the same, where that was so.
    pub tolerated: Option<String>,
    /// What is not the same, or not within the tolerance.
    pub deviations: Vec<Deviation>,
}

impl Committed {
    /// Reads the manifest of a folder below `results`, and the experiment below `root` with the seeds, sizes and device that
    /// these results have; the rest of `options` is for [`Committed::run`].
    ///
    /// # Errors
    /// A manifest or an experiment that cannot be read, a folder whose name does not fit its manifest.
    pub fn open(root: &Path, results: &Path, place: &ResultsPlace, options: &Options) -> Result<Self, ExperimentError> {
        let folder = results.join(&place.name).join(&place.variant);
        let path = folder.join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).map_err(ExperimentError::io(&path))?;
        let manifest = Manifest::from_json(&text, &path.to_string_lossy())?;
        let variant: Variant = place.variant.parse()?;
        let options = Options {
            scale: variant.scale.clone(),
            seeds: Some(manifest.seeds.clone()),
            limit: variant.limit,
            device: manifest.device.clone(),
            ..options.clone()
        };
        let run = Run::new(root, &place.name, options)?;
        if *run.variant() != variant || manifest.scale != place.variant {
            let what = format!(
                "it holds results at `{}`, of seeds and a device for which the folder is `{}`",
                manifest.scale,
                run.variant()
            );
            return Err(ExperimentError::Inconsistent { path: folder, what });
        }
        Ok(Self { place: place.clone(), folder, manifest, run })
    }

    /// Which folder it is.
    pub fn place(&self) -> &ResultsPlace {
        &self.place
    }

    /// The run that makes the same results again, in the folder of results of the options.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Whether the experiment's file is the one that the results were made from.
    pub fn has_its_specification(&self) -> bool {
        self.manifest.experiment_sha256 == self.run.spec_sha256()
    }

    /// Checks every file against the manifest, the experiment against the results', and the claims against the cells.
    ///
    /// # Errors
    /// Files that are there and cannot be read.
    pub fn check(&self) -> Result<Checked, ExperimentError> {
        let mut deviations = Vec::new();
        for mismatch in self.manifest.verify_outputs(&self.folder)? {
            let got = mismatch.got.unwrap_or_else(|| "no file".into());
            deviations.push(Deviation::new([&mismatch.path, "", "sha256"], mismatch.expected, got));
        }
        for name in self.manifest.extra_files(&self.folder)? {
            deviations.push(Deviation::new([&name, "", ""], "no file", "one that the manifest does not name"));
        }
        let mut checked = Checked { files: self.manifest.outputs.len(), deviations, ..Checked::default() };
        if !self.has_its_specification() {
            let (expected, got) = (&self.manifest.experiment_sha256, self.run.spec_sha256());
            let row = format!("experiments/{}.toml", self.place.name);
            checked.deviations.push(Deviation::new([MANIFEST_FILE, &row, "experiment_sha256"], expected, got));
            return Ok(checked);
        }
        let read = |name: &str| {
            fs::read_to_string(self.folder.join(name)).map_err(ExperimentError::io(self.folder.join(name)))
        };
        // What is missing is among the deviations already.
        let (Ok(cells), Ok(claims)) = (read("cells.csv"), read("claims.csv")) else { return Ok(checked) };
        let spec = self.run.experiment.table_spec(&self.place.variant);
        let groups = self.run.experiment.seed_groups(&self.run.variant.scale);
        let evaluated = read_cells(&cells, "cells.csv")
            .and_then(|cells| evaluate(&self.run.experiment.claims, &spec, &cells, groups));
        let compared = |findings: &[Finding]| csv_deviations("claims.csv", &findings_csv(findings), &claims, &[]);
        match evaluated.map_err(ExperimentError::from).and_then(|findings| Ok((compared(&findings)?, findings))) {
            Ok((deviations, findings)) => {
                checked.deviations.extend(deviations);
                checked.claims = findings.iter().map(|finding| claim_lines(finding, &spec)).collect();
                checked.verdicts = count_verdicts(&findings);
            }
            // A file that was changed may be no file of cells any more.
            Err(error) => {
                checked.deviations.push(Deviation::new(["cells.csv", "", ""], "cells and claims", error.to_string()))
            }
        }
        Ok(checked)
    }

    /// Compares with `made`, the folder that the same run wrote just now: every bit of every file but the manifest where the
    /// results were made on this type of machine, else cells within the tolerance of `data/verification.toml` and verdicts.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn compare(&self, root: &Path, made: &Path) -> Result<Compared, ExperimentError> {
        let path = made.join(MANIFEST_FILE);
        let text = fs::read_to_string(&path).map_err(ExperimentError::io(&path))?;
        let new = Manifest::from_json(&text, &path.to_string_lossy())?;
        let names =
            |manifest: &Manifest| manifest.outputs.iter().map(|output| output.path.clone()).collect::<BTreeSet<_>>();
        let (old_names, new_names) = (names(&self.manifest), names(&new));
        let deviation = |name: &String, expected: &str, got: &str| Deviation::new([name, "", ""], expected, got);
        let mut deviations: Vec<Deviation> = Vec::new();
        deviations.extend(new_names.difference(&old_names).map(|name| deviation(name, "this file", "none")));
        deviations.extend(
            old_names.difference(&new_names).map(|name| deviation(name, "no file", "one that is not made any more")),
        );
        let machine = Machine::this();
        let tolerated = match &self.manifest.machine {
            Some(other) if other.computes_like(&machine) => None,
            Some(other) => {
                Some(format!("they were made on another type of machine ({}, {})", other.arch, other.simd.join(" ")))
            }
            None => Some("their manifest does not say on what machine they were made".to_owned()),
        };
        let pair = |name: &str| -> Result<[Vec<u8>; 2], ExperimentError> {
            let read = |folder: &Path| fs::read(folder.join(name)).map_err(ExperimentError::io(folder.join(name)));
            Ok([read(&self.folder)?, read(made)?])
        };
        let Some(reason) = tolerated else {
            for name in old_names.intersection(&new_names) {
                deviations.extend(same_bits(name, pair(name)?)?);
            }
            return Ok(Compared { tolerated: None, deviations });
        };
        let tolerance = Tolerance::load(root)?;
        let [old, made_now] = pair("cells.csv")?.map(|bytes| read_cells(&String::from_utf8_lossy(&bytes), "cells.csv"));
        deviations.extend(tolerance.deviations(&old?, &made_now?)?);
        // Differences are those of cells; what they decide must be the same.
        let [old, made_now] = pair("claims.csv")?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        deviations.extend(csv_deviations("claims.csv", &old, &made_now, &Finding::NUMBERS)?);
        Ok(Compared { tolerated: Some(reason), deviations })
    }
}

/// Why numbers of another type of machine may differ from the committed ones, and how far: `data/verification.toml` below `root`.
///
/// # Errors
/// A file that is missing or wrong.
pub fn tolerance_reason(root: &Path) -> Result<String, ExperimentError> {
    Ok(Tolerance::load(root)?.reason)
}

/// Where a committed file and the same made again differ.
fn same_bits(name: &str, [old, new]: [Vec<u8>; 2]) -> Result<Vec<Deviation>, ExperimentError> {
    if old == new {
        return Ok(Vec::new());
    }
    if !name.ends_with(".csv") {
        let [old, new] = [old, new].map(|bytes| bunch_report::sha256_hex(&bytes));
        return Ok(vec![Deviation::new([name, "", "sha256"], old, new)]);
    }
    let [old, new] = [old, new].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    // An address names the code too: other code may give the same numbers.
    csv_deviations(name, &old, &new, &["cell_id"])
}

/// A claim with its verdict, its test, and the comparisons that are nearest to failing and farthest from it.
fn claim_lines(finding: &Finding, spec: &TableSpec) -> String {
    let rule = &finding.claim.rule;
    let unit = spec.columns.iter().find(|column| column.name == rule.column());
    let label = unit.map_or_else(|| rule.column().to_owned(), |column| column.label.clone());
    let mut text = format!("{}: {} ({})\n", finding.verdict, finding.claim.text, finding.claim.id);
    text += &format!("  difference of {label} {}: {}", rule.condition(), finding.counts());
    let mean = |comparison: &&Comparison| comparison.estimate.map(|estimate| estimate.mean);
    let tested = || finding.comparisons.iter().filter(|comparison| comparison.estimate.is_some());
    let by_mean = |a: &&Comparison, b: &&Comparison| mean(a).unwrap_or(0.0).total_cmp(&mean(b).unwrap_or(0.0));
    if let (Some(least), Some(most)) = (tested().min_by(by_mean), tested().max_by(by_mean)) {
        let shown = |comparison: &Comparison| {
            let Comparison { block, row, other, .. } = comparison;
            // Rounded first: a zero has no sign.
            let mean = (mean(&comparison).unwrap_or(0.0) * 1e4).round() / 1e4 + 0.0;
            format!("{mean:+.4} ({block}: {row} - {other})")
        };
        text += &format!("\n  means over seeds from {} to {}", shown(least), shown(most));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_name_papers_experiments_and_folders() {
        let root = tempfile::tempdir().unwrap();
        let results = root.path().join("results");
        for name in ["a/one", "a/one-more", "b/two"] {
            let path = root.path().join("experiments").join(format!("{name}.toml"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        for folder in ["a/one/miniature", "a/one/small", "a/one/miniature-limit-4", "b/two/miniature-seeds-3"] {
            fs::create_dir_all(results.join(folder)).unwrap();
        }
        let select = |items: &[&str]| {
            let items: Vec<String> = items.iter().map(|item| item.to_string()).collect();
            Selection::new(root.path(), &results, &items).map(|selection| {
                let place = |place: &ResultsPlace| format!("{}/{}", place.name, place.variant);
                (selection.places.iter().map(place).collect::<Vec<_>>(), selection.without_results)
            })
        };
        let lists = |places: &[&str], without: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
            (owned(places), owned(without))
        };
        assert_eq!(select(&[]).unwrap(), lists(&["a/one/miniature", "a/one/small"], &["a/one-more", "b/two"]));
        assert_eq!(select(&["a/one"]).unwrap(), lists(&["a/one/miniature", "a/one/small"], &[]));
        assert_eq!(select(&["a/one/small", "b"]).unwrap(), lists(&["a/one/small"], &["b/two"]));
        let quick = "b/two/miniature-seeds-3";
        assert_eq!(select(&[quick]).unwrap(), lists(&[quick], &[]));
        for unknown in ["c", "a/on", "a/one/large"] {
            let error = select(&[unknown]).unwrap_err().to_string();
            assert!(error.contains(&format!("unknown experiment `{unknown}`: there are a/one, ")), "{error}");
        }
    }
}
