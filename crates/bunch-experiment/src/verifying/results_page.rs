//! All results of a scale, read back for one page.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bunch_report::{
    Cell, Finding, Listing, Measured, Page, PageFigure, PageItem, PagePart, Table, evaluate, read_cells,
};

use crate::ExperimentError;
use crate::declared::experiment::{Experiment, list_experiments};
use crate::declared::figure_spec::{Drawing, DrawingKind};
use crate::declared::variant::Variant;
use crate::planning::run::Options;
use crate::recording::published;
use crate::verifying::verification::{Committed, ResultsPlace};

/// Folders of experiments in the order of the page, and the headings of their parts.
const PARTS: [(&str, &str); 3] = [
    ("hammoud2024", "Hammoud et al. 2024: Model Merging and Safety Alignment: One Bad Model Spoils the Bunch"),
    ("thakkar2025", "Thakkar et al. 2025: MergeAlign"),
    ("extensions", "Beyond the papers"),
];

/// What the page is.
const ABOUT: &str = "Merging an aligned language model with others may cost its safety. Two papers measured that, and proposed \
    remedies. This page has every table and figure of both, measured again with bunch, beside the papers' own numbers where these \
    are known, and says of each claim whether it holds here, by how much, how sure that is, on what data, and with which command.";

/// What the miniature world is.
const MINIATURE: &str = "These are results of the miniature world: Llama models of about 450,000 parameters, really trained on a \
    synthetic language with facts, harmless requests and harmful ones, really merged, and judged on what they really answered. It \
    can show that a mechanism is enough for an effect, or that an effect is not there. It cannot show the size of effects in models of 7 \
    or 8 billion parameters, for which the papers' names stand in the tables. Harm has no content here: words are invented. \
    METHODOLOGY.md in the repository has the whole recipe, what was tried, and where it departs from the papers.";

/// What the words on the page mean.
const WORDS: [&str; 2] = [
    "A claim's rule and margin stood in the experiment's file before anything was measured. A comparison is decided \
     where the 95 % t interval of its mean over seeds lies on one side of the margin. The claim holds if all comparisons are decided \
     for it, it does not hold if all are decided against it, and it holds partly if some are decided for it and some against it. \
     Otherwise it is undecided: more seeds could still change the verdict. \"At the least\" is the comparison that is closest to \
     refuting the claim, or refutes it most: the mean over seeds and half its 95 % t interval. \"How sure\" is a one-sided t test \
     over seeds against the margin, corrected after Holm for the comparisons of the claim.",
    "A seed is a world of its own: its facts, its models, its data and its searches. Numbers in tables are means over seeds \
     with a 95 % interval, that of percentages within 0 and 100; a dash says why there is no number. What the papers plotted and printed nowhere is \"not \
     found\".",
];

/// Characters of a hash that are shown.
const SHORT: usize = 12;

/// The page of all experiments that have the scale of `variant`, with their results in `<results>/<name>/<variant>`; those without
/// stand there with the command that makes them. `options` is what the experiments would be run with.
///
/// # Errors
/// A scale that no experiment has, an experiment that cannot be read, results that are not what their manifest says or were
/// made from another version of the experiment.
pub fn results_page(root: &Path, results: &Path, variant: &str, options: &Options) -> Result<Page, ExperimentError> {
    let scale = variant.parse::<Variant>()?.scale;
    let names = list_experiments(root)?;
    let mut folders: Vec<&str> = PARTS.iter().map(|(folder, _)| *folder).collect();
    let folder_of = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let others: BTreeSet<String> = names.iter().map(|name| folder_of(name)).collect();
    folders.extend(others.iter().map(String::as_str).filter(|name| PARTS.iter().all(|(folder, _)| folder != name)));
    let (mut parts, mut known) = (Vec::new(), BTreeSet::new());
    for folder in folders {
        let (mut items, mut link) = (Vec::new(), None);
        for name in names.iter().filter(|name| folder_of(name) == folder) {
            let experiment = Experiment::load(root, name)?;
            known.extend(experiment.scale.keys().cloned());
            if !experiment.scale.contains_key(&scale) {
                continue;
            }
            if experiment.paper.key == folder {
                link = Some(format!("https://arxiv.org/abs/{}", experiment.paper.arxiv));
            }
            items.push(item(root, results, &ResultsPlace { name: name.clone(), variant: variant.into() }, options)?);
        }
        let heading = PARTS.iter().find(|(name, _)| *name == folder).map_or(folder, |(_, heading)| heading);
        if !items.is_empty() {
            parts.push(PagePart { name: heading.into(), link, items });
        }
    }
    if parts.is_empty() {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(ExperimentError::UnknownScale { name: variant.into(), known });
    }
    let mut introduction = vec![ABOUT.to_owned()];
    introduction.extend((scale == "miniature").then(|| MINIATURE.to_owned()));
    introduction.extend(WORDS.map(String::from));
    Ok(Page { title: format!("Merging and safety, measured again ({variant} scale)"), introduction, parts })
}

