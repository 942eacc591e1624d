//! Where the numbers come from: everything needed to compute them again.

use crate::{Machine, ReportError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the manifest's file, next to its outputs.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Version of the manifest's fields that this code reads and writes.
pub const MANIFEST_SCHEMA_VERSION: u32 = 1;

/// The contents of `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command line, program first.
    pub command_line: Vec<String>,
    /// The code's revision; `None` outside a git checkout.
    pub git: Option<GitState>,
    /// SHA-256 of `Cargo.lock`.
    pub cargo_lock_sha256: String,
    /// Version of burn.
    pub burn_version: String,
    /// Device the models ran on.
    pub device: String,
    /// The machine; `None` in manifests from before it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Scale: `miniature`, `small` or `paper`.
    pub scale: String,
    /// SHA-256 of the experiment's resolved specification.
    pub experiment_sha256: String,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Models used.
    pub models: Vec<ModelUse>,
    /// Data sets used.
    pub data: Vec<DataUse>,
    /// Test items per column.
    pub sample_counts: BTreeMap<String, u64>,
    /// Cells.
    pub cells: Vec<CellRun>,
    /// Wall time of the whole command in seconds.
    pub wall_seconds: f64,
    /// Files written next to the manifest.
    pub outputs: Vec<Output>,
}

/// Revision of the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitState {
    /// Full hash of the commit.
    pub revision: String,
    /// Whether tracked files differed from it.
    pub dirty: bool,
}

/// A model used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelUse {
    /// Name.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
}

/// A data set used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataUse {
    /// Name.
    pub name: String,
    /// SHA-256 of its contents.
    pub sha256: String,
    /// Number of items.
    pub n: u64,
}

/// How a cell came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRun {
    /// The cell's content address.
    pub id: String,
    /// Wall time of computing it in seconds.
    pub wall_seconds: f64,
    /// Whether it was taken from an earlier run.
    pub cached: bool,
}

/// A file written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Path relative to the manifest, with `/` between parts.
    pub path: String,
    /// SHA-256 of its contents.
    pub sha256: String,
}

impl Output {
    /// The output `contents` at `path`.
    pub fn new(path: impl Into<String>, contents: &[u8]) -> Self {
        Self { path: path.into(), sha256: sha256_hex(contents) }
    }
}

/// A file that is not what the manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Path relative to the manifest.
    pub path: String,
    /// SHA-256 in the manifest.
    pub expected: String,
    /// SHA-256 of the file; `None` if there is none.
    pub got: Option<String>,
}

