//! The zoo: trains each model of a curriculum once, keeps it under its content address, and hands it out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use bunch_checkpoint::{
    Checkpoint, Contention, FileLock, ModelDirectory, Staging, StateDict, Weights, sha256_bytes, sha256_of_state_dict,
};
use bunch_lm::Tokenizer;
use bunch_transformer::{LlamaConfig, LlamaModel};
use bunch_tuning::{LessonRun, Observer, Silent, Start};
use burn::tensor::Device;
use serde_json::json;

use crate::pinned::PinnedLesson;
use crate::{Curriculum, Look, MemberPlan, ModelFiles, ZooError};

/// What the looks at a model found while it was trained, next to its weights.
const LOOKS_FILE: &str = "looks.json";

/// Hash of the source code that training depends on.
pub(crate) const TRAINING_CODE: &str = env!("BUNCH_TRAINING_CODE");

/// A model's weights and their hash.
#[derive(Debug, Clone)]
pub struct TrainedModel {
    /// Its weights.
    pub weights: Arc<StateDict>,
    /// Hash of names, shapes and values of the weights.
    pub sha256: String,
}

/// What is remembered of a model while others may still hold its weights.
#[derive(Debug, Default)]
struct Slot {
    /// Weights may be half a gigabyte: they stay in memory only as long as somebody uses them.
    weights: Weak<StateDict>,
    sha256: Option<String>,
}

/// The models of one curriculum.
///
/// Threads and processes may share the folder: of those that want a model one trains it and the others wait.
pub struct Zoo {
    curriculum: Arc<dyn Curriculum>,
    cache: PathBuf,
    device: Device,
    device_name: String,
    slots: BTreeMap<String, Mutex<Slot>>,
}

impl Zoo {
    /// The zoo of `curriculum`, whose models are kept in the folder `cache` and run on the device of that name.
    ///
    /// # Errors
    /// A device that does not exist.
    pub fn new(curriculum: Arc<dyn Curriculum>, cache: &Path, device_name: &str) -> Result<Self, ZooError> {
        let slots = curriculum.members().iter().map(|member| (member.name.clone(), Mutex::default())).collect();
        let device = bunch_transformer::device(device_name)?;
        Ok(Self { curriculum, cache: cache.into(), device, device_name: device_name.into(), slots })
    }

    /// The model of that name.
    ///
    /// # Errors
    /// A name that the curriculum does not have.
    pub fn member(&self, name: &str) -> Result<&MemberPlan, ZooError> {
        let members = self.curriculum.members();
        let found = members.iter().find(|member| member.name == name);
        found.ok_or_else(|| ZooError::unknown("model", name, members.iter().map(|member| member.name.as_str())))
    }

    /// A model and its ancestors, itself first.
    ///
    /// # Errors
    /// A name that the curriculum does not have.
    pub fn lineage(&self, name: &str) -> Result<Vec<String>, ZooError> {
        let mut lineage = vec![name.to_owned()];
        let mut member = self.member(name)?;
        while let Some(parent) = &member.parent {
            lineage.push(parent.clone());
            member = self.member(parent)?;
        }
        Ok(lineage)
    }

    /// `models` without repetition, parents before children.
    pub fn in_order(&self, models: &[String]) -> Vec<String> {
        let names = self.curriculum.members().iter().map(|member| &member.name);
        names.filter(|name| models.contains(name)).cloned().collect()
    }

    /// The content address of a model: a hash of its recipe, its ancestors', what it starts from and learns, the device and
    /// the code.
    ///
    /// # Errors
    /// A name that the curriculum does not have.
    pub fn key(&self, name: &str) -> Result<String, ZooError> {
        let member = self.member(name)?;
        let parent = member.parent.as_ref().map(|parent| self.key(parent)).transpose()?;
        let parts = serde_json::json!({
            "curriculum": self.curriculum.name(),
            "member": member.name,
            "parent": parent,
            "stages": member.stages,
            "covers": member.covers,
            "config": self.curriculum.config(),
            "device": self.device_name,
            "code": TRAINING_CODE,
        });
        Ok(sha256_bytes(parts.to_string().as_bytes()))
    }

    /// Models and data that came from outside, by name, with their SHA-256.
    pub fn sources(&self) -> Vec<(String, String)> {
        self.curriculum.sources()
    }

    /// Hash of the code and of the data from outside that whatever is said of the models depends on, besides the models.
    pub fn code(&self) -> String {
        let sources = self.sources().into_iter().map(|(_, sha256)| sha256);
        sha256_bytes(sources.fold(TRAINING_CODE.to_owned(), |text, sha256| text + &sha256).as_bytes())
    }

