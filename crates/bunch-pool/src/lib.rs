//! A pool is a folder: a `pool.toml` that says who the members are, who judges, and what is asked.
//!
//! [`Pool::open`] reads the file and nothing else; models, judges, prompts and tasks are found when they are asked for.
//! [`check`] looks at all of them and says everything that is wrong, before any work.
//!
//! ```no_run
//! use bunch_pool::{Pool, DataSplit, check};
//!
//! let pool = Pool::open("pools/miniature-0".as_ref())?;
//! let aligned = pool.model(&pool.file().base)?;
//! let harmful = pool.prompts("harmful", DataSplit::Test, None)?;
//! let report = check(&pool, None);
//! assert!(report.problems.is_empty(), "{report}");
//! # Ok::<(), bunch_pool::PoolError>(())
//! ```

#![forbid(unsafe_code)]

mod ask_prompts;
mod check;
mod docs;
mod error;
mod pool;
mod pool_file;
mod problem;
mod report;

pub use check::check;
pub use docs::{docs_reference, pool_schema};
pub use error::PoolError;
pub use pool::Pool;
pub use pool_file::{DataSplit, GenerationSettings, PoolFile, PoolHelper, PoolMember, TestAndDev};
pub use problem::PoolProblem;
pub use report::{DataSummary, ModelRole, ModelSummary, PoolReport};
