//! The curriculum of the miniature: small models trained from scratch on a synthetic language.

use std::collections::BTreeMap;
use std::path::Path;

use bunch_checkpoint::StateDict;
use bunch_lm::{ChatFormat, TemplateChat, Tokenizer};
use bunch_miniature::pool_files;
use bunch_miniature::world::{
    BOS, Domain, EOS, MAX_ROW_TOKENS, Mixture, PAD, Request, Split, World, guard_tokenizer_files, is_refusal, mixture,
    mixture_names, tokenizer_files, vocabulary,
};
use bunch_recipe::read_toml;
use bunch_transformer::{Family, LlamaConfig};
use bunch_tuning::Example;
use serde::Deserialize;
use serde_json::json;

use crate::{Curriculum, MemberPlan, MemberRecipes, ModelFiles, Optimizer, ZooError};

/// The recipes that are part of the program.
const RECIPES: &str = include_str!("../../../data/miniature/recipes.toml");

/// The member whose chat template asks for a verdict on an exchange.
const GUARD: &str = "guard";

/// `data/miniature/recipes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MiniatureRecipes {
    /// What all training has in common.
    pub optimizer: Optimizer,
    /// The models, each with the names of the mixtures that it learns.
    #[serde(rename = "member")]
    pub members: MemberRecipes<String>,
}

impl MiniatureRecipes {
    /// The recipes of the miniature.
    ///
    /// # Errors
    /// MiniatureRecipes that contradict the language.
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
        let check = recipes.members.check(text, |member, stage| {
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
}

impl MiniatureCurriculum {
    /// The models of the world of `seed`, trained with it too.
    ///
    /// # Errors
    /// MiniatureRecipes that contradict the language.
    pub fn new(seed: u64) -> Result<Self, ZooError> {
        let world = World::new(seed);
        let recipes = MiniatureRecipes::load()?;
        let members = recipes.members.iter().map(|recipe| {
            let mixtures: Vec<Option<&Mixture>> = recipe.stages.iter().map(|stage| mixture(&stage.mixture)).collect();
            MemberPlan::new(recipe, &recipes.optimizer, seed, json!({ "mixtures": mixtures }))
        });
        let members = members.collect();
        let tokenizer = Tokenizer::from_files(Path::new("miniature"), &tokenizer_files())?;
        Ok(Self { world, format: TemplateChat::new(tokenizer, None), config: config(), recipes, members })
    }
}

/// What a model learns from `count` rows of a mixture.
pub fn examples(world: &World, mixture: &Mixture, count: usize) -> Vec<Example> {
    let rows = world.rows(mixture, count, world.seed());
    rows.into_iter().map(|row| Example::answer(row.tokens, row.loss_from)).collect()
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
        Ok(self.config.initial_weights(self.world.seed()))
    }

    fn examples(&self, member: &str, stage: usize) -> Result<Vec<Example>, ZooError> {
        let stage = &self.recipes.members.get(member)?.stages[stage];
        let mixture = mixture(&stage.mixture).expect("checked when the recipes were read");
        Ok(examples(&self.world, mixture, stage.steps * stage.batch))
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
