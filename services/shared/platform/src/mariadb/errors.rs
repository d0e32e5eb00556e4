//! What a server's refusal means for us, by error number.
//! Numbers: MariaDB, "MariaDB Error Code Reference".

use muster_domain::pb::observation::v1::{ErrorClass, ObservationError};
use sqlx::mysql::MySqlDatabaseError;

use crate::tls;

/// The account lacks a privilege for a whole kind of statement.
pub(super) const MISSING_PRIVILEGE: u16 = 1227;
/// `max_statement_time` is over: the server gave the statement up, and it has no effect.
pub(super) const STATEMENT_TIMEOUT: u16 = 1969;
/// A lock was not free within `lock_wait_timeout`.
pub(super) const LOCK_TIMEOUT: u16 = 1205;
/// The session to end has ended already.
pub(super) const NO_SUCH_SESSION: u16 = 1094;

/// A failed connection or statement, classified and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct SqlError {
    pub class: ErrorClass,
    /// The server's own number; absent when it did not answer.
    pub number: Option<u16>,
    pub message: String,
}

impl SqlError {
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, number: None, message: message.into() }
    }

    pub(super) fn to_observation(&self) -> ObservationError {
        ObservationError { class: self.class.into(), message: self.message.clone() }
    }

    /// The server, or the way to it, is gone: a kept connection may simply be stale.
    pub(super) fn is_lost_connection(&self) -> bool {
        (self.class == ErrorClass::Unreachable && self.number.is_none()) || self.class == ErrorClass::NotReady
    }
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let number = database.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
                let class = number.map_or(ErrorClass::Protocol, class_of);
                Self { class, number, message: database.message().to_owned() }
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

fn class_of(number: u16) -> ErrorClass {
    match number {
        // Wrong password or no such account, also for this host; no right on the schema; expired; locked.
        1045 | 1698 | 1130 | 1820 | 1862 | 4151 => ErrorClass::Credential,
        MISSING_PRIVILEGE | 1044 | 1095 | 1142 | 1143 | 1370 => ErrorClass::Permission,
        // No such schema.
        1049 => ErrorClass::Configuration,
        // Too many connections, for the server or for the account; shutting down; this session was ended.
        1040 | 1203 | 1226 | 1053 | 1077 | 1317 | 1927 => ErrorClass::NotReady,
        // Too slow is no answer.
        STATEMENT_TIMEOUT | LOCK_TIMEOUT => ErrorClass::Unreachable,
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
        assert_eq!(class_of(1040), ErrorClass::NotReady);
    }
}
