//! Formulas against numbers worked out by hand.

use std::path::PathBuf;

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One layer with matrices of 2 x 2 four times and of 2 x 3 three times: 34 values; an output of 2 x 5.
fn tiny() -> LlamaConfig {
    let json = serde_json::json!({
        "model_type": "llama", "vocab_size": 5, "hidden_size": 2, "intermediate_size": 3, "num_hidden_layers": 1,
        "num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 8, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false,
    });
    LlamaConfig::from_json(&json).unwrap()
}

#[test]
fn a_forward_pass_is_counted_as_by_hand() {
    // Two tokens after one: 2 * 34 * 2 in the matrices, 2 * 10 for the one that is scored, and queries that see 2 and 3 keys
    // of a width of 2: 4 * 2 * 5.
    assert_eq!(forward_flops(&tiny(), 1.0, 2.0, 1.0), 136.0 + 20.0 + 40.0);
    assert_eq!(forward_flops(&tiny(), 0.0, 0.0, 0.0), 0.0);
    // One token of Llama 3 8B: 32 layers of 4096 * (2 * 4096 + 2 * 1024 + 3 * 14336) and an output of 4096 * 128256.
    let checkpoints = Checkpoints::load(&root()).unwrap();
    let llama = checkpoints.config("llama-3-8b").unwrap();
    assert_eq!(forward_flops(llama, 0.0, 1.0, 1.0), 2.0 * (6_979_321_856.0 + 525_336_576.0) + 4.0 * 32.0 * 4096.0);
}

#[test]
fn reading_in_parts_is_reading_at_once() {
    let whole = forward_flops(&tiny(), 0.0, 7.0, 7.0);
    assert_eq!(forward_flops(&tiny(), 0.0, 4.0, 4.0) + forward_flops(&tiny(), 4.0, 3.0, 3.0), whole);
}

#[test]
fn writing_reads_the_prompt_and_all_that_is_written_but_the_last() {
    let work = Work::writing(&tiny(), 600.0, 3.0, 4.0);
    assert_eq!((work.read_tokens, work.written_tokens), (1800.0, 2400.0));
    assert_eq!(work.flops(), 600.0 * (forward_flops(&tiny(), 0.0, 3.0, 1.0) + forward_flops(&tiny(), 3.0, 3.0, 3.0)));
    // 600 prompts are two batches, each of four steps that fetch all parameters.
    assert_eq!(work.fetched_parameters, 2.0 * 4.0 * tiny().parameters() as f64);
    // Llama 3 8B takes 262,144 bytes of cache for a token: 2,048 tokens, so that three prompts of 612 go side by side.
    let checkpoints = Checkpoints::load(&root()).unwrap();
    let llama = checkpoints.config("llama-3-8b").unwrap();
    assert_eq!(Work::writing(llama, 9.0, 100.0, 512.0).fetched_parameters, 3.0 * 512.0 * 8_030_261_248.0);
    let mut twice = work;
    twice += work;
    assert_eq!(twice, work.times(2.0));
}

#[test]
fn time_follows_from_peaks_and_measured_shares() {
    let (hardware, checkpoints) = (Hardware::load(&root()).unwrap(), Checkpoints::load(&root()).unwrap());
    let utilisation = hardware.utilisation(&checkpoints).unwrap();
    // 221.4 MFLOP a token at 545 tokens a second of 233 GFLOP/s; 538 MB at 48.4 tokens a second of 54 GB/s.
    assert!((utilisation.flops - 0.518).abs() < 5e-4 && (utilisation.bytes - 0.482).abs() < 5e-4, "{utilisation:?}");
    let gpu = Gpu {
        name: "a card".into(),
        float32_flops: 100.0,
        bfloat16_flops: 1000.0,
        bytes_per_second: 10.0,
        memory_bytes: 1.0,
        how: "made up".into(),
    };
    let utilisation = Utilisation { flops: 0.5, bytes: 0.4 };
    let work = Work { reading_flops: 500.0, writing_flops: 50.0, fetched_parameters: 8.0, ..Work::default() };
    // Reading 500 / 50; writing the longer of 50 / 50 and 8 * 4 / 4.
    assert_eq!(gpu.seconds(&work, utilisation), [10.0 + 8.0, 1.0 + 4.0]);
    let slow = Work { writing_flops: 500.0, ..work };
    assert_eq!(gpu.seconds(&slow, utilisation), [10.0 + 10.0, 1.0 + 4.0]);
    let error = hardware.gpu("abacus").map(|gpu| gpu.name.clone()).unwrap_err().to_string();
    assert!(error.starts_with("unknown GPU `abacus`: data/hardware.toml has A100-80GB, "), "{error}");
}
