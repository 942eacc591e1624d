//! A run that was cut off continues to the same bits, and so does one on another number of threads.

mod tiny;

use std::cell::Cell;

use bunch_checkpoint::StateDict;
use bunch_transformer::device;
use bunch_tuning::{Decision, Example, Observer, Outcome, Schedule, SftConfig, SftRun, Silent, Start, TuningError};

use tiny::{Check, config, of_adapter};

fn examples() -> Vec<Example> {
    let tokens = |i: u32| (0..5 + i % 9).map(|t| (i * 7 + t * t) % 40).collect();
    (0..50).map(|i| Example::answer(tokens(i), 1 + i as usize % 3)).collect()
}

fn sft() -> SftConfig {
    SftConfig {
        schedule: Schedule { peak: 1e-2, warmup: 2, steps: 12, floor: 0.05 },
        batch_size: 16,
        micro_batch_size: 0,
        betas: [0.9, 0.98],
        weight_decay: 0.01,
        max_grad_norm: 1.0,
        check_every: 1,
        save_every: 5,
        seed: 3,
        lora: None,
        freeze: Vec::new(),
        average: None,
    }
}

fn observed(
    sft: &SftConfig,
    state: Option<&std::path::Path>,
    observer: &mut dyn Observer,
    check: Check<'_>,
) -> Result<Outcome, TuningError> {
    let device = device("flex").expect("the default device");
    let (config, examples) = (config(), examples());
    let weights: StateDict = config.initial_weights(1);
    let start = Start::Weights(&config, &weights);
    SftRun { start, examples: &examples, sft, device: &device, state }.run(observer, check)
}

fn train(sft: &SftConfig, state: Option<&std::path::Path>, check: Check<'_>) -> Result<Outcome, TuningError> {
    observed(sft, state, &mut Silent, check)
}

#[test]
fn a_run_that_was_cut_off_ends_as_if_it_had_not_been() {
    for sft in
        [sft(), of_adapter(sft()), SftConfig { freeze: vec!["embed_tokens".into()], micro_batch_size: 5, ..sft() }]
    {
        cut_off(&sft);
    }
}

fn cut_off(sft: &SftConfig) {
    let whole = train(sft, None, &mut |_, _| Ok(Decision::Continue)).expect("trains");
    assert!(whole.losses[11] < whole.losses[0], "it learns: {:?}", whole.losses);
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let cut = train(sft, Some(&state), &mut |step, _| match step {
        8 => Err(TuningError::Observer("power cut".into())),
        _ => Ok(Decision::Continue),
    });
    assert_eq!(cut.unwrap_err().to_string(), "check during training: power cut");
    let first = Cell::new(0);
    let resumed = train(sft, Some(&state), &mut |step, _| {
        first.set(if first.get() == 0 { step } else { first.get() });
        Ok(Decision::Continue)
    });
    assert_eq!(first.get(), 6, "it continues after the step that was saved");
    let resumed = resumed.expect("resumes");
    assert_eq!(resumed.losses, whole.losses);
    assert_eq!(resumed.into_tensors(), whole.into_tensors());

    let other = SftConfig { seed: 4, ..sft.clone() };
    let refused = train(&other, Some(&state), &mut |_, _| Ok(Decision::Continue)).unwrap_err().to_string();
    assert!(refused.contains("belongs to a run with other weights, data or settings"), "{refused}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| train(&sft(), None, &mut |_, _| Ok(Decision::Continue)).expect("trains").into_tensors())
    };
    assert_eq!(run(1), run(2));
}

/// Asks for an end after this step.
struct Impatient {
    after: usize,
    seen: usize,
}

impl Observer for Impatient {
    fn step(&mut self, step: usize, _steps: usize, _loss: f64) {
        self.seen = step;
    }

    fn is_stopping(&self) -> bool {
        self.seen == self.after
    }
}

#[test]
fn an_interrupted_run_saves_where_it_is_and_continues_from_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let mut go_on = |_: usize, _: &_| Ok(Decision::Continue);
    let mut observer = Impatient { after: 7, seen: 0 };
    let stopped = observed(&of_adapter(sft()), Some(&state), &mut observer, &mut go_on).unwrap_err().to_string();
    assert_eq!(stopped, "stopped after step 7; the same command continues from there");
    let first = Cell::new(0);
    let resumed = train(&of_adapter(sft()), Some(&state), &mut |step, _| {
        first.set(if first.get() == 0 { step } else { first.get() });
        Ok(Decision::Continue)
    });
    assert_eq!(first.get(), 8);
    let whole = train(&of_adapter(sft()), None, &mut go_on).expect("trains");
    assert_eq!(resumed.expect("resumes").into_tensors(), whole.into_tensors());
}

#[test]
fn a_batch_in_parts_has_the_gradient_of_the_whole() {
    let mut go_on = |_: usize, _: &_| Ok(Decision::Continue);
    let whole = train(&sft(), None, &mut go_on).expect("trains").losses;
    let parts = train(&SftConfig { micro_batch_size: 3, ..sft() }, None, &mut go_on).expect("trains").losses;
    for (whole, parts) in whole.iter().zip(&parts) {
        // Sums of f32 in another order, twelve steps of it.
        assert!((whole - parts).abs() < 1e-4, "{whole} against {parts}");
    }
}

#[test]
fn frozen_weights_stay_as_they_are_to_the_bit() {
    let start = config().initial_weights(1);
    let names = ["embed_tokens".to_string(), "layers.1".to_string()];
    let sft = SftConfig { freeze: names.to_vec(), ..sft() };
    let trained = train(&sft, None, &mut |_, _| Ok(Decision::Continue)).expect("trains").into_tensors();
    for (name, tensor) in &trained {
        let is_frozen = name.contains("embed_tokens") || name.contains("layers.1.");
        assert_eq!(tensor == &start[name], is_frozen, "{name}");
    }
    for (name, message) in [
        ("k_proj", "freeze `k_proj`: it is trained together with `model.layers.0.self_attn.q_proj.weight`"),
        ("layer", "freeze `layer`: no tensor has this name"),
    ] {
        let sft = SftConfig { freeze: vec![name.into()], ..sft.clone() };
        let error = train(&sft, None, &mut |_, _| Ok(Decision::Continue)).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
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
