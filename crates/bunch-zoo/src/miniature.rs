//! The curriculum of the miniature: small models trained from scratch on a synthetic language.

use std::collections::BTreeMap;
use std::path::Path;

use bunch_checkpoint::{StateDict, sha256_bytes, state_dict_of_bytes};
use bunch_lm::{ChatFormat, TemplateChat, Tokenizer};
use bunch_miniature::pool_files;
use bunch_miniature::world::{
    BOS, Domain, EOS, MAX_ROW_TOKENS, Mixture, MultipleChoice, PAD, Request, Split, World, guard_tokenizer_files,
    is_refusal, mixture, mixture_names, tokenizer_files, vocabulary,
};
use bunch_recipe::read_toml;
use bunch_transformer::{Family, LlamaConfig};
use bunch_tuning::Example;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Curriculum, DevQuestion, ExampleSource, MemberPlan, MemberRecipe, MemberRecipes, ModelFiles, Optimizer, ZooError,
};

/// The recipes that are part of the program.
const RECIPES: &str = include_str!("../../../data/miniature/recipes.toml");

/// What the language has in common in all worlds, which training depends on.
const LANGUAGE: &str = include_str!("../../../data/miniature/language.toml");

/// The trunks: pretrained models that the base of every seed is trained from further, as 16-bit floats. Seeds take them in turn.
/// The example `trunks` trains such models.
pub const TRUNKS: [&[u8]; 4] = [
    include_bytes!("../../../data/miniature/trunks/trunk-0.safetensors"),
    include_bytes!("../../../data/miniature/trunks/trunk-1.safetensors"),
    include_bytes!("../../../data/miniature/trunks/trunk-2.safetensors"),
    include_bytes!("../../../data/miniature/trunks/trunk-3.safetensors"),
];

/// The number of the trunk that the base of a seed is trained from.
pub fn trunk_of(seed: u64) -> usize {
    (seed % TRUNKS.len() as u64) as usize
}

/// Trunk `i` learns the facts of the world of this seed plus `i`, which no model of an experiment is trained on.
const TRUNK_WORLDS: u64 = 1_000_000;

/// All dev questions of a domain.
const QUESTIONS: usize = 576;

/// The member whose chat template asks for a verdict on an exchange.
const GUARD: &str = "guard";

/// `data/miniature/recipes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiniatureRecipes {
    /// What all training has in common.
    pub optimizer: Optimizer,
    /// What all models of all seeds come from.
    pub trunk: MemberRecipe<String>,
    /// The models, each with the names of the mixtures that it learns.
    #[serde(rename = "member")]
    pub members: MemberRecipes<String>,
}

impl MiniatureRecipes {
    /// The recipes of the miniature.
    ///
    /// # Errors
    /// Recipes that contradict the language.
    pub fn load() -> Result<Self, ZooError> {
        Self::parse(RECIPES)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// A text that is not as it should be, with line and column.
    pub fn parse(text: &str) -> Result<Self, ZooError> {
        let path = Path::new("data/miniature/recipes.toml");
        let recipes: Self = read_toml(path, text)?;
        let check = recipes.members.check(text, &domains(), |member, stage| {
            if let Some(domain) = member.domain.as_deref().filter(|name| Domain::named(name).is_none()) {
                return Err(format!(
                    "unknown domain `{domain}`: there are {}",
                    Domain::ALL.map(Domain::name).join(", ")
                ));
            }
            match mixture(&stage.mixture) {
                Some(_) => Ok(()),
                None => Err(format!("unknown mixture `{}`: there are {}", stage.mixture, mixture_names().join(", "))),
            }
        });
        check.map_err(|what| ZooError::Inconsistent { path: path.into(), what })?;
        Ok(recipes)
    }
}

/// The shape of every model: about 450,000 parameters.
pub fn config() -> LlamaConfig {
    LlamaConfig {
        family: Family::Llama,
        vocab_size: vocabulary().size(),
        hidden_size: 96,
        intermediate_size: 256,
        num_hidden_layers: 4,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        head_dim: 16,
        max_position_embeddings: 2 * MAX_ROW_TOKENS,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        sliding_windows: Vec::new(),
    }
}

/// The models of one world.
pub struct MiniatureCurriculum {
    world: World,
    format: TemplateChat,
    config: LlamaConfig,
    recipes: MiniatureRecipes,
    members: Vec<MemberPlan>,
    is_trunk: bool,
}

impl MiniatureCurriculum {
    /// The models of the world of `seed`, trained with it too.
    ///
    /// # Errors
    /// Recipes that contradict the language.
    pub fn new(seed: u64) -> Result<Self, ZooError> {
        let world = World::new(seed);
        let recipes = MiniatureRecipes::load()?;
        let trunk = sha256_bytes(TRUNKS[trunk_of(seed)]);
        let members = recipes.members.iter().map(|recipe| plan(recipe, &recipes, seed, Some(&trunk))).collect();
        Self::of(world, recipes, members)
    }

