//! What the model answered to a document's requests.

use serde_json::Value;

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

    /// Reads back what [`Self::to_json`] wrote, for a document with answers of this kind and number.
    pub(crate) fn from_json(value: &Value, like: &Self) -> Option<Self> {
        let items = value.as_array()?;
        match (like, items.as_slice()) {
            (Self::Scores(scores), items) if items.len() == scores.len() => {
                let score = |item: &Value| match item.as_array()?.as_slice() {
                    [sum, is_greedy] => Some((sum.as_f64()?, is_greedy.as_bool()?)),
                    _ => None,
                };
                items.iter().map(score).collect::<Option<_>>().map(Self::Scores)
            }
            (Self::Rolling(_), [sum]) => sum.as_f64().map(Self::Rolling),
            (Self::Text(_), [text]) => text.as_str().map(|text| Self::Text(text.to_string())),
            _ => None,
        }
    }
}
