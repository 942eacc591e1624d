//! The items of a test set: which of them count.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// For each item of a test set, in order, whether it counts. In files it is a string with a 0 or a 1 for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Items(pub(crate) Vec<bool>);

impl Serialize for Items {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|&item| if item { '1' } else { '0' }).collect();
        serializer.serialize_str(&digits)
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        let item = |digit: char| match digit {
            '0' => Ok(false),
            '1' => Ok(true),
            other => Err(de::Error::custom(format!("expected 0 or 1 for each item, got `{other}`"))),
        };
        Ok(Self(digits.chars().map(item).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::Items;

    #[test]
    fn items_are_digits_in_files() {
        let items = Items(vec![true, false, false, true]);
        let text = serde_json::to_string(&items).unwrap();
        assert_eq!(text, "\"1001\"");
        assert_eq!(serde_json::from_str::<Items>(&text).unwrap(), items);
        assert_eq!(serde_json::from_str::<Items>("\"\"").unwrap(), Items::default());
        let error = serde_json::from_str::<Items>("\"10x\"").unwrap_err().to_string();
        assert!(error.starts_with("expected 0 or 1 for each item, got `x`"), "{error}");
    }
}
