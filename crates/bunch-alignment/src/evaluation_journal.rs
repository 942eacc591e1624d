//! Every evaluation of a search, a line each, so that a search that was stopped, or is to go further, scores nothing twice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use bunch_evolution::{Evaluations, EvolutionError, Numbers};
use bunch_journal::{Journal, JournalError};
use bunch_progress::Progress;
use serde_json::{Map, Value, json};

/// A journal of evaluations: `point`, `scores` and `seconds` on each line.
pub(crate) struct EvaluationJournal<'a> {
    state: RefCell<State>,
    progress: &'a dyn Progress,
}

struct State {
    journal: Journal,
    /// By the exact coordinates.
    known: BTreeMap<Vec<(String, u64)>, Numbers>,
    /// In the order of the search.
    seen: Vec<(Numbers, Numbers)>,
}

fn key(point: &Numbers) -> Vec<(String, u64)> {
    point.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect()
}

/// Numbers of a line; JSON has no infinity.
fn numbers(value: &Value) -> Numbers {
    let number = |(name, value): (&String, &Value)| (name.clone(), value.as_f64().unwrap_or(f64::INFINITY));
    value.as_object().into_iter().flatten().map(number).collect()
}

impl<'a> EvaluationJournal<'a> {
    /// Opens the journal at `path` of the search that `identity` names.
    pub(crate) fn open(
        path: &Path,
        identity: &Map<String, Value>,
        replace: bool,
        progress: &'a dyn Progress,
    ) -> Result<Self, JournalError> {
        let journal = Journal::open(path, identity, replace)?;
        let known =
            journal.done().iter().map(|line| (key(&numbers(&line["point"])), numbers(&line["scores"]))).collect();
        Ok(Self { state: RefCell::new(State { journal, known, seen: Vec::new() }), progress })
    }

    /// What the search has seen, in its order.
    pub(crate) fn seen(&self) -> Vec<(Numbers, Numbers)> {
        self.state.borrow().seen.clone()
    }

    /// The least loss so far, for the display.
    fn show_best(&self) {
        let state = self.state.borrow();
        let losses = state.seen.iter().filter_map(|(_, scores)| scores.get("loss").map(|loss| (*loss, scores)));
        if let Some((loss, scores)) = losses.min_by(|a, b| a.0.total_cmp(&b.0)) {
            let part = |name: &str| scores.get(name).map_or(String::new(), |loss| format!(", {name} {loss:.4}"));
            let [safety, expert] = ["loss_safety", "loss_expert"].map(part);
            self.progress.turn_to(&format!("best loss {loss:.4}{safety}{expert}"));
        }
    }
}

impl Evaluations for EvaluationJournal<'_> {
    fn scores(
        &self,
        point: &Numbers,
        score: &mut dyn FnMut() -> Result<Numbers, EvolutionError>,
    ) -> Result<Numbers, EvolutionError> {
        let known = self.state.borrow().known.get(&key(point)).cloned();
        let scores = match known {
            Some(scores) => scores,
            None => {
                let begun = Instant::now();
                let scores = score().map_err(|error| {
                    EvolutionError::Caller(format!("the candidate at {}: {error}", json!(point)).into())
                })?;
                let seconds = (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
                let line = json!({ "point": point, "scores": scores, "seconds": seconds });
                let mut state = self.state.borrow_mut();
                state.journal.append([&line]).map_err(|error| EvolutionError::Caller(error.into()))?;
                state.known.insert(key(point), scores.clone());
                scores
            }
        };
        self.state.borrow_mut().seen.push((point.clone(), scores.clone()));
        self.show_best();
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use bunch_progress::Quiet;

    use super::*;

    #[test]
    fn nothing_is_scored_twice_even_after_a_kill_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evaluations.jsonl");
        let scored = Cell::new(0);
        let points = [0.1 + 0.2, 1.0 / 3.0, 0.5].map(|weight| Numbers::from([("weight".to_owned(), weight)]));
        let run = |points: &[Numbers]| -> Vec<Numbers> {
            let journal = EvaluationJournal::open(&path, &Map::new(), false, &Quiet).unwrap();
            let score = |point: &Numbers| {
                journal.scores(point, &mut || {
                    scored.set(scored.get() + 1);
                    let loss = if point["weight"] == 0.5 { f64::INFINITY } else { point["weight"] / 7.0 };
                    Ok(Numbers::from([("loss".to_owned(), loss)]))
                })
            };
            points.iter().map(|point| score(point).unwrap()).collect()
        };
        let first = run(&points);
        assert_eq!((run(&points), scored.get()), (first.clone(), 3));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert_eq!((run(&points), scored.get()), (first, 4));
    }
}