impl Manifest {
    /// The text of `manifest.json`: indented, fields in declaration order, with a final newline.
    ///
    /// # Errors
    /// If a wall time is not finite, which JSON cannot express.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let cells = self.cells.iter().map(|cell| (cell.id.as_str(), cell.wall_seconds));
        for (id, got) in cells.chain([("whole run", self.wall_seconds)]) {
            if !got.is_finite() {
                return Err(ReportError::NotFinite {
                    place: format!("manifest, {id}"),
                    field: "wall_seconds".into(),
                    got,
                });
            }
        }
        let json = serde_json::to_string_pretty(self);
        json.map(|json| json + "\n")
            .map_err(|source| ReportError::ManifestJson { file: "manifest.json".into(), source })
    }

    /// The manifest in `text`; `file` is its name for error messages.
    ///
    /// # Errors
    /// If the text is not a manifest of this schema version.
    pub fn from_json(text: &str, file: &str) -> Result<Self, ReportError> {
        /// The one field that every version has, read first so that a newer file is not reported as an unknown field.
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let wrong = |source| ReportError::ManifestJson { file: file.into(), source };
        let Version { schema_version: got } = serde_json::from_str(text).map_err(wrong)?;
        if got != MANIFEST_SCHEMA_VERSION {
            return Err(ReportError::ManifestVersion { file: file.into(), expected: MANIFEST_SCHEMA_VERSION, got });
        }
        serde_json::from_str(text).map_err(wrong)
    }

    /// The outputs that are missing or changed under `directory`, the manifest's own.
    ///
    /// # Errors
    /// If a file is there but cannot be read.
    pub fn verify_outputs(&self, directory: &Path) -> Result<Vec<Mismatch>, ReportError> {
        let mut mismatches = Vec::new();
        for output in &self.outputs {
            let path = directory.join(&output.path);
            let got = match std::fs::read(&path) {
                Ok(contents) => Some(sha256_hex(&contents)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(source) => return Err(ReportError::Read { path, source }),
            };
            if got.as_ref() != Some(&output.sha256) {
                mismatches.push(Mismatch { path: output.path.clone(), expected: output.sha256.clone(), got });
            }
        }
        Ok(mismatches)
    }

    fn is_output(&self, path: &str) -> bool {
        path == MANIFEST_FILE || self.outputs.iter().any(|output| output.path == path)
    }

    /// Names of what is in `directory` besides the manifest and its outputs, sorted.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn extra_files(&self, directory: &Path) -> Result<Vec<String>, ReportError> {
        let wrong = |source| ReportError::Read { path: directory.into(), source };
        let names = std::fs::read_dir(directory).map_err(wrong)?;
        let names = names.map(|entry| Ok(entry.map_err(wrong)?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<Result<Vec<_>, ReportError>>()?;
        names.retain(|name| !self.is_output(name));
        names.sort();
        Ok(names)
    }
}

/// SHA-256 of `contents` in lower-case hexadecimal.
pub fn sha256_hex(contents: &[u8]) -> String {
    Sha256::digest(contents).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            schema_version: MANIFEST_SCHEMA_VERSION,
            command_line: vec!["bunch".into(), "run".into()],
            git: Some(GitState { revision: "abc".into(), dirty: false }),
            cargo_lock_sha256: "1".into(),
            burn_version: "0.22.1".into(),
            device: "flex".into(),
            machine: None,
            scale: "miniature".into(),
            experiment_sha256: "2".into(),
            seeds: vec![0, 1],
            models: vec![ModelUse { name: "aligned".into(), sha256: "3".into() }],
            data: vec![DataUse { name: "bio".into(), sha256: "4".into(), n: 400 }],
            sample_counts: BTreeMap::from([("alignment".into(), 700)]),
            cells: vec![CellRun { id: "c".into(), wall_seconds: 0.1 + 0.2, cached: true }],
            wall_seconds: 12.5,
            outputs: vec![Output::new("table.md", b"abc"), Output::new("figure.svg", b"")],
        }
    }

    #[test]
    fn it_reads_back() {
        let text = manifest().to_json().unwrap();
        assert!(text.starts_with("{\n  \"schema_version\": 1,\n  \"command_line\": [\n") && text.ends_with("}\n"));
        assert_eq!(Manifest::from_json(&text, "manifest.json").unwrap(), manifest());
        let text = |text: &str| text.to_owned();
        let machine = Machine {
            os: text("linux"),
            abi: text("gnu"),
            arch: text("x86_64"),
            simd: vec![text("avx2")],
            cpu: text("a processor"),
        };
        let known = Manifest { machine: Some(machine), ..manifest() };
        assert_eq!(Manifest::from_json(&known.to_json().unwrap(), "manifest.json").unwrap(), known);
    }

    #[test]
    fn other_versions_and_unknown_fields_are_refused() {
        let text = manifest().to_json().unwrap();
        let message = |text: &str| Manifest::from_json(text, "m.json").unwrap_err().to_string();
        let newer = text.replace("\"schema_version\": 1", "\"schema_version\": 2").replace("\"device\"", "\"devices\"");
        assert_eq!(message(&newer), "m.json: manifest schema version 2, expected 1");
        assert!(message(&text.replace("\"device\"", "\"devices\"")).contains("unknown field `devices`"));
        assert!(message("{").starts_with("m.json: "));
        let endless = Manifest { wall_seconds: f64::INFINITY, ..manifest() };
        assert!(endless.to_json().unwrap_err().to_string().contains("whole run: `wall_seconds` is inf"));
    }

    #[test]
    fn changed_and_missing_outputs_are_found() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("table.md"), "abc").unwrap();
        std::fs::write(directory.path().join("figure.svg"), "").unwrap();
        assert_eq!(manifest().verify_outputs(directory.path()).unwrap(), []);
        std::fs::write(directory.path().join("table.md"), "abd").unwrap();
        std::fs::remove_file(directory.path().join("figure.svg")).unwrap();
        let found = manifest().verify_outputs(directory.path()).unwrap();
        assert_eq!(found.len(), 2);
        // FIPS 180-2's example, and the digest of nothing.
        assert_eq!(found[0].expected, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(found[0].got, Some(sha256_hex(b"abd")));
        assert_eq!(found[1].expected, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(found[1].got, None);
    }

    #[test]
    fn what_nobody_wrote_is_extra() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["table.md", "manifest.json", "notes.txt", ".cells.csv.partial"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(manifest().extra_files(directory.path()).unwrap(), [".cells.csv.partial", "notes.txt"]);
        let error = manifest().extra_files(&directory.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }
}
