//! What a cell's address covers of this crate's source and of bunch-statistics'. A test shows that the lists are closed: a
//! listed file uses only listed ones, and those that are named here with the reason why they decide no number.

/// Files below `src` that decide what data, models and scores are.
pub const FILES: &[&str] = &[
    "declared/block.rs",
    "declared/column.rs",
    "declared/derived.rs",
    "declared/experts.rs",
    "declared/pool_names.rs",
    "declared/row.rs",
    "declared/scale.rs",
    "declared/wire_name.rs",
    "objective.rs",
    "preference.rs",
    "recording/items.rs",
    "recording/measurement.rs",
    "recording/pool_data.rs",
    "running/evaluation.rs",
    "running/generation.rs",
    "running/likeness.rs",
    "running/scoring.rs",
    "seed_pool.rs",
];

/// Files below `src` of bunch-statistics that decide numbers of cells: the room about test items. The room that compares models
/// and seeds works on finished cells, and the crate's `lib.rs` only exports both.
pub const STATISTICS: &[&str] = &[
    "counting.rs",
    "counting/agreement.rs",
    "counting/error.rs",
    "counting/interval.rs",
    "counting/proportion.rs",
    "counting/share.rs",
];

/// Files that listed ones use and that decide no number, with the reason.
#[allow(dead_code, reason = "for the test, not for the build")]
pub const DECIDE_NOTHING: &[(&str, &str)] = &[
    ("cell_code.rs", "it is the hash itself"),
    ("costs.rs", "costs are for progress and dry runs"),
    ("error.rs", "an error leaves no number"),
];
