//! A publisher does not take the stream's word for it: what was acknowledged is looked up again for a minute, in the stream
//! and in the published log of the audit. Between an acknowledgement and the next checkpoint nobody else could tell that an
//! event was changed or dropped.

mod acks;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_domain::{
    AggregateId, TenantId,
    audit::AuditLog,
    ids::derived_id,
    pb::audit::v1::{AuditLogEvent, PublicationMissing, audit_log_event::Event},
};
use muster_tlog::{hash::Hash, leaf::Leaf};
use tokio_util::sync::CancellationToken;

pub(crate) use acks::{Ack, Acks};
use acks::{Fingerprint, KEPT_FOR};

use crate::{EventLog, record::CE_ID, seal::own_meta, wire};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Findings that become events, for each tenant and look. When a whole stream is gone, more of them say nothing new; each
/// has its line in the log and counts in the metric.
const MAX_RECORDED: usize = 20;

/// The audit's published log, wherever it is kept.
#[async_trait]
pub trait PublishedLog: Send + Sync + 'static {
    /// An error: it cannot be read now.
    async fn leaf(&self, tenant: &TenantId, sequence: u64) -> Result<Logged, String>;
}

/// What the published log has for a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    Leaf(Leaf),
    /// It has not come so far.
    NotYet,
}

/// Looks up what this process was told is stored, until `shutdown`.
pub async fn run_self_audit(log: EventLog, published: Option<Arc<dyn PublishedLog>>, shutdown: CancellationToken) {
    log.acks().begin();
    let audit = SelfAudit { log, published };
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => audit.look().await,
        }
    }
}

struct SelfAudit {
    log: EventLog,
    published: Option<Arc<dyn PublishedLog>>,
}

/// What looking one up gave.
enum Seen {
    AsPublished,
    /// Something else stands there; nothing at all: `None`.
    Otherwise(Option<Fingerprint>),
    NotYet,
    /// Nobody answers. An outage is no finding.
    Unknown(String),
}

