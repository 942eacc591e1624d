//! The tools that are compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// A tool that is measured.
#[derive(Debug)]
pub enum Tool {
    /// The program at this path.
    Bunch(PathBuf),
    /// mergekit, as a module of the Python interpreter at this path.
    Mergekit(PathBuf),
}

impl Tool {
    /// The bunch at `path`.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn bunch(path: &Path) -> Result<Self> {
        ensure!(path.is_file(), "{} is not there: `cargo build --release -p bunch` builds it", path.display());
        // A name without a folder would be searched for in PATH.
        Ok(Self::Bunch(path.canonicalize()?))
    }

    /// The command line that merges, as it is shown.
    pub const fn shown_command(&self) -> &'static str {
        match self {
            Self::Bunch(_) => "bunch merge RECIPE OUT",
            Self::Mergekit(_) => "PYTHON -m mergekit.scripts.run_yaml RECIPE OUT --no-copy-tokenizer --quiet",
        }
    }

    /// The command that merges by `recipe` into the folder `out`.
    pub fn merge(&self, recipe: &Path, out: &Path) -> Command {
        let mut command = self.command();
        match self {
            Self::Bunch(_) => command.arg("merge").args([recipe, out]),
            Self::Mergekit(_) => command.args([recipe, out]).args(["--no-copy-tokenizer", "--quiet"]),
        };
        command
    }

    /// The command that prints its options and exits.
    pub fn help(&self) -> Command {
        let mut command = self.command();
        command.arg("--help");
        command
    }

    /// Name and version.
    ///
    /// # Errors
    /// Fails if the tool cannot be started or fails.
    pub fn version(&self) -> Result<String> {
        let mut command = match self {
            Self::Bunch(path) => {
                let mut command = Command::new(path);
                command.arg("--version");
                command
            }
            Self::Mergekit(python) => {
                let script = "from importlib.metadata import version\n\
                    print('mergekit', version('mergekit'), 'with torch', version('torch'))";
                let mut command = Command::new(python);
                command.args(["-c", script]);
                command
            }
        };
        let output = command.output().with_context(|| format!("starting {command:?}"))?;
        if !output.status.success() {
            bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn command(&self) -> Command {
        match self {
            Self::Bunch(path) => Command::new(path),
            Self::Mergekit(python) => {
                let mut command = Command::new(python);
                command.args(["-m", "mergekit.scripts.run_yaml"]);
                command
            }
        }
    }
}
