//! DPO and ORPO against TRL: gradients by name, losses of five steps of all weights and of an adapter, and the adapter.

mod oracle;

use bunch_transformer::{Llama, LoraAdapter, LoraConfig, device, gradients};
use bunch_tuning::{
    Decision, Example, Outcome, PreferenceExample, PreferenceLoss, PreferenceRun, Schedule, SftConfig, Silent, Start,
};
use burn::optim::GradientsParams;
use serde_json::Value;

use oracle::{close, folder, start};

/// TRL's own f32 is within 1.7e-6 of float64 on the losses and 4.6e-6 on the gradients. The smallest of the deliberate
/// mistakes, odds without `1 - P`, changes a loss by 1.1e-4.
const LOSSES: f64 = 2e-5;
const GRADIENTS: f32 = 5e-5;
/// Five steps of at most 2e-3 each.
const FACTORS: f32 = 1e-5;

fn golden() -> Value {
    let text = std::fs::read_to_string(folder().join("preference.json")).expect("preference.json");
    serde_json::from_str(&text).expect("JSON")
}

fn pairs(golden: &Value) -> Vec<PreferenceExample> {
    let ids = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).expect("ids") };
    let pair = |pair: &Value| {
        let prompt = ids(&pair["prompt"]);
        let [chosen, rejected] =
            ["chosen", "rejected"].map(|side| Example::answer([&prompt[..], &ids(&pair[side])].concat(), prompt.len()));
        PreferenceExample { chosen, rejected }
    };
    golden["pairs"].as_array().expect("pairs").iter().map(pair).collect()
}

fn lora() -> LoraConfig {
    let target_modules = ["q_proj", "v_proj", "down_proj"].map(String::from).into();
    LoraConfig { rank: 2, alpha: 4.0, use_rslora: false, target_modules }
}

fn losses() -> [(&'static str, PreferenceLoss); 2] {
    [("dpo", PreferenceLoss::Dpo { beta: 0.1 }), ("orpo", PreferenceLoss::Orpo { beta: 0.1 })]
}

#[test]
fn the_golden_adapters_start_is_the_seeds() {
    close(&LoraAdapter::initial(&lora(), &start().0, 0).expect("an adapter").factors, "lora_start.safetensors", 0.0);
}

#[test]
fn every_gradient_agrees_by_name() {
    let ((config, weights), golden) = (start(), golden());
    let pairs = pairs(&golden);
    let batch: Vec<&PreferenceExample> = pairs[..3].iter().collect();
    let references: Vec<[f64; 2]> = serde_json::from_value(golden["references"].clone()).expect("numbers");
    for device_name in bunch_transformer::device_names() {
        let device = device(device_name).expect("a device").autodiff();
        let model = Llama::from_state_dict(config.clone(), &weights, &device).expect("a Llama");
        for (name, preference) in losses() {
            let loss = preference.of(&model, &batch, &references);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            let (loss, expected) = (f64::from(loss.into_scalar::<f32>()), golden[name]["first_loss"].as_f64());
            assert!((loss - expected.expect("a loss")).abs() < LOSSES, "{name} on {device_name}: {loss}");
            close(&gradients(&model, &grads), &format!("{name}_gradients.safetensors"), GRADIENTS);
        }
    }
}

fn train(
    device_name: &str,
    loss: &PreferenceLoss,
    lora: Option<LoraConfig>,
    examples: &[PreferenceExample],
) -> Outcome {
    let (config, weights) = start();
    let sft = SftConfig {
        schedule: Schedule { peak: 2e-3, warmup: 0, steps: 5, floor: 1.0 },
        batch_size: 3,
        micro_batch_size: 0,
        betas: [0.9, 0.98],
        weight_decay: 0.0,
        max_grad_norm: 1.0,
        check_every: 0,
        save_every: 0,
        seed: 0,
        lora,
        freeze: Vec::new(),
        average: None,
    };
    // Put each pair where the seeded order will look for it.
    let mut arranged = examples.to_vec();
    for (pair, position) in examples.iter().zip(bunch_tuning::data_order(examples.len(), sft.seed)) {
        arranged[position] = pair.clone();
    }
    let device = device(device_name).expect("a device");
    let start = Start::Weights(&config, &weights);
    let run = PreferenceRun { start, examples: &arranged, loss, sft: &sft, device: &device, state: None };
    run.run(&mut Silent, &mut |_, _| Ok(Decision::Continue)).expect("trains")
}

#[test]
fn five_losses_agree_of_all_weights_and_of_an_adapter() {
    let golden = golden();
    let pairs = pairs(&golden);
    for device_name in bunch_transformer::device_names() {
        for (name, preference) in losses() {
            for (kind, lora) in [("full", None), ("lora", Some(lora()))] {
                let is_lora = lora.is_some();
                let outcome = train(device_name, &preference, lora, &pairs);
                let expected: Vec<f64> = serde_json::from_value(golden[name][kind].clone()).expect("losses");
                assert_eq!(outcome.losses.len(), expected.len());
                for (step, (loss, expected)) in outcome.losses.iter().zip(expected).enumerate() {
                    let off = (loss - expected).abs();
                    assert!(off < LOSSES, "{name}, {kind} on {device_name}, step {step}: {loss} against {expected}");
                }
                if is_lora {
                    close(&outcome.into_tensors(), &format!("{name}_lora.safetensors"), FACTORS);
                }
            }
        }
    }
}
