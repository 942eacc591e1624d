//! The types of `pool.toml`. Its documentation and its JSON schema are made from them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// The version of the format that this code reads.
pub(crate) const SCHEMA: u32 = 1;

/// What a `pool.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolFile {
    /// Version of the format: 1.
    pub schema: u32,
    /// What the pool is, in a line.
    pub title: String,
    /// The member that task vectors are relative to, and that safety is compared with.
    pub base: String,
    /// The member or helper that the base was tuned from, for methods that need it (MergeAlign).
    pub pretrained: Option<String>,
    /// The models that are merged, by name.
    #[serde(rename = "member", default)]
    pub members: BTreeMap<String, PoolMember>,
    /// Models that help and are not merged: who judges, who asks.
    #[serde(rename = "helper", default)]
    pub helpers: BTreeMap<String, PoolHelper>,
    /// Sets of prompts by name: `harmful`, `benign`, `red_team`, or any other.
    #[serde(default)]
    pub prompts: BTreeMap<String, TestAndDev>,
    /// How answers to `benign` prompts are recognised that decline: the name of a refusal list, or a file.
    pub refusals: Option<String>,
    /// Pairs of a better and a worse answer that models can be tuned on: a file of JSON lines with `prompt`, `chosen` and
    /// `rejected`.
    pub preferences: Option<String>,
    /// Tasks by name.
    #[serde(default)]
    pub tasks: BTreeMap<String, TestAndDev>,
    /// How the models answer.
    #[serde(default)]
    pub generation: GenerationSettings,
}

/// A model that is merged.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolMember {
    /// A folder or a GGUF file, seen from the pool's folder; or `org/name@revision`, which the hub's client has downloaded.
    pub model: String,
    /// Whether it was aligned: refuses what is harmful.
    #[serde(default)]
    pub aligned: bool,
    /// The field it is an expert of; it asks itself about it when domain data are generated.
    pub topic: Option<String>,
    /// Instead of a topic, the prompts it asks itself with: a file of JSON lines.
    pub ask: Option<String>,
    /// Questions of its field that people asked, where data are not to be generated: a file of JSON lines.
    pub questions: Option<String>,
}

/// A model that is not merged. One that judges by a rule of words alone has no model.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolHelper {
    /// A folder, a GGUF file or `org/name@revision`, as for a member.
    pub model: Option<String>,
    /// How it is asked for verdicts and read: a judge's name (`bunch judges` lists them), or a TOML file.
    pub judge: Option<String>,
    /// The prompts it is asked with when it writes data, as the uncensored model is: a file of JSON lines.
    pub ask: Option<String>,
    /// Questions that people asked, where it is not to write any: a file of JSON lines.
    pub questions: Option<String>,
}

/// What is reported, and what is looked at while searching.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestAndDev {
    /// For what is reported: a name that bunch knows, or a file.
    pub test: String,
    /// For choices on the way there, never the same as the test.
    pub dev: Option<String>,
}

/// How the models answer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationSettings {
    /// Upper limit on the tokens of an answer.
    #[schemars(range(min = 1))]
    pub max_new_tokens: u32,
    /// Temperature at which data are generated. Answers that are scored are greedy.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub temperature: f32,
    /// What the system says before every message of the user.
    pub system: Option<String>,
    /// How a question is recognised in what a model wrote that was asked for one: `text` (all of it), `line` (a line of four
    /// words or more that ends in a question mark or a full stop), `json` (an object with `question`), or a TOML file with a
    /// rule of words.
    pub questions: String,
    /// How many questions may be asked for each pair that is wanted.
    #[schemars(range(min = 1))]
    pub max_asked: u32,
}

impl Default for GenerationSettings {
    fn default() -> Self {
        Self { max_new_tokens: 512, temperature: 0.8, system: None, questions: "text".into(), max_asked: 20 }
    }
}

/// What prompts or questions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataSplit {
    /// To report.
    Test,
    /// To choose by.
    Dev,
}

impl DataSplit {
    /// Both.
    pub const ALL: [DataSplit; 2] = [DataSplit::Test, DataSplit::Dev];

    /// Its key in `pool.toml`.
    pub fn name(self) -> &'static str {
        match self {
            DataSplit::Test => "test",
            DataSplit::Dev => "dev",
        }
    }
}

impl TestAndDev {
    /// What stands for `split`, if anything does.
    pub fn of(&self, split: DataSplit) -> Option<&str> {
        match split {
            DataSplit::Test => Some(&self.test),
            DataSplit::Dev => self.dev.as_deref(),
        }
    }
}
