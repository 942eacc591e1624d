//! The small synthetic world as an experiment's world.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use bunch_benchmark::MultipleChoiceDoc;
use bunch_judging::RefusalList;
use bunch_lm::ChatFormat;
use bunch_miniature::Format;
use bunch_miniature::world::{
    self, Domain, Entity, HarmCategory, MAX_ROW_TOKENS, MultipleChoice, RELATIONS, Request, Row, Split, Tier,
    ask_harmful_prompt, ask_prompt,
};
use bunch_synthesis::SafetyCategory;
use bunch_tuning::{Example, PreferenceExample};
use bunch_zoo::Zoo;
use bunch_zoo::miniature::MiniatureCurriculum;

use crate::ExperimentError;
use crate::costs::{self, Costs};
use crate::declared::scale::Scale;
use crate::world::{EvaluationSets, Manner, RealQuestions, World};

/// One seed's synthetic world and its zoo.
pub(crate) struct Miniature {
    zoo: Zoo,
    curriculum: Arc<MiniatureCurriculum>,
    format: Format,
    refusal: RefusalList,
}

impl Miniature {
    pub(crate) fn new(seed: u64, cache: &Path, device_name: &str) -> Result<Self, ExperimentError> {
        let curriculum = Arc::new(MiniatureCurriculum::new(world::World::new(seed))?);
        let zoo = Zoo::new(curriculum.clone(), cache, device_name)?;
        let refusal =
            RefusalList::of_first_words("miniature", ["sorry", "no", "i cannot", "cannot"].map(String::from).to_vec())?;
        Ok(Self { zoo, curriculum, format: Format::default(), refusal })
    }

    /// The domain that an expert was taught.
    fn domain(&self, expert: &str) -> Result<Domain, ExperimentError> {
        domain(self.zoo.domain(expert)?)
    }
}

impl World for Miniature {
    fn zoo(&self) -> &Zoo {
        &self.zoo
    }

    fn evaluation_sets(&self, scale: &Scale) -> Result<EvaluationSets, ExperimentError> {
        let world = self.curriculum.world();
        let texts = |requests: Vec<Request>| requests.iter().map(Request::text).collect();
        let docs = |split: Split, count: usize| -> Result<BTreeMap<String, Vec<MultipleChoiceDoc>>, ExperimentError> {
            let docs = scale.tasks.iter().map(|(task, name)| {
                let Topic { domain, relation, tier } = name.parse()?;
                // A part of a domain has fewer questions than the whole.
                let shares = relation.map_or(1, |_| RELATIONS) * tier.map_or(1, |_| 2);
                let questions = world.multiple_choice_about(domain, split, (relation, tier), count / shares)?;
                Ok((task.clone(), questions.iter().map(doc).collect()))
            });
            docs.collect()
        };
        Ok(EvaluationSets {
            harmful: texts(world.harmful_prompts(Split::Test, scale.harmful_prompts)?),
            benign: texts(world.benign_prompts(Split::Test, scale.benign_prompts)?),
            dev_harmful: texts(world.harmful_prompts(Split::Dev, scale.dev_questions)?),
            red_team: texts(world.red_team_prompts(Split::Test, scale.red_team_prompts)?),
            test: docs(Split::Test, scale.questions)?,
            dev: docs(Split::Dev, scale.dev_questions)?,
        })
    }

    fn format(&self) -> &dyn ChatFormat {
        &self.format
    }

    fn manner(&self) -> Manner {
        // The paper uses 0.8 for models whose questions otherwise derail.
        Manner { max_new_tokens: MAX_ROW_TOKENS, temperature: 1.0, patience: 20 }
    }

    fn costs(&self) -> Costs {
        costs::MINIATURE
    }

    fn max_jobs(&self) -> Option<usize> {
        None
    }

    fn categories(&self) -> Vec<SafetyCategory> {
        let category = |category: HarmCategory| SafetyCategory {
            name: category.title().into(),
            ask_prompt: ask_harmful_prompt(category),
        };
        HarmCategory::ALL.into_iter().map(category).collect()
    }

