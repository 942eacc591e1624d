//! What the model answered to a document's requests.

use serde_json::Value;

use crate::request::{DocRequests, Requests};

/// The answers to one document's requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answers {
    /// Summed log-likelihood in nats and whether greedy decoding gives the continuation, for each request.
    Scores(Vec<(f64, bool)>),
    /// Log-likelihood of the whole text in nats.
    Rolling(f64),
    /// The generated text.
    Text(String),
}

impl Answers {
    /// As it stands in the journal and in samples: one entry for each request.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Scores(scores) => scores
                .iter()
                .map(|(sum, is_greedy)| Value::from(vec![Value::from(*sum), (*is_greedy).into()]))
                .collect(),
            Self::Rolling(sum) => Value::from(vec![*sum]),
            Self::Text(text) => Value::from(vec![text.as_str()]),
        }
    }
}

impl DocRequests {
    /// Reads back what [`Answers::to_json`] wrote of the answers to these requests; none if it is something else.
    pub(crate) fn read_answers(&self, value: &Value) -> Option<Answers> {
        match (&self.tokens, value.as_array()?.as_slice()) {
            (Requests::Score(requests), items) if items.len() == requests.len() => {
                let score = |item: &Value| match item.as_array()?.as_slice() {
                    [sum, is_greedy] => Some((sum.as_f64()?, is_greedy.as_bool()?)),
                    _ => None,
                };
                items.iter().map(score).collect::<Option<_>>().map(Answers::Scores)
            }
            (Requests::Rolling(_), [sum]) => sum.as_f64().map(Answers::Rolling),
            (Requests::Generate(_), [text]) => text.as_str().map(|text| Answers::Text(text.to_string())),
            _ => None,
        }
    }
}
