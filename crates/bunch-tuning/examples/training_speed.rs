//! Speed and memory of fine-tuning at the shape of SmolLM2-135M, on random weights and tokens.
//!
//! `cargo run --release -p bunch-tuning --example training_speed -- full|frozen|lora [STEPS] [EXAMPLES] [TOKENS] [ANSWER]`: so many
//! examples a step of so many tokens, of which the last `ANSWER` are learned.

use std::time::Instant;

use bunch_transformer::{Family, LlamaConfig, LoraConfig, device};
use bunch_tuning::{Decision, Example, Observer, Schedule, SftConfig, SftRun, Start};

/// Prints time and processor time of each step; the first is for warming up.
struct Clock {
    tokens: usize,
    started: Instant,
    used: f64,
}

impl Observer for Clock {
    fn step(&mut self, step: usize, steps: usize, loss: f64) {
        if step == 1 {
            (self.started, self.used) = (Instant::now(), processor_seconds());
        } else if step == steps {
            let tokens = (self.tokens * (steps - 1)) as f64;
            let (wall, cpu) = (self.started.elapsed().as_secs_f64(), processor_seconds() - self.used);
            let per_second = tokens / wall;
            println!("loss {loss:.4}; {per_second:.0} tokens/s, {:.0} tokens per processor second", tokens / cpu);
        }
    }
}

/// User and system time of this process; 0 where there is no /proc.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    fields.get(11..13).map_or(0.0, |times| times.iter().sum::<f64>() / 100.0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let kind = arguments.first().map_or("full", String::as_str);
    let number = |index: usize, otherwise: usize| arguments.get(index).map_or(Ok(otherwise), |text| text.parse());
    let (steps, batch_size, tokens, answer) = (number(1, 5)?, number(2, 8)?, number(3, 64)?, number(4, 24)?);
    let config = LlamaConfig {
        family: Family::Llama,
        vocab_size: 49152,
        hidden_size: 576,
        intermediate_size: 1536,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        head_dim: 64,
        max_position_embeddings: 8192,
        rms_norm_eps: 1e-5,
        rope_theta: 100_000.0,
        rope_scaling: None,
        tie_word_embeddings: true,
        qkv_bias: false,
        o_bias: false,
        mlp_bias: false,
        sliding_windows: Vec::new(),
    };
    let all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    let lora = (kind == "lora").then(|| LoraConfig {
        rank: 8,
        alpha: 16.0,
        use_rslora: false,
        target_modules: all.map(String::from).into(),
    });
    let sft = SftConfig {
        schedule: Schedule { peak: 1e-4, warmup: 1, steps, floor: 0.1 },
        batch_size,
        micro_batch_size: 0,
        betas: [0.9, 0.95],
        weight_decay: 0.0,
        max_grad_norm: 1.0,
        check_every: 0,
        save_every: 0,
        seed: 0,
        lora,
        freeze: if kind == "frozen" { vec!["embed_tokens".into()] } else { Vec::new() },
        average: None,
    };
    let token = |i: usize, t: usize| ((i * 7919 + t * t * 31) % config.vocab_size) as u32;
    let examples: Vec<Example> =
        (0..64).map(|i| Example::answer((0..=tokens).map(|t| token(i, t)).collect(), tokens + 1 - answer)).collect();
    let start = config.initial_weights(1);
    let device = device("flex")?;
    let start = Start::Weights(&config, &start);
    let run = SftRun { start, examples: &examples, sft: &sft, device: &device, state: None };
    let mut clock = Clock { tokens: batch_size * tokens, started: Instant::now(), used: 0.0 };
    run.run(&mut clock, &mut |_, _| Ok(Decision::Continue))?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    Ok(())
}
