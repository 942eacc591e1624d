//! One seed's pool: its models, and everything that they and their merges are asked and measured with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bunch_benchmark::{Options, PreparedTasks, questions};
use bunch_checkpoint::{StateDict, Weights, sha256_bytes, sha256_of_state_dict};
use bunch_evolution::Members;
use bunch_judging::{CachedJudge, Exchange, Judge, JudgeFile, RefusalList, VerdictCache, WordRule};
use bunch_lm::{AddBos, ChatFormat, LanguageModel, TemplateChat, Tokenizer};
use bunch_merging::method_code;
use bunch_pool::{DataSplit, GenerationSettings, Pool};
use bunch_transformer::LlamaModel;
use bunch_tuning::Silent;
use bunch_zoo::miniature::MiniatureCurriculum;
use bunch_zoo::small::{BaseModel, Registry, SmallCurriculum, WorldData};
use bunch_zoo::{Curriculum, GivenModels, TrainedModel, Zoo};

use crate::ExperimentError;
use crate::cell_code::CELL_CODE;
use crate::costs::{Costs, SMALL_MODEL};
use crate::declared::block::Block;
use crate::declared::derived::DerivedModel;
use crate::declared::pool_names::{GUARD, HARMFUL, TRUTH};
use crate::declared::scale::{Scale, WorldKind};

/// Where models and data are found and kept.
pub(crate) struct Places<'a> {
    /// The checkout, with `data/`.
    pub(crate) root: &'a Path,
    /// Trained models, pools, generated data, cells.
    pub(crate) cache: &'a Path,
    /// Models that the user fetched.
    pub(crate) models: &'a Path,
    /// Published prompts and data sets.
    pub(crate) data: &'a Path,
}

/// Prompts of one set.
#[derive(Debug, Default)]
pub(crate) struct Prompts {
    pub(crate) texts: Vec<String>,
    /// The category of harm of each, where the pool says it.
    pub(crate) categories: Vec<Option<String>>,
}

/// A task's documents for each split, in tokens once they are asked.
#[derive(Default)]
struct PreparedSplits {
    test: OnceLock<PreparedTasks>,
    dev: OnceLock<PreparedTasks>,
}

/// The pool of one seed, whose models a zoo trains.
pub(crate) struct SeedPool {
    pub(crate) seed: u64,
    /// The experiment's blocks that are about it.
    blocks: Vec<String>,
    /// Trains the models, unless they are given, and hands them out.
    pub(crate) zoo: Zoo,
    pool: Pool,
    /// Where published data sets are.
    data: PathBuf,
    chat: TemplateChat,
    /// Test prompts by set, as many as the scale wants.
    prompts: BTreeMap<String, Prompts>,
    /// Test questions by the experiment's name of a task, as many as the scale wants.
    pub(crate) questions: BTreeMap<String, Vec<String>>,
    /// The pool's task for each of the experiment's, and its documents.
    tasks: BTreeMap<String, (String, PreparedSplits)>,
    /// Documents of each task: test and dev.
    sizes: [usize; 2],
    /// Whether dev questions are the test's.
    select_on_test: bool,
    /// Models that are merges of the pool's.
    derived: Vec<DerivedModel>,
    judges: BTreeMap<String, PoolJudge>,
    /// Where the pool has one.
    truth: Option<WordRule>,
    refusals: RefusalList,
}

/// A judge of the pool's.
struct PoolJudge {
    file: JudgeFile,
    /// How its model reads and writes, and the model; each is made once, since every row asks it.
    tokenizer: OnceLock<Tokenizer>,
    model: OnceLock<LlamaModel>,
    verdicts: VerdictCache,
}

/// What is trained for `scale` with `seed`.
fn curriculum(
    seed: u64,
    scale: &Scale,
    places: &Places<'_>,
    device_name: &str,
) -> Result<Arc<dyn Curriculum>, ExperimentError> {
    Ok(match scale.world {
        WorldKind::Miniature => Arc::new(MiniatureCurriculum::new(seed)?),
        WorldKind::Small => {
            let entry = Registry::load(places.root)?;
            let entry = entry.entry(scale.base.as_deref().unwrap_or_default())?;
            let base = BaseModel::find(entry, places.models, places.cache)?;
            Arc::new(SmallCurriculum::new(WorldData::load(places.root)?, base, seed, places.cache, device_name)?)
        }
    })
}

