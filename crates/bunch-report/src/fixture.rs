//! The small table that the tests share.

use crate::{Cell, Published, TableSpec};
use std::collections::BTreeMap;

pub(crate) fn cell(block: &str, row: &str, column: &str, seed: u64, value: f64) -> Cell {
    Cell {
        block: block.into(),
        row: row.into(),
        column: column.into(),
        seed,
        value,
        stderr: 1.0,
        n: 100,
        cell_id: "id".into(),
        detail: BTreeMap::new(),
    }
}

/// Two blocks, four rows, two columns; `cocktail` was not run and `over_refusal` is not in the paper.
pub(crate) fn spec() -> TableSpec {
    toml::from_str(
        r#"
        title = "Table 1 (miniature)"
        blocks = [
            { name = "bio", title = "Aligned and BIO expert" },
            { name = "stem", title = "Aligned and STEM expert", rows = ["aligned", "ties-grid", "ties-ours"] },
        ]
        rows = [
            { name = "aligned", label = "aligned", group = "member" },
            { name = "ties-grid", label = "grid search", group = "TIES" },
            { name = "ties-ours", label = "EvoMM, safety data", group = "TIES", baseline = "ties-grid" },
            { name = "cocktail", label = "expert data", group = "LM-Cocktail" },
        ]
        columns = [
            { name = "alignment", label = "alignment", unit = "%" },
            { name = "over_refusal", label = "over-refusal", unit = "%" },
        ]
        missing = [{ row = "cocktail", reason = "one member only" }]
        "#,
    )
    .expect("the fixture is valid TOML")
}

pub(crate) fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (row, values) in
        [("aligned", [97.4, 98.6, 99.3]), ("ties-grid", [84.6, 67.0, 47.7]), ("ties-ours", [85.3, 91.7, 83.6])]
    {
        for (seed, value) in values.into_iter().enumerate() {
            cells.push(cell("bio", row, "alignment", seed as u64, value));
            cells.push(Cell { n: 400, ..cell("bio", row, "over_refusal", seed as u64, seed as f64 / 10.0) });
        }
    }
    cells.push(cell("stem", "ties-grid", "alignment", 0, 50.0));
    cells
}

pub(crate) fn published() -> Vec<Published> {
    #[derive(serde::Deserialize)]
    struct File {
        published: Vec<Published>,
    }
    let file: File = toml::from_str(
        r#"
        [[published]]
        row = "aligned"
        column = "alignment"
        block = "bio"
        value = 97.9
        how = "printed"
        source = "Table 1"
        [[published]]
        row = "ties-grid"
        column = "alignment"
        block = "bio"
        value = 89.3
        how = "printed"
        source = "Table 1"
        [[published]]
        row = "ties-ours"
        column = "alignment"
        block = "bio"
        value = 96.0
        how = "second-hand"
        source = "a talk"
        [[published]]
        row = "cocktail"
        column = "alignment"
        block = "bio"
        how = "not-found"
        source = "Table 1"
        "#,
    )
    .expect("the fixture is valid TOML");
    file.published
}
