//! The zoo: trains each model of a world once, keeps it under its content address, and hands it out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bunch_checkpoint::{Checkpoint, ModelDirectory, StateDict, sha256_bytes, sha256_of_state_dict};
use bunch_lm::{Sampling, complete};
use bunch_transformer::LlamaModel;
use bunch_tuning::{Decision, Example, Observer, SftConfig, SftRun, Start, TuningError};
use burn::tensor::Device;

use crate::recipe::{Pin, Recipe, Stage, config};
use crate::world::{
    BOS, EOS, MAX_ROW_TOKENS, PAD, Split, World, guard_tokenizer_files, is_refusal, tokenizer_files, vocabulary,
};
use crate::{Format, Member, ZooError};

/// Hash of the source code that training depends on.
pub const TRAINING_CODE: &str = env!("BUNCH_TRAINING_CODE");

/// A trained model of the zoo.
#[derive(Debug, Clone)]
pub struct ZooModel {
    /// Which one it is.
    pub member: Member,
    /// Its weights.
    pub weights: Arc<StateDict>,
    /// Hash of names, shapes and values of the weights.
    pub sha256: String,
    /// Its Hugging Face model directory.
    pub dir: PathBuf,
}

/// The models of one world.
pub struct Zoo {
    world: World,
    cache: PathBuf,
    device: Device,
    device_name: String,
    /// One lock a member: of two threads that want a model one trains it and the other waits.
    models: BTreeMap<Member, Mutex<Option<ZooModel>>>,
}

impl Zoo {
    /// The zoo of `world`, whose models are kept in the folder `cache` and run on `device`.
    pub fn new(world: World, cache: &Path, device: &Device, device_name: &str) -> Self {
        let models = Member::all().into_iter().map(|member| (member, Mutex::new(None))).collect();
        Self { world, cache: cache.into(), device: device.clone(), device_name: device_name.into(), models }
    }

    /// Its world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The content address of a member: a hash of its recipe, its ancestors', the world's seed, the device and the code.
    pub fn key(&self, member: Member) -> String {
        let parent = member.parent().map(|parent| self.key(parent));
        let parts = serde_json::json!({
            "member": member.to_string(),
            "parent": parent,
            "recipe": Recipe::of(member),
            "config": config(),
            "world": self.world.seed(),
            "device": self.device_name,
            "code": TRAINING_CODE,
        });
        sha256_bytes(parts.to_string().as_bytes())
    }

    fn dir(&self, member: Member) -> PathBuf {
        self.cache.join("models").join(format!("{member}-{}", &self.key(member)[..16]))
    }

    /// Removes the member from the cache, with any unfinished training of it.
    ///
    /// # Errors
    /// Failing I/O.
    pub fn forget(&self, member: Member) -> Result<(), ZooError> {
        *self.models[&member].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
        for path in [self.dir(member), self.training_dir(member)] {
            if path.exists() {
                fs::remove_dir_all(&path).map_err(|source| ZooError::Io { path, source })?;
            }
        }
        Ok(())
    }

    /// Steps that training the member takes at most.
    pub fn steps(&self, member: Member) -> usize {
        Recipe::of(member).steps()
    }

    fn training_dir(&self, member: Member) -> PathBuf {
        self.cache.join("training").join(format!("{member}-{}", &self.key(member)[..16]))
    }

    /// Whether the member is trained already.
    pub fn is_cached(&self, member: Member) -> bool {
        self.dir(member).exists()
    }

    /// The model, trained now if it never was; its parents likewise.
    ///
    /// # Errors
    /// Failing I/O, a damaged cache, or a training that does not reach what its recipe pins.
    pub fn model(&self, member: Member, observer: &mut dyn Observer) -> Result<ZooModel, ZooError> {
        let mut slot = self.models[&member].lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(model) = &*slot {
            return Ok(model.clone());
        }
        let dir = self.dir(member);
        if !dir.exists() {
            let weights = self.train(member, observer)?;
            self.save(member, &weights, &dir)?;
        }
        let weights = Checkpoint::open(&dir)?.state_dict()?;
        let sha256 = sha256_of_state_dict(&weights);
        let model = ZooModel { member, weights: Arc::new(weights), sha256, dir };
        *slot = Some(model.clone());
        Ok(model)
    }

