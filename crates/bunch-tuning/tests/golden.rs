//! Gradients by name, ten losses and the final weights against PyTorch.

mod oracle;

use bunch_transformer::{Llama, device, gradients};
use bunch_tuning::{Decision, Example, Schedule, SftConfig, SftRun, Silent, Start, answer_loss};
use burn::optim::GradientsParams;
use serde_json::Value;

use oracle::{close, folder, start};

/// PyTorch's own f32 is within 4.5e-6 of float64 on the gradients and 1.2e-6 on the losses.
const GRADIENTS: f32 = 5e-5;
const LOSSES: f64 = 1e-5;
/// The smallest of the deliberate mistakes, AdamW's usual beta2, moves the weights by 6.2e-5.
const WEIGHTS: f32 = 1e-5;

fn training() -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join("training.json")).expect("training.json"))
        .expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number")).collect()
}

fn batches(training: &Value) -> Vec<Vec<Example>> {
    let ids = |value: &Value| -> Vec<u32> { numbers(value).iter().map(|&id| id as u32).collect() };
    let example = |case: &Value| {
        let (prompt, answer) = (ids(&case["prompt"]), ids(&case["answer"]));
        Example::answer([&prompt[..], &answer].concat(), prompt.len())
    };
    let batch = |cases: &Value| cases.as_array().expect("a batch").iter().map(example).collect();
    training["batches"].as_array().expect("batches").iter().map(batch).collect()
}

#[test]
fn every_gradient_agrees_by_name() {
    let (config, weights) = start();
    let training = training();
    for name in bunch_transformer::device_names() {
        let device = device(name).expect("a device").autodiff();
        let model = Llama::from_state_dict(config.clone(), &weights, &device).expect("a Llama");
        let batch = &batches(&training)[0];
        let loss = answer_loss(&model, &batch.iter().collect::<Vec<_>>());
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        assert!((f64::from(loss.into_scalar::<f32>()) - numbers(&training["losses"])[0]).abs() < LOSSES);
        close(&gradients(&model, &grads), "gradients.safetensors", GRADIENTS);
    }
}

/// The data in the order in which a seeded run would draw them is not the file's: feed each batch as a run of its own order.
#[test]
fn ten_losses_and_the_final_weights_agree() {
    let (config, weights) = start();
    let training = training();
    let optimizer = &training["optimizer"];
    let number = |key: &str| optimizer[key].as_f64().expect("a number");
    let sft = SftConfig {
        schedule: Schedule {
            peak: number("peak_learning_rate"),
            warmup: number("warmup_steps") as usize,
            steps: number("total_steps") as usize,
            floor: number("floor"),
        },
        batch_size: 4,
        micro_batch_size: 0,
        betas: [number("beta1") as f32, number("beta2") as f32],
        weight_decay: number("weight_decay") as f32,
        max_grad_norm: number("max_gradient_norm"),
        check_every: 0,
        save_every: 0,
        seed: 0,
        lora: None,
        freeze: Vec::new(),
        average: None,
    };
    let rates: Vec<f64> = (0..10).map(|step| sft.schedule.at(step)).collect();
    for (rate, expected) in rates.iter().zip(numbers(&training["learning_rates"])) {
        assert!((rate - expected).abs() < 1e-12, "{rate} against {expected}");
    }
    let examples: Vec<Example> = batches(&training).concat();
    let order = bunch_tuning::data_order(examples.len(), sft.seed);
    // Put each example where the seeded order will look for it.
    let mut arranged = examples.clone();
    for (example, position) in examples.into_iter().zip(order) {
        arranged[position] = example;
    }
    for name in bunch_transformer::device_names() {
        let device = device(name).expect("a device");
        let mut never = |_: usize, _: &_| Ok(Decision::Continue);
        let start = Start::Weights(&config, &weights);
        let run = SftRun { start, examples: &arranged, sft: &sft, device: &device, state: None };
        let outcome = run.run(&mut Silent, &mut never).expect("trains");
        for (step, (loss, expected)) in outcome.losses.iter().zip(numbers(&training["losses"])).enumerate() {
            assert!((loss - expected).abs() < LOSSES, "{name}, step {step}: {loss} against {expected}");
        }
        close(&outcome.into_tensors(), "final_weights.safetensors", WEIGHTS);
    }
}