impl SelfAudit {
    async fn look(&self) {
        let mut recorded: BTreeMap<TenantId, usize> = BTreeMap::new();
        let mut unconfirmed: BTreeMap<(TenantId, &'static str), u64> = BTreeMap::new();
        for mut ack in self.log.acks().take_due() {
            let finding = self.look_at(&mut ack).await;
            match finding {
                Some(found) => {
                    let count = recorded.entry(ack.tenant.clone()).or_default();
                    *count += 1;
                    self.raise(&ack, found, *count <= MAX_RECORDED).await;
                }
                None if ack.age() < KEPT_FOR => self.log.acks().put_back(ack),
                None => {
                    if let Some(missing) = unconfirmed_in(&ack) {
                        *unconfirmed.entry((ack.tenant, missing)).or_default() += 1;
                    }
                }
            }
        }
        for ((tenant, missing), events) in unconfirmed {
            tracing::error!(%tenant, events, missing, "acknowledged events could not be confirmed within {} s", KEPT_FOR.as_secs());
        }
    }

    /// `Some`: what stands there instead, and where.
    async fn look_at(&self, ack: &mut Ack) -> Option<(&'static str, Option<Fingerprint>)> {
        let is_last_look = ack.age() >= KEPT_FOR;
        if !ack.in_stream || is_last_look {
            match self.in_stream(ack).await {
                Seen::AsPublished => ack.in_stream = true,
                Seen::Otherwise(found) => return Some(("stream", found)),
                Seen::NotYet => {}
                Seen::Unknown(why) => {
                    tracing::debug!(why, "an acknowledged event cannot be looked up in the stream now")
                }
            }
        }
        if !ack.in_log {
            match self.in_log(ack).await {
                Seen::AsPublished => ack.in_log = true,
                Seen::Otherwise(found) => return Some(("published log", found)),
                Seen::NotYet => {}
                Seen::Unknown(why) => tracing::debug!(why, "the published log cannot be read now"),
            }
        }
        None
    }

    async fn in_stream(&self, ack: &Ack) -> Seen {
        let stream = self.log.names().record_stream(&ack.tenant);
        match wire::leader_at(&self.log, &stream, ack.sequence).await {
            Ok(Some(stored)) => {
                let subject = self.log.names().own(&stored.subject).unwrap_or(&stored.subject);
                let is_same_id = crate::record::text(&stored.headers, CE_ID) == Some(ack.event_id.to_string().as_str());
                let found = Fingerprint::of(subject, &stored.headers, &stored.payload);
                if is_same_id && found == ack.fingerprint { Seen::AsPublished } else { Seen::Otherwise(Some(found)) }
            }
            Ok(None) => Seen::Otherwise(None),
            Err(failure) => Seen::Unknown(format!("{failure:?}")),
        }
    }

    async fn in_log(&self, ack: &Ack) -> Seen {
        let Some(published) = &self.published else { return Seen::AsPublished };
        match published.leaf(&ack.tenant, ack.sequence).await {
            Ok(Logged::Leaf(Leaf::Event(leaf))) => {
                let found = Fingerprint::of_leaf(&leaf);
                if found == ack.fingerprint { Seen::AsPublished } else { Seen::Otherwise(Some(found)) }
            }
            Ok(Logged::Leaf(_)) => Seen::Otherwise(None),
            Ok(Logged::NotYet) => Seen::NotYet,
            Err(why) => Seen::Unknown(why),
        }
    }

    async fn raise(&self, ack: &Ack, (place, found): (&'static str, Option<Fingerprint>), record: bool) {
        metrics::counter!("muster_audit_publication_missing_total", "place" => place).increment(1);
        let instead = found.as_ref().map(Fingerprint::digest);
        tracing::error!(
            tenant = %ack.tenant, sequence = ack.sequence, event_id = %ack.event_id, event_type = ack.event_type, place,
            published = %ack.fingerprint.digest(), found = instead.map_or_else(|| "nothing".to_owned(), |digest: Hash| digest.to_string()),
            "an event that was acknowledged is not there as it was published; see docs/payload-encryption.md"
        );
        if record && let Err(error) = self.record(ack, instead).await {
            tracing::error!(tenant = %ack.tenant, sequence = ack.sequence, %error, "the finding could not be recorded; the line above is its only trace");
        }
    }

    async fn record(&self, ack: &Ack, instead: Option<Hash>) -> Result<(), String> {
        let sequence = ack.sequence.to_string();
        let event_id = derived_id(&["publication-missing", ack.tenant.as_str(), &sequence, &ack.event_id.to_string()]);
        let missing = PublicationMissing {
            sequence: ack.sequence,
            event_id: ack.event_id.to_string(),
            event_type: ack.event_type.to_owned(),
            published_sha256: ack.fingerprint.digest().to_hex(),
            logged_sha256: instead.map(|digest| digest.to_hex()).unwrap_or_default(),
            producer: self.log.producer().map(|producer| producer.name().to_owned()).unwrap_or_default(),
        };
        let event = AuditLogEvent { event: Some(Event::PublicationMissing(missing)) };
        let id: AggregateId = AuditLog::ID.parse().map_err(|error| format!("{error}"))?;
        let meta = own_meta("service:self-audit", event_id);
        let decide = |_: &AuditLog| Ok::<_, std::convert::Infallible>(Some(event.clone()));
        self.log.decide(&ack.tenant, &id, &meta, decide).await.map(drop).map_err(|error| error.to_string())
    }
}

/// The minute is over. What could not be looked up is said: unknown is not "in order".
fn unconfirmed_in(ack: &Ack) -> Option<&'static str> {
    let missing = match (ack.in_stream, ack.in_log) {
        (true, true) => None,
        (true, false) => Some("the published log has not come to them"),
        (false, _) => Some("the stream did not answer"),
    };
    let name = if missing.is_none() { "confirmed" } else { "unconfirmed" };
    metrics::counter!("muster_selfaudit_events_total", "outcome" => name).increment(1);
    missing
}
