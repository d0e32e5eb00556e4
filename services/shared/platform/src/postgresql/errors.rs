//! What a server's refusal means for us, by SQLSTATE.
//! Codes: PostgreSQL manual, appendix A.

use muster_domain::pb::observation::v1::{ErrorClass, ObservationError};

use crate::tls;

/// A failed connection or statement, classified and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SqlError {
    pub class: ErrorClass,
    /// The server's own code; absent when it did not answer.
    pub code: Option<String>,
    pub message: String,
}

impl SqlError {
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, code: None, message: message.into() }
    }

    pub(super) fn to_observation(&self) -> ObservationError {
        ObservationError { class: self.class.into(), message: self.message.clone() }
    }

    /// The server, or the way to it, is gone: a kept connection may simply be stale.
    pub(super) fn is_lost_connection(&self) -> bool {
        self.class == ErrorClass::Unreachable || self.code.as_deref().is_some_and(|code| code.starts_with("57P"))
    }
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().map(|code| code.into_owned());
                let class = class_of(code.as_deref().unwrap_or_default());
                // The primary message alone: details can quote statements and data.
                Self { class, code, message: database.message().to_owned() }
            }
            // A certificate that does not verify comes as invalid data: something answers.
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
                let why = tls::refused(io).unwrap_or_else(|| format!("what answers makes no sense: {io}"));
                Self::new(ErrorClass::Protocol, why)
            }
            sqlx::Error::Io(io) => Self::new(ErrorClass::Unreachable, io.to_string()),
            sqlx::Error::Configuration(_) | sqlx::Error::InvalidArgument(_) => {
                Self::new(ErrorClass::Configuration, error.to_string())
            }
            sqlx::Error::Tls(why) => {
                let said = tls::refused(why.as_ref()).unwrap_or_else(|| tls::not_offered(why.as_ref()));
                Self::new(ErrorClass::Protocol, said)
            }
            _ => Self::new(ErrorClass::Protocol, error.to_string()),
        }
    }
}

fn class_of(code: &str) -> ErrorClass {
    match code {
        // Wrong password; no such role, no line in pg_hba.conf, not allowed to log in.
        "28P01" | "28000" => ErrorClass::Credential,
        "42501" => ErrorClass::Permission,
        // No such database.
        "3D000" => ErrorClass::Configuration,
        // Starting up, shutting down, crashed; no connection left; the role is just changing
        // ("recovery is in progress", "recovery is not in progress").
        "57P01" | "57P02" | "57P03" | "53300" | "55000" => ErrorClass::NotReady,
        // Canceled by the statement timeout: too slow is no answer.
        "57014" => ErrorClass::Unreachable,
        code if code.starts_with("08") => ErrorClass::Unreachable,
        _ => ErrorClass::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    /// Whoever takes "refused by us" for "gone" fails a living primary over.
    #[test]
    fn only_silence_is_unreachable() {
        let class = |kind| SqlError::from(sqlx::Error::Io(Error::from(kind))).class;
        assert_eq!(class(ErrorKind::ConnectionRefused), ErrorClass::Unreachable);
        assert_eq!(class(ErrorKind::UnexpectedEof), ErrorClass::Unreachable);
        assert_eq!(class(ErrorKind::InvalidData), ErrorClass::Protocol);
        assert_eq!(SqlError::from(sqlx::Error::Tls("none".into())).class, ErrorClass::Protocol);
    }
}
