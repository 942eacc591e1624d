//! Who is told how far an evaluation is.

/// An amount of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Documents.
    pub docs: usize,
    /// Log-likelihoods and generated answers.
    pub requests: usize,
    /// Tokens that the model reads, beginnings that neighbouring requests share counted once, plus the most it may
    /// generate.
    pub tokens: usize,
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.docs += other.docs;
        self.requests += other.requests;
        self.tokens += other.tokens;
    }
}

/// Is told how far an evaluation is; by default it does not listen.
pub trait Observer {
    /// The task's documents are turned into requests now.
    fn prepare(&mut self, task: &str, docs: usize) {
        let _ = (task, docs);
    }

    /// All requests are ready: `total` is all work, `kept` the part of it that the journal holds already.
    fn start(&mut self, total: Work, kept: Work) {
        let _ = (total, kept);
    }

    /// More work of `task` is done.
    fn advance(&mut self, task: &str, done: Work) {
        let _ = (task, done);
    }

    /// Something that a reader of the results should know.
    fn note(&mut self, text: &str) {
        let _ = text;
    }
}

/// Nobody listens.
impl Observer for () {}
