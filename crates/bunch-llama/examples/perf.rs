//! temporary
use bunch_llama::*;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use std::time::Instant;
fn main() {
    let config = LlamaConfig { vocab_size: 530, hidden_size: 96, intermediate_size: 256, num_hidden_layers: 4, num_attention_heads: 3, num_key_value_heads: 1, head_dim: 32, max_position_embeddings: 64, rms_norm_eps: 1e-5, rope_theta: 1e4, tie_word_embeddings: true };
    let w = config.initial_weights(0);
    let threads: usize = std::env::args().nth(1).map_or(1, |s| s.parse().unwrap());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let dev = device("flex").unwrap().autodiff();
        let mut model = Llama::from_state_dict(config.clone(), &w, &dev).unwrap();
        let mut opt = ModuleOptimizer::from(AdamWConfig::new().with_weight_decay(0.01).init());
        let seqs: Vec<Vec<u32>> = (0..128).map(|i| (0..10 + i % 11).map(|t| ((i * 31 + t * 17) % 530) as u32).collect()).collect();
        let refs: Vec<&[u32]> = seqs.iter().map(|s| &s[..s.len() - 1]).collect();
        let wanted: Vec<Vec<usize>> = refs.iter().map(|s| (0..s.len()).collect()).collect();
        let wanted: Vec<&[usize]> = wanted.iter().map(|v| &v[..]).collect();
        let targets: Vec<u32> = seqs.iter().flat_map(|s| s[1..].to_vec()).collect();
        let tokens: usize = refs.iter().map(|s| s.len()).sum();
        for round in 0..6 {
            let t = Instant::now();
            let (mut f, mut b, mut o) = (0.0, 0.0, 0.0);
            for _ in 0..10 {
                let t = Instant::now();
                let loss = model.token_log_probs(&TokenBatch::new(&refs, &wanted), &targets).mean().neg();
                f += t.elapsed().as_secs_f64();
                let t = Instant::now();
                let grads = loss.backward();
                let grads = GradientsParams::from_grads(grads, &model);
                b += t.elapsed().as_secs_f64();
                let t = Instant::now();
                model = opt.step(1e-3, model, grads);
                o += t.elapsed().as_secs_f64();
                if round == 2 { print!("{:.3} ", loss.into_scalar::<f32>()); }
            }
            let s = t.elapsed().as_secs_f64();
            println!("{tokens} tok/step: {:.1} ms/step fwd {:.1} bwd {:.1} opt {:.1}; {:.0} tok/s; {:.1} GFLOP/s", s * 100.0, f * 100.0, b * 100.0, o * 100.0, tokens as f64 * 10.0 / s, tokens as f64 * 10.0 / s * 6.0 * 456e3 / 1e9);
        }
        let m = LlamaModel::new(config.clone(), &w, &device("flex").unwrap()).unwrap();
        for _ in 0..2 {
            let t = Instant::now();
            for _ in 0..10 { m.llama().token_log_probs(&TokenBatch::new(&refs, &wanted), &targets).into_data(); }
            println!("inference fwd {:.1} ms", t.elapsed().as_secs_f64() * 100.0);
        }
    });
}
