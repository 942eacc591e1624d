//! Models that are there already, as a curriculum with nothing to learn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, DigestCache, StateDict};
use bunch_lm::{ChatFormat, TemplateChat, Tokenizer, text_files};
use bunch_pool::Pool;
use bunch_transformer::LlamaConfig;
use serde_json::{Value, json};

use crate::{Curriculum, ExampleSource, MemberPlan, ModelFiles, ZooError};

/// The members and helpers of a pool.
pub struct GivenModels {
    base: String,
    format: TemplateChat,
    members: Vec<MemberPlan>,
    models: BTreeMap<String, GivenModel>,
}

/// A model that is there.
struct GivenModel {
    path: PathBuf,
    json: Value,
    config: LlamaConfig,
    companions: BTreeMap<String, Vec<u8>>,
}

impl GivenModels {
    /// The models of `pool`; digests of their files are remembered in the folder `cache`.
    ///
    /// # Errors
    /// A model that is missing, cannot be read, or is of an architecture that cannot be run here.
    pub fn new(pool: &Pool, cache: &Path) -> Result<Self, ZooError> {
        std::fs::create_dir_all(cache).map_err(ZooError::io(cache))?;
        let digests = DigestCache::open(&cache.join("digests.json"))?;
        let file = pool.file();
        let helpers = file.helpers.iter().filter(|(_, helper)| helper.model.is_some()).map(|(name, _)| name);
        let (mut members, mut models) = (Vec::new(), BTreeMap::new());
        for name in file.members.keys().chain(helpers) {
            let path = pool.model(name)?;
            let checkpoint = Checkpoint::open(&path)?;
            let sha256 = checkpoint.sha256_with(&digests)?;
            digests.save()?;
            members.push(MemberPlan {
                name: name.clone(),
                parent: None,
                stages: Vec::new(),
                covers: json!({ "sha256": sha256 }),
            });
            let companions = text_files(checkpoint.dir(), checkpoint.gguf_metadata()?.as_ref())?;
            let config = LlamaConfig::from_json(checkpoint.config())?;
            models.insert(name.clone(), GivenModel { json: checkpoint.config().clone(), path, config, companions });
        }
        let base = file.base.clone();
        let known = || models.keys().map(String::as_str);
        let model = models.get(&base).ok_or_else(|| ZooError::unknown("base", &base, known()))?;
        let tokenizer = Tokenizer::from_files(&model.path, &model.companions)?;
        let format = TemplateChat::new(tokenizer, file.generation.system.clone());
        Ok(Self { base, format, members, models })
    }
}

/// What is asked of a curriculum that teaches nothing.
fn nothing_to_learn() -> ZooError {
    let what = "its models are given: there is nothing to train".into();
    ZooError::Inconsistent { path: "pool.toml".into(), what }
}

impl Curriculum for GivenModels {
    fn name(&self) -> &'static str {
        "given"
    }

    fn members(&self) -> &[MemberPlan] {
        &self.members
    }

    fn config(&self) -> &LlamaConfig {
        self.config_of(&self.base)
    }

    fn config_of(&self, member: &str) -> &LlamaConfig {
        &self.models.get(member).unwrap_or(&self.models[&self.base]).config
    }

    fn given(&self, member: &str) -> Option<PathBuf> {
        self.models.get(member).map(|model| model.path.clone())
    }

    fn start(&self) -> Result<StateDict, ZooError> {
        Err(nothing_to_learn())
    }

    fn examples(&self, _member: &str, _stage: usize) -> Result<Box<dyn ExampleSource + '_>, ZooError> {
        Err(nothing_to_learn())
    }

    fn format(&self) -> &dyn ChatFormat {
        &self.format
    }

    fn harmful_dev_prompts(&self, _count: usize) -> Result<Vec<String>, ZooError> {
        Err(nothing_to_learn())
    }

    fn is_refusal(&self, _answer: &str) -> bool {
        false
    }

    fn files(&self, member: &str) -> ModelFiles {
        let model = self.models.get(member).unwrap_or(&self.models[&self.base]);
        ModelFiles { config: model.json.clone(), companions: model.companions.clone() }
    }

    fn pool_files(&self, _model: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Vec<u8>>, ZooError> {
        Err(nothing_to_learn())
    }
}
