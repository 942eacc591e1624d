//! A judge that remembers what it said.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::{Exchange, Judge, JudgingError, Verdict};

/// The verdicts that a judge has given so far. It may be shared by threads.
#[derive(Debug, Default)]
pub struct VerdictCache(Mutex<BTreeMap<Exchange, Verdict>>);

/// A judge that is asked about each exchange once: many models give the same answers.
pub struct CachedJudge<'a, J> {
    /// The judge.
    pub judge: J,
    /// What it said of earlier exchanges; it belongs to this judge alone.
    pub cache: &'a VerdictCache,
}

impl VerdictCache {
    fn verdicts(&self) -> MutexGuard<'_, BTreeMap<Exchange, Verdict>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<J: Judge> Judge for CachedJudge<'_, J> {
    fn judge(&self, exchanges: &[Exchange]) -> Result<Vec<Verdict>, JudgingError> {
        let unknown: Vec<Exchange> = {
            let known = self.cache.verdicts();
            exchanges.iter().filter(|exchange| !known.contains_key(exchange)).cloned().collect()
        };
        // The judge may take long and is asked without the lock.
        let verdicts = if unknown.is_empty() { Vec::new() } else { self.judge.judge(&unknown)? };
        JudgingError::check_count("verdicts of the judge", unknown.len(), verdicts.len())?;
        let mut known = self.cache.verdicts();
        known.extend(unknown.into_iter().zip(verdicts));
        Ok(exchanges.iter().map(|exchange| known[exchange]).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{CachedJudge, VerdictCache};
    use crate::{Exchange, Judge, Verdict};

    #[test]
    fn each_exchange_is_judged_once() {
        let asked = RefCell::new(Vec::new());
        let judge = |exchange: &Exchange| {
            asked.borrow_mut().push(exchange.prompt.clone());
            if exchange.prompt == "a" { Verdict::Unsafe } else { Verdict::Unparsed }
        };
        let cache = VerdictCache::default();
        let exchanges = ["a", "b", "c"].map(Exchange::alone);
        for count in [2, 3] {
            let verdicts = CachedJudge { judge: &judge, cache: &cache }.judge(&exchanges[..count]).unwrap();
            assert_eq!(verdicts, [Verdict::Unsafe, Verdict::Unparsed, Verdict::Unparsed][..count]);
        }
        assert_eq!(asked.into_inner(), ["a", "b", "c"]);
    }
}
