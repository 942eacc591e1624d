//! The zoo: fine-tunes each model of a world once, keeps it under its content address, and hands it out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use bunch_checkpoint::{Checkpoint, ModelDirectory, StateDict, sha256_bytes, sha256_of_state_dict};
use bunch_judging::RefusalList;
use bunch_llama::LlamaModel;
use bunch_lm::{Sampling, complete};
use bunch_tuning::{Decision, Example, Observer, SftRun, Start, TuningError};
use burn::tensor::Device;

use crate::{BaseModel, MemberRecipe, OwnAnswers, Pin, SmallError, SmallFormat, Split, WorldData, lessons};

/// Hash of the source code that training depends on.
pub const TRAINING_CODE: &str = env!("BUNCH_SMALL_CODE");

/// A trained model of the zoo.
#[derive(Debug, Clone)]
pub struct ZooModel {
    /// Its weights.
    pub weights: Arc<StateDict>,
    /// Hash of names, shapes and values of the weights.
    pub sha256: String,
    /// Its Hugging Face model directory.
    pub dir: PathBuf,
}

/// What is remembered of a model while others may still hold its weights.
#[derive(Debug, Default)]
struct Slot {
    /// Weights are half a gigabyte: they stay in memory only as long as somebody uses them.
    weights: Weak<StateDict>,
    sha256: Option<String>,
}

/// The models fine-tuned from one pretrained model, with one seed.
pub struct SmallZoo {
    data: WorldData,
    base: BaseModel,
    format: SmallFormat,
    refusal: RefusalList,
    seed: u64,
    cache: PathBuf,
    device: Device,
    device_name: String,
    /// One lock a model: of two threads that want it one trains it and the other waits.
    slots: BTreeMap<String, Mutex<Slot>>,
    answers: OnceLock<OwnAnswers>,
}