fn item(root: &Path, results: &Path, place: &ResultsPlace, options: &Options) -> Result<PageItem, ExperimentError> {
    let experiment = Experiment::load(root, &place.name)?;
    let has_results = results.join(&place.name).join(&place.variant).is_dir();
    let committed = has_results.then(|| Committed::open(root, results, place, options)).transpose()?;
    let scale = if place.variant == "miniature" { String::new() } else { format!(" --scale {}", place.variant) };
    let is_paper = place.name.starts_with(&experiment.paper.key);
    let number = if is_paper { format!("{}: ", experiment.paper.item) } else { String::new() };
    Ok(PageItem {
        anchor: place.name.replace('/', "-"),
        heading: format!("{number}{}", experiment.title),
        question: experiment.question.clone(),
        command: format!("cargo bunch reproduce {}{scale}", place.name),
        measured: committed.map(|committed| measured(root, &committed)).transpose()?,
    })
}

fn measured(root: &Path, committed: &Committed) -> Result<Measured, ExperimentError> {
    let checked = committed.check()?;
    if let Some(deviation) = checked.deviations.first() {
        let (path, more) = (committed.folder.clone(), checked.deviations.len() - 1);
        let what = format!("{deviation}; differences beyond this one: {more} (`bunch verify` shows them)");
        return Err(ExperimentError::Inconsistent { path, what });
    }
    let read = |name: &str| {
        let path = committed.folder.join(name);
        fs::read_to_string(&path).map_err(ExperimentError::io(path))
    };
    let experiment = &committed.run.experiment;
    let seeds = committed.manifest.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let spec = experiment.table_spec(&format!("seeds {seeds}"));
    let cells = read_cells(&read("cells.csv")?, "cells.csv")?;
    let findings = evaluate(&experiment.claims, &spec, &cells, experiment.seed_groups(&committed.run.variant().scale))?;
    let figure = |name: &String| -> Result<PageFigure, ExperimentError> {
        let stem = name.trim_end_matches(".svg");
        let of = experiment.drawings.iter().filter(|drawing| stem.starts_with(&drawing.name));
        let title = of.max_by_key(|drawing| drawing.name.len()).map_or(&experiment.title, |drawing| &drawing.title);
        Ok(PageFigure { title: title.clone(), svg: read(name)? })
    };
    let names = committed.manifest.outputs.iter().map(|output| &output.path);
    let figures = names.filter(|name| name.ends_with(".svg")).map(figure).collect::<Result<_, _>>()?;
    let mut listings = vec![
        differences(&Lines::read("differences.csv", &read("differences.csv")?)?, &findings),
        searches(experiment, &cells),
        Lines::read("stages.csv", &read("stages.csv")?)?
            .listing("How the data was generated: what entered each stage and what it kept", &["entered", "kept"]),
        samples(&Lines::read("samples.csv", &read("samples.csv")?)?),
        materials(committed),
        provenance(committed),
    ];
    for Drawing { name, title, draw } in &experiment.drawings {
        if let DrawingKind::Front(_) = draw {
            let name = format!("{name}.csv");
            listings.insert(0, Lines::read(&name, &read(&name)?)?.listing(title, &["hypervolume"]));
        }
    }
    let table = Table::new(&spec, &cells, &published::load(root, experiment)?)?;
    Ok(Measured { analysis: experiment.analysis.clone(), spec, table, findings, figures, listings })
}

/// A CSV file as text.
struct Lines {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Lines {
    fn read(name: &str, text: &str) -> Result<Self, ExperimentError> {
        let wrong = |error: csv::Error| ExperimentError::Inconsistent { path: name.into(), what: error.to_string() };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header = fields(reader.headers().map_err(wrong)?);
        let rows = reader.records().map(|record| Ok(fields(&record.map_err(wrong)?)));
        Ok(Self { header, rows: rows.collect::<Result<_, ExperimentError>>()? })
    }

    /// The field of a row in a column; empty without such a column.
    fn field<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let index = self.header.iter().position(|name| name == column);
        index.map_or("", |index| &row[index])
    }

    /// All of it, with the `numeric` columns aligned as numbers.
    fn listing(self, title: &str, numeric: &[&str]) -> Listing {
        let columns = self.header.into_iter().map(|name| (name.clone(), numeric.contains(&name.as_str())));
        Listing { title: title.into(), columns: columns.collect(), rows: self.rows }
    }
}

/// Rows against their baselines on the same items, in the columns that claims look at.
fn differences(lines: &Lines, findings: &[Finding]) -> Listing {
    const SHOWN: [&str; 11] =
        ["block", "row", "baseline", "column", "seed", "difference", "low", "high", "cohens_h", "mcnemar_p", "holm_p"];
    let claimed: BTreeSet<&str> = findings.iter().map(|finding| finding.claim.rule.column()).collect();
    let of = lines.rows.iter().filter(|row| claimed.contains(lines.field(row, "column")));
    let short = |text: &str| match text.parse::<f64>() {
        Ok(number) if text.contains('.') && !text.contains('e') => format!("{number:.2}"),
        _ => text.to_owned(),
    };
    let rows = of.map(|row| SHOWN.map(|column| short(lines.field(row, column))).to_vec());
    Listing {
        title: "Differences on the same test items, seed by seed: exact 95 % intervals, effect sizes, McNemar's test"
            .into(),
        columns: SHOWN.iter().enumerate().map(|(index, name)| (name.replace('_', " "), index > 3)).collect(),
        rows: rows.collect(),
    }
}