    /// The curriculum that trains trunk number `number`, its one model, in a world of its own.
    ///
    /// # Errors
    /// Recipes that contradict the language.
    pub fn trunk(number: usize) -> Result<Self, ZooError> {
        let seed = TRUNK_WORLDS + number as u64;
        let recipes = MiniatureRecipes::load()?;
        let members = vec![plan(&recipes.trunk, &recipes, seed, None)];
        Ok(Self { is_trunk: true, ..Self::of(World::new(seed), recipes, members)? })
    }

    fn of(world: World, recipes: MiniatureRecipes, members: Vec<MemberPlan>) -> Result<Self, ZooError> {
        let tokenizer = Tokenizer::from_files(Path::new("miniature"), &tokenizer_files())?;
        let format = TemplateChat::new(tokenizer, None);
        Ok(Self { world, format, config: config(), recipes, members, is_trunk: false })
    }
}

/// What a recipe says; `trunk` is the hash of what models without a parent start from.
fn plan(recipe: &MemberRecipe<String>, recipes: &MiniatureRecipes, seed: u64, trunk: Option<&str>) -> MemberPlan {
    let mixtures: Vec<Option<&Mixture>> = recipe.stages.iter().map(|stage| mixture(&stage.mixture)).collect();
    let covers = json!({ "mixtures": mixtures, "language": LANGUAGE, "trunk": trunk });
    MemberPlan::new(recipe, &recipes.optimizer, seed, covers)
}

fn domains() -> Vec<String> {
    Domain::ALL.map(|domain| domain.name().to_owned()).into()
}

/// Rows of a mixture, drawn when they are asked for.
struct MixtureRows<'a> {
    world: &'a World,
    mixture: &'a Mixture,
    steered: Mixture,
    count: usize,
}

impl ExampleSource for MixtureRows<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn example(&self, number: usize) -> Example {
        let row = self.world.row(Split::Train, &self.steered, number, self.world.seed());
        Example::answer(row.tokens, row.loss_from)
    }

    fn identity(&self) -> Value {
        json!({ "world": self.world.seed(), "mixture": self.mixture, "count": self.count })
    }

    fn steer(&mut self, shift: f64, factors: &BTreeMap<String, f64>) -> Result<(), ZooError> {
        let factor = |domain: Domain| factors.get(domain.name()).copied().unwrap_or(1.0);
        self.steered = self.mixture.steered(shift, factor);
        Ok(())
    }
}

impl Curriculum for MiniatureCurriculum {
    fn name(&self) -> &'static str {
        "miniature"
    }

    fn members(&self) -> &[MemberPlan] {
        &self.members
    }

    fn config(&self) -> &LlamaConfig {
        &self.config
    }

    fn start(&self) -> Result<StateDict, ZooError> {
        if self.is_trunk {
            return Ok(self.config.initial_weights(self.world.seed()));
        }
        let number = trunk_of(self.world.seed());
        state_dict_of_bytes(TRUNKS[number]).map_err(|error| {
            let path = format!("data/miniature/trunks/trunk-{number}.safetensors").into();
            ZooError::Inconsistent { path, what: error.to_string() }
        })
    }

    fn examples(&self, member: &str, stage: usize) -> Result<Box<dyn ExampleSource + '_>, ZooError> {
        let recipe = if self.is_trunk { &self.recipes.trunk } else { self.recipes.members.get(member)? };
        let stage = &recipe.stages[stage];
        let mixture = mixture(&stage.mixture).expect("checked when the recipes were read");
        let count = stage.steps * stage.batch;
        Ok(Box::new(MixtureRows { world: &self.world, mixture, steered: mixture.clone(), count }))
    }

    fn domains(&self) -> Vec<String> {
        domains()
    }

    fn dev_questions(&self, domain: &str) -> Result<Vec<DevQuestion>, ZooError> {
        let known = || Domain::ALL.into_iter().map(Domain::name);
        let domain = Domain::named(domain).ok_or_else(|| ZooError::unknown("domain", domain, known()))?;
        let questions = self.world.multiple_choice(domain, Split::Dev, QUESTIONS)?;
        let question = |question: MultipleChoice| DevQuestion {
            question: question.question.text(),
            choices: question.choices.map(str::to_owned).into(),
            answer: question.gold,
        };
        Ok(questions.into_iter().map(question).collect())
    }

    fn format(&self) -> &dyn ChatFormat {
        &self.format
    }

    fn harmful_dev_prompts(&self, count: usize) -> Result<Vec<String>, ZooError> {
        Ok(self.world.harmful_prompts(Split::Dev, count)?.iter().map(Request::text).collect())
    }

    fn is_refusal(&self, answer: &str) -> bool {
        is_refusal(answer)
    }

    fn files(&self, member: &str) -> ModelFiles {
        let [bos, eos, pad] = [BOS, EOS, PAD].map(|word| vocabulary().id(word).expect("a word of the vocabulary"));
        let companions = if member == GUARD { guard_tokenizer_files() } else { tokenizer_files() };
        ModelFiles { config: self.config.to_json(bos, eos, pad), companions }
    }

    fn pool_files(&self, model: &dyn Fn(&str) -> String) -> Result<BTreeMap<String, Vec<u8>>, ZooError> {
        Ok(pool_files(&self.world, model)?)
    }
}
