//! Any text as a recipe: YAML or TOML, and what it means for a tensor.
#![no_main]

use bunch_recipe::{Place, Recipe};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for file in ["recipe.yml", "recipe.toml"] {
        let Ok(recipe) = Recipe::parse(Path::new(file), text) else { continue };
        let Ok(slices) = recipe.slices(|_| 4) else { continue };
        for (slice, resolved) in slices.iter().enumerate() {
            let inputs = vec!["model.layers.1.mlp.up_proj.weight".to_owned(); resolved.models.len()];
            let place = Place { slice, t: resolved.position(1), tensor: "model.layers.1.mlp.up_proj.weight", inputs: &inputs };
            let _ = recipe.method_for(&place);
        }
    }
});
