//! Names of the facts that steps of every platform hand to later steps, to a successor process and to the statements
//! about a run. They are stored in the log: a name never changes its meaning. A platform's own are in its `fact` module.

use jiff::Timestamp;

use crate::{Facts, StepError};

/// The database system all of this is about.
pub const SYSTEM_IDENTIFIER: &str = "system_identifier";
/// When the stop or fence of the old primary began: the write outage counts from here…
pub const STOPPED_AT: &str = "stopped_at";
/// …when the promotion was complete…
pub const PROMOTED_AT: &str = "promoted_at";
/// …and when the new primary accepted a write: the write outage ends here.
pub const WRITABLE_AT: &str = "writable_at";
/// When the returned node had caught up.
pub const PROTECTED_AT: &str = "protected_at";
/// Whether a node that is brought back after a failover has something that the present primary has not, and which is
/// discarded: "true" or "false".
pub const ORIGINAL_DIVERGED: &str = "original_diverged";

/// A step cannot work without what an earlier one found out.
pub(crate) fn required<'a>(facts: &'a Facts, name: &str) -> Result<&'a str, StepError> {
    facts.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        StepError::refused(format!(
            "the fact '{name}' of an earlier step is missing, so this step is not run on a guess"
        ))
    })
}

pub(crate) fn outputs<const N: usize>(pairs: [(&str, String); N]) -> Facts {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// RFC 3339.
pub(crate) fn time(at: Timestamp) -> String {
    at.to_string()
}