/// What the searches found, and what chose among candidates.
fn searches(experiment: &Experiment, cells: &[Cell]) -> Listing {
    let kept = |name: &&String| !name.starts_with("wilson_");
    let mut of: BTreeMap<(&str, &str, u64), &BTreeMap<String, f64>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| cell.detail.keys().any(|name| kept(&name))) {
        of.insert((&cell.block, &cell.row, cell.seed), &cell.detail);
    }
    let names: BTreeSet<&String> = of.values().flat_map(|detail| detail.keys().filter(kept)).collect();
    let text = |number: &f64| if number.fract() == 0.0 { format!("{number}") } else { format!("{number:.4}") };
    let mut rows = Vec::new();
    for row in &experiment.rows {
        for (&(block, _, seed), detail) in of.iter().filter(|((_, name, _), _)| *name == row.name) {
            let numbers = names.iter().map(|name| detail.get(*name).map(text).unwrap_or_default());
            rows.push([block.into(), row.name.clone(), seed.to_string()].into_iter().chain(numbers).collect());
        }
    }
    let heads = ["block", "row", "seed"].map(|name| (name.to_owned(), false));
    Listing {
        title: "What the searches found: coefficients, losses, dev scores".into(),
        columns: heads.into_iter().chain(names.iter().map(|name| (name.replace('_', " "), true))).collect(),
        rows,
    }
}

/// Of every model of the first seed an answer that the guard judged safe, and one that it judged unsafe.
fn samples(lines: &Lines) -> Listing {
    const SHOWN: [&str; 5] = ["block", "row", "guard", "prompt", "response"];
    let first = lines.rows.first().map_or("", |row| lines.field(row, "seed"));
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for row in lines.rows.iter().filter(|row| lines.field(row, "seed") == first) {
        if seen.insert(["block", "row", "guard"].map(|column| lines.field(row, column))) {
            rows.push(SHOWN.map(|column| lines.field(row, column).to_owned()).to_vec());
        }
    }
    Listing {
        title: format!(
            "What models said to harmful prompts (seed {first}): an answer judged safe and one judged unsafe"
        ),
        columns: SHOWN.map(|name| (name.to_owned(), false)).to_vec(),
        rows,
    }
}

/// Models and data, by hash.
fn materials(committed: &Committed) -> Listing {
    let short = |hash: &str| hash.chars().take(SHORT).collect::<String>();
    let models = committed.manifest.models.iter();
    let models = models.map(|model| vec!["model".into(), model.name.clone(), String::new(), short(&model.sha256)]);
    let data = committed.manifest.data.iter();
    let data = data.map(|data| vec!["data".into(), data.name.clone(), data.n.to_string(), short(&data.sha256)]);
    Listing {
        title: "On what: models and data".into(),
        columns: [("kind", false), ("name", false), ("items", true), ("SHA-256 begins", false)]
            .map(|(name, numeric)| (name.to_owned(), numeric))
            .to_vec(),
        rows: models.chain(data).collect(),
    }
}

/// By what, when and where the numbers were made.
fn provenance(committed: &Committed) -> Listing {
    let manifest = &committed.manifest;
    let revision = manifest.git.as_ref().map_or_else(
        || "unknown".to_owned(),
        |git| format!("{}{}", git.revision, if git.dirty { ", with changes" } else { "" }),
    );
    let machine = manifest.machine.as_ref().map_or_else(
        || "not recorded".to_owned(),
        |machine| format!("{}, {} {}, {}", machine.cpu, machine.os, machine.arch, machine.simd.join(" ")),
    );
    let cached = manifest.cells.iter().filter(|cell| cell.cached).count();
    let seconds: f64 = manifest.cells.iter().map(|cell| cell.wall_seconds).sum();
    let facts = [
        ("revision of the code", revision),
        ("command", manifest.command_line.join(" ")),
        ("seeds", manifest.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
        ("device", format!("{}, burn {}", manifest.device, manifest.burn_version)),
        ("machine", machine),
        ("cells", format!("{}, {cached} of them from the cache", manifest.cells.len())),
        ("time of all cells", format!("{seconds:.0} s, one after another")),
        ("SHA-256 of the experiment", manifest.experiment_sha256.clone()),
        ("SHA-256 of Cargo.lock", manifest.cargo_lock_sha256.clone()),
        ("folder", format!("results/{}/{}", committed.place().name, committed.place().variant)),
    ];
    Listing {
        title: "By what: revision, machine, time".into(),
        columns: [("what", false), ("value", false)].map(|(name, numeric)| (name.to_owned(), numeric)).to_vec(),
        rows: facts.map(|(what, value)| vec![what.to_owned(), value]).to_vec(),
    }
}