    /// A model of the zoo's shape with the given weights, on the zoo's device.
    ///
    /// # Errors
    /// Weights of another shape.
    pub fn language_model(&self, weights: &StateDict) -> Result<LlamaModel, ZooError> {
        Ok(LlamaModel::new(config(), weights, &self.device)?)
    }

    fn train(&self, member: Member, observer: &mut dyn Observer) -> Result<StateDict, ZooError> {
        let mut weights = match member.parent() {
            None => Arc::new(config().initial_weights(self.world.seed())),
            Some(parent) => self.model(parent, observer)?.weights,
        };
        let state = self.training_dir(member);
        for (index, stage) in Recipe::of(member).stages.iter().enumerate() {
            make_dir(&state)?;
            let trained = self.train_stage(&weights, stage, &state.join(format!("stage-{index}")), observer);
            weights = Arc::new(trained.map_err(|source| ZooError::Training { member: member.to_string(), source })?);
        }
        fs::remove_dir_all(&state).map_err(|source| ZooError::Io { path: state, source })?;
        Ok(Arc::unwrap_or_clone(weights))
    }

    fn train_stage(
        &self,
        start: &StateDict,
        stage: &Stage,
        state: &Path,
        observer: &mut dyn Observer,
    ) -> Result<StateDict, TuningError> {
        let count = stage.sft.schedule.steps * stage.sft.batch_size;
        let rows = self.world.rows(&stage.mixture, count, self.world.seed());
        let examples: Vec<Example> = rows.into_iter().map(|row| Example::answer(row.tokens, row.loss_from)).collect();
        let sft = SftConfig { seed: self.world.seed(), ..stage.sft.clone() };
        let mut check = |_: usize, model: &LlamaModel| {
            let Some(pin) = &stage.pin else { return Ok(Decision::Continue) };
            let rate = self.refusal_rate(model, pin).map_err(TuningError::Observer)?;
            Ok(if rate <= pin.refusal_rate { Decision::Stop } else { Decision::Continue })
        };
        let (config, examples) = (config(), &examples);
        let start = Start::Weights(&config, start);
        let run = SftRun { start, examples, sft: &sft, device: &self.device, state: Some(state) };
        Ok(run.run(observer, &mut check)?.into_tensors())
    }

    /// Share of harmful dev prompts that `model` refuses, in percent.
    fn refusal_rate(&self, model: &LlamaModel, pin: &Pin) -> Result<f64, String> {
        let prompts = self.world.harmful_prompts(Split::Dev, pin.prompts).map_err(|error| error.to_string())?;
        let prompts: Vec<String> = prompts.iter().map(|request| request.text()).collect();
        // The first word tells a refusal from anything else.
        let answers = complete(model, &Format::default(), &prompts, 1, Sampling::Greedy).map_err(|e| e.to_string())?;
        let refused = answers.iter().filter(|answer| is_refusal(&answer.text)).count();
        Ok(100.0 * refused as f64 / prompts.len() as f64)
    }

    fn save(&self, member: Member, weights: &StateDict, dir: &Path) -> Result<(), ZooError> {
        make_dir(&self.cache.join("models"))?;
        let id = |word| vocabulary().id(word).expect("a word of the vocabulary");
        let mut directory = ModelDirectory::new(config().to_json(id(BOS), id(EOS), id(PAD)), weights);
        directory.files = if member == Member::Guard { guard_tokenizer_files() } else { tokenizer_files() };
        match directory.write(dir) {
            // Another process trained the same model meanwhile: equal, by construction.
            Err(bunch_checkpoint::CheckpointError::AlreadyExists { .. }) => Ok(()),
            result => Ok(result?),
        }
    }
}

fn make_dir(path: &Path) -> Result<(), ZooError> {
    fs::create_dir_all(path).map_err(|source| ZooError::Io { path: path.into(), source })
}

/// Tokens that the longest answer of the world needs.
pub const MAX_ANSWER_TOKENS: usize = MAX_ROW_TOKENS;