    /// The Hugging Face directory of a model, which is there once it is trained; that of a given one may be a GGUF file.
    ///
    /// # Errors
    /// A name that the curriculum does not have.
    pub fn dir(&self, name: &str) -> Result<PathBuf, ZooError> {
        match self.curriculum.given(name) {
            Some(given) => Ok(given),
            None => self.place("models", name),
        }
    }

    /// Whether a model was given, so that there is nothing to train.
    pub fn is_given(&self, name: &str) -> bool {
        self.curriculum.given(name).is_some()
    }

    fn place(&self, folder: &str, name: &str) -> Result<PathBuf, ZooError> {
        Ok(self.cache.join(folder).join(self.dir_name(name)?))
    }

    fn dir_name(&self, name: &str) -> Result<String, ZooError> {
        Ok(format!("{}-{name}-{}", self.curriculum.name(), &self.key(name)?[..16]))
    }

    /// Whether the model is trained already.
    ///
    /// # Errors
    /// A name that the curriculum does not have.
    pub fn is_cached(&self, name: &str) -> Result<bool, ZooError> {
        Ok(self.dir(name)?.exists())
    }

    /// Removes the model from the cache, with any unfinished training of it and what its examples were made from.
    ///
    /// # Errors
    /// A name that the curriculum does not have, or failing I/O.
    pub fn forget(&self, name: &str) -> Result<(), ZooError> {
        *self.slot(name)? = Slot::default();
        if self.is_given(name) {
            return Ok(());
        }
        for path in [self.dir(name)?, self.place("training", name)?] {
            if path.exists() {
                fs::remove_dir_all(&path).map_err(ZooError::io(path))?;
            }
        }
        self.curriculum.forget()
    }

