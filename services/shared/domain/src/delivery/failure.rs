//! Why an attempt did not succeed, and what follows from it.

use std::fmt;

use jiff::SignedDuration;

use super::message::{MAX_TEXT_BYTES, clip};

/// What kind of failure it was. Its name leads the recorded error, so the log alone tells what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// No connection: the far side cannot have seen the message.
    Unreachable,
    /// The far side said "later".
    Deferred,
    /// It broke after the message was on its way: the far side may have it.
    OutcomeUnknown,
    /// The far side said no, for good.
    Rejected,
    /// The far side answered something that is neither yes nor a lasting no.
    Failed,
    /// The endpoint is gone (410): nothing is sent there any more.
    Gone,
    /// The address does not exist (5.1.x): nothing is sent there any more.
    BadAddress,
    /// The address may not be contacted from here, or its TLS is not good enough.
    Forbidden,
    /// Our own settings: a secret that is missing, a relay that is not configured.
    Misconfigured,
    /// It may have arrived, and the far side cannot recognise a copy: it is not sent twice.
    NotRepeated,
    /// The route changed after the message was queued; it no longer leads there.
    RouteChanged,
}

use FailureCode::{
    BadAddress, Deferred, Failed, Forbidden, Gone, Misconfigured, NotRepeated, OutcomeUnknown, Rejected, RouteChanged,
    Unreachable,
};

impl FailureCode {
    pub const ALL: [FailureCode; 11] = [
        Unreachable,
        Deferred,
        OutcomeUnknown,
        Rejected,
        Failed,
        Gone,
        BadAddress,
        Forbidden,
        Misconfigured,
        NotRepeated,
        RouteChanged,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Unreachable => "UNREACHABLE",
            Deferred => "DEFERRED",
            OutcomeUnknown => "OUTCOME_UNKNOWN",
            Rejected => "REJECTED",
            Failed => "FAILED",
            Gone => "GONE",
            BadAddress => "BAD_ADDRESS",
            Forbidden => "FORBIDDEN",
            Misconfigured => "MISCONFIGURED",
            NotRepeated => "NOT_REPEATED",
            RouteChanged => "ROUTE_CHANGED",
        }
    }

    /// The code of a recorded error.
    pub fn of(error: &str) -> Option<Self> {
        let code = error.split(':').next()?;
        Self::ALL.into_iter().find(|known| known.name() == code)
    }

    /// Trying again cannot help.
    pub fn is_permanent(self) -> bool {
        match self {
            Rejected | Gone | BadAddress | Forbidden | NotRepeated | RouteChanged => true,
            // A setting can be mended while the message waits: it is tried by the schedule.
            Unreachable | Deferred | OutcomeUnknown | Failed | Misconfigured => false,
        }
    }

    /// Nothing more is sent there until the route is declared again.
    pub fn disables_recipient(self) -> bool {
        matches!(self, Gone | BadAddress)
    }
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: FailureCode,
    /// For people; never holds a secret.
    pub text: String,
    /// The far side asked for at least this much patience.
    pub retry_after: Option<SignedDuration>,
}

impl Failure {
    pub fn new(code: FailureCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), retry_after: None }
    }

    pub fn retry_after(self, wait: Option<SignedDuration>) -> Self {
        Self { retry_after: wait, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line: a far side's answer must not break lists and logs.
        write!(f, "{}: {}", self.code.name(), clip(&self.text, MAX_TEXT_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_error_gives_its_code_back() {
        for code in FailureCode::ALL {
            assert_eq!(FailureCode::of(&Failure::new(code, "450 4.7.1: later\r\n").to_string()), Some(code));
        }
        assert_eq!(FailureCode::of("anything else"), None);
    }

    #[test]
    fn what_disables_is_permanent() {
        for code in FailureCode::ALL.into_iter().filter(|code| code.disables_recipient()) {
            assert!(code.is_permanent(), "{code:?}");
        }
    }
}
