//! What a server's refusal means for us, by the word its errors begin with.

use muster_domain::pb::observation::v1::{ErrorClass, ObservationError};
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::tls;

/// A failed connection or command, classified and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct CommandError {
    pub class: ErrorClass,
    pub message: String,
}

impl CommandError {
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    pub(super) fn to_observation(&self) -> ObservationError {
        ObservationError { class: self.class.into(), message: self.message.clone() }
    }

    /// The server answered, and it said no: the command did not take effect.
    pub(super) fn is_refusal(&self) -> bool {
        !matches!(self.class, ErrorClass::Unreachable)
    }
}

impl From<RedisError> for CommandError {
    fn from(error: RedisError) -> Self {
        // A certificate that does not verify: something answers. Whoever takes that for silence fails a living primary over.
        if let Some(why) = tls::refused(&error) {
            return Self::new(ErrorClass::Protocol, why);
        }
        let class = match error.kind() {
            ErrorKind::AuthenticationFailed => ErrorClass::Credential,
            ErrorKind::Server(ServerErrorKind::NoPerm) => ErrorClass::Permission,
            ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown) => ErrorClass::NotReady,
            ErrorKind::Io if makes_no_sense(&error) => ErrorClass::Protocol,
            ErrorKind::Io => ErrorClass::Unreachable,
            ErrorKind::InvalidClientConfig => ErrorClass::Configuration,
            _ => match error.code() {
                Some("NOAUTH" | "WRONGPASS") => ErrorClass::Credential,
                Some("BUSY") => ErrorClass::NotReady,
                _ => ErrorClass::Protocol,
            },
        };
        Self { class, message: error.to_string() }
    }
}

type Shared = std::sync::Arc<dyn std::error::Error + Send + Sync>;

/// Invalid data: something answers.
fn makes_no_sense(error: &RedisError) -> bool {
    // The client keeps what went wrong behind a shared pointer, and that pointer is what it names as the source.
    let shared = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Shared>());
    let io = shared.and_then(|shared| shared.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind as Io};

    use super::*;

    #[test]
    fn only_silence_is_unreachable() {
        let class = |kind: Io| CommandError::from(RedisError::from(Error::from(kind))).class;
        assert_eq!(class(Io::ConnectionRefused), ErrorClass::Unreachable);
        assert_eq!(class(Io::UnexpectedEof), ErrorClass::Unreachable);
        assert_eq!(class(Io::InvalidData), ErrorClass::Protocol);
    }
}
