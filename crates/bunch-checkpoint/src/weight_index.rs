//! model.safetensors.index.json: which shard holds which tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::file_name::check_file_name;
use crate::{CheckpointError, UnreadableModel};

/// The index's file name.
pub(crate) const INDEX_FILE: &str = "model.safetensors.index.json";

/// The index in transformers' layout.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WeightIndex {
    /// `total_size` in bytes and whatever else the writer says; not needed for reading.
    #[serde(skip_deserializing)]
    pub(crate) metadata: serde_json::Value,
    /// From tensor name to file name.
    #[serde(deserialize_with = "unique_keys")]
    pub(crate) weight_map: BTreeMap<String, String>,
}

impl WeightIndex {
    /// Reads the index from its JSON; `path` is what errors name.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, CheckpointError> {
        serde_json::from_slice(text).map_err(CheckpointError::json(path))
    }

    /// The names of the shards, sorted; each a plain file name. `index` is what errors name.
    pub(crate) fn shards(&self, index: &Path) -> Result<Vec<String>, CheckpointError> {
        let names: BTreeSet<&String> = self.weight_map.values().collect();
        let elsewhere = names.iter().find(|name| check_file_name(name).is_err());
        if let Some(shard) = elsewhere {
            return Err(UnreadableModel::ShardElsewhere { index: index.to_path_buf(), shard: (*shard).clone() }.into());
        }
        Ok(names.into_iter().cloned().collect())
    }
}

/// A map in which no key stands twice: serde would silently keep the last one, other readers the first.
pub(crate) fn unique_keys<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct UniqueKeys<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for UniqueKeys<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map from names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = access.next_entry::<String, V>()? {
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format_args!("`{key}` is there twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(UniqueKeys(PhantomData))
}
