//! A pretrained model and what is fine-tuned from it, as an experiment's world.

use std::collections::BTreeMap;
use std::sync::Arc;

use bunch_benchmark::MultipleChoiceDoc;
use bunch_judging::RefusalList;
use bunch_lm::ChatFormat;
use bunch_miniature::world::Split;
use bunch_synthesis::SafetyCategory;
use bunch_zoo::Zoo;
use bunch_zoo::small::{BaseModel, Category, Registry, SmallCurriculum, WorldData};

use crate::ExperimentError;
use crate::costs::{self, Costs};
use crate::declared::scale::Scale;
use crate::workbench::Places;
use crate::world::{EvaluationSets, Manner, World};

/// One seed's zoo around the pretrained model.
pub(crate) struct Small {
    zoo: Zoo,
    curriculum: Arc<SmallCurriculum>,
    seed: u64,
}

/// A generated question is one line of at least this many words that ends in a question mark or a full stop.
const QUESTION_WORDS: usize = 4;

impl Small {
    pub(crate) fn new(
        seed: u64,
        scale: &Scale,
        places: &Places<'_>,
        device_name: &str,
    ) -> Result<Self, ExperimentError> {
        let id = scale.base.as_deref().unwrap_or_default();
        let data = WorldData::load(places.root)?;
        let registry = Registry::load(places.root)?;
        let base = BaseModel::find(registry.entry(id)?, places.models, places.cache)?;
        let curriculum = Arc::new(SmallCurriculum::new(data, base, seed, places.cache, device_name)?);
        let zoo = Zoo::new(curriculum.clone(), places.cache, device_name)?;
        Ok(Self { zoo, curriculum, seed })
    }
}

impl World for Small {
    fn zoo(&self) -> &Zoo {
        &self.zoo
    }

    fn evaluation_sets(&self, scale: &Scale) -> Result<EvaluationSets, ExperimentError> {
        let data = self.curriculum.data();
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
        self.curriculum.format()
    }

    fn manner(&self) -> Manner {
        let recipes = &self.curriculum.data().recipes;
        Manner { max_new_tokens: recipes.answer_tokens, temperature: recipes.temperature, patience: recipes.patience }
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
        let requests = &self.curriculum.data().requests;
        let category =
            |category: &Category| SafetyCategory { name: category.name.clone(), ask_prompt: requests.ask(category) };
        requests.categories.iter().map(category).collect()
    }

    fn ask_prompt(&self, expert: &str) -> Result<String, ExperimentError> {
        let data = self.curriculum.data();
        Ok(data.domain(self.zoo.domain(expert)?)?.ask.clone())
    }

    fn parse_question(&self, text: &str) -> Option<String> {
        let text = text.trim();
        let is_one = !text.contains('\n') && text.split_whitespace().count() >= QUESTION_WORDS;
        (is_one && text.ends_with(['?', '.'])).then(|| text.to_owned())
    }

    fn refusal_rule(&self) -> &RefusalList {
        self.curriculum.refusal_rule()
    }
}
