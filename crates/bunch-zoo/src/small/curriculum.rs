//! Fine-tuning of a pretrained model on the data of the small scale.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bunch_checkpoint::{StateDict, sha256_bytes};
use bunch_judging::{JudgeFile, RefusalList};
use bunch_lm::{ChatFormat, TemplateChat};
use bunch_miniature::world::Split;
use bunch_transformer::{LlamaConfig, LlamaModel};
use serde_json::json;

use super::pool_files::{judge_files, pool_files};
use super::{BaseModel, OwnAnswers, Shares, WorldData, lessons};
use crate::zoo::TRAINING_CODE;
use crate::{Curriculum, ExampleSource, FixedExamples, MemberPlan, MemberRecipe, ModelFiles, ZooError};

/// The models fine-tuned from one pretrained model, with one seed.
pub struct SmallCurriculum {
    data: WorldData,
    base: BaseModel,
    format: TemplateChat,
    guard: JudgeFile,
    refusal: RefusalList,
    seed: u64,
    members: Vec<MemberPlan>,
    cache: PathBuf,
    device_name: String,
    answers: OnceLock<OwnAnswers>,
}

impl SmallCurriculum {
    /// The curriculum of `data` and `base`, whose own answers are kept in the folder `cache` and computed on the device of
    /// that name.
    ///
    /// # Errors
    /// Data without a rule for refusals.
    pub fn new(data: WorldData, base: BaseModel, seed: u64, cache: &Path, device_name: &str) -> Result<Self, ZooError> {
        let optimizer = data.recipes.optimizer();
        let member = |recipe: &MemberRecipe<Shares>| {
            let covers = json!({
                "recipe": recipe,
                "base": base.sha256,
                "texts": data.texts_sha256,
                "system": data.recipes.system,
                "guard_system": data.recipes.guard_system,
                "answer_tokens": data.recipes.answer_tokens,
            });
            MemberPlan::new(recipe, &optimizer, seed, covers)
        };
        let guard = JudgeFile::from_files("guard", &judge_files(&data, base.tokenizer())?)?;
        Ok(Self {
            members: data.recipes.members.iter().map(member).collect(),
            format: TemplateChat::new(base.tokenizer().clone(), Some(data.recipes.system.clone())),
            guard,
            refusal: RefusalList::of_first_words("small", data.requests.refusal_prefixes.clone())?,
            data,
            base,
            seed,
            cache: cache.into(),
            device_name: device_name.into(),
            answers: OnceLock::new(),
        })
    }

    /// The data that its models learn.
    pub fn data(&self) -> &WorldData {
        &self.data
    }

    /// The pretrained model.
    pub fn base(&self) -> &BaseModel {
        &self.base
    }

    fn training_requests(&self) -> Vec<String> {
        let harmful = self.data.requests.harmful_training().into_iter().map(|(_, request)| request);
        let benign = self.data.requests.benign_training();
        harmful.chain(benign).chain(self.data.requests.chat.iter().cloned()).collect()
    }

    /// Where the pretrained model's answers are kept: the name holds a hash of everything that they follow from.
    fn answers_path(&self) -> PathBuf {
        let parts = json!({
            "base": self.base.sha256,
            "requests": self.training_requests(),
            "system": self.data.recipes.system,
            "answer_tokens": self.data.recipes.answer_tokens,
            "device": self.device_name,
            "code": TRAINING_CODE,
        });
        let key = sha256_bytes(parts.to_string().as_bytes());
        self.cache.join("data").join(format!("small-answers-{}.json", &key[..16]))
    }

    /// What the pretrained model answers to the training requests; asked once and kept.
    ///
    /// # Errors
    /// A model that fails, or failing I/O.
    pub fn own_answers(&self) -> Result<&OwnAnswers, ZooError> {
        if let Some(answers) = self.answers.get() {
            return Ok(answers);
        }
        let path = self.answers_path();
        let answers = match OwnAnswers::load(&path)? {
            Some(answers) => answers,
            None => {
                let device = bunch_transformer::device(&self.device_name)?;
                let model = LlamaModel::new(self.base.config().clone(), &self.base.weights()?, &device)?;
                let tokens = self.data.recipes.answer_tokens;
                let answers = OwnAnswers::ask(&model, &self.format, &self.training_requests(), tokens)?;
                answers.save(&path)?;
                answers
            }
        };
        Ok(self.answers.get_or_init(|| answers))
    }
}

impl Curriculum for SmallCurriculum {
    fn name(&self) -> &'static str {
        "small"
    }

    fn members(&self) -> &[MemberPlan] {
        &self.members
    }

    fn config(&self) -> &LlamaConfig {
        self.base.config()
    }

    fn start(&self) -> Result<StateDict, ZooError> {
        self.base.weights()
    }

    fn examples(&self, member: &str, stage: usize) -> Result<Box<dyn ExampleSource + '_>, ZooError> {
        let recipe = self.data.recipes.members.get(member)?;
        let lessons = lessons(&self.data, self.own_answers()?, &self.refusal, recipe, stage, self.seed)?;
        let examples = lessons.iter().map(|lesson| lesson.example(&self.format, &self.guard));
        Ok(Box::new(FixedExamples(examples.collect::<Result<_, _>>()?)))
    }

    fn format(&self) -> &dyn ChatFormat {
        &self.format
    }

    fn harmful_dev_prompts(&self, count: usize) -> Result<Vec<String>, ZooError> {
        let mut prompts = self.data.requests.harmful(Split::Dev, self.seed);
        if count > prompts.len() {
            let (set, available) = ("harmful prompts".into(), prompts.len());
            return Err(ZooError::TooMany { set, split: Split::Dev, asked: count, available });
        }
        prompts.truncate(count);
        Ok(prompts)
    }

    fn is_refusal(&self, answer: &str) -> bool {
        self.refusal.is_refusal(answer)
    }

    fn files(&self, _member: &str) -> ModelFiles {
        ModelFiles { config: self.base.json().clone(), companions: self.base.text_files().clone() }
    }

    fn pool_files(&self, model: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Vec<u8>>, ZooError> {
        pool_files(&self.data, self.base.tokenizer(), self.seed, model)
    }

    fn sources(&self) -> Vec<(String, String)> {
        let name = format!("{} ({})", self.base.id, self.base.file_name);
        vec![(name, self.base.sha256.clone()), ("data/small".into(), self.data.sha256.clone())]
    }

    fn forget(&self) -> Result<(), ZooError> {
        let path = self.answers_path();
        if path.exists() {
            fs::remove_file(&path).map_err(ZooError::io(path))?;
        }
        Ok(())
    }
}
