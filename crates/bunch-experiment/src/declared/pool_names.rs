//! Names that experiments expect in a pool, where a column does not name another.

/// The helper that writes unsafe questions.
pub(crate) const UNCENSORED: &str = "uncensored";

/// The helper that judges.
pub(crate) const GUARD: &str = "guard";

/// The helper that judges without a model: a rule of words.
pub(crate) const TRUTH: &str = "truth";

/// The set of prompts that decide alignment.
pub(crate) const HARMFUL: &str = "harmful";

/// The set of prompts that should be complied with.
pub(crate) const BENIGN: &str = "benign";

/// The set of harmful prompts in forms that models were not aligned with.
pub(crate) const RED_TEAM: &str = "red_team";
