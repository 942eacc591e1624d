//! Documents: the rows of data sets.

use serde_json::{Map, Value};

/// One row of a data set: field names and values.
pub type Doc = Map<String, Value>;