impl SeedPool {
    /// The pool of `seed` that `blocks` are about: the one at the path, or that of the scale's world; `derived` are models that
    /// the experiment makes of its own.
    pub(crate) fn open(
        seed: u64,
        scale: &Scale,
        (pool, blocks): (Option<&str>, &[&Block]),
        derived: &[DerivedModel],
        places: &Places<'_>,
        device_name: &str,
    ) -> Result<Self, ExperimentError> {
        let (pool, zoo) = match pool {
            Some(path) => {
                let pool = Pool::open(&places.root.join(path))?.with_models(places.models);
                let given = Arc::new(GivenModels::new(&pool, places.cache)?);
                (pool, Zoo::new(given, places.cache, device_name)?)
            }
            None => {
                let zoo = Zoo::new(curriculum(seed, scale, places, device_name)?, places.cache, device_name)?;
                (Pool::open(&zoo.pool()?)?, zoo)
            }
        };
        let data = Some(places.data);
        let mut prompts = BTreeMap::new();
        for set in pool.file().prompts.keys() {
            prompts.insert(set.clone(), read_prompts(&pool, set, DataSplit::Test, data, scale.prompt_count(set))?);
        }
        let (mut asked, mut tasks) = (BTreeMap::new(), BTreeMap::new());
        let options = Options { data_dir: data.map(Path::to_owned), ..Options::default() };
        // Where pools are given, each has the tasks of its own blocks.
        let is_here = |name: &String| scale.pools.is_empty() || pool.file().tasks.contains_key(name);
        for (task, name) in scale.tasks.iter().filter(|(_, name)| is_here(name)) {
            let mut texts = questions(&pool.selection(name, DataSplit::Test)?, &options)?.concat();
            texts.truncate(scale.questions);
            asked.insert(task.clone(), texts);
            tasks.insert(task.clone(), (name.clone(), PreparedSplits::default()));
        }
        let mut judges = BTreeMap::new();
        for name in pool.file().helpers.iter().filter(|(_, helper)| helper.judge.is_some()).map(|(name, _)| name) {
            let (tokenizer, model, verdicts) = (OnceLock::new(), OnceLock::new(), VerdictCache::default());
            judges.insert(name.clone(), PoolJudge { file: pool.judge(name)?, tokenizer, model, verdicts });
        }
        Ok(Self {
            seed,
            blocks: blocks.iter().map(|block| block.name.clone()).collect(),
            chat: TemplateChat::new(zoo.tokenizer(&pool.file().base)?, pool.file().generation.system.clone()),
            prompts,
            questions: asked,
            tasks,
            sizes: [scale.questions, scale.dev_questions],
            select_on_test: scale.select_on_test,
            derived: derived.to_vec(),
            truth: judges.get(TRUTH).and_then(|judge| judge.file.rule()).cloned(),
            refusals: pool.refusals()?,
            data: places.data.into(),
            judges,
            zoo,
            pool,
        })
    }

    /// Whether the experiment's block of that name is about it.
    pub(crate) fn serves(&self, block: &str) -> bool {
        self.blocks.iter().any(|name| name == block)
    }

    /// How all its models but the judges are talked to.
    pub(crate) fn chat(&self) -> &TemplateChat {
        &self.chat
    }

    pub(crate) fn format(&self) -> &dyn ChatFormat {
        &self.chat
    }

    /// How its models are asked.
    pub(crate) fn generation(&self) -> &GenerationSettings {
        &self.pool.file().generation
    }

    /// Upper limit on the tokens of an answer.
    pub(crate) fn max_new_tokens(&self) -> usize {
        self.generation().max_new_tokens as usize
    }

