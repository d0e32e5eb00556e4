//! The errors of the log and the database as statuses: what happened, and what to do about it.

use muster_domain::{Refusal, refusal::refusal};
use muster_eventlog::{AppendError, DecideError, LogError, WaitError};
use tonic::Status;

use super::{RefusalClass, internal, refused, refused_as, unavailable};
use crate::secrets::SecretError;

const REPEAT: &str = "repeat the call with the same idempotency key; if it stays, check nats-server and /readyz";
const KEYRING: &str = "ask again; if it stays, look at audit.payload_keys and at the log of this process";
const READ_AGAIN: &str = "ask again; if it stays, check PostgreSQL and /readyz";

/// For `.map_err(IntoStatus::into_status)?` in handlers.
pub trait IntoStatus {
    fn into_status(self) -> Status;
}

impl IntoStatus for Refusal {
    fn into_status(self) -> Status {
        refused(&self)
    }
}

impl IntoStatus for LogError {
    fn into_status(self) -> Status {
        match self {
            error @ Self::KeyUnavailable { .. } => logged(&error, "the tenant's payload key", KEYRING),
            error if error.is_unavailable() => logged(&error, "the event log", REPEAT),
            Self::KeyDestroyed { tenant, key_id } => refused_as(
                RefusalClass::State,
                &refusal(
                    "PAYLOAD_KEY_DESTROYED",
                    format!("the content of tenant {tenant} was made unreadable for ever, and nothing new is written"),
                    key_id.to_string(),
                    "tenants whose payload key is not destroyed",
                    "read what is left with `muster audit list`; register another tenant for new work",
                ),
            ),
            // What callers name freely becomes a subject token: a wrong one is theirs to correct.
            Self::InvalidName { what, value, rule } => refused_as(
                RefusalClass::Field,
                &refusal("NAME_INVALID", format!("this cannot be a {what}"), value, rule, "correct the name"),
            ),
            error => internal(&error),
        }
    }
}

impl IntoStatus for AppendError {
    fn into_status(self) -> Status {
        match self {
            Self::Log(error) => error.into_status(),
            error if error.is_unavailable() => logged(&error, "the event log", REPEAT),
            Self::Conflict { kind, id, version } => conflict(&kind, &id, &version.to_string()),
            Self::TooLarge { event_type, bytes, limit } => refused_as(
                RefusalClass::Field,
                &refusal(
                    "EVENT_TOO_LARGE",
                    format!("{event_type} does not fit into one event"),
                    bytes.to_string(),
                    limit.to_string(),
                    "make the content smaller",
                ),
            ),
            error => internal(&error),
        }
    }
}

impl IntoStatus for DecideError<Refusal> {
    fn into_status(self) -> Status {
        match self {
            Self::Refused(refusal) => refused(&refusal),
            Self::Contended { kind, id, tries } => conflict(kind, &id, &format!("{tries} tries")),
            Self::Append(error) => error.into_status(),
            Self::Load(error) => error.into_status(),
        }
    }
}

impl IntoStatus for WaitError {
    fn into_status(self) -> Status {
        match self {
            Self::TooLate { .. } => {
                logged(&self, "the view you asked for (it has not yet taken in min_version)", READ_AGAIN)
            }
            Self::Database(error) => error.into_status(),
        }
    }
}

impl IntoStatus for sqlx::Error {
    fn into_status(self) -> Status {
        use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
        // 22021: PostgreSQL's text holds no NUL. Nothing that is kept does either, so it came with the question.
        if self.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "22021") {
            let (rule, limit) = ("a text of this call holds a character that no kept text has", "text without NUL");
            return refused_as(RefusalClass::Field, &refusal("FIELD_INVALID", rule, "NUL", limit, "remove it"));
        }
        let is_outage = match &self {
            Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed => true,
            // Classes 08 (connection), 53 (resources) and 57 (operator intervention, such as a shutdown).
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|c| ["08", "53", "57"].iter().any(|class| c.starts_with(class)))
            }
            _ => false,
        };
        if is_outage { logged(&self, "the database", READ_AGAIN) } else { internal(&self) }
    }
}

impl IntoStatus for SecretError {
    fn into_status(self) -> Status {
        refused_as(
            RefusalClass::State,
            &refusal(
                "SECRET_UNRESOLVED",
                "a secret reference cannot be used",
                self.reference,
                self.problem,
                self.next_action,
            ),
        )
    }
}

fn conflict(kind: &str, id: &str, found: &str) -> Status {
    let rule = format!("others changed {kind} {id} at the same time");
    refused_as(
        RefusalClass::Conflict,
        &refusal("WRITE_CONFLICT", rule, found, "", "look at it again and repeat what is still wanted"),
    )
}

/// The caller reads what does not answer; the log keeps why.
fn logged(error: &dyn std::error::Error, what: &str, next_action: &str) -> Status {
    tracing::warn!(error = %super::chain(error), "unavailable");
    unavailable(what, next_action)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;

    use super::*;
    use crate::status::refusal_of;

    #[test]
    fn an_outage_is_unavailable_and_says_what_to_do() {
        let error = AppendError::Unavailable { tried_for: Duration::from_secs(30), last: "timed out".to_owned() };
        let status = DecideError::<Refusal>::from(error).into_status();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(refusal_of(&status).is_some_and(|r| r.next_action.contains("idempotency key")));
        assert_eq!(sqlx::Error::PoolTimedOut.into_status().code(), Code::Unavailable);
    }

    #[test]
    fn contention_is_aborted_and_a_defect_is_internal_without_details() {
        let contended = DecideError::<Refusal>::Contended { kind: "request", id: "r-1".to_owned(), tries: 9 };
        assert_eq!(contended.into_status().code(), Code::Aborted);
        let status =
            LogError::Unreadable { stream: "S".to_owned(), sequence: 7, why: "inner detail".to_owned() }.into_status();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("inner detail"));
    }

    #[test]
    fn a_rule_that_said_no_stays_that_rule() {
        let status = DecideError::Refused(refusal("REQUEST_EXPIRED", "r", "", "", "n")).into_status();
        assert_eq!(
            (status.code(), refusal_of(&status).map(|r| r.code)),
            (Code::FailedPrecondition, Some("REQUEST_EXPIRED".to_owned()))
        );
    }
}
