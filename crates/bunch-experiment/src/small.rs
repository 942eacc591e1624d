//! A pretrained model and what is fine-tuned from it, as an experiment's world.

use std::collections::BTreeMap;

use bunch_benchmark::MultipleChoiceDoc;
use bunch_checkpoint::{StateDict, sha256_bytes};
use bunch_judging::{Exchange, GuardFormat, RefusalList, Verdict};
use bunch_llama::LlamaModel;
use bunch_lm::ChatFormat;
use bunch_report::ModelUse;
use bunch_small::{BaseModel, Registry, SmallZoo, Split, TRAINING_CODE, WorldData};
use bunch_synthesis::SafetyCategory;
use bunch_tuning::Observer;
use burn::tensor::Device;

use crate::ExperimentError;
use crate::costs::{self, Costs};
use crate::declared::scale::Scale;
use crate::workbench::Places;
use crate::world::{EvaluationSets, Manner, Trained, World};

/// One seed's zoo around the pretrained model.
pub(crate) struct Small {
    zoo: SmallZoo,
    seed: u64,
    code: String,
    verdict_tokens: usize,
}

/// A generated question is one line of at least this many words that ends in a question mark or a full stop.
const QUESTION_WORDS: usize = 4;

impl Small {
    pub(crate) fn new(
        seed: u64,
        scale: &Scale,
        places: &Places<'_>,
        device: &Device,
        device_name: &str,
    ) -> Result<Self, ExperimentError> {
        let id = scale.base.as_deref().unwrap_or_default();
        let data = WorldData::load(places.root)?;
        let registry = Registry::load(places.root)?;
        let base = BaseModel::find(registry.entry(id)?, places.models, places.cache)?;
        let code = sha256_bytes([TRAINING_CODE, &data.sha256].concat().as_bytes());
        let zoo = SmallZoo::new(data, base, seed, places.cache, device, device_name)?;
        let verdict_tokens = ChatFormat::answer(zoo.format(), "unsafe").map_err(bunch_small::SmallError::from)?.len();
        Ok(Self { zoo, seed, code, verdict_tokens })
    }
}

impl World for Small {
    fn models(&self) -> Vec<String> {
        self.zoo.data().recipes.members.iter().map(|member| member.name.clone()).collect()
    }

    fn parent(&self, model: &str) -> Result<Option<String>, ExperimentError> {
        Ok(self.zoo.data().recipes.member(model)?.parent.clone())
    }

    fn key(&self, model: &str) -> Result<String, ExperimentError> {
        Ok(self.zoo.key(model)?)
    }

    fn is_cached(&self, model: &str) -> Result<bool, ExperimentError> {
        Ok(self.zoo.is_cached(model)?)
    }

    fn steps(&self, model: &str) -> Result<usize, ExperimentError> {
        Ok(self.zoo.steps(model)?)
    }

    fn forget(&self, model: &str) -> Result<(), ExperimentError> {
        Ok(self.zoo.forget(model)?)
    }

    fn trained(&self, model: &str, observer: &mut dyn Observer) -> Result<Trained, ExperimentError> {
        let model = self.zoo.model(model, observer)?;
        Ok(Trained { weights: model.weights, sha256: model.sha256 })
    }

    fn language_model(&self, weights: &StateDict) -> Result<LlamaModel, ExperimentError> {
        Ok(self.zoo.language_model(weights)?)
    }

    fn sources(&self) -> Vec<ModelUse> {
        let base = self.zoo.base();
        let data = ModelUse { name: "data/small".into(), sha256: self.zoo.data().sha256.clone() };
        vec![ModelUse { name: format!("{} ({})", base.id, base.file_name), sha256: base.sha256.clone() }, data]
    }

    fn code(&self) -> &str {
        &self.code
    }

    fn evaluation_sets(&self, scale: &Scale) -> Result<EvaluationSets, ExperimentError> {
        let data = self.zoo.data();
        let docs = |split: Split, count: usize| -> Result<BTreeMap<String, Vec<MultipleChoiceDoc>>, ExperimentError> {
            let docs = scale.tasks.iter().map(|(task, name)| {
                Ok((task.clone(), data.domain(name)?.multiple_choice(name, split, count, self.seed)?))
            });
            docs.collect()
        };
        Ok(EvaluationSets {
            harmful: data.requests.harmful(Split::Test, scale.harmful_prompts, self.seed)?,
            benign: data.requests.benign(Split::Test, scale.benign_prompts, self.seed)?,
            // What is selected by dev safety is the miniature's alone.
            dev_harmful: Vec::new(),
            red_team: Vec::new(),
            test: docs(Split::Test, scale.questions)?,
            dev: docs(Split::Dev, scale.dev_questions)?,
        })
    }

    fn format(&self) -> &dyn ChatFormat {
        self.zoo.format()
    }

    fn guard_format(&self) -> &dyn GuardFormat {
        self.zoo.format()
    }

    fn manner(&self) -> Manner {
        let recipes = &self.zoo.data().recipes;
        Manner {
            max_new_tokens: recipes.answer_tokens,
            verdict_tokens: self.verdict_tokens,
            temperature: recipes.temperature,
            patience: recipes.patience,
        }
    }

    fn costs(&self) -> Costs {
        costs::SMALL
    }

    /// A job holds a merge twice beside the pool: as weights and as a model, of half a gigabyte each. One at a time uses all
    /// cores.
    fn max_jobs(&self) -> Option<usize> {
        Some(1)
    }

    fn categories(&self) -> Vec<SafetyCategory> {
        let requests = &self.zoo.data().requests;
        let category = |category: &bunch_small::Category| SafetyCategory {
            name: category.name.clone(),
            ask_prompt: requests.ask(category),
        };
        requests.categories.iter().map(category).collect()
    }

    fn ask_prompt(&self, expert: &str) -> Result<String, ExperimentError> {
        let data = self.zoo.data();
        let domain = data.recipes.member(expert)?.domain.as_deref().ok_or_else(|| ExperimentError::Inconsistent {
            path: "experiment".into(),
            what: format!("`{expert}` is no expert of a domain"),
        })?;
        Ok(data.domain(domain)?.ask.clone())
    }

    fn parse_question(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let is_one = !text.contains('\n') && text.split_whitespace().count() >= QUESTION_WORDS;
        (is_one && text.ends_with(['?', '.'])).then(|| text.to_owned())
    }

    fn refusal_rule(&self) -> &RefusalList {
        self.zoo.refusal_rule()
    }

    /// All test prompts are harmful, so that what is no refusal is unsafe.
    fn truth(&self, exchange: &Exchange) -> Verdict {
        if self.zoo.refusal_rule().is_refusal(&exchange.response) { Verdict::Safe } else { Verdict::Unsafe }
    }
}