    fn slot(&self, name: &str) -> Result<MutexGuard<'_, Slot>, ZooError> {
        let slot = self
            .slots
            .get(name)
            .ok_or_else(|| ZooError::unknown("model", name, self.slots.keys().map(String::as_str)))?;
        Ok(slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// The model, trained now if it never was; its parents likewise.
    ///
    /// What is handed out was always read from the cache.
    ///
    /// # Errors
    /// A name that the curriculum does not have, failing I/O, a damaged cache, a training that fails.
    pub fn model(&self, name: &str, observer: &mut dyn Observer) -> Result<TrainedModel, ZooError> {
        let mut slot = self.slot(name)?;
        if let (Some(weights), Some(sha256)) = (slot.weights.upgrade(), &slot.sha256) {
            return Ok(TrainedModel { weights, sha256: sha256.clone() });
        }
        let dir = self.dir(name)?;
        if !dir.exists() {
            self.train(name, &dir, observer)?;
        }
        let mut weights = Checkpoint::open(&dir)?.state_dict()?;
        if self.curriculum.config_of(name).tie_word_embeddings {
            // A tied model may carry its output projection too; what is made from it does not.
            weights.remove("lm_head.weight");
        }
        let weights = Arc::new(weights);
        let sha256 = slot.sha256.get_or_insert_with(|| sha256_of_state_dict(&weights)).clone();
        slot.weights = Arc::downgrade(&weights);
        Ok(TrainedModel { weights, sha256 })
    }

    /// How a model reads and writes text, whether it is trained yet or not.
    ///
    /// # Errors
    /// A name that the curriculum does not have, or tokenizer files that cannot be used.
    pub fn tokenizer(&self, name: &str) -> Result<Tokenizer, ZooError> {
        Ok(Tokenizer::from_files(&self.dir(name)?, &self.curriculum.files(name).companions)?)
    }

    /// The folder of the pool that the models make, written now unless it is there. It names the models where they are kept, so
    /// that it is complete once they are trained; its name holds a hash of its files.
    ///
    /// # Errors
    /// Data of the curriculum that contradict each other, or failing I/O.
    pub fn pool(&self) -> Result<PathBuf, ZooError> {
        let dirs = self.curriculum.members().iter().map(|member| Ok((&*member.name, self.dir_name(&member.name)?)));
        let dirs = dirs.collect::<Result<BTreeMap<_, _>, ZooError>>()?;
        let place = |name: &str| match dirs.get(name) {
            Some(dir) => format!("../../models/{dir}"),
            None => name.to_owned(),
        };
        let files = self.curriculum.pool_files(&place)?;
        let contents: Vec<(&String, String)> = files.iter().map(|(name, bytes)| (name, sha256_bytes(bytes))).collect();
        let hash = sha256_bytes(serde_json::to_string(&contents).expect("plain data").as_bytes());
        let pools = self.cache.join("pools");
        let folder = pools.join(format!("{}-{}", self.curriculum.name(), &hash[..16]));
        if folder.exists() {
            return Ok(folder);
        }
        make_dir(&pools)?;
        let staging = Staging::create(&folder, Contention::Wait)?;
        if !folder.exists() {
            write_files(&staging.new_dir(), &files)?;
            staging.install(false)?;
        }
        Ok(folder)
    }

    /// A model of the curriculum's shape with the given weights, on the zoo's device.
    ///
    /// # Errors
    /// Weights of another shape.
    pub fn language_model(&self, weights: &dyn Weights) -> Result<LlamaModel, ZooError> {
        Ok(LlamaModel::new(self.config().clone(), weights, &self.device)?)
    }

    /// The model `name`, which must be there, ready to be asked.
    ///
    /// # Errors
    /// As [`Zoo::model`].
    pub fn loaded(&self, name: &str) -> Result<LlamaModel, ZooError> {
        let weights = self.model(name, &mut Silent)?.weights;
        Ok(LlamaModel::new(self.curriculum.config_of(name).clone(), &*weights, &self.device)?)
    }

    /// The shape of all models.
    pub fn config(&self) -> &LlamaConfig {
        self.curriculum.config()
    }

    /// Where models run and are trained.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Trains a model into `dir`, unless another process does so first.
    fn train(&self, name: &str, dir: &Path, observer: &mut dyn Observer) -> Result<(), ZooError> {
        let state = self.place("training", name)?;
        make_dir(&self.cache.join("training"))?;
        let lock = FileLock::exclusive(&state.with_added_extension("lock"), || observer.waiting())?;
        if dir.exists() {
            lock.remove();
            return Ok(());
        }
        let member = self.member(name)?;
        let mut weights: Option<Arc<StateDict>> = None;
        let mut looks = Vec::new();
        for (index, stage) in member.stages.iter().enumerate() {
            // Examples first: making them may take the memory that weights take.
            let source = self.curriculum.examples(name, index)?;
            let mut lesson = PinnedLesson::new(&*self.curriculum, source, stage.pin.as_ref())?;
            let start = match weights.take() {
                Some(weights) => weights,
                None => self.start(member, observer)?,
            };
            make_dir(&state)?;
            let run = LessonRun {
                start: Start::Weights(self.config(), &start),
                lesson: &mut lesson,
                sft: &stage.sft,
                device: &self.device,
                state: Some(&state.join(format!("stage-{index}"))),
            };
            let training = |source| ZooError::Training { member: name.to_owned(), source };
            weights = Some(Arc::new(run.run(observer).map_err(training)?.into_tensors()));
            looks.push(lesson.into_looks());
        }
        let weights = match weights {
            Some(weights) => weights,
            None => self.start(member, observer)?,
        };
        self.save(name, &weights, &looks, dir)?;
        if state.exists() {
            fs::remove_dir_all(&state).map_err(ZooError::io(state))?;
        }
        lock.remove();
        Ok(())
    }

    fn start(&self, member: &MemberPlan, observer: &mut dyn Observer) -> Result<Arc<StateDict>, ZooError> {
        match &member.parent {
            None => Ok(Arc::new(self.curriculum.start()?)),
            Some(parent) => Ok(self.model(parent, observer)?.weights),
        }
    }

    fn save(&self, name: &str, weights: &StateDict, looks: &[Vec<Look>], dir: &Path) -> Result<(), ZooError> {
        make_dir(&self.cache.join("models"))?;
        let ModelFiles { config, companions } = self.curriculum.files(name);
        let mut directory = ModelDirectory::new(config, weights);
        directory.files = companions;
        if looks.iter().any(|looks| !looks.is_empty()) {
            let text = serde_json::to_string_pretty(&json!({ "member": name, "looks": looks })).expect("plain data");
            directory.files.insert(LOOKS_FILE.into(), (text + "\n").into_bytes());
        }
        Ok(directory.write(dir)?)
    }
}

/// Writes files into a folder, whose names may begin with folders of their own.
///
/// # Errors
/// Failing I/O.
pub fn write_files(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), ZooError> {
    for (name, bytes) in files {
        let path = folder.join(name);
        make_dir(path.parent().unwrap_or(folder))?;
        fs::write(&path, bytes).map_err(ZooError::io(path))?;
    }
    Ok(())
}

fn make_dir(path: &Path) -> Result<(), ZooError> {
    fs::create_dir_all(path).map_err(ZooError::io(path))
}
