//! Writing one event: stored exactly once, or not at all, or the caller is told that it is not known.
//!
//! Each version of an aggregate has a subject of its own and the server lets a subject be written once: of any
//! number of racing writers one wins. The expectation header (the last event under `<id>.>` is the one before)
//! makes it impossible to skip a version. When no answer comes, the leader is asked what stands at that version:
//! ours, somebody else's, or nothing yet, and only then is it sent again.

use bytes::Bytes;
use muster_domain::{Aggregate, AggregateId, EventKind, TenantId};
use prost::Message;
use uuid::Uuid;

use crate::{
    EventLog,
    error::{AppendError, LogError},
    load::Loaded,
    outgoing::Outgoing,
    record::{CE_ID, Meta, text},
    retry::{PATIENCE, Patience},
    wire::{self, Failure},
};

/// The largest event. Half of the server's usual limit of 1 MiB a message leaves room for headers; what is larger
/// is a document and belongs beside the log.
pub const MAX_EVENT_BYTES: usize = 512 * 1024;

/// An event that is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Position in the tenant's log.
    pub sequence: u64,
    /// The aggregate's version after it.
    pub version: u64,
    pub event_id: Uuid,
    /// An earlier call with this event id had written it; there may be later events.
    pub was_there: bool,
}

/// One event on its way: everything but the expectation.
pub(crate) struct Draft {
    pub(crate) kind: &'static str,
    pub(crate) id: AggregateId,
    pub(crate) version: u64,
    pub(crate) event_type: &'static str,
    pub(crate) meta: Meta,
    pub(crate) payload: Bytes,
}

impl Draft {
    pub(crate) fn new<A: Aggregate>(id: &AggregateId, version: u64, meta: &Meta, event: &A::Event) -> Self {
        Self {
            kind: A::KIND,
            id: id.clone(),
            version,
            event_type: event.kind(),
            meta: meta.clone(),
            payload: event.encode_to_vec().into(),
        }
    }

    pub(crate) fn check_size(&self, log: &EventLog) -> Result<(), AppendError> {
        let limit = MAX_EVENT_BYTES.min(log.client().max_payload() / 2);
        if self.payload.len() <= limit {
            return Ok(());
        }
        Err(AppendError::TooLarge { event_type: self.event_type.to_owned(), bytes: self.payload.len(), limit })
    }

    pub(crate) fn conflict(&self) -> AppendError {
        AppendError::Conflict { kind: self.kind.to_owned(), id: self.id.to_string(), version: self.version }
    }
}

/// What stands at a version, as the leader knows it.
pub(crate) enum Standing {
    /// With this very content, or stored for an earlier try of the same command.
    Ours {
        sequence: u64,
        is_this: bool,
    },
    Theirs,
    Nothing,
}

impl EventLog {
    /// Appends `event` as `version` of the aggregate. [`AppendError::Conflict`]: that version exists already.
    /// The same event id again is not a conflict but the same success.
    pub async fn append<A: Aggregate>(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        version: u64,
        meta: &Meta,
        event: &A::Event,
    ) -> Result<Appended, AppendError> {
        let after = self.sequence_before(tenant, A::KIND, id, version).await?;
        self.append_draft(tenant, Draft::new::<A>(id, version, meta, event), after).await
    }

    /// Appends the event that follows what was loaded: [`append`](Self::append) without looking up the version before.
    pub async fn append_to<A: Aggregate>(
        &self,
        tenant: &TenantId,
        id: &AggregateId,
        loaded: &Loaded<A>,
        meta: &Meta,
        event: &A::Event,
    ) -> Result<Appended, AppendError> {
        self.append_draft(tenant, Draft::new::<A>(id, loaded.version + 1, meta, event), loaded.sequence).await
    }

