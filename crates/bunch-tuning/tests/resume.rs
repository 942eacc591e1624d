//! A run that was cut off continues to the same bits, and so does one on another number of threads.

use std::cell::Cell;

use bunch_checkpoint::StateDict;
use bunch_llama::{LlamaConfig, LlamaModel, device};
use bunch_tuning::{Decision, Example, Outcome, Schedule, SftConfig, Silent, TuningError, train_sft};

fn config() -> LlamaConfig {
    LlamaConfig {
        vocab_size: 40,
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        max_position_embeddings: 32,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
    }
}

fn examples() -> Vec<Example> {
    let tokens = |i: u32| (0..5 + i % 9).map(|t| (i * 7 + t * t) % 40).collect();
    (0..50).map(|i| Example { tokens: tokens(i), loss_from: 1 + i as usize % 3 }).collect()
}

fn sft() -> SftConfig {
    SftConfig {
        schedule: Schedule { peak: 1e-2, warmup: 2, steps: 12, floor: 0.05 },
        batch_size: 16,
        betas: [0.9, 0.98],
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        check_every: 1,
        save_every: 5,
        seed: 3,
    }
}

type Check<'a> = &'a mut dyn FnMut(usize, &LlamaModel) -> Result<Decision, TuningError>;

fn train(sft: &SftConfig, state: Option<&std::path::Path>, check: Check<'_>) -> Result<Outcome, TuningError> {
    let device = device("flex").expect("the default device");
    let start: StateDict = config().initial_weights(1);
    train_sft(&config(), &start, &examples(), sft, &device, &mut Silent, state, check)
}

#[test]
fn a_run_that_was_cut_off_ends_as_if_it_had_not_been() {
    let whole = train(&sft(), None, &mut |_, _| Ok(Decision::Continue)).expect("trains");
    assert!(whole.losses[11] < whole.losses[0], "it learns: {:?}", whole.losses);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let cut = train(&sft(), Some(&state), &mut |step, _| match step {
        8 => Err(TuningError::Observer("power cut".into())),
        _ => Ok(Decision::Continue),
    });
    assert_eq!(cut.unwrap_err().to_string(), "check during training: power cut");
    let first = Cell::new(0);
    let resumed = train(&sft(), Some(&state), &mut |step, _| {
        first.set(if first.get() == 0 { step } else { first.get() });
        Ok(Decision::Continue)
    });
    assert_eq!(first.get(), 6, "it continues after the step that was saved");
    let resumed = resumed.expect("resumes");
    assert_eq!(resumed.losses, whole.losses);
    assert_eq!(resumed.weights, whole.weights);

    let other = SftConfig { seed: 4, ..sft() };
    let refused = train(&other, Some(&state), &mut |_, _| Ok(Decision::Continue)).unwrap_err().to_string();
    assert!(refused.contains("belongs to a run with other weights, data or settings"), "{refused}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| train(&sft(), None, &mut |_, _| Ok(Decision::Continue)).expect("trains").weights)
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn a_check_can_stop_and_bad_input_is_refused() {
    let stopped = train(&sft(), None, &mut |step, _| Ok(if step == 4 { Decision::Stop } else { Decision::Continue }));
    assert_eq!(stopped.expect("stops").losses.len(), 4);
    let mut endless = sft();
    endless.schedule.warmup = 13;
    let message = train(&endless, None, &mut |_, _| Ok(Decision::Continue)).unwrap_err().to_string();
    assert_eq!(message, "training configuration: `schedule.warmup` is 13, expected at most schedule.steps");
    let mut empty = sft();
    empty.batch_size = 0;
    assert!(train(&empty, None, &mut |_, _| Ok(Decision::Continue)).is_err());
}
