//! How fast a model loads, reads, writes and scores on this machine, as JSON: `speed MODEL [ROUNDS [DOCUMENTS]]`.
//!
//! `RAYON_NUM_THREADS` sets the number of threads. Times are medians; `cpu` is user and system time of all threads, which other
//! work on the machine disturbs less than `wall`.

use std::path::Path;
use std::time::Instant;

use bunch_checkpoint::Checkpoint;
use bunch_lm::{GenerateConfig, LanguageModel, LoglikelihoodRequest, Sampling, TokenId};
use bunch_transformer::{LlamaModel, MemoryNeed, available_memory, device};
use serde_json::{Value, json};

const PREFILL: usize = 256;
const DECODED: usize = 64;

/// Seconds of all threads of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // After the name in brackets: state is field 3, user and system time are fields 14 and 15, in hundredths.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().expect("a number") / 100.0).sum()
}

/// Largest resident set so far, in MB.
fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).expect("a size").parse::<f64>().expect("a number") * 1024.0 / 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians of wall-clock and processor seconds of `work`, after one call that does not count.
fn timed(rounds: usize, mut work: impl FnMut()) -> (f64, f64) {
    work();
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (start, cpu_start) = (Instant::now(), cpu_seconds());
        work();
        wall.push(start.elapsed().as_secs_f64());
        cpu.push(cpu_seconds() - cpu_start);
    }
    (median(wall), median(cpu))
}

fn rate(count: usize, (wall, cpu): (f64, f64)) -> Value {
    json!({ "per_second": count as f64 / wall, "per_cpu_second": count as f64 / cpu })
}

fn tokens(stream: usize, count: usize, vocab: usize) -> Vec<TokenId> {
    (0..count).map(|i| ((stream * 104_729 + i * 7919 + 13) % vocab) as TokenId).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |index: usize, default: usize| -> usize {
        arguments.get(index).map_or(default, |text| text.parse().expect("a number"))
    };
    let (rounds, documents) = (number(2, 5), number(3, 50));
    let (start, cpu_start) = (Instant::now(), cpu_seconds());
    let checkpoint = Checkpoint::open(Path::new(&arguments[1])).expect("a model");
    let device = device("flex").expect("compiled in");
    let need = MemoryNeed::of(&checkpoint, &device).expect("a Llama");
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    if let Some(free) = available_memory().filter(|&free| free < need.scoring()) {
        eprintln!("needs {:.0} MB, {:.0} MB are available", megabytes(need.scoring()), megabytes(free));
        std::process::exit(1);
    }
    let model = LlamaModel::load(&checkpoint, &device).expect("a Llama");
    let load = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_start);
    let loaded = peak_megabytes();

    let config = model.llama().config().clone();
    let weights = config.parameters() as f64 * 4.0 / 1e6;
    let generate = |length: usize, max_new_tokens| {
        let config = GenerateConfig { max_new_tokens, stop: vec![], sampling: Sampling::Greedy };
        model.generate(&[tokens(0, length, 40_000)], &config).expect("a valid prompt");
    };
    let prefill = timed(rounds, || generate(PREFILL, 1));
    // A short prompt costs little next to what follows; the difference is the steps alone.
    let one = timed(rounds, || generate(8, 1));
    let many = timed(rounds, || generate(8, 1 + DECODED));
    let decode = (many.0 - one.0, many.1 - one.1);

    let mut requests = Vec::new();
    for document in 0..documents {
        let context = tokens(document, 30 + document % 20, 40_000);
        for choice in 0..4 {
            let continuation = tokens(1000 + 4 * document + choice, 2 + (document + choice) % 8, 40_000);
            requests.push(LoglikelihoodRequest { context: context.clone(), continuation });
        }
    }
    let read: usize = requests.iter().map(|r| r.context.len() + r.continuation.len()).sum();
    let choices = timed(rounds.min(3), || {
        model.loglikelihood(&requests).expect("valid requests");
    });

    let result = json!({
        "threads": std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "all".into()),
        "load_seconds": load.0,
        "load_cpu_seconds": load.1,
        "prefill_tokens": rate(PREFILL, prefill),
        "decode_tokens": rate(DECODED, decode),
        "multiple_choice_documents": rate(documents, choices),
        "multiple_choice_tokens_without_sharing": rate(read, choices),
        "f32_weights_mb": weights,
        "foretold_weights_mb": megabytes(need.weights),
        "foretold_for_scoring_mb": megabytes(need.scoring()),
        "peak_after_loading_mb": loaded,
        "peak_mb": peak_megabytes(),
    });
    println!("{}", serde_json::to_string_pretty(&result).expect("plain data"));
}
