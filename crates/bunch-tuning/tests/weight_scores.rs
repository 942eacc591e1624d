//! Scores of weights against the gradients of single answers, which agree with PyTorch (`golden.rs`).

use std::path::{Path, PathBuf};

use bunch_checkpoint::{Checkpoint, StateDict};
use bunch_transformer::{Llama, LlamaConfig, device, gradients};
use bunch_tuning::{Example, Observer, Silent, WeightScore, WeightScoring, answer_loss};
use burn::optim::GradientsParams;

fn model_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bunch-transformer/tests/golden/gqa-tied/model")
}

fn examples() -> Vec<Example> {
    [vec![1, 5, 9, 3], vec![1, 7, 2], vec![1, 4, 4, 8, 6]].map(|tokens| Example::answer(tokens, 2)).into()
}

/// The gradient of each example's log-likelihood, summed over its answer.
fn single_gradients(checkpoint: &Checkpoint) -> Vec<StateDict> {
    let config = LlamaConfig::from_json(checkpoint.config()).expect("a Llama");
    let device = device("flex").expect("a device").autodiff();
    let model = Llama::from_state_dict(config, &checkpoint.state_dict().expect("weights"), &device).expect("a Llama");
    let of = |example: &Example| {
        let loss = answer_loss(&model, &[example]).mul_scalar(example.learned_tokens() as f64);
        gradients(&model, &GradientsParams::from_grads(loss.backward(), &model))
    };
    examples().iter().map(of).collect()
}

#[test]
fn scores_are_means_over_the_gradients_of_single_answers() {
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let weights = checkpoint.state_dict().expect("weights");
    let gradients = single_gradients(&checkpoint);
    let device = device("flex").expect("a device");
    for score in [WeightScore::Fisher, WeightScore::Led] {
        let examples = examples();
        let scoring = WeightScoring { checkpoint: &checkpoint, examples: &examples, score, device: &device };
        let scores = scoring.scores(&mut Silent).expect("scores");
        assert_eq!(scores.keys().collect::<Vec<_>>(), weights.keys().collect::<Vec<_>>());
        for (name, scores) in &scores {
            assert_eq!(scores.shape, weights[name].shape, "{name}");
            for (index, got) in scores.data.iter().enumerate() {
                let of = |gradient: &StateDict| f64::from(gradient[name].data[index]);
                let weight = f64::from(weights[name].data[index]);
                let sum: f64 = match score {
                    WeightScore::Fisher => gradients.iter().map(|gradient| of(gradient).powi(2)).sum(),
                    WeightScore::Led => gradients.iter().map(|gradient| (weight * of(gradient)).abs()).sum(),
                };
                let want = sum / gradients.len() as f64;
                assert!((f64::from(*got) - want).abs() <= 1e-6 + 1e-4 * want, "{name}[{index}]: {got}, not {want}");
            }
        }
    }
}

#[test]
fn the_folder_is_one_that_a_merge_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("scores");
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let (examples, device) = (examples(), device("flex").expect("a device"));
    let scoring =
        WeightScoring { checkpoint: &checkpoint, examples: &examples, score: WeightScore::Fisher, device: &device };
    scoring.write(&out, &mut Silent).expect("written");
    let written = Checkpoint::open(&out).expect("a folder like a model's");
    assert_eq!(written.config(), checkpoint.config());
    assert_eq!(written.state_dict().expect("scores"), scoring.scores(&mut Silent).expect("the same again"));
    let record = std::fs::read_to_string(out.join("bunch_importance.json")).expect("a record");
    assert!(record.contains("\"score\": \"fisher\"") && record.contains("\"examples\": 3"), "{record}");
    assert!(scoring.write(&out, &mut Silent).expect_err("it is there").to_string().contains("already exists"));
}

#[test]
fn nothing_to_look_at_and_an_interruption_are_errors() {
    struct Impatient;
    impl Observer for Impatient {
        fn step(&mut self, _step: usize, _steps: usize, _loss: f64) {}
        fn is_stopping(&self) -> bool {
            true
        }
    }
    let checkpoint = Checkpoint::open(&model_dir()).expect("a model");
    let device = device("flex").expect("a device");
    let error = |examples: &[Example], observer: &mut dyn Observer| {
        let scoring = WeightScoring { checkpoint: &checkpoint, examples, score: WeightScore::Led, device: &device };
        scoring.scores(observer).expect_err("refused").to_string()
    };
    assert_eq!(error(&[], &mut Silent), "training example 0: there are no examples");
    assert!(error(&[Example::answer(vec![1, 1_000_000], 1)], &mut Silent).contains("outside the vocabulary"));
    assert_eq!(error(&examples(), &mut Impatient), "stopped after step 1; nothing was saved");
}
