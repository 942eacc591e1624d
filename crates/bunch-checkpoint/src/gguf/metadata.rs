//! The key-value pairs of a GGUF file.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value as Json};

use super::GgufError;
use super::cursor::Cursor;
use crate::source::Source;

/// Limit on arrays within arrays; no known file has any.
const MAX_DEPTH: u32 = 4;

/// The number of the type of arrays.
const ARRAY: u32 = 9;

/// The key-value pairs of a GGUF file.
#[derive(Debug)]
pub(super) struct Metadata(BTreeMap<String, Value>);

/// A value, as far as a configuration needs it.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    /// The number of elements.
    Array(u64),
}

/// For error messages.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Array(length) => write!(f, "an array of {length}"),
        }
    }
}

impl Metadata {
    /// Reads `count` pairs.
    pub(super) fn read<S: Source>(cursor: &mut Cursor<'_, S>, count: u64) -> Result<Self, GgufError> {
        let mut pairs = BTreeMap::new();
        // The count may be any number: reading ends with the file.
        for _ in 0..count {
            let key = cursor.text("a metadata key")?;
            let kind = cursor.u32("a value's type")?;
            let value = read_value(cursor, &key, kind)?;
            if pairs.contains_key(&key) {
                return Err(GgufError::Repeated { name: key });
            }
            pairs.insert(key, value);
        }
        Ok(Self(pairs))
    }

    /// A value that must not be negative.
    pub(super) fn find_unsigned(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.find(key, "a number >= 0", |value| match *value {
            Value::Unsigned(value) => Some(value),
            Value::Signed(value) => u64::try_from(value).ok(),
            _ => None,
        })
    }

    /// A number that is not infinite; written by llama.cpp in f32, and given here as the shortest decimal number that
    /// is the same f32, which is the one that config.json had.
    pub(super) fn find_float(&self, key: &str) -> Result<Option<f64>, GgufError> {
        self.find(key, "a number", |value| match *value {
            Value::Float(value) if value.is_finite() => Some(value),
            Value::Unsigned(value) => Some(value as f64),
            _ => None,
        })
    }

    pub(super) fn find_text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        self.find(key, "a text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The number of elements of an array.
    pub(super) fn find_array_length(&self, key: &str) -> Result<Option<u64>, GgufError> {
        self.find(key, "an array", |value| match *value {
            Value::Array(length) => Some(length),
            _ => None,
        })
    }

    fn find<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, GgufError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        match convert(value) {
            Some(converted) => Ok(Some(converted)),
            None => Err(GgufError::WrongValue { key: key.to_owned(), expected, got: value.to_string() }),
        }
    }
}

/// Reads `count` pairs with all that is in them, in the file's order.
pub(super) fn read_all<S: Source>(cursor: &mut Cursor<'_, S>, count: u64) -> Result<Map<String, Json>, GgufError> {
    let mut pairs = Map::new();
    for _ in 0..count {
        let key = cursor.text("a metadata key")?;
        let kind = cursor.u32("a value's type")?;
        let value = read_json(cursor, &key, kind, MAX_DEPTH)?;
        if pairs.contains_key(&key) {
            return Err(GgufError::Repeated { name: key });
        }
        pairs.insert(key, value);
    }
    Ok(pairs)
}

/// Reads a value of the type numbered `kind`; arrays with their elements. A float that is not finite becomes null.
fn read_json<S: Source>(cursor: &mut Cursor<'_, S>, key: &str, kind: u32, depth: u32) -> Result<Json, GgufError> {
    const WHAT: &str = "a metadata array";
    if kind != ARRAY {
        return Ok(match read_value(cursor, key, kind)? {
            Value::Unsigned(value) | Value::Array(value) => value.into(),
            Value::Signed(value) => value.into(),
            Value::Float(value) => value.into(),
            Value::Bool(value) => value.into(),
            Value::Text(value) => value.into(),
        });
    }
    if depth == 0 {
        return Err(GgufError::ValueType { key: key.to_owned(), got: kind });
    }
    let kind = cursor.u32(WHAT)?;
    let length = cursor.u64(WHAT)?;
    // The length may be any number: reading ends with the file.
    let mut items = Vec::new();
    for _ in 0..length {
        items.push(read_json(cursor, key, kind, depth - 1)?);
    }
    Ok(Json::Array(items))
}

/// Reads a value of the type numbered `kind`.
fn read_value<S: Source>(cursor: &mut Cursor<'_, S>, key: &str, kind: u32) -> Result<Value, GgufError> {
    const WHAT: &str = "a metadata value";
    Ok(match kind {
        0 => Value::Unsigned(u8::from_le_bytes(cursor.bytes(WHAT)?).into()),
        1 => Value::Signed(i8::from_le_bytes(cursor.bytes(WHAT)?).into()),
        2 => Value::Unsigned(u16::from_le_bytes(cursor.bytes(WHAT)?).into()),
        3 => Value::Signed(i16::from_le_bytes(cursor.bytes(WHAT)?).into()),
        4 => Value::Unsigned(cursor.u32(WHAT)?.into()),
        5 => Value::Signed(i32::from_le_bytes(cursor.bytes(WHAT)?).into()),
        6 => {
            let value = f32::from_le_bytes(cursor.bytes(WHAT)?);
            Value::Float(value.to_string().parse().unwrap_or_else(|_| value.into()))
        }
        7 => Value::Bool(cursor.bytes::<1>(WHAT)? != [0]),
        8 => Value::Text(cursor.text(WHAT)?),
        ARRAY => Value::Array(skip_array(cursor, key, MAX_DEPTH)?),
        10 => Value::Unsigned(cursor.u64(WHAT)?),
        11 => Value::Signed(i64::from_le_bytes(cursor.bytes(WHAT)?)),
        12 => Value::Float(f64::from_le_bytes(cursor.bytes(WHAT)?)),
        got => return Err(GgufError::ValueType { key: key.to_owned(), got }),
    })
}

/// Goes over an array: a type, a length and the elements. Returns the length.
fn skip_array<S: Source>(cursor: &mut Cursor<'_, S>, key: &str, depth: u32) -> Result<u64, GgufError> {
    const WHAT: &str = "a metadata array";
    let kind = cursor.u32(WHAT)?;
    let length = cursor.u64(WHAT)?;
    let size = match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        8 => {
            for _ in 0..length {
                let bytes = cursor.u64(WHAT)?;
                cursor.skip(WHAT, bytes)?;
            }
            return Ok(length);
        }
        ARRAY if depth > 1 => {
            for _ in 0..length {
                skip_array(cursor, key, depth - 1)?;
            }
            return Ok(length);
        }
        got => return Err(GgufError::ValueType { key: key.to_owned(), got }),
    };
    cursor.skip(WHAT, length.saturating_mul(size))?;
    Ok(length)
}
