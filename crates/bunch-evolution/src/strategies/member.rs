//! A model of the pool as it is.

use serde::{Deserialize, Serialize};

use crate::EvolutionError;
use crate::strategy::{ByOptions, Cost, Environment, Found, FoundModel, Strategy};

/// A model of the pool as it is: 0 is the base, 1 the first expert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnchangedMember(pub usize);

/// Fails unless the pool has a member of that number.
pub(crate) fn check_member(member: usize, experts: usize) -> Result<(), EvolutionError> {
    if member <= experts { Ok(()) } else { Err(EvolutionError::NoSuchMember { got: member, members: experts + 1 }) }
}

impl UnchangedMember {
    pub(crate) const BY_OPTIONS: Option<ByOptions> = None;
}

impl Strategy for UnchangedMember {
    fn cost(&self, _experts: usize) -> Cost {
        Cost::default()
    }

    fn check(&self, experts: usize) -> Result<(), EvolutionError> {
        check_member(self.0, experts)
    }

    fn is_base(&self) -> bool {
        self.0 == 0
    }

    fn summary(&self) -> String {
        format!("Member {} as it is", self.0)
    }

    fn find(
        &self,
        environment: &Environment<'_>,
        _name: &str,
        _progress: &mut dyn FnMut(),
    ) -> Result<FoundModel, EvolutionError> {
        let weights = (*environment.members.state_dict(self.0)?).clone();
        Ok(FoundModel { weights, found: Found::default(), merge: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::{Scripted, pool};

    #[test]
    fn the_model_is_the_member_and_nothing_is_scored() {
        let (members, scripted) = (pool(2), Scripted::default());
        for index in 0..3 {
            let strategy = UnchangedMember(index);
            assert!(strategy.check(2).is_ok());
            assert_eq!(strategy.is_base(), index == 0);
            let found = scripted.find(&strategy, &members).unwrap();
            assert_eq!((&found.weights, found.found), (&*members.state_dict(index).unwrap(), Found::default()));
        }
        assert_eq!((UnchangedMember(1).cost(2), scripted.progress.get()), (Cost::default(), 0));
    }

    #[test]
    fn a_member_that_the_pool_lacks_is_rejected() {
        let error = UnchangedMember(3).check(2).unwrap_err();
        assert_eq!(error.to_string(), "member 3 of a pool of 3: 0 is the base, 2 the last expert");
    }
}
