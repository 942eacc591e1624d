//! Low-rank adapters: gradients, PEFT's files, and the same model merged and not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use bunch_checkpoint::{Checkpoint, StateDict};
use bunch_progress::Quiet;
use bunch_recipe::Recipe;
use bunch_streaming::{InputModel, MergeOptions, MergePlan};
use bunch_transformer::{Llama, LlamaConfig, LlamaModel, LoraAdapter, LoraConfig, TokenBatch, device};
use bunch_tuning::{Decision, Example, Schedule, SftConfig, SftRun, Silent, Start, Trained, answer_loss};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor};

/// Logits of a few hundredths to a few units, by sums in another order.
const LOGITS: f32 = 2e-4;

fn model_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle/models/llama-gqa-untied")
}

fn lora() -> LoraConfig {
    let all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    LoraConfig { rank: 4, alpha: 8.0, use_rslora: false, target_modules: all.map(String::from).into() }
}

fn examples() -> Vec<Example> {
    let tokens = |i: u32| (0..9 + i % 5).map(|t| (i * 131 + t * t * 17) % 1000).collect();
    (0..12).map(|i| Example::answer(tokens(i), 3)).collect()
}

fn sft(lora: Option<LoraConfig>, steps: usize) -> SftConfig {
    SftConfig {
        schedule: Schedule { peak: 2e-2, warmup: 1, steps, floor: 0.1 },
        batch_size: 6,
        micro_batch_size: 0,
        betas: [0.9, 0.95],
        weight_decay: 0.0,
        max_grad_norm: 1.0,
        check_every: 0,
        save_every: 0,
        seed: 5,
        lora,
        freeze: Vec::new(),
        average: None,
    }
}

/// An adapter that was trained for a few steps, and the losses.
fn trained(lora: LoraConfig, steps: usize) -> (LoraAdapter, Vec<f64>) {
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let device = device("flex").expect("flex");
    let (examples, sft) = (examples(), sft(Some(lora), steps));
    let start = Start::Checkpoint(&checkpoint);
    let run = SftRun { start, examples: &examples, sft: &sft, device: &device, state: None };
    let outcome = run.run(&mut Silent, &mut |_, _| Ok(Decision::Continue)).expect("trains");
    let Trained::Adapter(adapter) = outcome.trained else { panic!("an adapter was asked for") };
    (adapter, outcome.losses)
}

fn logits(model: &Llama) -> Vec<f32> {
    let tokens: Vec<u32> = (0..23).map(|t| (t * 37 + 5) % 1000).collect();
    let positions: Vec<usize> = (0..tokens.len()).collect();
    model.logits(&TokenBatch::new(&[&tokens], &[&positions])).into_data().try_to_vec::<f32>().expect("f32")
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_fresh_adapter_changes_nothing_and_is_the_seeds() {
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let device = device("flex").expect("flex");
    let config = LlamaConfig::from_json(checkpoint.config()).expect("a Llama");
    let base = LlamaModel::load(&checkpoint, &device).expect("loads");
    let adapter = LoraAdapter::initial(&lora(), &config, 3).expect("an adapter");
    assert_eq!(adapter, LoraAdapter::initial(&lora(), &config, 3).expect("an adapter"));
    assert_ne!(adapter, LoraAdapter::initial(&lora(), &config, 4).expect("an adapter"));
    let adapted = base.llama().clone().with_adapter(&adapter).expect("fits");
    assert_eq!(logits(&adapted), logits(base.llama()));
    // Kaiming's bound: 1 / sqrt(64 inputs).
    let a = &adapter.factors["base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"];
    let largest = a.data.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    assert!(a.shape == [4, 64] && largest <= 0.125 && largest > 0.11, "{:?}, {largest}", a.shape);
}

/// Loss at the start of training, computed with adapters in f32.
fn loss(model: &Llama, batch: &[&Example]) -> f64 {
    f64::from(answer_loss(model, batch).into_scalar::<f32>())
}

#[test]
fn gradients_of_both_factors_agree_with_differences_and_the_base_has_none() {
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let plain = device("flex").expect("flex");
    let recording = plain.clone().autodiff();
    // After some steps, where neither factor is zero.
    let (adapter, _) = trained(lora(), 4);
    let base = Llama::from_checkpoint(&checkpoint, &recording).expect("loads");
    let model = base.with_adapter(&adapter).expect("fits");
    let examples = examples();
    let batch: Vec<&Example> = examples.iter().collect();
    let grads = GradientsParams::from_grads(answer_loss(&model, &batch).backward(), &model);

    struct Named<'a> {
        path: Vec<String>,
        grads: &'a GradientsParams,
        found: BTreeMap<String, Vec<f32>>,
    }
    impl ModuleVisitor for Named<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.into());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.grads.get::<D>(param.id) {
                let grad = grad.into_data_dtype(DType::F32).try_to_vec().expect("f32");
                self.found.insert(self.path.join("."), grad);
            }
        }
    }
    let mut named = Named { path: Vec::new(), grads: &grads, found: BTreeMap::new() };
    model.visit(&mut named);
    assert!(named.found.keys().all(|path| path.contains("adapters")), "{:?}", named.found.keys());
    assert_eq!(named.found.len(), 2 * 2 * 7, "two factors, two layers, seven projections");

    // Derivative along the gradient of each factor, against differences of the loss: the adapter of v is the third of qkv.
    let base = LlamaModel::load(&checkpoint, &plain).expect("loads");
    let cases = [
        ("model.layers.0.self_attn.qkv_proj.adapters.0", "model.layers.0.self_attn.q_proj"),
        ("model.layers.1.self_attn.qkv_proj.adapters.2", "model.layers.1.self_attn.v_proj"),
        ("model.layers.0.self_attn.o_proj.adapters.0", "model.layers.0.self_attn.o_proj"),
        ("model.layers.1.mlp.gate_up_proj.adapters.1", "model.layers.1.mlp.up_proj"),
        ("model.layers.0.mlp.down_proj.adapters.0", "model.layers.0.mlp.down_proj"),
    ];
    for (path, module) in cases {
        for (field, factor) in [("a", "lora_A"), ("b", "lora_B")] {
            let grad = &named.found[&format!("{path}.{field}")];
            let norm = grad.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            let name = format!("base_model.model.{module}.{factor}.weight");
            let moved = |step: f64| {
                let mut moved = adapter.clone();
                let tensor = moved.factors.get_mut(&name).expect("a factor");
                let values = tensor.data.iter().zip(grad);
                tensor.data = std::sync::Arc::new(
                    values.map(|(value, g)| (f64::from(*value) + step * f64::from(*g) / norm) as f32).collect(),
                );
                loss(&base.llama().clone().with_adapter(&moved).expect("fits"), &batch)
            };
            let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((slope - norm).abs() < 2e-2 * norm + 1e-4, "{name}: {slope} against {norm}");
        }
    }
}