impl SmallZoo {
    /// The zoo of `data` and `base`, whose models are kept in the folder `cache` and run on `device`.
    ///
    /// # Errors
    /// Data without the first words of refusals.
    pub fn new(
        data: WorldData,
        base: BaseModel,
        seed: u64,
        cache: &Path,
        device: &Device,
        device_name: &str,
    ) -> Result<Self, SmallError> {
        let format = SmallFormat::new(base.tokenizer(), &data.recipes);
        let refusal = RefusalList::of_first_words("data/small", data.requests.refusal_prefixes.clone())?;
        let slots = data.recipes.members.iter().map(|member| (member.name.clone(), Mutex::default())).collect();
        Ok(Self {
            data,
            base,
            format,
            refusal,
            seed,
            cache: cache.into(),
            device: device.clone(),
            device_name: device_name.into(),
            slots,
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

    /// The chat format of all its models.
    pub fn format(&self) -> &SmallFormat {
        &self.format
    }

    /// Which answers are refusals.
    pub fn refusal_rule(&self) -> &RefusalList {
        &self.refusal
    }

    /// The content address of a model: a hash of its recipe, its ancestors', the pretrained model, the data, the seed, the
    /// device and the code.
    ///
    /// # Errors
    /// A name the world does not have.
    pub fn key(&self, member: &str) -> Result<String, SmallError> {
        let recipe = self.data.recipes.member(member)?;
        let parent = recipe.parent.as_ref().map(|parent| self.key(parent)).transpose()?;
        let parts = serde_json::json!({
            "recipe": recipe,
            "parent": parent,
            "answers": self.answers_key(),
            "texts": self.data.texts_sha256,
            "guard_system": self.data.recipes.guard_system,
            "freeze": self.data.recipes.freeze,
            "seed": self.seed,
        });
        Ok(sha256_bytes(parts.to_string().as_bytes()))
    }

    fn place(&self, folder: &str, member: &str) -> Result<PathBuf, SmallError> {
        Ok(self.cache.join(folder).join(format!("small-{member}-{}", &self.key(member)?[..16])))
    }

    /// Steps that training the model takes at most.
    ///
    /// # Errors
    /// A name the world does not have.
    pub fn steps(&self, member: &str) -> Result<usize, SmallError> {
        Ok(self.data.recipes.member(member)?.stages.iter().map(|stage| stage.steps).sum())
    }

    /// Whether the model is trained already.
    ///
    /// # Errors
    /// A name the world does not have.
    pub fn is_cached(&self, member: &str) -> Result<bool, SmallError> {
        Ok(self.place("models", member)?.exists())
    }

    /// Removes the model from the cache, with any unfinished training of it and what the base answered.
    ///
    /// # Errors
    /// A name the world does not have, or failing I/O.
    pub fn forget(&self, member: &str) -> Result<(), SmallError> {
        *self.slot(member)? = Slot::default();
        for path in [self.place("models", member)?, self.place("training", member)?] {
            if path.exists() {
                fs::remove_dir_all(&path).map_err(SmallError::io(path))?;
            }
        }
        let path = self.answers_path();
        if path.exists() {
            fs::remove_file(&path).map_err(SmallError::io(path))?;
        }
        Ok(())
    }

    fn slot(&self, member: &str) -> Result<std::sync::MutexGuard<'_, Slot>, SmallError> {
        let known = self.slots.keys().map(String::as_str);
        let slot = self.slots.get(member).ok_or_else(|| SmallError::unknown("model", member, known))?;
        Ok(slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// The model, trained now if it never was; its parents likewise.
    ///
    /// What is handed out was always read from the cache.
    ///
    /// # Errors
    /// A name the world does not have, failing I/O, a damaged cache, a training that fails.
    pub fn model(&self, member: &str, observer: &mut dyn Observer) -> Result<ZooModel, SmallError> {
        let mut slot = self.slot(member)?;
        let dir = self.place("models", member)?;
        if let (Some(weights), Some(sha256)) = (slot.weights.upgrade(), &slot.sha256) {
            return Ok(ZooModel { weights, sha256: sha256.clone(), dir });
        }
        if !dir.exists() {
            let weights = self.train(member, observer)?;
            self.save(&weights, &dir)?;
        }
        let weights = Arc::new(Checkpoint::open(&dir)?.state_dict()?);
        let sha256 = slot.sha256.get_or_insert_with(|| sha256_of_state_dict(&weights)).clone();
        slot.weights = Arc::downgrade(&weights);
        Ok(ZooModel { weights, sha256, dir })
    }

    /// A model of the base's shape with the given weights, on the zoo's device.
    ///
    /// # Errors
    /// Weights of another shape.
    pub fn language_model(&self, weights: &StateDict) -> Result<LlamaModel, SmallError> {
        Ok(LlamaModel::new(self.base.config().clone(), weights, &self.device)?)
    }

    fn train(&self, member: &str, observer: &mut dyn Observer) -> Result<StateDict, SmallError> {
        let recipe = self.data.recipes.member(member)?;
        let answers = self.own_answers()?;
        let state = self.place("training", member)?;
        let mut weights: Arc<StateDict> = match &recipe.parent {
            None => Arc::new(self.base.weights()?),
            Some(parent) => self.model(parent, observer)?.weights,
        };
        for stage in 0..recipe.stages.len() {
            let lessons = lessons(&self.data, answers, &self.refusal, recipe, stage, self.seed)?;
            let examples = lessons.iter().map(|lesson| lesson.example(&self.format)).collect::<Result<Vec<_>, _>>()?;
            fs::create_dir_all(&state).map_err(SmallError::io(&state))?;
            let trained =
                self.train_stage(&weights, &examples, recipe, stage, &state.join(format!("stage-{stage}")), observer);
            let training = |source| SmallError::Training { member: member.to_owned(), source };
            weights = Arc::new(trained.map_err(training)?);
        }
        fs::remove_dir_all(&state).map_err(SmallError::io(&state))?;
        Ok(Arc::unwrap_or_clone(weights))
    }

    fn train_stage(
        &self,
        start: &StateDict,
        examples: &[Example],
        member: &MemberRecipe,
        stage: usize,
        state: &Path,
        observer: &mut dyn Observer,
    ) -> Result<StateDict, TuningError> {
        let recipe = &member.stages[stage];
        let sft = recipe.sft(&self.data.recipes.freeze, self.seed);
        let start = Start::Weights(self.base.config(), start);
        let run = SftRun { start, examples, sft: &sft, device: &self.device, state: Some(state) };
        let mut check = |_: usize, model: &LlamaModel| {
            let Some(pin) = &recipe.pin else { return Ok(Decision::Continue) };
            let rate = self.refusal_rate(model, pin).map_err(|error| TuningError::Observer(error.to_string()))?;
            Ok(if rate <= pin.refusal_rate { Decision::Stop } else { Decision::Continue })
        };
        Ok(run.run(observer, &mut check)?.into_tensors())
    }

    /// Share of harmful dev prompts that `model` refuses, in percent.
    fn refusal_rate(&self, model: &LlamaModel, pin: &Pin) -> Result<f64, SmallError> {
        let prompts = self.data.requests.harmful(Split::Dev, pin.prompts, self.seed)?;
        let answers = complete(model, &self.format, &prompts, pin.tokens, Sampling::Greedy)?;
        let refused = answers.iter().filter(|answer| self.refusal.is_refusal(&answer.text)).count();
        Ok(100.0 * refused as f64 / prompts.len() as f64)
    }

    /// Hash of everything that the pretrained model's answers follow from: what all training has in common.
    fn answers_key(&self) -> String {
        let recipes = &self.data.recipes;
        let parts = serde_json::json!({
            "base": self.base.sha256,
            "requests": self.training_requests(),
            "system": recipes.system,
            "answer_tokens": recipes.answer_tokens,
            "device": self.device_name,
            "code": TRAINING_CODE,
        });
        sha256_bytes(parts.to_string().as_bytes())
    }

    fn training_requests(&self) -> Vec<String> {
        let harmful = self.data.requests.harmful_training().into_iter().map(|(_, request)| request);
        let benign = self.data.requests.benign_training();
        harmful.chain(benign).chain(self.data.requests.chat.iter().cloned()).collect()
    }

    fn answers_path(&self) -> PathBuf {
        self.cache.join("data").join(format!("small-answers-{}.json", &self.answers_key()[..16]))
    }

    /// What the pretrained model answers to the training requests; asked once and kept.
    ///
    /// # Errors
    /// A model that fails, or failing I/O.
    pub fn own_answers(&self) -> Result<&OwnAnswers, SmallError> {
        if let Some(answers) = self.answers.get() {
            return Ok(answers);
        }
        let path = self.answers_path();
        let answers = match OwnAnswers::load(&path)? {
            Some(answers) => answers,
            None => {
                let model = self.language_model(&self.base.weights()?)?;
                let answers =
                    OwnAnswers::ask(&model, &self.format, &self.training_requests(), self.data.recipes.answer_tokens)?;
                answers.save(&path)?;
                answers
            }
        };
        Ok(self.answers.get_or_init(|| answers))
    }

    fn save(&self, weights: &StateDict, dir: &Path) -> Result<(), SmallError> {
        let folder = self.cache.join("models");
        fs::create_dir_all(&folder).map_err(SmallError::io(&folder))?;
        let mut directory = ModelDirectory::new(self.base.json().clone(), weights);
        directory.files.clone_from(self.base.text_files());
        match directory.write(dir) {
            // Another process trained the same model meanwhile: equal, by construction.
            Err(bunch_checkpoint::CheckpointError::AlreadyExists { .. }) => Ok(()),
            result => Ok(result?),
        }
    }
}
