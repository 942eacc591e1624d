//! Training on preferences: what it does, that it continues and repeats to the bit, and what it refuses.

mod tiny;

use std::path::Path;

use bunch_checkpoint::StateDict;
use bunch_transformer::{Llama, device};
use bunch_tuning::{
    Decision, Example, Outcome, PreferenceExample, PreferenceLoss, PreferenceRun, Schedule, SftConfig, SftRun, Silent,
    Start, TuningError, response_log_probs,
};

use tiny::{Check, config, of_adapter};

const DPO: PreferenceLoss = PreferenceLoss::Dpo { beta: 0.1 };
const ORPO: PreferenceLoss = PreferenceLoss::Orpo { beta: 0.1 };

/// Chosen responses repeat the prompt's first token, rejected ones count on from it.
fn examples() -> Vec<PreferenceExample> {
    let side = |i: u32, step: u32| {
        let prompt = [i % 40, (i * 7) % 40];
        let response = (1..4 + i % 3).map(|t| (i + step * t) % 40);
        Example::answer(prompt.into_iter().chain(response).collect(), 2)
    };
    (0..30).map(|i| PreferenceExample { chosen: side(i, 0), rejected: side(i, 1) }).collect()
}

fn sft() -> SftConfig {
    SftConfig {
        schedule: Schedule { peak: 1e-2, warmup: 2, steps: 10, floor: 0.1 },
        batch_size: 8,
        micro_batch_size: 0,
        betas: [0.9, 0.98],
        weight_decay: 0.0,
        max_grad_norm: 1.0,
        check_every: 1,
        save_every: 4,
        seed: 3,
        lora: None,
        freeze: Vec::new(),
        average: None,
    }
}

fn run(
    loss: &PreferenceLoss,
    sft: &SftConfig,
    examples: &[PreferenceExample],
    state: Option<&Path>,
    check: Check<'_>,
) -> Result<Outcome, TuningError> {
    let device = device("flex").expect("the default device");
    let config = config();
    let weights: StateDict = config.initial_weights(1);
    let start = Start::Weights(&config, &weights);
    PreferenceRun { start, examples, loss, sft, device: &device, state }.run(&mut Silent, check)
}

fn train(loss: &PreferenceLoss, sft: &SftConfig) -> Outcome {
    run(loss, sft, &examples(), None, &mut |_, _| Ok(Decision::Continue)).expect("trains")
}

/// Mean margin, in nats, of the chosen responses over the rejected ones.
fn margin(weights: &StateDict) -> f64 {
    let model = Llama::from_state_dict(config(), weights, &device("flex").expect("flex")).expect("a Llama");
    let (examples, mut sum) = (examples(), 0.0);
    for [chosen, rejected] in response_log_probs(&model, &examples.iter().collect::<Vec<_>>()) {
        sum += chosen - rejected;
    }
    sum / examples.len() as f64
}

#[test]
fn chosen_responses_gain_on_rejected_ones() {
    let start = config().initial_weights(1);
    for loss in [DPO, ORPO] {
        for sft in [sft(), of_adapter(sft())] {
            let outcome = train(&loss, &sft);
            assert!(outcome.losses[9] < outcome.losses[0], "{loss:?}: {:?}", outcome.losses);
            let after = match outcome.trained {
                bunch_tuning::Trained::Weights(weights) => weights,
                bunch_tuning::Trained::Adapter(adapter) => adapter.merge_into(&start).expect("fits"),
            };
            assert!(margin(&after) > margin(&start) + 0.5, "{loss:?}: {} to {}", margin(&start), margin(&after));
        }
    }
}

/// The policy is the reference then, so that every margin is 0.
#[test]
fn dpo_begins_at_ln_2() {
    for sft in [sft(), of_adapter(sft())] {
        let first = train(&DPO, &sft).losses[0];
        assert!((first - 2_f64.ln()).abs() < 1e-6, "{first}");
    }
}

