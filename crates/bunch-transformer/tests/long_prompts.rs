//! Prompts longer than one forward pass are read in several, with the same answers.

use bunch_lm::{GenerateConfig, LanguageModel, LoglikelihoodRequest, Sampling, TokenId};
use bunch_transformer::{LlamaConfig, LlamaModel, TokenBatch, device};

#[test]
fn a_prompt_read_in_pieces_is_continued_as_if_read_at_once() {
    let json = serde_json::json!({"model_type": "mistral", "vocab_size": 61, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 8192,
        "sliding_window": 3000});
    let config = LlamaConfig::from_json(&json).expect("a configuration");
    let weights = config.initial_weights(5);
    let model = LlamaModel::new(config, &weights, &device("flex").expect("compiled in")).expect("weights that fit");
    // The second begins in the first pass of 4096 tokens and ends in the second; the third fills that and needs another.
    let prompts: Vec<Vec<TokenId>> = [30usize, 4090, 4500]
        .iter()
        .enumerate()
        .map(|(row, &length)| (0..length).map(|i| ((i * i + 7 * row + i / 3) % 61) as TokenId).collect())
        .collect();
    let greedy = GenerateConfig { max_new_tokens: 3, stop: vec![], sampling: Sampling::Greedy };
    let answers = model.generate(&prompts, &greedy).expect("prompts that fit");
    for (prompt, answer) in prompts.iter().zip(&answers) {
        // In one pass over whole sequences, without a cache.
        let sequence = [&prompt[..], &answer[..2]].concat();
        let wanted: Vec<usize> = (prompt.len() - 1..sequence.len()).collect();
        let logits = model.llama().logits(&TokenBatch::new(&[&sequence], &[&wanted]));
        let logits = logits.into_data().try_to_vec::<f32>().expect("f32");
        for (row, &token) in logits.chunks_exact(61).zip(answer) {
            let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(best - row[token as usize] < 1e-4, "{} tokens: {} below {best}", prompt.len(), row[token as usize]);
        }
    }
    let requests: Vec<_> = prompts
        .into_iter()
        .zip(answers)
        .map(|(context, continuation)| LoglikelihoodRequest { context, continuation })
        .collect();
    let together = model.loglikelihood(&requests).expect("requests that fit");
    for (request, score) in requests.iter().zip(together) {
        let alone = model.loglikelihood(std::slice::from_ref(request)).expect("a request that fits")[0];
        assert!((alone.sum - score.sum).abs() < 1e-4, "{} alone, {} together", alone.sum, score.sum);
    }
}
