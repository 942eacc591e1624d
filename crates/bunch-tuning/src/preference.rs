//! Two answers to one prompt, of which one is preferred.

use bunch_transformer::LlamaConfig;

use crate::{Example, TuningError};

/// A prompt with a response that is chosen and one that is rejected. What is learned of each is its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferenceExample {
    /// The prompt and the better response.
    pub chosen: Example,
    /// The prompt and the worse response.
    pub rejected: Example,
}

impl PreferenceExample {
    /// Chosen and rejected.
    pub(crate) fn sides(&self) -> [&Example; 2] {
        [&self.chosen, &self.rejected]
    }

    /// Refuses a side that cannot be trained on.
    pub(crate) fn check(&self, index: usize, config: &LlamaConfig) -> Result<(), TuningError> {
        for (side, example) in ["chosen", "rejected"].into_iter().zip(self.sides()) {
            example.check(index, config).map_err(|error| match error {
                TuningError::Example { index, what } => TuningError::Example { index, what: format!("{side}: {what}") },
                other => other,
            })?;
        }
        Ok(())
    }
}
