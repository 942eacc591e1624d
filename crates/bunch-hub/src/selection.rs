//! Which of a repository's files make up the model.

use crate::HubError;
use crate::listing::{Listing, RemoteFile};

/// What is fetched in addition to the model itself: nothing by default.
///
/// The model is the configuration, tokenizer, chat template, licence and card at the top of the repository, and its
/// safetensors weights. Other formats of the same weights (`pytorch_model.bin`, `consolidated.safetensors`, GGUF, folders
/// such as `original/`) are left out, because they double the download.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Paths of further files; a leading `*` stands for anything: `*.gguf`, `*Q4_K_M.gguf`, `original/params.json`. With
    /// any, a repository need not have safetensors weights.
    pub also: Vec<String>,
}

impl Selection {
    /// The files to fetch, small ones first, so that a missing licence or a wrong model shows early.
    ///
    /// # Errors
    /// Fails if there are no safetensors weights and nothing else was requested, or if a pattern matches no file.
    pub(crate) fn choose(&self, repo: &str, listing: &Listing) -> Result<Vec<RemoteFile>, HubError> {
        for pattern in &self.also {
            if !listing.files.iter().any(|file| matches(pattern, &file.name)) {
                return Err(HubError::NoMatch { repo: repo.to_owned(), pattern: pattern.clone() });
            }
        }
        let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
        let has_weights = names.iter().any(|name| is_weights(name));
        if !has_weights && self.also.is_empty() {
            let others = names.iter().filter(|name| is_other_weights(name)).map(|&name| name.to_owned()).collect();
            return Err(HubError::NoWeights { repo: repo.to_owned(), others });
        }
        // Mistral's repositories hold the same weights twice.
        let consolidated_is_double = names.iter().any(|name| is_weights(name) && !name.starts_with("consolidated"));
        let mut chosen: Vec<RemoteFile> = listing
            .files
            .iter()
            .filter(|file| {
                let is_double = consolidated_is_double && file.name.starts_with("consolidated");
                let is_model = is_text(&file.name) || (is_weights(&file.name) && !is_double);
                is_model || self.also.iter().any(|pattern| matches(pattern, &file.name))
            })
            .cloned()
            .collect();
        chosen.sort_by(|a, b| (is_large(a), &a.name).cmp(&(is_large(b), &b.name)));
        Ok(chosen)
    }
}

fn is_large(file: &RemoteFile) -> bool {
    is_weights(&file.name) || is_other_weights(&file.name)
}

fn is_weights(name: &str) -> bool {
    !name.contains('/') && name.ends_with(".safetensors")
}

fn is_other_weights(name: &str) -> bool {
    [".bin", ".pth", ".pt", ".gguf", ".h5", ".msgpack", ".onnx", ".ckpt"].iter().any(|end| name.ends_with(end))
}

/// Configuration, tokenizer, chat template, the index of the weights, licence and model card.
fn is_text(name: &str) -> bool {
    let is_data = [".json", ".jinja", ".model"].iter().any(|end| name.ends_with(end));
    let is_notice = ["README.md", "merges.txt", "vocab.txt"].contains(&name)
        || ["LICENSE", "LICENCE", "NOTICE", "USE_POLICY"].iter().any(|start| name.starts_with(start));
    // The index of weights that are left out.
    let is_other_index =
        [".bin.index.json", ".h5.index.json", ".msgpack.index.json"].iter().any(|end| name.ends_with(end));
    !name.contains('/') && !name.starts_with('.') && (is_data || is_notice) && !is_other_index
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => name.ends_with(end),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::Selection;
    use crate::digest::Digest;
    use crate::listing::{Listing, RemoteFile};

    fn listing(names: &[&str]) -> Listing {
        let digest = Digest::GitBlob("0".repeat(40));
        let file = |&name: &&str| RemoteFile { name: name.into(), size: 1, digest: digest.clone() };
        Listing { commit: "c0".into(), files: names.iter().map(file).collect() }
    }

    fn chosen(also: &[&str], names: &[&str]) -> Vec<String> {
        let selection = Selection { also: also.iter().map(|&pattern| pattern.into()).collect() };
        let files = selection.choose("org/name", &listing(names)).unwrap();
        files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn the_model_is_text_then_safetensors() {
        let names = [
            ".gitattributes",
            "README.md",
            "LICENSE.txt",
            "consolidated.safetensors",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "pytorch_model.bin.index.json",
            "pytorch_model-00001-of-00001.bin",
            "config.json",
            "tokenizer.model",
            "chat_template.jinja",
            "original/params.json",
            "original/consolidated.00.pth",
            "model.Q4_K_M.gguf",
            "merges.txt",
            "requirements.txt",
            "picture.png",
        ];
        let expected = [
            "LICENSE.txt",
            "README.md",
            "chat_template.jinja",
            "config.json",
            "merges.txt",
            "model.safetensors.index.json",
            "tokenizer.model",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
        ];
        assert_eq!(chosen(&[], &names), expected);
        let more = chosen(&["*.gguf", "original/params.json"], &names);
        assert_eq!(more.len(), expected.len() + 2);
        assert!(more.contains(&"model.Q4_K_M.gguf".to_owned()) && more.contains(&"original/params.json".to_owned()));
    }

    #[test]
    fn consolidated_weights_alone_are_the_model() {
        assert_eq!(
            chosen(&[], &["config.json", "consolidated.safetensors"]),
            ["config.json", "consolidated.safetensors"]
        );
    }

    #[test]
    fn a_repository_without_safetensors_is_refused_unless_something_else_is_asked_for() {
        let files = listing(&["config.json", "pytorch_model.bin"]);
        let error = Selection::default().choose("org/name", &files).unwrap_err().to_string();
        let expected =
            "org/name: no safetensors weights at the top of the repository; other weights there: pytorch_model.bin";
        assert_eq!(error, expected);
        assert_eq!(chosen(&["*.bin"], &["config.json", "pytorch_model.bin"]), ["config.json", "pytorch_model.bin"]);
        let selection = Selection { also: vec!["*.gguf".into()] };
        let error = selection.choose("org/name", &files).unwrap_err().to_string();
        assert_eq!(error, "org/name: no file matches \"*.gguf\"");
    }
}
