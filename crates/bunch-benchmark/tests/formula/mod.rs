//! A model whose answers are a formula over token ids, the same as in `golden/lm_eval_modes.py`.

use std::cell::RefCell;

use bunch_lm::{
    AddBos, GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId, Tokenizer,
};

/// A call's requests: contexts with continuations, which a prompt has none of.
pub type Call = Vec<(Vec<TokenId>, Vec<TokenId>)>;

/// The model of `lm_eval_modes.py`; it remembers what it was asked.
pub struct Formula {
    tokenizer: Tokenizer,
    calls: RefCell<Vec<Call>>,
}

impl Formula {
    pub fn new(tokenizer: Tokenizer) -> Self {
        Self { tokenizer, calls: RefCell::default() }
    }

    /// What it was asked so far.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }
}

fn score(context: &[TokenId], continuation: &[TokenId]) -> u64 {
    let tokens = context.iter().chain(&[5000]).chain(continuation);
    tokens.fold(0, |hash, token| (hash * 31 + u64::from(*token) + 7) % 1_000_003)
}

impl LanguageModel for Formula {
    fn context_window(&self) -> usize {
        160
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        let call = requests.iter().map(|request| (request.context.clone(), request.continuation.clone()));
        self.calls.borrow_mut().push(call.collect());
        let answer = |request: &LoglikelihoodRequest| {
            let hash = score(&request.context, &request.continuation);
            Loglikelihood { sum: -((hash % 5000) as f64) / 100.0 - 0.01, is_greedy: hash.is_multiple_of(3) }
        };
        Ok(requests.iter().map(answer).collect())
    }

    fn generate(&self, prompts: &[Vec<TokenId>], _: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        self.calls.borrow_mut().push(prompts.iter().map(|prompt| (prompt.clone(), Vec::new())).collect());
        let answer = |prompt: &Vec<TokenId>| {
            let text = if score(prompt, &[]) % 2 == 1 { "#### 94 so 4." } else { "it is 33" };
            self.tokenizer.encode(text, AddBos::Never)
        };
        prompts.iter().map(answer).collect()
    }
}
