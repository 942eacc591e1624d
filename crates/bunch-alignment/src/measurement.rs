//! A merge next to every member of its pool, on the same prompts and tasks.
//!
//! [`AskedModel`] holds what a model answered, item by item, and what judges said of it. [`Measurement`] counts that: a share
//! with its interval for each model, and the paired difference of the merge from each member. Everything that is written is a
//! function of a measurement: its JSON, the model card ([`measured_card`]) and the page ([`measured_page`]).

mod asked;
mod card;
mod error;
mod front_matter;
mod notes;
mod page;
mod quantity;
mod results;
mod samples;
#[cfg(test)]
mod scripted;

pub use asked::{AskedModel, AskedSets, MeasuredRole, TaskOutcome};
pub use card::{is_merge_card, measured_card};
pub use error::MeasurementError;
pub use page::measured_page;
pub use quantity::{MeasuredQuantity, PairedDifference, QuantityValue};
pub use results::{MeasuredModel, Measurement};
