//! What can go wrong with the log, said so that an operator can act on it.

use std::time::Duration;

use muster_domain::TenantId;

use crate::keyring::{KeyId, KeyringError};

/// Reading the log, or looking after its streams.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error(
        "cannot connect to the event log at {url}: {reason}; check that nats-server runs there and that the user and password are right"
    )]
    Connect { url: String, reason: String },

    #[error("the event log does not answer ({doing}): tried for {} s, last: {last}; check nats-server and its cluster, then ask again", tried_for.as_secs())]
    Unavailable { doing: &'static str, tried_for: Duration, last: String },

    #[error(
        "nats-server {found} is too old: {needed} is the oldest with atomic batches and message schedules; upgrade it"
    )]
    ServerTooOld { found: String, needed: &'static str },

    #[error(
        "stream {stream} is not configured as the log's guarantees need: {differences}; have the installer correct it, see `muster doctor`"
    )]
    StreamDiffers { stream: String, differences: String },

    #[error("stream {stream} does not exist; register the tenant, or let the installer create the streams")]
    StreamMissing { stream: String },

    #[error("entry {sequence} of stream {stream} cannot be read: {why}; it is kept as it is, report it")]
    Unreadable { stream: String, sequence: u64, why: String },

    #[error(
        "{kind} {id} has no version {missing} though later ones exist: the log is damaged; run the audit's verification before anything else"
    )]
    VersionMissing { kind: &'static str, id: String, missing: u64 },

    #[error("{kind} {id} has more than {limit} events, the most one aggregate may have")]
    TooManyEvents { kind: &'static str, id: String, limit: u64 },

    /// For ever.
    #[error("the content of tenant {tenant} was made unreadable: its payload key {key_id} is destroyed")]
    KeyDestroyed { tenant: TenantId, key_id: KeyId },

    #[error("the payload key of tenant {tenant} cannot be used: {why}")]
    KeyUnavailable { tenant: TenantId, why: String },

    #[error("'{value}' cannot be a {what}: {rule}")]
    InvalidName { what: &'static str, value: String, rule: &'static str },

    #[error("the event log refused ({doing}): {description} (code {code})")]
    Refused { doing: &'static str, code: u64, description: String },
}

impl LogError {
    /// Whether asking again later can help without anyone changing anything.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Connect { .. } | Self::KeyUnavailable { .. })
    }
}

/// Writing to the log.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else decided first. Load, decide again.
    #[error("version {version} of {kind} {id} was written by somebody else; load it and decide again")]
    Conflict { kind: String, id: String, version: u64 },

    #[error("version {version} of {kind} {id} would skip a version: {} does not exist", version.saturating_sub(1))]
    VersionSkipped { kind: String, id: String, version: u64 },

    #[error(
        "the event {event_type} has {bytes} bytes, the limit is {limit}; make it smaller, for example by keeping documents outside and their digests in the event"
    )]
    TooLarge { event_type: String, bytes: usize, limit: usize },

    #[error("a batch has 1 to {limit} events, this one has {count}")]
    BatchSize { count: usize, limit: usize },

    /// It may or may not have been stored. Asking again with the same event id is safe: it is stored once.
    #[error("the event log did not confirm the event for {} s, last: {last}; the event may have been stored; asking again with the same event id is safe", tried_for.as_secs())]
    Unavailable { tried_for: Duration, last: String },

    #[error("the event log refused the event: {description} (code {code})")]
    Refused { code: u64, description: String },

    #[error("the actor of the event cannot be written: {0}")]
    Actor(String),

    #[error("the event cannot be sealed or signed: {0}")]
    Unwritable(String),

    #[error(transparent)]
    Log(#[from] LogError),
}

impl AppendError {
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Log(error) => error.is_unavailable(),
            _ => false,
        }
    }
}

/// What the keyring said, about a tenant.
pub(crate) fn of_keyring(tenant: &TenantId, error: KeyringError) -> LogError {
    match error {
        KeyringError::Destroyed { tenant, key_id } => LogError::KeyDestroyed { tenant, key_id },
        error => LogError::KeyUnavailable { tenant: tenant.clone(), why: error.to_string() },
    }
}

/// Load, decide, append.
#[derive(Debug, thiserror::Error)]
pub enum DecideError<R> {
    /// The rules said no; nothing was written.
    #[error("refused")]
    Refused(R),
    #[error("{kind} {id} is changed by others so often that {tries} tries were not enough; ask again")]
    Contended { kind: &'static str, id: String, tries: u32 },
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Load(#[from] LogError),
}

impl<R> DecideError<R> {
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Contended { .. } => true,
            Self::Append(error) => error.is_unavailable(),
            Self::Load(error) => error.is_unavailable(),
        }
    }
}
