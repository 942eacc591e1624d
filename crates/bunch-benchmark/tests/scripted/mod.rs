//! A model that answers from a record of lm-evaluation-harness.

use std::collections::BTreeMap;

use bunch_lm::{
    AddBos, GenerateConfig, LanguageModel, LmError, Loglikelihood, LoglikelihoodRequest, TokenId, Tokenizer,
};
use serde_json::Value;

/// Knows the answers to the recorded requests and to no other.
pub struct Scripted {
    window: usize,
    scores: BTreeMap<(Vec<TokenId>, Vec<TokenId>), Loglikelihood>,
    generated: BTreeMap<Vec<TokenId>, Vec<TokenId>>,
}

fn ids(value: &Value) -> Vec<TokenId> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as TokenId).collect()
}

impl Scripted {
    /// A model of all requests of a recorded run.
    pub fn of(record: &Value, tokenizer: &Tokenizer) -> Self {
        let window = record["max_length"].as_u64().expect("max_length") as usize;
        let prefix = record["prefix_token_id"].as_u64().expect("prefix_token_id") as TokenId;
        let mut model = Self { window, scores: BTreeMap::new(), generated: BTreeMap::new() };
        let rows =
            record["samples"].as_object().expect("samples").values().flat_map(|rows| rows.as_array().expect("rows"));
        for request in rows.flat_map(|row| row["requests"].as_array().expect("requests")) {
            if let Some(response) = request.get("response") {
                let prompt = ids(&request["context_ids"]);
                let text = response.as_str().expect("a text");
                let answer = tokenizer.encode(text, AddBos::Never).expect("tokens");
                assert_eq!(tokenizer.decode(&answer, true).expect("text"), text, "the recorded text has tokens");
                let room = prompt.len().saturating_sub(window - 24);
                model.generated.insert(prompt[room..].to_vec(), answer);
            } else if request.get("text").is_some() {
                model.rolling(&ids(&request["ids"]), prefix, request["loglikelihood"].as_f64().expect("a number"));
            } else {
                let (mut context, continuation) = (ids(&request["context_ids"]), ids(&request["continuation_ids"]));
                let all = context.len() + continuation.len();
                context.drain(..all.saturating_sub(window + 1));
                let sum = request["loglikelihood"].as_f64().expect("a number");
                let is_greedy = request["is_greedy"].as_bool().expect("a flag");
                model.scores.insert((context, continuation), Loglikelihood { sum, is_greedy });
            }
        }
        model
    }

    /// `get_rolling_token_windows` and `make_disjoint_window`, word for word; the first window has the whole sum.
    fn rolling(&mut self, tokens: &[TokenId], prefix: TokenId, sum: f64) {
        let mut insert = |input: &[TokenId], scored: &[TokenId], sum: f64| {
            let context = input[..input.len() - (scored.len() - 1)].to_vec();
            self.scores.insert((context, scored.to_vec()), Loglikelihood { sum, is_greedy: false });
        };
        let first = self.window.min(tokens.len());
        insert(&[&[prefix], &tokens[..first - 1]].concat(), &tokens[..first], sum);
        let mut predicted = first;
        while predicted < tokens.len() {
            let length = (tokens.len() - predicted).min(self.window);
            let end = predicted + length;
            insert(&tokens[end - self.window - 1..end - 1], &tokens[end - length..end], 0.0);
            predicted += length;
        }
    }
}

impl LanguageModel for Scripted {
    fn context_window(&self) -> usize {
        self.window
    }

    fn loglikelihood(&self, requests: &[LoglikelihoodRequest]) -> Result<Vec<Loglikelihood>, LmError> {
        let answer = |(index, request): (usize, &LoglikelihoodRequest)| {
            let known = self.scores.get(&(request.context.clone(), request.continuation.clone()));
            known
                .copied()
                .ok_or_else(|| LmError::Request { index, what: format!("never asked by lm-eval: {request:?}") })
        };
        requests.iter().enumerate().map(answer).collect()
    }

    fn generate(&self, prompts: &[Vec<TokenId>], _: &GenerateConfig) -> Result<Vec<Vec<TokenId>>, LmError> {
        let answer = |(index, prompt): (usize, &Vec<TokenId>)| {
            let known = self.generated.get(prompt).cloned();
            known.ok_or_else(|| LmError::Request { index, what: format!("never asked by lm-eval: {prompt:?}") })
        };
        prompts.iter().enumerate().map(answer).collect()
    }
}