    pub(crate) async fn append_draft(
        &self,
        tenant: &TenantId,
        draft: Draft,
        after: u64,
    ) -> Result<Appended, AppendError> {
        draft.check_size(self)?;
        let stream = self.names().record_stream(tenant);
        let event = self.outgoing(tenant, &draft, Some(after), None).await?;
        let done = |sequence, is_this, was_there| {
            if is_this {
                self.acknowledged(tenant, &event, sequence);
            }
            Appended { sequence, version: draft.version, event_id: draft.meta.event_id, was_there }
        };
        let mut patience = Patience::new(PATIENCE);
        let mut outcome_was_unknown = false;
        loop {
            let (subject, headers) = (event.subject.clone(), event.headers.clone());
            let failure = match wire::publish(self, subject, headers, event.payload.clone()).await {
                Ok(sequence) => return Ok(done(sequence, true, false)),
                Err(failure) => failure,
            };
            let verdict = Verdict::of(&failure);
            if let Verdict::Final = verdict {
                return Err(refused(failure));
            }
            match self.standing(&stream, &event).await {
                Ok(Standing::Ours { sequence, is_this }) => return Ok(done(sequence, is_this, !outcome_was_unknown)),
                Ok(Standing::Theirs) => return Err(draft.conflict()),
                // Refused on its only try, so it is not on its way either: another event of the aggregate is.
                Ok(Standing::Nothing) if matches!(verdict, Verdict::Stale) && !outcome_was_unknown => {
                    return Err(draft.conflict());
                }
                Ok(Standing::Nothing) | Err(_) => {}
            }
            outcome_was_unknown |= matches!(verdict, Verdict::Unknown);
            metrics::counter!("muster_log_append_retries_total").increment(1);
            self.wait_out_append(&stream, failure, &mut patience).await?;
        }
    }

    /// The sequence of the version before `version`, by the leader; 0 before the first.
    pub(crate) async fn sequence_before(
        &self,
        tenant: &TenantId,
        kind: &'static str,
        id: &AggregateId,
        version: u64,
    ) -> Result<u64, AppendError> {
        let skipped = || AppendError::VersionSkipped { kind: kind.to_owned(), id: id.to_string(), version };
        let before = match version {
            0 => return Err(skipped()),
            1 => return Ok(0),
            version => self.names().event(tenant, kind, id, version - 1),
        };
        let stream = self.names().record_stream(tenant);
        let mut patience = Patience::new(PATIENCE);
        loop {
            match wire::leader_last(self, &stream, &before).await {
                Ok(Some(stored)) => return Ok(stored.sequence),
                Ok(None) => return Err(skipped()),
                Err(failure) => self.wait_out("appending", &stream, failure, &mut patience).await?,
            }
        }
    }

    pub(crate) async fn standing(&self, stream: &str, event: &Outgoing) -> Result<Standing, Failure> {
        let Some(stored) = wire::leader_last(self, stream, &event.subject).await? else {
            return Ok(Standing::Nothing);
        };
        if text(&stored.headers, CE_ID) != Some(event.event_id.to_string().as_str()) {
            return Ok(Standing::Theirs);
        }
        Ok(Standing::Ours { sequence: stored.sequence, is_this: event.is(&stored) })
    }

    pub(crate) async fn wait_out_append(
        &self,
        stream: &str,
        failure: Failure,
        patience: &mut Patience,
    ) -> Result<(), AppendError> {
        let failure = match failure {
            // Not a conflict, as we have looked: the store itself failed (a full disk), or an earlier try is on its way.
            Failure::Refused { code, description } => Failure::Unknown(format!("{description} ({code})")),
            failure => failure,
        };
        match self.wait_out("appending", stream, failure, patience).await {
            Err(LogError::Unavailable { tried_for, last, .. }) => Err(AppendError::Unavailable { tried_for, last }),
            result => Ok(result?),
        }
    }
}

/// What a failed publish means.
pub(crate) enum Verdict {
    /// No answer, or a full store: look, then try again.
    Unknown,
    /// The aggregate has moved on.
    Stale,
    /// It will never be accepted.
    Final,
}

impl Verdict {
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Unknown(_) => Self::Unknown,
            Failure::Refused { code: wire::STORE_FAILED, .. } => Self::Unknown,
            Failure::Refused { code: wire::WRONG_LAST_SEQUENCE | wire::WRONG_LAST_SEQUENCE_IN_FLIGHT, .. } => {
                Self::Stale
            }
            Failure::Refused { .. } | Failure::TooMany => Self::Final,
        }
    }
}

pub(crate) fn refused(failure: Failure) -> AppendError {
    match failure {
        Failure::Refused { code, description } => AppendError::Refused { code, description },
        Failure::Unknown(description) => AppendError::Refused { code: 0, description },
        Failure::TooMany => AppendError::Refused { code: 413, description: "too many".to_owned() },
    }
}
