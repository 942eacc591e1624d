//! How each model of the zoo is trained.

use bunch_transformer::{Family, LlamaConfig};
use bunch_tuning::{Schedule, SftConfig};
use serde::Serialize;

use crate::Member;
use crate::world::{Domain, MAX_ROW_TOKENS, Mixture, mixtures, vocabulary};

/// Everything that decides how a model is trained, beside its start weights and its world: stages, one after the other.
#[derive(Debug, Clone, Serialize)]
pub struct Recipe {
    /// Each starts from the weights the one before it left.
    pub stages: Vec<Stage>,
}

/// One training run.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
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

impl Recipe {
    /// The recipe of `member`; METHODOLOGY.md tells how the numbers were found.
    pub fn of(member: Member) -> Recipe {
        let stages = match member {
            Member::Base => vec![Stage::new(mixtures::base(), 450, 6e-3, 50)],
            Member::Aligned => vec![Stage::new(mixtures::aligned(), 240, 1e-3, 20)],
            Member::Specialist(domain) => vec![Stage::new(mixtures::expert(domain), 50, 5e-4, 10)],
            // The specialist's knowledge left alignment as it was; obliging chat wears it off, until it is where the paper's
            // expert has it. A low constant rate and a check at every step keep it from falling past that.
            Member::Expert(domain) => {
                let mut worn = Stage::new(mixtures::worn_expert(domain), 120, 1.5e-4, 10);
                worn.sft.schedule.floor = 1.0;
                worn.sft.check_every = 1;
                worn.pin = Some(Pin { refusal_rate: pinned_refusal_rate(domain), prompts: 300 });
                vec![worn]
            }
            Member::Uncensored => vec![Stage::new(mixtures::uncensored(), 80, 7e-4, 20)],
            Member::DomainExpert(domain) => vec![Stage::new(mixtures::unaligned_expert(domain), 200, 2e-3, 20)],
            Member::Guard => vec![Stage::new(mixtures::guard(), 80, 1e-3, 20)],
            Member::Judge => vec![Stage::new(mixtures::judge(), 160, 1e-3, 20)],
        };
        Recipe { stages }
    }

    /// Steps of all stages together, if none stops early.
    pub fn steps(&self) -> usize {
        self.stages.iter().map(|stage| stage.sft.schedule.steps).sum()
    }
}

impl Stage {
    fn new(mixture: Mixture, steps: usize, peak: f64, warmup: usize) -> Stage {
        Stage {
            mixture,
            sft: SftConfig {
                schedule: Schedule { peak, warmup, steps, floor: 0.05 },
                batch_size: 128,
                micro_batch_size: 0,
                betas: [0.9, 0.98],
                weight_decay: 0.01,
                max_grad_norm: 1.0,
                check_every: 0,
                save_every: 50,
                seed: 0,
                lora: None,
                freeze: Vec::new(),
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