    fn ask_prompt(&self, expert: &str) -> Result<String, ExperimentError> {
        Ok(ask_prompt(self.domain(expert)?))
    }

    fn parse_question(&self, text: &str) -> Option<String> {
        world::is_question(text).then(|| text.to_owned())
    }

    fn refusal_rule(&self) -> &RefusalList {
        &self.refusal
    }

    fn category(&self, prompt: &str) -> Option<String> {
        Some(Request::parse(prompt)?.action.category()?.title().to_owned())
    }

    fn real_questions(&self, what: RealQuestions<'_>, count: usize) -> Result<Vec<String>, ExperimentError> {
        let world = self.curriculum.world();
        Ok(match what {
            RealQuestions::Harmful => world.harmful_prompts(Split::Dev, count)?.iter().map(Request::text).collect(),
            RealQuestions::Domain(expert) => {
                let all = Entity::count(None) / 2 * RELATIONS;
                let questions = world.multiple_choice(self.domain(expert)?, Split::Dev, count.min(all))?;
                questions.iter().map(|question| question.question.text()).collect()
            }
        })
    }

    fn preferences(&self, count: usize) -> Result<Vec<PreferenceExample>, ExperimentError> {
        let world = self.curriculum.world();
        let example = |row: Row| Example::answer(row.tokens, row.loss_from);
        let preferences = world.preferences(count, world.seed()).into_iter();
        let pairs = preferences
            .map(|pair| PreferenceExample { chosen: example(pair.chosen), rejected: example(pair.rejected) });
        Ok(pairs.collect())
    }
}

fn doc(question: &MultipleChoice) -> MultipleChoiceDoc {
    MultipleChoiceDoc {
        context: question.question.text(),
        choices: question.choices.iter().map(|&choice| choice.to_owned()).collect(),
        gold: question.gold,
    }
}

/// The domain of that name.
fn domain(name: &str) -> Result<Domain, ExperimentError> {
    Domain::named(name).ok_or_else(|| {
        let known = Domain::ALL.map(Domain::name).join(", ");
        inconsistent(format!("unknown domain `{name}`: the world has {known}"))
    })
}

fn inconsistent(what: String) -> ExperimentError {
    ExperimentError::Inconsistent { path: "experiment".into(), what }
}

/// What a task of the miniature asks about: a domain, and perhaps one of its relations, or one tier, as in `bio`,
/// `bio/relation-0` or `bio/relation-2/tier-b`.
#[derive(Debug, PartialEq, Eq)]
struct Topic {
    domain: Domain,
    relation: Option<usize>,
    tier: Option<Tier>,
}

impl FromStr for Topic {
    type Err = ExperimentError;

    fn from_str(name: &str) -> Result<Self, ExperimentError> {
        let mut parts = name.split('/');
        let domain = domain(parts.next().unwrap_or_default())?;
        let mut topic = Topic { domain, relation: None, tier: None };
        for part in parts {
            let relation = part.strip_prefix("relation-").and_then(|number| number.parse().ok());
            match (part, relation.filter(|&relation| relation < RELATIONS)) {
                ("tier-a", _) => topic.tier = Some(Tier::A),
                ("tier-b", _) => topic.tier = Some(Tier::B),
                (_, Some(relation)) => topic.relation = Some(relation),
                _ => {
                    let expected = format!("relation-0 to relation-{}, tier-a or tier-b", RELATIONS - 1);
                    return Err(inconsistent(format!("task `{name}`: unknown part `{part}`, expected {expected}")));
                }
            }
        }
        Ok(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_name_a_domain_or_a_part_of_one() {
        let topic = |domain, relation, tier| Topic { domain, relation, tier };
        let parse = |name: &str| name.parse::<Topic>();
        assert_eq!(parse("bio").unwrap(), topic(Domain::Bio, None, None));
        assert_eq!(parse("math/relation-2/tier-b").unwrap(), topic(Domain::Math, Some(2), Some(Tier::B)));
        assert!(parse("law").unwrap_err().to_string().ends_with("unknown domain `law`: the world has bio, stem, math"));
        assert!(parse("bio/relation-3").unwrap_err().to_string().contains("unknown part `relation-3`"));
    }
}
