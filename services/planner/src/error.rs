//! Why a command was not carried out, and how callers are told.

use std::collections::HashMap;

use muster_domain::Refusal;
use muster_domain::refusal::describe;
use muster_eventlog::{AppendError, DecideError, LogError, WaitError};
use muster_runtime::{
    refused,
    status::{DOMAIN, IntoStatus},
};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{document::RenderError, manifest::Fault};

/// Details travel in a header; clients and proxies limit headers to 8 KiB or more, and base64 adds a third.
const MAX_DETAILS: usize = 3_500;
const MAX_ONE: usize = 400;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The manifest is wrong; nothing was written.
    #[error("{} faults in the manifest", .0.len())]
    Faults(Vec<Fault>),
    /// The rules said no; nothing was written.
    #[error("{}", describe(.0))]
    Refused(Refusal),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Render(#[from] RenderError),
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DecideError<Refusal>> for CommandError {
    fn from(error: DecideError<Refusal>) -> Self {
        match error {
            DecideError::Refused(refusal) => Self::Refused(refusal),
            DecideError::Append(error) => Self::Append(error),
            DecideError::Load(error) => Self::Log(error),
            DecideError::Contended { kind, id, .. } => {
                Self::Append(AppendError::Conflict { kind: kind.to_owned(), id, version: 0 })
            }
        }
    }
}

impl IntoStatus for CommandError {
    fn into_status(self) -> Status {
        match self {
            Self::Faults(faults) => invalid(&faults),
            Self::Refused(refusal) => refused(&refusal),
            Self::Log(error) => error.into_status(),
            Self::Append(error) => error.into_status(),
            Self::Wait(error) => error.into_status(),
            Self::Database(error) => error.into_status(),
            Self::Render(error) => muster_runtime::status::internal(&error),
        }
    }
}

/// All faults of a manifest as one status: the first as its ErrorInfo, as many as fit as BadRequest violations.
fn invalid(faults: &[Fault]) -> Status {
    let first = faults.first().map(|fault| fault.refusal.clone()).unwrap_or_default();
    let metadata = [
        ("rule", &first.rule),
        ("value", &first.value),
        ("limit", &first.limit),
        ("next_action", &first.next_action),
        ("field", &first.field),
    ];
    let metadata = metadata.into_iter().filter(|(_, text)| !text.is_empty());
    let metadata: HashMap<_, _> = metadata.map(|(key, text)| (key.to_owned(), short(text))).collect();
    let mut details = ErrorDetails::with_error_info("MANIFEST_INVALID", DOMAIN, metadata);
    let mut room = MAX_DETAILS;
    let mut told = 0;
    for fault in faults {
        let field = match fault.refusal.field.as_str() {
            "" => fault.position(),
            field => format!("{}: {field}", fault.position()),
        };
        let words = short(&describe(&Refusal { field: String::new(), ..fault.refusal.clone() }));
        let Some(left) = room.checked_sub(field.len() + words.len()) else { break };
        room = left;
        told += 1;
        details.add_bad_request_violation(field, words);
    }
    if told < faults.len() {
        details.add_bad_request_violation("manifest", format!("and {} more faults", faults.len() - told));
    }
    let more = match faults.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more faults)", count - 1),
    };
    let message = faults.first().map(|fault| short(&fault.to_string())).unwrap_or_default();
    Status::with_error_details(Code::InvalidArgument, format!("{message}{more}"), details)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_ONE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;
    use muster_runtime::status::refusal_of;

    #[test]
    fn every_fault_is_a_violation_until_the_header_is_full() {
        let text: String = (0..90).map(|_| "kind: Wrong\nmetadata: {name: x}\nspec: {}\n---\n").collect();
        let faults = crate::manifest::parse(&text, &"acme".parse().unwrap()).unwrap_err();
        let status = invalid(&faults);
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert!(violations.len() > 10);
        assert_eq!(violations[0].field, "document 1, line 1, column 7: kind");
        assert!(violations.last().unwrap().description.contains("more faults"));
        assert!(status.details().len() < 6_000, "{}", status.details().len());
        assert_eq!(refusal_of(&status).unwrap().field, "kind");
    }
}
