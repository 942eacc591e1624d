//! Which model: a folder or repository, possibly with an adapter on top.

use std::fmt;
use std::path::Path;

/// Which model: `path[@revision][+lora[@revision]]`, where the paths are folders or repositories.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelReference {
    /// The folder or repository.
    pub path: String,
    /// Its revision.
    pub revision: Option<String>,
    /// Folder or repository of an adapter (LoRA) that is merged into the model first, and its revision.
    pub lora: Option<(String, Option<String>)>,
}

impl ModelReference {
    /// Reads the notation. What exists on this machine is not taken apart: a folder may have a `+` or an `@` in its path.
    ///
    /// # Errors
    /// What was expected: at most one `+`, at most one `@` in each part, and no empty part.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if exists(text) {
            return Ok(Self { path: expand_home(text), revision: None, lora: None });
        }
        let split = |at: usize| (&text[..at], &text[at + 1..]);
        let splits = text.match_indices('+').map(|(at, _)| split(at));
        // Of several places where the adapter may begin, one between two folders, or behind one.
        let is_known = |(model, lora): &(&str, &str)| exists(model) && exists(lora);
        let known = splits.clone().find(is_known).or_else(|| splits.clone().find(|(model, _)| exists(model)));
        let (model, lora) = match (known, text.split_once('+')) {
            (Some((model, lora)), _) => (model, Some(lora)),
            (None, None) => (text, None),
            (None, Some((_, lora))) if lora.contains('+') => return Err("a model with at most one `+`"),
            (None, Some((model, lora))) => (model, Some(lora)),
        };
        let (path, revision) = Self::parse_path(model)?;
        Ok(Self { path, revision, lora: lora.map(Self::parse_path).transpose()? })
    }

    /// Reads `path[@revision]`, with errors as [`ModelReference::parse`] has them.
    pub(crate) fn parse_path(text: &str) -> Result<(String, Option<String>), &'static str> {
        if exists(text) {
            return Ok((expand_home(text), None));
        }
        let (path, revision) = match text.split_once('@') {
            None => (text, None),
            Some((_, revision)) if revision.contains('@') => return Err("a model with at most one `@` in each part"),
            Some((path, revision)) => (path, Some(revision)),
        };
        if path.is_empty() || revision.is_some_and(str::is_empty) {
            return Err("a model as `path[@revision][+lora[@revision]]` without empty parts");
        }
        Ok((expand_home(path), revision.map(str::to_owned)))
    }
}

/// Whether there is something at a path.
fn exists(path: &str) -> bool {
    !path.is_empty() && Path::new(&expand_home(path)).exists()
}

/// A path that begins with `~/`, below the user's folder.
fn expand_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if !home.is_empty() => format!("{}/{rest}", home.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write_path = |f: &mut fmt::Formatter<'_>, path: &str, revision: &Option<String>| match revision {
            None => write!(f, "{path}"),
            Some(revision) => write!(f, "{path}@{revision}"),
        };
        write_path(f, &self.path, &self.revision)?;
        if let Some((path, revision)) = &self.lora {
            write!(f, "+")?;
            write_path(f, path, revision)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::ModelReference;

    #[test]
    fn all_parts_are_read_and_displayed_as_written() {
        let reference = ModelReference::parse("org/model@main+org/lora@v2").expect("valid");
        assert_eq!(reference.path, "org/model");
        assert_eq!(reference.revision.as_deref(), Some("main"));
        assert_eq!(reference.lora, Some(("org/lora".into(), Some("v2".into()))));
        for text in ["a", "a/b", "./a b/c", "a@1", "a+b", "a@1+b", "a+b@2", "org/model@main+org/lora@v2"] {
            assert_eq!(ModelReference::parse(text).expect("valid").to_string(), text);
        }
    }

    #[test]
    fn malformed_references_are_refused() {
        for text in ["", "a+b+c", "a@1@2", "a+b@1@2", "@1", "a@", "a+", "+b", "a+@1", "a@1+b@"] {
            assert!(ModelReference::parse(text).is_err(), "{text}");
        }
    }
}
