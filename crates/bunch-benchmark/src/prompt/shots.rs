//! Few-shot examples: which documents of the few-shot split go before a question.

use crate::python::PythonRandom;
use crate::task::SamplerName;
use crate::{Doc, Task};

/// Chooses the examples of one task's documents, one document after the other.
pub(crate) struct Shots<'run> {
    task: &'run Task,
    docs: &'run [Doc],
    n: usize,
    random: PythonRandom,
}

impl<'run> Shots<'run> {
    /// `n` examples out of `docs` for each document; the state of the generator is carried from one to the next.
    pub(crate) fn new(task: &'run Task, docs: &'run [Doc], n: usize, seed: u64) -> Self {
        Self { task, docs, n, random: PythonRandom::new(seed) }
    }

    /// The examples for `doc`, in their order.
    ///
    /// # Errors
    /// Fewer documents than examples, in words.
    pub(crate) fn draw(&mut self, doc: &Doc) -> Result<Vec<&'run Doc>, String> {
        if self.n == 0 {
            return Ok(Vec::new());
        }
        let excluded = self.task.excludes_doc().then_some(doc);
        let others = || self.docs.iter().filter(|shot| excluded != Some(*shot)).collect::<Vec<_>>();
        let lacking = |there: usize| {
            format!(
                "{} few-shot examples are asked for, but the {} split holds {there}",
                self.n,
                self.task.shot_split()
            )
        };
        match self.task.fewshot_config.sampler {
            SamplerName::FirstN => {
                let pool = others();
                if pool.len() < self.n {
                    return Err(lacking(pool.len()));
                }
                Ok(pool.into_iter().take(self.n).collect())
            }
            SamplerName::Default => {
                // One more than needed, for the case that the document itself is drawn.
                let wanted = self.n + usize::from(excluded.is_some());
                let drawn = self.random.sample(self.docs.len(), wanted).ok_or_else(|| lacking(self.docs.len()))?;
                let shots = drawn.iter().map(|at| &self.docs[*at]).filter(|shot| excluded != Some(*shot));
                let shots: Vec<&Doc> = shots.take(self.n).collect();
                if shots.len() == self.n {
                    return Ok(shots);
                }
                // Copies of the document were drawn: lm-eval draws again from all that differ.
                let pool = others();
                let drawn = self.random.sample(pool.len(), self.n).ok_or_else(|| lacking(pool.len()))?;
                Ok(drawn.into_iter().map(|at| pool[at]).collect())
            }
        }
    }
}
