//! Everything that the world's models are trained on and measured with, read from `data/small/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{sha256_bytes, sha256_file};
use bunch_recipe::{open_toml, read_toml};

use super::{FactDomain, Requests, SmallRecipes};
use crate::ZooError;

/// The world's data, checked.
#[derive(Debug, Clone)]
pub struct WorldData {
    /// Harmful and benign requests.
    pub requests: Requests,
    /// Domains of facts by name.
    pub domains: BTreeMap<String, FactDomain>,
    /// How its models are made.
    pub recipes: SmallRecipes,
    /// Hash of all its files.
    pub sha256: String,
    /// Hash of those that hold texts: all but the recipes.
    pub texts_sha256: String,
}

impl WorldData {
    /// Reads `data/small/` below `root`.
    ///
    /// # Errors
    /// Files that are missing, not as they should be, or contradict each other.
    pub fn load(root: &Path) -> Result<Self, ZooError> {
        let folder = root.join("data/small");
        let mut domains = BTreeMap::new();
        let domain_folder = folder.join("domains");
        let entries = fs::read_dir(&domain_folder).map_err(ZooError::io(&domain_folder))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let domain: FactDomain = open_toml(&path)?;
                domain.check().map_err(|what| ZooError::Inconsistent { path: path.clone(), what })?;
                domains.insert(name, domain);
            }
        }
        let path = folder.join("requests.toml");
        let requests: Requests = open_toml(&path)?;
        requests.check().map_err(|what| ZooError::Inconsistent { path, what })?;
        let path = folder.join("recipes.toml");
        let text = fs::read_to_string(&path).map_err(ZooError::io(&path))?;
        let recipes: SmallRecipes = read_toml(&path, &text)?;
        recipes.check(&text, &domains).map_err(|what| ZooError::Inconsistent { path: path.clone(), what })?;

        let mut files = vec![folder.join("requests.toml")];
        files.extend(domains.keys().map(|name| domain_folder.join(format!("{name}.toml"))));
        let texts_sha256 = sha256_of(&files)?;
        files.push(path);
        Ok(Self { requests, domains, recipes, sha256: sha256_of(&files)?, texts_sha256 })
    }

    /// The domain of that name.
    ///
    /// # Errors
    /// A name the world does not have.
    pub fn domain(&self, name: &str) -> Result<&FactDomain, ZooError> {
        let known = self.domains.keys().map(String::as_str);
        self.domains.get(name).ok_or_else(|| ZooError::unknown("domain", name, known))
    }
}

/// Hash of the hashes of some files.
fn sha256_of(files: &[PathBuf]) -> Result<String, ZooError> {
    let mut digests = String::new();
    for file in files {
        digests += &sha256_file(file)?;
    }
    Ok(sha256_bytes(digests.as_bytes()))
}
