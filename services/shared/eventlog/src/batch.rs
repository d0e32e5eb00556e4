//! Several events of one tenant, all or nothing, by the server's atomic batch publish. For decisions that truly
//! span aggregates; a batch holds up every other append to the stream for milliseconds, so never on a hot path.

use std::collections::BTreeMap;

use async_nats::header;
use muster_domain::{Aggregate, AggregateId, TenantId};
use uuid::Uuid;

use crate::{
    EventLog,
    append::{Appended, Draft, Standing, Verdict, refused},
    error::AppendError,
    outgoing::Outgoing,
    record::Meta,
    retry::{PATIENCE, Patience},
    wire::{self, Failure},
};

/// As many documents as one manifest holds, so that any inventory is declared at once; half of the 1,000 messages that
/// the server takes in one batch. What is larger is not a decision but a migration.
pub const MAX_BATCH: usize = 500;

/// One event of a batch.
pub struct Pending(Draft);

impl Pending {
    pub fn new<A: Aggregate>(id: &AggregateId, version: u64, meta: &Meta, event: &A::Event) -> Self {
        Self(Draft::new::<A>(id, version, meta, event))
    }
}

impl EventLog {
    /// Appends all events or none. Returns the last one's place. Each event needs an id of its own; several events
    /// of one aggregate have to be in the order of their versions.
    pub async fn append_batch(&self, tenant: &TenantId, pending: Vec<Pending>) -> Result<Appended, AppendError> {
        let Some(last) = pending.last() else { return Err(AppendError::BatchSize { count: 0, limit: MAX_BATCH }) };
        if pending.len() > MAX_BATCH {
            return Err(AppendError::BatchSize { count: pending.len(), limit: MAX_BATCH });
        }
        let messages = self.messages_of(tenant, &pending).await?;
        let done = |sequence, is_this, was_there| {
            if is_this {
                self.batch_acknowledged(tenant, &messages, sequence);
            }
            Appended { sequence, version: last.0.version, event_id: last.0.meta.event_id, was_there }
        };
        let stream = self.names().record_stream(tenant);
        let mut patience = Patience::new(PATIENCE);
        let mut outcome_was_unknown = false;
        loop {
            let failure = match self.publish_batch(&messages).await {
                Ok(sequence) => return Ok(done(sequence, true, false)),
                Err(failure) => failure,
            };
            let verdict = Verdict::of(&failure);
            if let Verdict::Final = verdict {
                return Err(refused(failure));
            }
            match self.batch_standing(&stream, &pending, &messages).await {
                Ok(BatchStanding::Ours { sequence, is_this }) => {
                    return Ok(done(sequence, is_this, !outcome_was_unknown));
                }
                Ok(BatchStanding::Theirs(conflict)) => return Err(conflict),
                Ok(BatchStanding::Nothing) if matches!(verdict, Verdict::Stale) && !outcome_was_unknown => {
                    return Err(last.0.conflict());
                }
                Ok(BatchStanding::Nothing) | Err(_) => {}
            }
            outcome_was_unknown |= matches!(verdict, Verdict::Unknown);
            self.wait_out_append(&stream, failure, &mut patience).await?;
        }
    }

    async fn messages_of(&self, tenant: &TenantId, pending: &[Pending]) -> Result<Vec<Outgoing>, AppendError> {
        // The version each aggregate has within the batch so far.
        let mut reached: BTreeMap<(&str, &AggregateId), u64> = BTreeMap::new();
        let mut messages = Vec::with_capacity(pending.len());
        for Pending(draft) in pending {
            draft.check_size(self)?;
            let after = match reached.insert((draft.kind, &draft.id), draft.version) {
                // Only the first event of an aggregate has a predecessor that the server can be asked to expect;
                // that the others follow it is checked here.
                Some(before) if before + 1 == draft.version => None,
                Some(_) => {
                    return Err(AppendError::VersionSkipped {
                        kind: draft.kind.to_owned(),
                        id: draft.id.to_string(),
                        version: draft.version,
                    });
                }
                None => Some(self.sequence_before(tenant, draft.kind, &draft.id, draft.version).await?),
            };
            let message = self.outgoing(tenant, draft, after, messages.last()).await?;
            messages.push(message);
        }
        Ok(messages)
    }

    /// A batch is stored in one piece: its last event is at `sequence`.
    fn batch_acknowledged(&self, tenant: &TenantId, messages: &[Outgoing], sequence: u64) {
        for (back, message) in (0..messages.len() as u64).rev().zip(messages) {
            self.acknowledged(tenant, message, sequence.saturating_sub(back));
        }
    }

    /// The sequence of the last event of the batch.
    async fn publish_batch(&self, messages: &[Outgoing]) -> Result<u64, Failure> {
        #[expect(clippy::disallowed_methods, reason = "names this try to the server; a retry must have another")]
        let batch = Uuid::now_v7().simple().to_string();
        for (index, message) in messages.iter().enumerate() {
            let mut headers = message.headers.clone();
            headers.insert(header::NATS_BATCH_ID, batch.as_str());
            headers.insert(header::NATS_BATCH_SEQUENCE, (index + 1).to_string());
            if index + 1 == messages.len() {
                headers.insert(header::NATS_BATCH_COMMIT, header::NATS_BATCH_COMMIT_FINAL);
                return wire::publish(self, message.subject.clone(), headers, message.payload.clone()).await;
            }
            self.client()
                .publish_with_headers(message.subject.clone(), headers, message.payload.clone())
                .await
                .map_err(|error| Failure::Unknown(error.to_string()))?;
        }
        Err(Failure::Unknown("an empty batch".to_owned()))
    }

    /// A batch is stored whole or not at all. Another's event at one of our versions is a conflict; so is one of our
    /// events that is there without the others, as it was appended some other way.
    async fn batch_standing(
        &self,
        stream: &str,
        pending: &[Pending],
        messages: &[Outgoing],
    ) -> Result<BatchStanding, Failure> {
        let (mut ours, mut missing, mut all_these) = (None, 0, true);
        for (Pending(draft), message) in pending.iter().zip(messages) {
            match self.standing(stream, message).await? {
                Standing::Ours { sequence, is_this } => {
                    ours = Some((sequence, draft));
                    all_these &= is_this;
                }
                Standing::Theirs => return Ok(BatchStanding::Theirs(draft.conflict())),
                Standing::Nothing => missing += 1,
            }
        }
        Ok(match ours {
            Some((sequence, _)) if missing == 0 => BatchStanding::Ours { sequence, is_this: all_these },
            Some((_, draft)) => BatchStanding::Theirs(draft.conflict()),
            None => BatchStanding::Nothing,
        })
    }
}

enum BatchStanding {
    Ours { sequence: u64, is_this: bool },
    Theirs(AppendError),
    Nothing,
}
