//! The results folder: cells, table, claims, figure, data statistics and manifest, all rendered from the measurements.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

use bunch_checkpoint::{atomic_write, sha256_bytes};
use bunch_report::{
    Cell, CellRun, Finding, GitState, MANIFEST_FILE, MANIFEST_SCHEMA_VERSION, Machine, Manifest, Output, Published,
    SeedGroups, Table, TableSpec, Verdict, evaluate, findings_csv, findings_markdown, findings_terminal, write_cells,
};

use crate::ExperimentError;
use crate::declared::experiment::Experiment;
use crate::declared::variant::Variant;
use crate::recording::figures::{Background, Figures};
use crate::recording::measurement::Measurement;
use crate::recording::provenance::Provenance;
use crate::recording::{published, supplement};

/// The results folder of one experiment at one scale.
pub(crate) struct Results<'a> {
    root: &'a Path,
    folder: PathBuf,
    experiment: &'a Experiment,
    published: Vec<Published>,
    spec: TableSpec,
    seed_groups: SeedGroups,
    seeds: Vec<u64>,
    spec_sha256: String,
}

/// Held while files of a results folder are written.
static WRITING: Mutex<()> = Mutex::new(());

/// Waits until no results folder is half written, and keeps every one so while the result lives.
///
/// Who ends the program while other threads work does it with this in hand.
pub fn between_writes() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// What a terminal shows of the results.
pub(crate) struct Written {
    pub(crate) table: String,
    pub(crate) findings: String,
    /// How many claims have which verdict.
    pub(crate) verdicts: String,
}

