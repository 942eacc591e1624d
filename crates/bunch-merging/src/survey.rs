//! What a first pass over the whole model has found.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a method has found in a first pass over the whole model, for each tensor: a type of the method's own.
#[derive(Debug, Clone)]
pub struct Survey(Arc<dyn Any + Send + Sync>);

impl Survey {
    /// What was found, by the tensors' names.
    pub fn new<T: Any + Send + Sync>(by_tensor: BTreeMap<String, T>) -> Self {
        Self(Arc::new(by_tensor))
    }

    /// What was found for a tensor; `None` for one that was not visited, and if the survey is another method's.
    pub fn of<T: Any>(&self, tensor: &str) -> Option<&T> {
        self.0.downcast_ref::<BTreeMap<String, T>>()?.get(tensor)
    }
}

#[cfg(test)]
mod tests {
    use super::Survey;
    use std::collections::BTreeMap;

    #[test]
    fn a_survey_knows_its_tensors_and_its_type() {
        let survey = Survey::new(BTreeMap::from([("a".to_owned(), 3_usize)]));
        assert_eq!(survey.of::<usize>("a"), Some(&3));
        assert_eq!((survey.of::<usize>("b"), survey.of::<f64>("a")), (None, None));
    }
}
