//! A pool for tests: the miniature's, with models that never learned.

use std::fs;
use std::path::Path;

use bunch_checkpoint::ModelDirectory;
use bunch_miniature::pool_files;
use bunch_miniature::world::{BOS, EOS, PAD, World, guard_tokenizer_files, tokenizer_files, vocabulary};
use bunch_zoo::miniature::config;

/// The miniature's pool, its models as they are before training.
pub fn write_pool(folder: &Path) {
    for (name, bytes) in pool_files(&World::new(0), &|name| format!("models/{name}")).expect("files") {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    fs::create_dir(folder.join("models")).expect("made");
    let id = |word| vocabulary().id(word).expect("a word");
    let text = fs::read_to_string(folder.join("pool.toml")).expect("the pool");
    let models = text.lines().filter_map(|line| line.strip_prefix("model = \"models/")?.strip_suffix('"'));
    for (seed, name) in (0..).zip(models) {
        let weights = config().initial_weights(seed);
        let mut directory = ModelDirectory::new(config().to_json(id(BOS), id(EOS), id(PAD)), &weights);
        directory.files = if name == "guard" { guard_tokenizer_files() } else { tokenizer_files() };
        directory.write(&folder.join("models").join(name)).expect("written");
    }
}
