//! Options of `bunch report`.

use std::path::PathBuf;

use clap::Args;

/// Options of `bunch report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Scale of the results, or the full name of their folder, as in `miniature-limit-50`
    #[arg(long, default_value = "miniature")]
    pub scale: String,
    /// Folder of the results
    #[arg(long, default_value = "results")]
    pub results: PathBuf,
    /// HTML file to write
    #[arg(long, default_value = "report.html")]
    pub out: PathBuf,
}
