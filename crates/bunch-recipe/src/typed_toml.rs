//! Reads TOML into a type of serde's, with errors as recipes have them: place, what is wrong, and the name that was meant.

use std::path::Path;
use std::sync::Arc;

use ::toml::de::DeTable;
use bunch_merging::nearest_name;
use serde::de::DeserializeOwned;

use crate::node::MAX_BYTES;
use crate::problem::{Fault, Location, Problem, RecipeProblems};
use crate::toml::Lines;

/// Reads the TOML file `path`, as [`read_toml`] does.
///
/// # Errors
/// A file that cannot be read, and those of [`read_toml`].
pub fn open_toml<T: DeserializeOwned>(path: &Path) -> Result<T, RecipeProblems> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem {
        location: Location::File(path.display().to_string().into()),
        key: String::new(),
        fault: Fault::Unreadable { message: error.to_string() },
    })?;
    read_toml(path, &text)
}

/// Reads `text`, the content of the TOML file `path`, which is not opened. Whether unknown keys are refused is the type's
/// to say (`deny_unknown_fields`).
///
/// # Errors
/// The first thing that is wrong, with line and column; for an unknown name, the known one that is most like it.
pub fn read_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, RecipeProblems> {
    let file: Arc<str> = path.display().to_string().into();
    let lines = Lines::new(text, &file);
    let problem = |start: usize, fault: Fault| Problem { location: lines.location(start), key: String::new(), fault };
    if text.len() > MAX_BYTES {
        return Err(problem(0, Fault::expected(format!("at most {MAX_BYTES} bytes"), "more")).into());
    }
    ::toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let is_toml = DeTable::parse(text).is_ok();
        problem(start, fault(error.message(), is_toml)).into()
    })
}

/// What serde's message says, in the words of recipes; `is_toml` where nothing is wrong with the notation.
fn fault(message: &str, is_toml: bool) -> Fault {
    let mut names = message.split('`').skip(1).step_by(2).map(str::to_owned);
    for (beginning, what) in [("unknown field", "key"), ("unknown variant", "value")] {
        if message.starts_with(beginning)
            && let Some(got) = names.next()
        {
            let known: Vec<String> = names.collect();
            let nearest = nearest_name(&got, known.iter().map(String::as_str));
            return Fault::Unknown { what: what.into(), got, nearest, known };
        }
    }
    if message.starts_with("missing field")
        && let Some(name) = names.next()
    {
        return Fault::Missing { expected: format!("a key `{name}`") };
    }
    let expectation = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "));
    match expectation.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((got, expected)) => Fault::expected(expected, got),
        None if is_toml => Fault::Invalid { message: message.to_owned() },
        None => Fault::Syntax { notation: "TOML", message: message.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde::Deserialize;

    use super::{open_toml, read_toml};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shelf {
        title: String,
        #[serde(default)]
        book: Vec<Book>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Book {
        pages: u32,
        cover: Option<Cover>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Cover {
        Hard,
        Soft,
    }

    fn message(text: &str) -> String {
        read_toml::<Shelf>(Path::new("shelf.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_right_is_read() {
        let text = "title = \"a\"\n[[book]]\npages = 3\ncover = \"soft\"\n[[book]]\npages = 4\ncover = \"hard\"";
        let shelf: Shelf = read_toml(Path::new("shelf.toml"), text).expect("a shelf");
        assert_eq!((shelf.title.as_str(), shelf.book.len(), shelf.book[0].pages), ("a", 2, 3));
        assert!(matches!(shelf.book[0].cover, Some(Cover::Soft)) && matches!(shelf.book[1].cover, Some(Cover::Hard)));
    }

    #[test]
    fn what_is_wrong_has_a_place_and_a_suggestion() {
        for (text, expected) in [
            (
                "title = \"a\"\n[[book]]\n  paegs = 3",
                "shelf.toml:3:3: unknown key `paegs` (did you mean `pages`?); expected one of pages, cover",
            ),
            (
                "title = \"a\"\n[[book]]\npages = 3\ncover = \"sofd\"",
                "shelf.toml:4:9: unknown value `sofd` (did you mean `soft`?); expected one of hard, soft",
            ),
            ("title = 3", "shelf.toml:1:9: expected a string, got integer `3`"),
            ("", "shelf.toml:1:1: expected a key `title`, got nothing"),
        ] {
            assert_eq!(message(text), expected);
        }
        assert!(message("title = \"a\"\ntitle = \"b\"").starts_with("shelf.toml:2:1: expected TOML, got an error: "));
        assert!(message(&"#".repeat(2 << 20)).contains("at most"));
    }

    #[test]
    fn what_a_type_says_itself_is_no_error_of_notation() {
        let error = read_toml::<std::num::NonZeroU8>(Path::new("a.toml"), "a = ").unwrap_err().to_string();
        assert!(error.starts_with("a.toml:1:5: expected TOML, got an error: "), "{error}");
        #[derive(Debug, Deserialize)]
        #[serde(try_from = "u8")]
        struct Odd;
        impl TryFrom<u8> for Odd {
            type Error = String;
            fn try_from(value: u8) -> Result<Self, String> {
                if value % 2 == 1 { Ok(Self) } else { Err(format!("{value} is even")) }
            }
        }
        #[derive(Debug, Deserialize)]
        struct File {
            #[serde(rename = "a")]
            _a: Odd,
        }
        read_toml::<File>(Path::new("a.toml"), "a = 3").expect("an odd number");
        let error = read_toml::<File>(Path::new("a.toml"), "a = 2").unwrap_err().to_string();
        assert_eq!(error, "a.toml:1:5: 2 is even");
    }

    #[test]
    fn a_file_is_opened_and_named_if_it_is_not_there() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let manifest: std::collections::BTreeMap<String, toml::Table> = open_toml(&path).expect("a manifest");
        assert!(manifest.contains_key("package"));
        let missing = path.with_file_name("missing.toml");
        let error = open_toml::<Shelf>(&missing).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: No such file", missing.display())), "{error}");
    }
}