impl<'a> Results<'a> {
    pub(crate) fn new(
        root: &'a Path,
        folder: &Path,
        experiment: &'a Experiment,
        variant: &Variant,
        seeds: &[u64],
        spec_sha256: String,
    ) -> Result<Self, ExperimentError> {
        let listed = seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let spec = experiment.table_spec(&format!("{variant} scale, seeds {listed}"));
        let published = published::load(root, experiment)?;
        let seed_groups = experiment.seed_groups(&variant.scale);
        let (folder, seeds) = (folder.into(), seeds.to_vec());
        Ok(Self { root, folder, experiment, published, spec, seed_groups, seeds, spec_sha256 })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Refuses a folder with results of another specification.
    pub(crate) fn check_previous(&self, overwrite: bool) -> Result<(), ExperimentError> {
        let path = self.folder.join(MANIFEST_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(ExperimentError::io(path)(error)),
        };
        if overwrite {
            return Ok(());
        }
        let manifest = Manifest::from_json(&text, &path.to_string_lossy())?;
        if manifest.experiment_sha256 == self.spec_sha256 {
            return Ok(());
        }
        Err(ExperimentError::OtherResults { path, got: manifest.experiment_sha256, expected: self.spec_sha256.clone() })
    }

    /// Renders and writes everything; gives table and claims for a terminal.
    pub(crate) fn write(
        &self,
        measurements: &[Measurement],
        provenance: Provenance,
    ) -> Result<Written, ExperimentError> {
        let cells: Vec<Cell> = measurements.iter().flat_map(cells_of).collect();
        let table = Table::new(&self.spec, &cells, &self.published)?;
        let findings = evaluate(&self.experiment.claims, &self.spec, &cells, self.seed_groups)?;
        let mut markdown = table.markdown();
        markdown += &format!("\n{}\n\n{}\n", self.experiment.question.trim(), findings_markdown(&findings, &self.spec));
        if !self.experiment.analysis.trim().is_empty() {
            markdown += &format!("\n{}\n", self.experiment.analysis.trim());
        }
        let unparsed = supplement::unparsed(measurements);
        if let Some(note) = &unparsed {
            markdown += &format!("\n{note}\n");
        }
        let mut files: Vec<(String, Vec<u8>)> = vec![
            ("cells.csv".into(), write_cells(&cells)?.into_bytes()),
            ("table.csv".into(), table.csv().into_bytes()),
            ("table.md".into(), markdown.into_bytes()),
            ("table.tex".into(), table.latex().into_bytes()),
            ("claims.csv".into(), findings_csv(&findings).into_bytes()),
            ("differences.csv".into(), supplement::differences(self.experiment, measurements)?.into_bytes()),
            ("stages.csv".into(), supplement::stages(&provenance.generated).into_bytes()),
            ("samples.csv".into(), supplement::samples(measurements).into_bytes()),
        ];
        let figures = Figures::new(self.experiment, &self.spec, &cells, &self.published)?;
        let Provenance { generated, prompts, .. } = &provenance;
        files.extend(figures.files(&Background { measurements, generated, prompts })?);
        fs::create_dir_all(&self.folder).map_err(ExperimentError::io(&self.folder))?;
        let manifest = self.manifest(measurements, provenance, &files)?;
        let _writing = between_writes();
        for (name, bytes) in &files {
            atomic_write(&self.folder.join(name), bytes)?;
        }
        // Last, so that a manifest never vouches for files that are not there.
        atomic_write(&self.folder.join(MANIFEST_FILE), manifest.to_json()?.as_bytes())?;
        let (mut table, verdicts) = (table.terminal(), count_verdicts(&findings));
        table.extend(unparsed.map(|note| format!("{note}\n")));
        Ok(Written { table, findings: findings_terminal(&findings, &self.spec), verdicts })
    }

    fn manifest(
        &self,
        measurements: &[Measurement],
        provenance: Provenance,
        files: &[(String, Vec<u8>)],
    ) -> Result<Manifest, ExperimentError> {
        let lock = self.root.join("Cargo.lock");
        let lock_text = fs::read_to_string(&lock).map_err(ExperimentError::io(&lock))?;
        let runs = measurements.iter().zip(&provenance.reused);
        Ok(Manifest {
            schema_version: MANIFEST_SCHEMA_VERSION,
            command_line: provenance.command_line,
            git: git_state(self.root),
            cargo_lock_sha256: sha256_bytes(lock_text.as_bytes()),
            burn_version: version_in_lock(&lock_text, "burn").unwrap_or_else(|| "unknown".into()),
            device: provenance.device,
            machine: Some(Machine::this()),
            scale: provenance.scale,
            experiment_sha256: self.spec_sha256.clone(),
            seeds: self.seeds.clone(),
            models: provenance.models,
            data: provenance.data,
            sample_counts: provenance.sample_counts,
            cells: runs
                .map(|(measurement, &cached)| CellRun {
                    id: measurement.id.clone(),
                    wall_seconds: measurement.wall_seconds,
                    cached,
                })
                .collect(),
            wall_seconds: provenance.wall_seconds,
            outputs: files.iter().map(|(name, bytes)| Output::new(name, bytes)).collect(),
        })
    }
}

/// How many claims have which verdict, as in `3 hold, 1 does not hold`.
pub(crate) fn count_verdicts(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let forms = [
        (Verdict::Holds, ["holds", "hold"]),
        (Verdict::Partly, ["holds partly", "hold partly"]),
        (Verdict::DoesNotHold, ["does not hold", "do not hold"]),
        (Verdict::Undecided, ["is undecided", "are undecided"]),
        (Verdict::NotTested, ["is not tested", "are not tested"]),
    ];
    let counted = forms.into_iter().map(|(verdict, forms)| (count(verdict), forms)).filter(|(count, _)| *count > 0);
    let texts: Vec<String> =
        counted.map(|(count, [one, several])| format!("{count} {}", if count == 1 { one } else { several })).collect();
    if texts.is_empty() { "none".into() } else { texts.join(", ") }
}

/// One cell for each column; details are its Wilson interval and the coefficients found.
fn cells_of(measurement: &Measurement) -> impl Iterator<Item = Cell> + '_ {
    measurement.scores.iter().map(|(column, score)| {
        let wilson = score.proportion().wilson_95();
        let mut detail = measurement.detail.clone();
        detail.extend([("wilson_low".into(), wilson.low), ("wilson_high".into(), wilson.high)]);
        if score.unparsed > 0 {
            detail.insert("unparsed".into(), score.unparsed as f64);
        }
        Cell {
            row: measurement.row.clone(),
            column: column.clone(),
            block: measurement.block.clone(),
            seed: measurement.seed,
            value: score.value,
            stderr: score.stderr,
            n: score.n,
            cell_id: measurement.id.clone(),
            detail,
        }
    })
}

/// The checkout's revision, and whether anything but results differs from it.
fn git_state(root: &Path) -> Option<GitState> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["rev-parse", "HEAD"])?;
    let dirty = !git(&["status", "--porcelain", "--", ".", ":!results"])?.is_empty();
    Some(GitState { revision, dirty })
}

/// The version of a package in a Cargo.lock.
fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}
