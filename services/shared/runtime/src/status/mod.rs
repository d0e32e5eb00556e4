//! Refusals and failures as gRPC statuses with `google.rpc` details, the same for every service.

mod errors;

use std::collections::HashMap;

use muster_domain::{Refusal, refusal::describe};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

pub use errors::IntoStatus;

/// The `domain` of every ErrorInfo.
pub const DOMAIN: &str = "muster";
/// Header lists are limited to 8 KiB by many proxies, and details travel in one, in base64.
const MAX_TEXT: usize = 600;

/// What a refusal is about decides the status code that programs branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalClass {
    /// A field of the command is not valid.
    Field,
    /// It is valid, and not now.
    State,
    /// Somebody else was faster.
    Conflict,
    /// Not with these roles.
    Role,
    NotFound,
}

impl RefusalClass {
    /// From the refusal itself: its code's ending, its field, else state.
    pub fn of(refusal: &Refusal) -> Self {
        let code = refusal.code.as_str();
        if code == "NOT_FOUND" || code.ends_with("_NOT_FOUND") {
            Self::NotFound
        } else if code == "CONFLICT" || code.ends_with("_CONFLICT") {
            Self::Conflict
        } else if ROLE_CODES.contains(&code) {
            Self::Role
        } else if !refusal.field.is_empty() {
            Self::Field
        } else {
            Self::State
        }
    }

    fn code(self) -> Code {
        match self {
            Self::Field => Code::InvalidArgument,
            Self::State => Code::FailedPrecondition,
            Self::Conflict => Code::Aborted,
            Self::Role => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
        }
    }
}

/// What the access table answers (muster_domain::access), and the answer to non-members.
const ROLE_CODES: &[&str] = &[ACCESS_DENIED, "ROLE_MISSING", "PERSON_REQUIRED", "METHOD_NOT_OPEN"];
/// The one answer to everybody who is not a member of a tenant, whether it exists or not.
pub const ACCESS_DENIED: &str = "ACCESS_DENIED";

/// The status of a refusal; its class follows from its code and field.
pub fn refused(refusal: &Refusal) -> Status {
    refused_as(RefusalClass::of(refusal), refusal)
}

/// The status of a refusal whose class the caller knows better.
pub fn refused_as(class: RefusalClass, refusal: &Refusal) -> Status {
    with_details(class.code(), refusal)
}

/// Not logged in, or not with a usable token.
pub fn unauthenticated(refusal: &Refusal) -> Status {
    with_details(Code::Unauthenticated, refusal)
}

/// Something that Muster needs does not answer. `what` names it for the reader; the cause goes to the log.
pub fn unavailable(what: &str, next_action: &str) -> Status {
    let refusal =
        muster_domain::refusal::refusal("UNAVAILABLE", format!("{what} does not answer"), "", "", next_action);
    with_details(Code::Unavailable, &refusal)
}

/// A defect of ours: the reader gets no internals, the log gets the whole chain.
pub fn internal(error: &dyn std::error::Error) -> Status {
    tracing::error!(error = %chain(error), "internal error");
    let next = "report the time and the trace id to the people who run Muster";
    let refusal = muster_domain::refusal::refusal(
        "INTERNAL",
        "an internal error; nothing is known to have changed",
        "",
        "",
        next,
    );
    with_details(Code::Internal, &refusal)
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn with_details(code: Code, refusal: &Refusal) -> Status {
    let metadata: HashMap<String, String> = [
        ("rule", &refusal.rule),
        ("value", &refusal.value),
        ("limit", &refusal.limit),
        ("next_action", &refusal.next_action),
        ("field", &refusal.field),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(key, text)| (key.to_owned(), short(text)))
    .collect();
    let mut details = ErrorDetails::with_error_info(&refusal.code, DOMAIN, metadata);
    if !refusal.field.is_empty() {
        details.add_bad_request_violation(&refusal.field, short(&refusal.rule));
    }
    Status::with_error_details(code, short(&describe(refusal)), details)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Reads a refusal back from a status, for clients.
pub fn refusal_of(status: &Status) -> Option<Refusal> {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN)?;
    let get = |key: &str| info.metadata.get(key).cloned().unwrap_or_default();
    Some(Refusal {
        rule: get("rule"),
        value: get("value"),
        limit: get("limit"),
        next_action: get("next_action"),
        field: get("field"),
        code: info.reason,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::refusal::{field_refusal, refusal};

    use super::*;

    #[test]
    fn details_come_back_as_the_refusal() {
        let sent = refusal(
            "APPROVER_IS_REQUESTER",
            "nobody approves an own request",
            "olga",
            "another person",
            "ask a colleague",
        );
        let status = refused(&sent);
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().contains("ask a colleague"));
        assert_eq!(refusal_of(&status).unwrap(), sent);
    }

    #[test]
    fn a_field_is_named_as_a_bad_request() {
        let status =
            refused(&field_refusal("page.page_size", "PAGE_SIZE_TOO_LARGE", "bounded", "900", "500", "ask for less"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let bad = status.get_details_bad_request().unwrap();
        assert_eq!(bad.field_violations[0].field, "page.page_size");
    }

    #[test]
    fn the_code_says_the_class() {
        let class = |code: &str| refused(&refusal(code, "r", "", "", "")).code();
        assert_eq!(class("REQUEST_NOT_FOUND"), Code::NotFound);
        assert_eq!(class("VERSION_CONFLICT"), Code::Aborted);
        assert_eq!(class("ACCESS_DENIED"), Code::PermissionDenied);
        assert_eq!(class("REQUEST_EXPIRED"), Code::FailedPrecondition);
    }

    #[test]
    fn a_long_text_is_cut_and_still_decodes() {
        let status = refused(&refusal("X", "ü".repeat(5000), "", "", ""));
        assert!(refusal_of(&status).unwrap().rule.len() < 1300);
    }
}
