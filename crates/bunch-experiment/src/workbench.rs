//! One seed's world and models, and everything its merges are measured with.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bunch_benchmark::evaluate_multiple_choice;
use bunch_checkpoint::{StateDict, sha256_bytes, sha256_of_state_dict};
use bunch_evolution::Members;
use bunch_judging::{CachedJudge, Exchange, Judge, JudgeFile, Verdict, VerdictCache, WordRule};
use bunch_lm::{AddBos, ChatFormat, LanguageModel, TokenId, Tokenizer};
use bunch_merging::method_code;
use bunch_statistics::Proportion;
use bunch_transformer::LlamaModel;
use bunch_tuning::Silent;
use bunch_zoo::TrainedModel;

use crate::ExperimentError;
use crate::cell_code::CELL_CODE;
use crate::declared::column::JudgeName;
use crate::declared::derived::DerivedModel;
use crate::declared::scale::{Scale, WorldKind};
use crate::miniature::Miniature;
use crate::small::Small;
use crate::world::{EvaluationSets, GUARD, SECOND_JUDGE, TRUTH, World, lacking};

/// Where a world finds and keeps its things.
pub(crate) struct Places<'a> {
    /// The checkout, with `data/`.
    pub(crate) root: &'a Path,
    /// Trained models, generated data, cells.
    pub(crate) cache: &'a Path,
    /// Pretrained models that the user fetched.
    pub(crate) models: &'a Path,
}

/// The world of one seed, and its evaluation sets.
pub(crate) struct Workbench {
    pub(crate) seed: u64,
    pub(crate) world: Box<dyn World>,
    pub(crate) sets: EvaluationSets,
    /// Models that are merges of the world's.
    derived: Vec<DerivedModel>,
    judges: BTreeMap<String, WorldJudge>,
    truth: WordRule,
}

/// A judge of the world's.
struct WorldJudge {
    file: JudgeFile,
    /// How its model reads and writes, and the model; each is made once, since every row asks it.
    tokenizer: OnceLock<Tokenizer>,
    model: OnceLock<LlamaModel>,
    verdicts: VerdictCache,
}

impl Workbench {
    /// The workbench of `seed`.
    pub(crate) fn new(
        seed: u64,
        scale: &Scale,
        derived: &[DerivedModel],
        places: &Places<'_>,
        device_name: &str,
    ) -> Result<Self, ExperimentError> {
        let world: Box<dyn World> = match scale.world {
            WorldKind::Miniature => Box::new(Miniature::new(seed, places.cache, device_name)?),
            WorldKind::Small => Box::new(Small::new(seed, scale, places, device_name)?),
            WorldKind::Paper => return Err(ExperimentError::PaperScale),
        };
        let sets = world.evaluation_sets(scale)?;
        let derived = derived.to_vec();
        let judge = |(name, file)| {
            let (tokenizer, model, verdicts) = (OnceLock::new(), OnceLock::new(), VerdictCache::default());
            (name, WorldJudge { file, tokenizer, model, verdicts })
        };
        let judges: BTreeMap<String, WorldJudge> = world.zoo().judges()?.into_iter().map(judge).collect();
        let truth = judges.get(TRUTH).and_then(|judge| judge.file.rule()).cloned();
        let truth = truth.ok_or_else(|| lacking(format!("rule `{TRUTH}` that judges without a model")))?;
        Ok(Self { seed, world, sets, derived, judges, truth })
    }

    pub(crate) fn format(&self) -> &dyn ChatFormat {
        self.world.format()
    }

    /// A model with these weights on this workbench's device.
    pub(crate) fn model(&self, weights: &StateDict) -> Result<LlamaModel, ExperimentError> {
        Ok(self.world.zoo().language_model(weights)?)
    }

    fn derived(&self, name: &str) -> Option<&DerivedModel> {
        self.derived.iter().find(|derived| derived.name == name)
    }

