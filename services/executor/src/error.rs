//! Why the work on a run ended before the run did. None of these ends the run: it goes on, here or elsewhere.

use muster_domain::{Refusal, execution::ClaimRefused, refusal::describe};
use muster_eventlog::{DecideError, LogError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The log does not answer, or what was written is not known. The log decides how it goes on.
    #[error("the event log: {0}")]
    Log(#[from] LogError),
    #[error("the event log: {0}")]
    Append(String),
    /// Another executor has the run, or it has ended.
    #[error("not ours any more: {0}")]
    NotOurs(String),
    /// The lease was lost: whoever has it now works on the run.
    #[error("the lease was lost")]
    LeaseLost,
}

impl From<DecideError<Refusal>> for RunError {
    fn from(error: DecideError<Refusal>) -> Self {
        match error {
            DecideError::Refused(refusal) => Self::NotOurs(describe(&refusal)),
            error => Self::Append(error.to_string()),
        }
    }
}

impl From<DecideError<ClaimRefused>> for RunError {
    fn from(error: DecideError<ClaimRefused>) -> Self {
        match error {
            DecideError::Refused(refused) => Self::NotOurs(format!("{refused:?}")),
            error => Self::Append(error.to_string()),
        }
    }
}
