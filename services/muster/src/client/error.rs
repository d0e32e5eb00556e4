//! What went wrong with a command, and its exit code.

use muster_domain::{Refusal, refusal::refusal};
use muster_runtime::status::refusal_of;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::exit::Exit;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Arguments that do not fit together, or miss something.
    #[error("{0}")]
    Usage(String),
    /// A rule said no: here or at the server.
    #[error("{}", .0.rule)]
    Refused(Box<Refusal>),
    /// A manifest with faults: where, and what.
    #[error("the manifest has {} faults", .0.len())]
    Manifest(Vec<String>),
    #[error("{}", .0.rule)]
    Denied(Box<Refusal>),
    #[error("{}", .0.rule)]
    Unavailable(Box<Refusal>),
    #[error("{0}")]
    Failed(String),
    #[error("the output was closed")]
    PipeClosed,
}

impl CliError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Refused(_) | Self::Manifest(_) => Exit::Refused,
            Self::Denied(_) => Exit::Denied,
            Self::Unavailable(_) => Exit::Unavailable,
            Self::Failed(_) => Exit::Failed,
            Self::PipeClosed => Exit::Done,
        }
    }

    /// Nobody is logged in here.
    pub(crate) fn not_logged_in(server: &str, profile: &str) -> Self {
        let next =
            if profile == "default" { "muster login".to_owned() } else { format!("muster --profile {profile} login") };
        let rule = format!("profile '{profile}' is not logged in at {server}");
        Self::Denied(Box::new(refusal("NOT_LOGGED_IN", rule, "no valid login", "a login", next)))
    }

    pub(crate) fn unavailable(what: impl Into<String>, cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Unavailable(Box::new(refusal("UNAVAILABLE", what, cause, "", next)))
    }
}

impl From<Status> for CliError {
    fn from(status: Status) -> Self {
        let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
        let is_manifest = refusal_of(&status).is_some_and(|refusal| refusal.code == "MANIFEST_INVALID");
        if violations.len() > 1 || (is_manifest && !violations.is_empty()) {
            return Self::Manifest(violations.into_iter().map(|v| format!("{}: {}", v.field, v.description)).collect());
        }
        let refusal = Box::new(refusal_of(&status).unwrap_or_else(|| plain(&status)));
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Self::Denied(refusal),
            Code::Unavailable | Code::DeadlineExceeded | Code::Unimplemented => Self::Unavailable(refusal),
            Code::Internal | Code::Unknown | Code::DataLoss | Code::Cancelled => {
                Self::Failed(muster_domain::refusal::describe(&refusal))
            }
            _ => Self::Refused(refusal),
        }
    }
}

/// A status that did not come from Muster's rules: a proxy's, or the transport's.
fn plain(status: &Status) -> Refusal {
    let (rule, next) = match status.code() {
        Code::Unavailable => ("Muster does not answer", "check the address (--server) and that Muster runs"),
        Code::DeadlineExceeded => (
            "no answer in time",
            "look whether it was done (`muster request list`, `muster audit list`) before you repeat it",
        ),
        Code::Unauthenticated => ("not logged in", "muster login"),
        Code::Unimplemented => ("this part of Muster is not served at this address", "start it, or ask where it runs"),
        _ => (status.message(), ""),
    };
    let cause = if rule == status.message() { String::new() } else { cause_of(status) };
    refusal(&format!("{:?}", status.code()), rule, cause, "", next)
}

/// The innermost cause is what helps: "connection refused".
fn cause_of(status: &Status) -> String {
    let mut cause: &dyn std::error::Error = status;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    if text.contains("code:") { status.message().to_owned() } else { text }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_status() {
        for (code, exit) in [
            (Code::InvalidArgument, 3),
            (Code::FailedPrecondition, 3),
            (Code::NotFound, 3),
            (Code::Aborted, 3),
            (Code::OutOfRange, 3),
            (Code::PermissionDenied, 4),
            (Code::Unauthenticated, 4),
            (Code::Unavailable, 5),
            (Code::DeadlineExceeded, 5),
            (Code::Unimplemented, 5),
            (Code::Internal, 1),
        ] {
            assert_eq!(CliError::from(Status::new(code, "x")).exit().code(), exit, "{code:?}");
        }
    }
}