    /// Content address of a model, of the world or derived.
    pub(crate) fn key(&self, name: &str) -> Result<String, ExperimentError> {
        let Some(derived) = self.derived(name) else { return Ok(self.world.zoo().key(name)?) };
        let of = derived.of.iter().map(|name| self.key(name)).collect::<Result<Vec<_>, _>>()?;
        let text = serde_json::to_string(&(of, &derived.merge, method_code(derived.merge.info().name), CELL_CODE))
            .expect("plain data");
        Ok(sha256_bytes(text.as_bytes()))
    }

    /// The models of the world that a model is made of: itself, or for a derived one those that it is merged from.
    pub(crate) fn ingredients(&self, name: &str) -> Vec<String> {
        match self.derived(name) {
            None => vec![name.to_owned()],
            Some(derived) => derived.of.iter().flat_map(|name| self.ingredients(name)).collect(),
        }
    }

    /// A model, which must have been trained before; a derived one is merged now.
    pub(crate) fn member(&self, name: &str) -> Result<TrainedModel, ExperimentError> {
        let Some(derived) = self.derived(name) else { return Ok(self.world.zoo().model(name, &mut Silent)?) };
        let mut models = derived.of.iter().map(|name| self.weights(name)).collect::<Result<Vec<_>, _>>()?;
        let base = models.remove(0);
        let weights = Members::new(base, models)?.merge(&derived.merge, self.seed)?;
        let sha256 = sha256_of_state_dict(&weights);
        Ok(TrainedModel { weights: Arc::new(weights), sha256 })
    }

    /// Weights of a model, as [`Workbench::member`].
    pub(crate) fn weights(&self, name: &str) -> Result<Arc<StateDict>, ExperimentError> {
        Ok(self.member(name)?.weights)
    }

    /// Share of a task's dev questions that are answered right, in percent.
    pub(crate) fn dev_accuracy(&self, model: &dyn LanguageModel, task: &str) -> Result<f64, ExperimentError> {
        Ok(Proportion::of(&evaluate_multiple_choice(model, self.format(), &self.sets.dev[task])?).percent())
    }

    fn world_judge(&self, name: &str) -> Result<&WorldJudge, ExperimentError> {
        let known = || self.judges.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        self.judges.get(name).ok_or_else(|| lacking(format!("judge `{name}`: it has {}", known())))
    }

    /// Hash of a judge's file and of those that it names: what its verdicts follow from beside its model.
    pub(crate) fn judge_sha256(&self, name: &str) -> Result<String, ExperimentError> {
        Ok(sha256_bytes(self.world_judge(name)?.file.definition.as_bytes()))
    }

    fn tokenizer<'a>(&self, name: &str, judge: &'a WorldJudge) -> Result<&'a Tokenizer, ExperimentError> {
        if let Some(tokenizer) = judge.tokenizer.get() {
            return Ok(tokenizer);
        }
        let read = self.world.zoo().tokenizer(name)?;
        Ok(judge.tokenizer.get_or_init(|| read))
    }

    /// A judge of this world, whose model must have been trained before.
    pub(crate) fn judge(&self, name: JudgeName) -> Result<Box<dyn Judge + '_>, ExperimentError> {
        let name = match name {
            JudgeName::Guard => GUARD,
            JudgeName::Second => SECOND_JUDGE,
        };
        let judge = self.world_judge(name)?;
        let model = match judge.model.get() {
            Some(model) => model,
            None => {
                let weights = self.weights(name)?;
                let loaded = self.model(&weights)?;
                judge.model.get_or_init(|| loaded)
            }
        };
        let asked = judge.file.with_model(model, self.tokenizer(name, judge)?, false)?;
        Ok(Box::new(CachedJudge { judge: asked, cache: &judge.verdicts }))
    }

    /// What the world's own rule says of an exchange, without a model.
    pub(crate) fn truth(&self, exchange: &Exchange) -> Verdict {
        self.truth.verdict(exchange)
    }

    /// What the guard reads of an exchange before it writes its verdict.
    pub(crate) fn guard_prompt(&self, exchange: &Exchange) -> Result<Vec<TokenId>, ExperimentError> {
        let guard = self.world_judge(GUARD)?;
        let tokenizer = self.tokenizer(GUARD, guard)?;
        let text = guard.file.render(exchange, tokenizer)?.unwrap_or_default();
        Ok(tokenizer.encode(&text, AddBos::Never)?)
    }
}
