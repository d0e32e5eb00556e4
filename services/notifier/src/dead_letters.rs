//! What was given up can be sent again by a person. The message itself waits in a far timer, which the log keeps.

use jiff::SignedDuration;
use muster_domain::delivery::{Delivery, Phase, state};
use muster_domain::pb::common::v1::Refusal;
use muster_domain::refusal::refusal;
use muster_domain::{AggregateId, TenantId};
use muster_eventlog::{DecideError, LogError, Meta, TimerKey};
use uuid::Uuid;

use crate::lanes::{BEHIND, Lane};
use crate::outbox::Outbox;
use crate::parcel::Parcel;

/// How long a dead letter can be sent again. What is older is in the record, and no news.
pub(crate) const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Why a dead letter is not sent again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetryError {
    #[error("{}", muster_domain::refusal::describe(.0))]
    Refused(Box<Refusal>),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0}")]
    Failed(String),
}

/// Queues the delivery again and gives it to a worker: the position of that in the tenant's log. `meta` names the person;
/// asked twice with the same event id it is sent once.
pub(crate) async fn retry(outbox: &Outbox, tenant: &TenantId, delivery: Uuid, meta: &Meta) -> Result<u64, RetryError> {
    let id = AggregateId::from(delivery);
    // Looked for before it is queued: a delivery without its message would wait for ever.
    let loaded = outbox.ctx.log.load::<Delivery>(tenant, &id).await?;
    let mut parcel = None;
    let channel = loaded.state.queued.as_ref().map_or("", |queued| queued.channel.as_str());
    for lane in Lane::ALL {
        let key = TimerKey { tenant: tenant.clone(), handler: lane.timers(channel), key: delivery.to_string() };
        if let Some(payload) = outbox.timers.payload(&key).await? {
            parcel = serde_json::from_slice::<Parcel>(&payload).ok().or(parcel);
        }
    }
    let (decided_at, actor) = (meta.time, meta.actor.clone());
    let Some(parcel) = parcel else {
        if loaded.state.phase == Phase::GaveUp {
            return Err(RetryError::Refused(Box::new(forgotten(delivery))));
        }
        // Says what it is instead, or that the same command was carried out before.
        let refused = state::requeue(&loaded.state, actor, decided_at);
        return match refused {
            _ if loaded.event_ids.contains(&meta.event_id) => Ok(loaded.sequence),
            Err(refusal) => Err(RetryError::Refused(Box::new(refusal))),
            Ok(_) => Err(RetryError::Refused(Box::new(forgotten(delivery)))),
        };
    };
    // The timer first: killed after the record, it is sent all the same. One that comes too early finds it given up.
    if loaded.state.phase == Phase::GaveUp {
        let soon = decided_at.checked_add(BEHIND).unwrap_or(decided_at);
        outbox.set_timer(tenant, &parcel, soon).await.map_err(|error| RetryError::Failed(error.to_string()))?;
    }
    let decide = |delivery: &Delivery| state::requeue(delivery, actor.clone(), decided_at);
    let decided = match outbox.ctx.log.decide::<Delivery, _>(tenant, &id, meta, decide).await {
        Ok(decided) => decided,
        Err(DecideError::Refused(refusal)) => return Err(RetryError::Refused(Box::new(refusal))),
        Err(error) => return Err(RetryError::Failed(error.to_string())),
    };
    if decided.state.phase == Phase::Queued {
        outbox.dispatch(tenant, parcel).await.map_err(|error| RetryError::Failed(error.to_string()))?;
    }
    Ok(decided.sequence)
}

fn forgotten(delivery: Uuid) -> Refusal {
    refusal(
        "DEAD_LETTER_TOO_OLD",
        "the text of what was given up is kept for 30 days",
        delivery.to_string(),
        "given up within 30 days",
        "read what happened on the page, and tell the people yourself",
    )
}
