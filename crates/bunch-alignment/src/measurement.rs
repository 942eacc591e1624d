//! A merge next to every member of its pool, on the same prompts and tasks.
//!
//! [`measure`] asks the models and writes the reports. [`AskedModel`] holds what a model answered, item by item, and what
//! judges said of it. [`Measurement`] counts that: a share with its interval for each model, and the paired difference of the
//! merge from each member. Everything that is written is a function of a measurement and the answers: its JSON, the model card
//! and the page.

mod answers;
mod asked;
mod card;
mod front_matter;
mod measured_sets;
mod notes;
mod page;
mod quantity;
mod results;
mod run;
mod samples;
#[cfg(test)]
mod scripted;

pub use asked::{AskedModel, AskedSets, MeasuredRole, TaskOutcome};
pub use quantity::{MeasuredQuantity, PairedDifference, QuantityValue};
pub use results::{MeasuredModel, Measurement};
pub use run::{MeasureOutcome, MeasureSettings, measure};