#[test]
fn orpo_without_odds_is_fine_tuning_on_the_chosen() {
    let losses = train(&PreferenceLoss::Orpo { beta: 0.0 }, &sft()).losses;
    let (device, config) = (device("flex").expect("flex"), config());
    let weights = config.initial_weights(1);
    let chosen: Vec<Example> = examples().into_iter().map(|pair| pair.chosen).collect();
    let (start, sft) = (Start::Weights(&config, &weights), sft());
    let run = SftRun { start, examples: &chosen, sft: &sft, device: &device, state: None };
    let expected = run.run(&mut Silent, &mut |_, _| Ok(Decision::Continue)).expect("trains").losses;
    for (loss, expected) in losses.iter().zip(expected) {
        // The same sums in f32 in another order, ten steps of it.
        assert!((loss - expected).abs() < 1e-4, "{loss} against {expected}");
    }
}

#[test]
fn a_run_that_was_cut_off_ends_as_if_it_had_not_been() {
    for loss in [DPO, ORPO] {
        for sft in [sft(), SftConfig { micro_batch_size: 3, ..of_adapter(sft()) }] {
            let whole = train(&loss, &sft);
            let folder = tempfile::tempdir().expect("a folder");
            let state = folder.path().join("state");
            let cut = run(&loss, &sft, &examples(), Some(&state), &mut |step, _| match step {
                6 => Err(TuningError::Observer("power cut".into())),
                _ => Ok(Decision::Continue),
            });
            assert!(cut.is_err() && state.exists());
            let mut go_on = |step: usize, _: &_| {
                assert!(step > 4, "it continues after the step that was saved");
                Ok(Decision::Continue)
            };
            let resumed = run(&loss, &sft, &examples(), Some(&state), &mut go_on).expect("resumes");
            assert_eq!(resumed.losses, whole.losses);
            assert_eq!(resumed.into_tensors(), whole.into_tensors());
            // Neither another loss nor other pairs may continue it.
            let other = PreferenceLoss::Dpo { beta: 0.2 };
            assert!(matches!(
                run(&other, &sft, &examples(), Some(&state), &mut go_on),
                Err(TuningError::Resume { .. })
            ));
            let mut swapped = examples();
            let first = &mut swapped[0];
            std::mem::swap(&mut first.chosen, &mut first.rejected);
            assert!(matches!(run(&loss, &sft, &swapped, Some(&state), &mut go_on), Err(TuningError::Resume { .. })));
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for loss in [DPO, ORPO] {
        let tensors = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| train(&loss, &sft()).into_tensors())
        };
        assert_eq!(tensors(1), tensors(2));
    }
}

#[test]
fn a_batch_in_parts_has_the_loss_of_the_whole() {
    for loss in [DPO, ORPO] {
        let (whole, parts) = (train(&loss, &sft()), train(&loss, &SftConfig { micro_batch_size: 3, ..sft() }));
        for (whole, parts) in whole.losses.iter().zip(&parts.losses) {
            // Sums of f32 in another order, ten steps of it.
            assert!((whole - parts).abs() < 1e-4, "{loss:?}: {whole} against {parts}");
        }
    }
}

#[test]
fn settings_and_pairs_out_of_range_are_refused() {
    let refused = |loss: &PreferenceLoss, examples: &[PreferenceExample]| {
        run(loss, &sft(), examples, None, &mut |_, _| Ok(Decision::Continue)).unwrap_err().to_string()
    };
    let message = "training configuration: `beta` is 0, expected above 0";
    assert_eq!(refused(&PreferenceLoss::Dpo { beta: 0.0 }, &examples()), message);
    let message = "training configuration: `beta` is -1, expected at least 0";
    assert_eq!(refused(&PreferenceLoss::Orpo { beta: -1.0 }, &examples()), message);
    assert!(refused(&PreferenceLoss::Orpo { beta: f64::NAN }, &examples()).contains("`beta` is NaN"));
    assert_eq!(refused(&DPO, &[]), "training example 0: there are no examples");
    let mut pairs = examples();
    pairs[2].rejected.tokens[0] = 40;
    let message = "training example 2: rejected: token id 40 is outside the vocabulary of 40";
    assert_eq!(refused(&ORPO, &pairs), message);
}

#[test]
fn a_loss_is_written_as_its_name_and_beta() {
    assert_eq!(serde_json::to_string(&DPO).expect("plain data"), r#"{"dpo":{"beta":0.1}}"#);
    assert_eq!(serde_json::from_str::<PreferenceLoss>(r#"{"orpo":{"beta":0.1}}"#).expect("a loss"), ORPO);
    assert!(serde_json::from_str::<PreferenceLoss>(r#"{"orpo":{"beta":0.1,"lambda":1}}"#).is_err());
}
