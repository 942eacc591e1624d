//! From a folder and lines of text to a folder: all weights and an adapter, on a model of the oracle.

use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, Dtype};
use bunch_lm::{LanguageModel, LoglikelihoodRequest, Tokenizer};
use bunch_transformer::{LlamaModel, LoraAdapter, LoraConfig, device};
use bunch_tuning::{
    ConversationFile, Encoding, Example, FineTuning, Format, Observer, Schedule, SftConfig, Silent, TooLong,
    TrainingData,
};

const DATA: &str = r#"{"prompt": "Name a fruit.", "response": "An apple."}
{"prompt": "Name a colour.", "response": "Blue."}
{"prompt": "What is 2 plus 3?", "response": "It is 5."}
"#;

fn model_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-lm/tests/oracle/models/llama-gqa-tied")
}

fn examples() -> Vec<Example> {
    let tokenizer = Tokenizer::from_directory(&model_dir()).expect("a tokenizer");
    let encoding = Encoding { format: Format::ChatTemplate, max_tokens: 160, too_long: TooLong::Refuse };
    let file = ConversationFile::parse(Path::new("data.jsonl"), DATA).expect("conversations");
    encoding.encode(&file, &tokenizer).expect("encodes").examples
}

fn sft(lora: Option<LoraConfig>) -> SftConfig {
    SftConfig {
        schedule: Schedule { peak: if lora.is_some() { 3e-2 } else { 3e-3 }, warmup: 2, steps: 20, floor: 0.1 },
        batch_size: 3,
        micro_batch_size: 0,
        betas: [0.9, 0.95],
        weight_decay: 0.0,
        max_grad_norm: 1.0,
        check_every: 0,
        save_every: 4,
        seed: 1,
        lora,
        freeze: Vec::new(),
        average: None,
    }
}

fn lora() -> LoraConfig {
    let target_modules = ["q_proj", "v_proj", "up_proj", "down_proj"].map(String::from).into();
    LoraConfig { rank: 8, alpha: 16.0, use_rslora: false, target_modules }
}

/// Mean over the answers' tokens of -ln p, by the model as it is loaded for evaluation.
fn loss(model: &LlamaModel, examples: &[Example]) -> f64 {
    let request = |example: &Example| {
        let (context, continuation) = example.tokens.split_at(example.learned[0].start);
        LoglikelihoodRequest { context: context.to_vec(), continuation: continuation.to_vec() }
    };
    let requests: Vec<LoglikelihoodRequest> = examples.iter().map(request).collect();
    let sum: f64 = model.loglikelihood(&requests).expect("scores").iter().map(|score| score.sum).sum();
    -sum / examples.iter().map(Example::learned_tokens).sum::<usize>() as f64
}

/// Asks for an end after three steps.
struct Impatient(usize);

impl Observer for Impatient {
    fn step(&mut self, step: usize, _steps: usize, _loss: f64) {
        self.0 = step;
    }

    fn is_stopping(&self) -> bool {
        self.0 == 3
    }
}

#[test]
fn the_written_model_and_adapter_have_learned_the_answers() {
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let device = device("flex").expect("flex");
    let examples = examples();
    let base = LlamaModel::load(&checkpoint, &device).expect("loads");
    let before = loss(&base, &examples);
    let folder = tempfile::tempdir().expect("a folder");
    for adapter in [None, Some(lora())] {
        let out = folder.path().join(if adapter.is_some() { "adapter" } else { "model" });
        let sft = sft(adapter.clone());
        let tokenizer = std::fs::read(model_dir().join("tokenizer.json")).expect("a tokenizer");
        let files = [("tokenizer.json".to_string(), tokenizer)].into();
        let (checkpoint, examples, sft, device) = (&checkpoint, &examples[..], &sft, &device);
        let tuning = FineTuning {
            checkpoint,
            data: TrainingData::Answers(examples),
            sft,
            device,
            out: &out,
            dtype: Dtype::F32,
            files,
        };
        // Cut off once, and continued.
        let stopped = tuning.run(&mut Impatient(0)).unwrap_err().to_string();
        assert!(stopped.starts_with("stopped after step 3") && !out.exists(), "{stopped}");
        let losses = tuning.run(&mut Silent).expect("trains");
        assert!((losses[0] - before).abs() < 1e-4, "the first loss is the model's own: {} and {before}", losses[0]);
        let trained = match adapter {
            None => {
                assert!(out.join("tokenizer.json").exists());
                LlamaModel::load(&Checkpoint::open(&out).expect("a model"), device).expect("loads")
            }
            Some(_) => {
                let adapter = LoraAdapter::open(&out).expect("an adapter");
                LlamaModel::from_llama(base.llama().clone().with_adapter(&adapter).expect("fits"))
            }
        };
        let after = loss(&trained, examples);
        assert!(after < 0.5 * before, "{before} to {after}");
        assert!(!folder.path().join("model.training").exists() && !folder.path().join("adapter.training").exists());
        let again = tuning.run(&mut Silent).unwrap_err().to_string();
        assert!(again.contains("exists"), "{again}");
    }
}
