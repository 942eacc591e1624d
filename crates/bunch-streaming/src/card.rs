//! The merged model's card: what was merged how, and what is not known about the result.

use bunch_checkpoint::DigestCache;
use bunch_merging::{CATALOGUE, Spelling};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::error::StreamingError;
use crate::input_model::InputModel;
use crate::options::Digests;
use crate::plan::MergePlan;

/// The card's file name.
const CARD_FILE: &str = "README.md";

/// Bytes of weights that are hashed without being asked to: less than a second.
const SMALL: u64 = 256 << 20;

/// The model card and the recipe.
pub(crate) fn files(plan: &MergePlan<'_>, dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, StreamingError> {
    let (notation, recipe_file) = match plan.recipe.spelling {
        Spelling::Mergekit => ("yaml", "mergekit_config.yml"),
        Spelling::Bunch => ("toml", "bunch_recipe.toml"),
    };
    let card = card(plan, dir, notation)?.into_bytes();
    let recipe = plan.recipe.source.clone().into_bytes();
    Ok(BTreeMap::from([(CARD_FILE.to_owned(), card), (recipe_file.to_owned(), recipe)]))
}

fn card(plan: &MergePlan<'_>, dir: &Path, notation: &str) -> Result<String, StreamingError> {
    let name = dir.file_name().map_or_else(|| "merged model".into(), |name| name.to_string_lossy());
    let method = CATALOGUE.iter().find(|info| info.name == plan.recipe.merge_method);
    let title = method.map_or(plan.recipe.merge_method.as_str(), |info| info.title);
    let paper = method.and_then(|info| info.paper);
    let link = paper.and_then(|paper| Some(format!(" ([{}]({}))", paper.authors, paper.url()?))).unwrap_or_default();
    let parameters: u64 = plan.tensors.iter().map(|tensor| tensor.len() as u64).sum();
    let dtypes: Vec<String> = plan.dtypes().into_keys().collect();

    let mut card = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        card,
        "---\nlibrary_name: transformers\ntags:\n- merge\n- bunch\n---\n# {name}\n\n\
         A merge of language models by {title}{link}, made with bunch {}.\n\n\
         - Method: `{}`, seed {}\n\
         - Parameters: {parameters} in {} tensors, {}\n\n\
         ## Models\n\n| Model | Role | SHA-256 |\n| --- | --- | --- |\n",
        env!("CARGO_PKG_VERSION"),
        plan.recipe.merge_method,
        plan.options.seed,
        plan.tensors.len(),
        dtypes.join(", "),
    );
    let digests = digests(plan)?;
    for (model, digest) in plan.models.iter().zip(digests) {
        let role = match plan.recipe.roles_of(&model.reference) {
            roles if roles.is_empty() => "tokenizer only".to_owned(),
            roles => roles.join(", "),
        };
        let digest = digest.map_or_else(|| "not computed".to_owned(), |digest| format!("`{digest}`"));
        let _ = writeln!(card, "| `{}` | {role} | {digest} |", model.name());
    }
    let _ = write!(
        card,
        "\nA model's SHA-256 is that of what `sha256sum` prints for its weights, configuration and tokenizer files in the \
         order of their names.\n\n\
         ## Recipe\n\n```{notation}\n{}\n```\n\n\
         ## Safety\n\n\
         **The safety of this merge was not measured.** Merging can lose what alignment its members had: a single \
         misaligned member is enough ([Hammoud et al., 2024](https://arxiv.org/abs/2406.14563)). Before you publish this \
         model, compare it with each member above: `bunch measure POOL MODEL --out measured/` has all of them answer the \
         same harmful prompts and a guard model judge the answers, and writes what it found in place of this section.\n",
        plan.recipe.source.trim_end(),
    );
    Ok(card)
}

/// The digest of each model, where it is wanted and known.
fn digests(plan: &MergePlan<'_>) -> Result<Vec<Option<String>>, StreamingError> {
    let policy = plan.options.digests;
    if policy == Digests::Never {
        return Ok(vec![None; plan.models.len()]);
    }
    let cache = plan.options.digest_cache.as_deref().map(DigestCache::open).transpose()?;
    let size = |model: &InputModel| -> u64 {
        model.checkpoint.weight_files().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum()
    };
    let is_small = plan.models.iter().map(size).sum::<u64>() <= SMALL;
    let digest = |model: &InputModel| -> Result<Option<String>, StreamingError> {
        let is_known = || {
            cache.as_ref().is_some_and(|cache| model.checkpoint.weight_files().all(|path| cache.get(path).is_some()))
        };
        if policy == Digests::Auto && !is_small && !is_known() {
            return Ok(None);
        }
        let mut digest = match &cache {
            Some(cache) => model.checkpoint.sha256_with(cache)?,
            None => model.checkpoint.sha256()?,
        };
        if let Some(adapter) = &model.adapter {
            let _ = write!(digest, " + {}", adapter.weights().sha256()?);
        }
        Ok(Some(digest))
    };
    let digests = plan.models.iter().map(digest).collect::<Result<_, _>>()?;
    if let Some(cache) = cache {
        // Not being able to remember is no reason to lose a merge.
        let _ = cache.save();
    }
    Ok(digests)
}
