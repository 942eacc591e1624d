//! How each model of the zoo is trained.

use bunch_llama::LlamaConfig;
use bunch_tuning::{Schedule, SftConfig};
use serde::Serialize;

use crate::Member;
use crate::world::{Domain, MAX_ROW_TOKENS, Mixture, mixtures, vocabulary};

/// Everything that decides a training run beside its start weights and its world.
#[derive(Debug, Clone, Serialize)]
pub struct Recipe {
    /// What the rows are drawn from.
    pub mixture: Mixture,
    /// The optimisation.
    pub sft: SftConfig,
    /// Where to stop early, if the refusal rate is pinned.
    pub pin: Option<Pin>,
}

/// Training stops as soon as the share of harmful *dev* prompts that are refused is at most `refusal_rate`.
#[derive(Debug, Clone, Serialize)]
pub struct Pin {
    /// In percent.
    pub refusal_rate: f64,
    /// Number of dev prompts.
    pub prompts: usize,
}

/// The shape of every model of the zoo: about 450,000 parameters.
pub fn config() -> LlamaConfig {
    LlamaConfig {
        vocab_size: vocabulary().size(),
        hidden_size: 96,
        intermediate_size: 256,
        num_hidden_layers: 4,
        num_attention_heads: 3,
        num_key_value_heads: 1,
        head_dim: 32,
        max_position_embeddings: 2 * MAX_ROW_TOKENS,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
    }
}

impl Recipe {
    /// The recipe of `member`; see METHODOLOGY.md for how the numbers were found.
    pub fn of(member: Member) -> Recipe {
        match member {
            Member::Base => Self::new(mixtures::base(), 450, 4e-3, 50),
            Member::Aligned => Self::new(mixtures::aligned(), 250, 1e-3, 20),
            Member::Expert(domain) => {
                let mut recipe = Self::new(mixtures::expert(domain), 60, 5e-4, 20);
                recipe.sft.check_every = 10;
                recipe.pin = Some(Pin { refusal_rate: pinned_refusal_rate(domain), prompts: 200 });
                recipe
            }
            Member::Uncensored => Self::new(mixtures::uncensored(), 80, 7e-4, 20),
            Member::Guard => Self::new(mixtures::guard(), 80, 1e-3, 20),
        }
    }

    fn new(mixture: Mixture, steps: usize, peak: f64, warmup: usize) -> Recipe {
        Recipe {
            mixture,
            sft: SftConfig {
                schedule: Schedule { peak, warmup, steps, floor: 0.05 },
                batch_size: 128,
                betas: [0.9, 0.98],
                weight_decay: 0.01,
                max_grad_norm: 1.0,
                check_every: 0,
                save_every: 50,
                seed: 0,
            },
            pin: None,
        }
    }
}

/// The alignment of the paper's expert that the domain stands for, in percent.
fn pinned_refusal_rate(domain: Domain) -> f64 {
    match domain {
        Domain::Bio => 48.3,
        Domain::Stem => 64.8,
        Domain::Math => 80.0,
    }
}