#[test]
fn saved_merged_and_loaded_without_merging_are_one_model() {
    let (adapter, losses) = trained(lora(), 12);
    assert!(losses[11] < 0.8 * losses[0], "it learns: {losses:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("adapter");
    adapter.write(&dir, "base").expect("writes");
    let read = LoraAdapter::open(&dir).expect("reads");
    assert_eq!(read, adapter);

    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let device = device("flex").expect("flex");
    let base = LlamaModel::load(&checkpoint, &device).expect("loads");
    let adapted = logits(&base.llama().clone().with_adapter(&read).expect("fits"));
    assert!(worst(&adapted, &logits(base.llama())) > 0.1, "the adapter does something");

    // Merged by the reader of adapters, which reads the files on its own.
    let merged = folder.path().join("merged");
    let recipe =
        format!("merge_method: passthrough\nmodels: [{{model: {}+{}}}]\n", model_dir().display(), dir.display());
    let recipe = Recipe::parse(Path::new("recipe.yml"), &recipe).expect("a recipe");
    let options = MergeOptions::default();
    let models = InputModel::open_all(&recipe).expect("models");
    let plan = MergePlan::new(&recipe, &models, &options).expect("a plan");
    plan.run(&merged, &Quiet, &AtomicBool::new(false)).expect("merges");
    let checkpoint = Checkpoint::open(&merged).expect("a model");
    let model = LlamaModel::load(&checkpoint, &device).expect("loads");
    let off = worst(&adapted, &logits(model.llama()));
    assert!(off < LOGITS, "merged and unmerged logits differ by {off:e}");
    // Merged in memory.
    let start = Checkpoint::open(&model_dir()).expect("a model").state_dict().expect("weights");
    assert_eq!(read.merge_into(&start).expect("merges"), checkpoint.state_dict().expect("weights"));
}

#[test]
fn adapters_that_do_not_fit_are_refused() {
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let device = device("flex").expect("flex");
    let config = LlamaConfig::from_json(checkpoint.config()).expect("a Llama");
    let base = LlamaModel::load(&checkpoint, &device).expect("loads");
    let adapter = LoraAdapter::initial(&lora(), &config, 0).expect("an adapter");
    let refused = |change: &dyn Fn(&mut StateDict)| {
        let mut adapter = adapter.clone();
        change(&mut adapter.factors);
        base.llama().clone().with_adapter(&adapter).unwrap_err().to_string()
    };
    let name = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight";
    assert!(refused(&|factors| drop(factors.remove(name))).contains("is missing"));
    let message = refused(&|factors| factors.get_mut(name).expect("a factor").shape = vec![4, 128]);
    assert!(message.contains("has shape [4, 128], expected [128, 4]"), "{message}");
    let message = refused(&|factors| {
        let tensor = factors[name].clone();
        factors.insert("base_model.model.lm_head.lora_A.weight".into(), tensor);
    });
    assert!(message.contains("`base_model.model.lm_head.lora_A.weight` does not belong"), "{message}");
    let mut other = lora();
    other.target_modules = ["embed_tokens".to_string()].into();
    let message = LoraAdapter::initial(&other, &config, 0).unwrap_err().to_string();
    assert!(message.starts_with("adapter: target module `embed_tokens`, expected some of q_proj"), "{message}");
}
