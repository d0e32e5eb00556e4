//! What a node has that the present primary has not.

use std::fmt;

use muster_domain::{
    pb::observation::v1::MariadbFacts,
    readiness::mariadb::{Gtid, History, history},
};

use crate::StepError;

/// So many writers are named; a pair has two.
const NAMED: usize = 20;

/// The transactions that are on one node alone: of each domain and writer the last, and the last that the other has too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Alone(Vec<(Option<u64>, Gtid)>);

impl Alone {
    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    fn between(ours: &History, theirs: &History) -> Self {
        let alone = theirs.lacks(ours).into_iter();
        Self(alone.map(|last| (theirs.newest(last.domain, last.server), last)).collect())
    }
}

/// What the node has alone. An error where one of them does not tell its history: then nothing is discarded.
pub(super) fn alone(node: &MariadbFacts, primary: &MariadbFacts) -> Result<Alone, StepError> {
    match (history(node), history(primary)) {
        (Some(ours), Some(theirs)) => Ok(Alone::between(&ours, &theirs)),
        _ => Err(StepError::failed("one side tells no history of transactions, so they cannot be compared")),
    }
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_nothing() {
            return f.write_str("nothing of its own");
        }
        for (index, (shared, last)) in self.0.iter().take(NAMED).enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match shared {
                // Sequences of a domain are shared by its writers, so the difference is a bound.
                Some(shared) => write!(
                    f,
                    "transactions {}-{}-{} to {last} (at most {})",
                    last.domain,
                    last.server,
                    shared.saturating_add(1),
                    last.sequence.saturating_sub(*shared)
                )?,
                None => write!(f, "transactions up to {last} of a writer that the other does not know")?,
            }
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, ", and those of {more} more writers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(state: &str) -> MariadbFacts {
        MariadbFacts {
            gtid_binlog_state: Some(state.into()),
            gtid_binlog_pos: Some(String::new()),
            gtid_slave_pos: Some(String::new()),
            ..MariadbFacts::default()
        }
    }

    fn shown(node: &str, primary: &str) -> Option<String> {
        alone(&facts(node), &facts(primary)).ok().map(|alone| alone.to_string())
    }

    #[test]
    fn what_only_the_node_has_is_named_with_its_number() {
        assert_eq!(shown("0-1-95", "0-1-95,0-2-120").as_deref(), Some("nothing of its own"));
        assert_eq!(
            shown("0-1-100", "0-1-95,0-2-120").as_deref(),
            Some("transactions 0-1-96 to 0-1-100 (at most 5)"),
            "the new primary went on by itself, and is further on all the same"
        );
        assert_eq!(
            shown("0-1-95,1-1-7", "0-1-95").as_deref(),
            Some("transactions up to 1-1-7 of a writer that the other does not know")
        );
    }

    #[test]
    fn without_a_history_nothing_is_said() {
        assert!(alone(&facts("0-1-95"), &MariadbFacts::default()).is_err());
    }
}
