//! Checks as data: what was looked at, what was found, what is allowed.

use muster_domain::pb::execution::v1::{Check, CheckOutcome};

fn check(name: &str, outcome: CheckOutcome, value: impl Into<String>, limit: &str, text: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        outcome: outcome.into(),
        value: value.into(),
        limit: limit.to_owned(),
        text: text.into(),
        ..Check::default()
    }
}

pub(crate) fn passed(name: &str, value: impl Into<String>, limit: &str, text: impl Into<String>) -> Check {
    check(name, CheckOutcome::Passed, value, limit, text)
}

pub(crate) fn failed(name: &str, value: impl Into<String>, limit: &str, text: impl Into<String>) -> Check {
    check(name, CheckOutcome::Failed, value, limit, text)
}

pub(crate) fn unknown(name: &str, limit: &str, text: impl Into<String>) -> Check {
    check(name, CheckOutcome::Unknown, "unknown", limit, text)
}

/// Not good, and not in the way.
pub(crate) fn warning(name: &str, value: impl Into<String>, limit: &str, text: impl Into<String>) -> Check {
    Check { advisory: true, ..check(name, CheckOutcome::Warning, value, limit, text) }
}

/// Could not be found out, and does not hold up the run.
pub(crate) fn advisory_unknown(name: &str, limit: &str, text: impl Into<String>) -> Check {
    Check { advisory: true, ..unknown(name, limit, text) }
}

/// A value as people read it, for what a server may not have told.
pub(crate) fn said(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}

/// Passed or failed; `None` is unknown, which counts as failed.
pub(crate) fn must(
    name: &str,
    holds: Option<bool>,
    value: impl Into<String>,
    limit: &str,
    good: impl Into<String>,
    bad: impl Into<String>,
) -> Check {
    match holds {
        Some(true) => passed(name, value, limit, good),
        Some(false) => failed(name, value, limit, bad),
        None => unknown(name, limit, bad),
    }
}