    /// What it is made of.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Which answers to benign prompts decline them.
    pub(crate) fn refusals(&self) -> &RefusalList {
        &self.refusals
    }

    /// The test prompts of a set.
    pub(crate) fn prompts(&self, set: &str) -> Result<&Prompts, ExperimentError> {
        let known = || self.prompts.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.prompts.get(set).ok_or_else(|| lacking(&self.pool, format!("prompts `{set}`: it has {}", known())))
    }

    /// Harmful dev prompts.
    pub(crate) fn dev_prompts(&self) -> Result<Vec<String>, ExperimentError> {
        Ok(read_prompts(&self.pool, HARMFUL, DataSplit::Dev, Some(&self.data), self.sizes[1])?.texts)
    }

    /// All sets of test prompts that are not empty.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        let sets = self.prompts.iter().map(|(set, prompts)| (set, &prompts.texts));
        sets.filter(|(_, texts)| !texts.is_empty())
    }

    /// Rough costs.
    pub(crate) fn costs(&self) -> Costs {
        Costs::of(self.zoo.config())
    }

    /// Jobs that may run side by side, where memory limits them.
    pub(crate) fn max_jobs(&self) -> Option<usize> {
        // A job holds a merge twice beside the pool, as weights and as a model, and one alone uses all cores.
        (self.zoo.config().parameters() > SMALL_MODEL).then_some(1)
    }

    /// A model with these weights on the zoo's device.
    pub(crate) fn model(&self, weights: &dyn Weights) -> Result<LlamaModel, ExperimentError> {
        Ok(self.zoo.language_model(weights)?)
    }

    fn derived(&self, name: &str) -> Option<&DerivedModel> {
        self.derived.iter().find(|derived| derived.name == name)
    }

    /// Content address of a model, of the pool or derived.
    pub(crate) fn key(&self, name: &str) -> Result<String, ExperimentError> {
        let Some(derived) = self.derived(name) else { return Ok(self.zoo.key(name)?) };
        let of = derived.of.iter().map(|name| self.key(name)).collect::<Result<Vec<_>, _>>()?;
        let text = serde_json::to_string(&(of, &derived.merge, method_code(derived.merge.info().name), CELL_CODE))
            .expect("plain data");
        Ok(sha256_bytes(text.as_bytes()))
    }

    /// The models of the pool that a model is made of: itself, or for a derived one those that it is merged from.
    pub(crate) fn ingredients(&self, name: &str) -> Vec<String> {
        match self.derived(name) {
            None => vec![name.to_owned()],
            Some(derived) => derived.of.iter().flat_map(|name| self.ingredients(name)).collect(),
        }
    }

    /// A model, which must have been trained before; a derived one is merged now.
    pub(crate) fn member(&self, name: &str) -> Result<TrainedModel, ExperimentError> {
        let Some(derived) = self.derived(name) else { return Ok(self.zoo.model(name, &mut Silent)?) };
        let mut models = derived.of.iter().map(|name| self.weights(name)).collect::<Result<Vec<_>, _>>()?;
        let base = models.remove(0);
        let weights = Members::new(base, models)?.merge(&derived.merge, self.seed)?;
        let sha256 = sha256_of_state_dict(&weights);
        Ok(TrainedModel { weights: Arc::new(weights), sha256 })
    }

    /// Weights of a model, as [`SeedPool::member`].
    pub(crate) fn weights(&self, name: &str) -> Result<Arc<StateDict>, ExperimentError> {
        Ok(self.member(name)?.weights)
    }

    /// Whether `model` has each of a task's documents right.
    pub(crate) fn right(
        &self,
        model: &dyn LanguageModel,
        task: &str,
        split: DataSplit,
    ) -> Result<Vec<bool>, ExperimentError> {
        let known = || self.tasks.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let missing = || lacking(&self.pool, format!("the task `{task}`: it has {}", known()));
        let (name, splits) = self.tasks.get(task).ok_or_else(missing)?;
        let (prepared, limit) = match split {
            DataSplit::Test => (&splits.test, self.sizes[0]),
            DataSplit::Dev => (&splits.dev, self.sizes[1]),
        };
        let split = if self.select_on_test { DataSplit::Test } else { split };
        let prepared = match prepared.get() {
            Some(prepared) => prepared,
            None => {
                let options = Options {
                    data_dir: Some(self.data.clone()),
                    limit: Some(limit),
                    add_bos: AddBos::Never,
                    apply_chat_template: true,
                    system_instruction: self.generation().system.clone(),
                    ..Options::default()
                };
                let window = self.zoo.config().max_position_embeddings;
                let (selection, tokenizer) = (self.pool.selection(name, split)?, self.chat.tokenizer());
                let made = PreparedTasks::new(&selection, tokenizer, &options, window)?;
                prepared.get_or_init(|| made)
            }
        };
        Ok(prepared.right(model)?)
    }

    fn pool_judge(&self, name: &str) -> Result<&PoolJudge, ExperimentError> {
        let known = || self.judges.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.judges.get(name).ok_or_else(|| lacking(&self.pool, format!("judge `{name}`: it has {}", known())))
    }

    /// Hash of a judge's file and of those that it names: what its verdicts follow from beside its model.
    pub(crate) fn judge_sha256(&self, name: &str) -> Result<String, ExperimentError> {
        Ok(sha256_bytes(self.pool_judge(name)?.file.definition.as_bytes()))
    }

    fn tokenizer<'a>(&self, name: &str, judge: &'a PoolJudge) -> Result<&'a Tokenizer, ExperimentError> {
        if let Some(tokenizer) = judge.tokenizer.get() {
            return Ok(tokenizer);
        }
        let read = self.zoo.tokenizer(name)?;
        Ok(judge.tokenizer.get_or_init(|| read))
    }

    /// A judge of the pool, whose model must have been trained before.
    pub(crate) fn judge(&self, name: &str) -> Result<Box<dyn Judge + '_>, ExperimentError> {
        let judge = self.pool_judge(name)?;
        let model = match judge.model.get() {
            Some(model) => model,
            None => {
                let loaded = self.zoo.loaded(name)?;
                judge.model.get_or_init(|| loaded)
            }
        };
        let asked = judge.file.with_model(model, self.tokenizer(name, judge)?, false)?;
        Ok(Box::new(CachedJudge { judge: asked, cache: &judge.verdicts }))
    }

    /// The pool's own rule, which judges without a model.
    pub(crate) fn truth(&self) -> Option<&WordRule> {
        self.truth.as_ref()
    }

    /// Whether a helper of that name judges.
    pub(crate) fn has_judge(&self, name: &str) -> bool {
        self.judges.contains_key(name)
    }

    /// What the guard reads of an exchange before it writes its verdict, special tokens spelled out.
    pub(crate) fn guard_prompt(&self, exchange: &Exchange) -> Result<String, ExperimentError> {
        let guard = self.pool_judge(GUARD)?;
        Ok(guard.file.render(exchange, self.tokenizer(GUARD, guard)?)?.unwrap_or_default())
    }
}

/// The first `count` prompts of a set.
fn read_prompts(
    pool: &Pool,
    set: &str,
    split: DataSplit,
    data: Option<&Path>,
    count: usize,
) -> Result<Prompts, ExperimentError> {
    let all = pool.prompts(set, split, data)?.prompts;
    if all.len() < count {
        let what = format!("{count} prompts in {set}.{}: it has {}", split.name(), all.len());
        return Err(lacking(pool, what));
    }
    let mut prompts = Prompts::default();
    for prompt in all.into_iter().take(count) {
        prompts.texts.push(prompt.request());
        prompts.categories.push(prompt.category);
    }
    Ok(prompts)
}

/// What a pool is asked for that it does not have.
pub(crate) fn lacking(pool: &Pool, expected: String) -> ExperimentError {
    ExperimentError::Inconsistent { path: pool.path().into(), what: format!("expected {expected}") }
}

#[cfg(test)]
mod tests;
