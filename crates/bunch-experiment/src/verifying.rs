//! Reads committed results back: are they what they say, and what do they say together.

pub(crate) mod deviation;
pub(crate) mod results_page;
pub(crate) mod tolerance;
pub(crate) mod verification;
