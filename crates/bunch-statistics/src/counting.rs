//! What was counted over the test items of one model or judge, and how sure that makes us.

mod agreement;
mod error;
mod interval;
mod proportion;
mod share;

pub use agreement::Agreement;
pub use error::StatisticsError;
pub use interval::Interval;
pub use proportion::Proportion;
pub(crate) use proportion::{Z_95, wilson};
pub use share::Share;
