//! Reactors: code that does something because an event happened (asks, notifies, appends another event).
//!
//! At least once, in order, tenant by tenant. What a reactor says to be independent goes beside each other. The position
//! is written after the reaction, so a crash between the two repeats it: a reaction derives its own event id from
//! (handler, source event id) and finds itself "already there".

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use muster_domain::{TenantId, ids::derived_id};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    EventLog,
    db::Database,
    error::{AppendError, DecideError, LogError},
    follow::{Follower, Position, records},
    owners::run_for_tenants,
    park::Parking,
    position,
    projection::sequence_of,
    record::{Cause, Record, Unreadable},
    retry::pauses,
};

/// Tries before an event is parked: some seconds. What may pass by itself is `Unavailable` and not counted.
const TRIES: u32 = 8;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long the position of a reactor that is not concerned may lag: what is repeated after a crash does nothing.
const IDLE_POSITION_EVERY: Duration = Duration::from_secs(2);
/// Reactions of one tenant at the same time, where the reactor allows it.
const AT_ONCE: usize = 16;
/// Independent entries after which the position is written: so many may be repeated after a crash.
const LONGEST_PART: usize = 128;

/// A reaction to events.
#[async_trait]
pub trait Reactor: Send + Sync + 'static {
    /// "notifier.messages": the key of its position, for ever.
    fn name(&self) -> &'static str;

    /// The aggregate kinds it reacts to; empty for all.
    fn kinds(&self) -> &'static [&'static str] {
        &[]
    }

    /// Records of different keys may be reacted to at the same time, those of one key in order. `None`: it comes after
    /// everything before it, and before everything after it.
    fn beside<'a>(&self, _record: &'a Record) -> Option<&'a str> {
        None
    }

    /// May be called again for the same record: has to be idempotent.
    async fn react(&self, record: &Record) -> Result<(), ReactError>;
}

#[derive(Debug, thiserror::Error)]
pub enum ReactError {
    /// Something the reaction needs is away: waited out, however long it takes.
    #[error("{0}")]
    Unavailable(String),
    /// This event cannot be reacted to: tried a few times, then parked.
    #[error("{0}")]
    Failed(String),
}

impl From<LogError> for ReactError {
    fn from(error: LogError) -> Self {
        if error.is_unavailable() { Self::Unavailable(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

impl From<AppendError> for ReactError {
    fn from(error: AppendError) -> Self {
        if error.is_unavailable() { Self::Unavailable(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

impl<R: std::fmt::Display> From<DecideError<R>> for ReactError {
    fn from(error: DecideError<R>) -> Self {
        match error {
            DecideError::Refused(refusal) => Self::Failed(refusal.to_string()),
            error if error.is_unavailable() => Self::Unavailable(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for ReactError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<prost::DecodeError> for ReactError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Failed(format!("the payload cannot be decoded: {error}"))
    }
}

/// The id of the event by which `handler` reacts to `source`: the same however often it reacts.
pub fn reaction_id(handler: &str, source: Uuid) -> Uuid {
    derived_id(&["reaction", handler, &source.to_string()])
}

/// The key under which a reactor's position and its leases are kept: a projection of the same name does not move it.
pub fn position_of(handler: &str) -> String {
    format!("reactor.{handler}")
}

/// Runs a reactor for all tenants, present and future, until `shutdown`. A tenant seen for the first time is read
/// from the beginning of its log.
pub async fn run_reactor(log: EventLog, db: Database, reactor: Arc<dyn Reactor>, shutdown: CancellationToken) {
    let name = position_of(reactor.name());
    run_for_tenants(log.clone(), name.clone(), shutdown, move |tenant, stop| {
        let position = name.clone();
        let work = TenantReactor { log: log.clone(), db: db.clone(), reactor: reactor.clone(), position, tenant };
        async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work.run() => {}
            }
        }
    })
    .await;
}

type Entry = Result<Record, Unreadable>;

struct TenantReactor {
    log: EventLog,
    db: Database,
    reactor: Arc<dyn Reactor>,
    /// The key of its position in the tenant's log.
    position: String,
    tenant: TenantId,
}

impl TenantReactor {
    async fn run(self) {
        let mut position = self.wait_out(|| position::reached(&self.db, &self.position, &self.tenant)).await;
        let stream = self.log.names().record_stream(&self.tenant);
        let mut follower = Follower::new(self.log.clone(), stream, Vec::new(), Position::After(position));
        let mut noted = Instant::now();
        loop {
            let entries = records(&self.log, follower.next().await).await;
            let mut rest = &entries[..];
            while let Some(last) = rest.get(self.part(rest).saturating_sub(1)) {
                let (part, after) = rest.split_at(self.part(rest));
                let concerned = self.handle_part(part).await;
                let through = sequence_of(last);
                rest = after;
                if concerned || noted.elapsed() >= IDLE_POSITION_EVERY {
                    let reached = self.wait_out(|| self.advance(through)).await;
                    noted = Instant::now();
                    if reached > through {
                        // Another instance is ahead: go on from there.
                        position = reached;
                        break;
                    }
                }
                position = through;
            }
            if Position::After(position) != follower.position() {
                follower.restart(Position::After(position));
            }
        }
    }

    /// How many of the next entries can be handled beside each other.
    fn part(&self, entries: &[Entry]) -> usize {
        let is_alone = |entry: &Entry| self.is_concerned(entry) && self.key(entry).is_none();
        match entries.iter().take(LONGEST_PART).position(is_alone) {
            Some(0) => 1,
            Some(beside) => beside,
            None => entries.len().min(LONGEST_PART),
        }
    }

    fn key<'a>(&self, entry: &'a Entry) -> Option<&'a str> {
        self.reactor.beside(entry.as_ref().ok()?)
    }

    /// Whether anything in it concerned the reactor.
    async fn handle_part(&self, part: &[Entry]) -> bool {
        let mut by_key: BTreeMap<Option<&str>, Vec<&Entry>> = BTreeMap::new();
        for entry in part.iter().filter(|entry| self.is_concerned(entry)) {
            by_key.entry(self.key(entry)).or_default().push(entry);
        }
        let concerned = !by_key.is_empty();
        let of_each_key = futures::stream::iter(by_key.into_values());
        of_each_key.for_each_concurrent(AT_ONCE, |entries| self.handle_in_order(entries)).await;
        concerned
    }

    async fn handle_in_order(&self, entries: Vec<&Entry>) {
        for entry in entries {
            self.handle(entry).await;
        }
    }

    fn is_concerned(&self, entry: &Entry) -> bool {
        let kinds = self.reactor.kinds();
        match entry {
            Ok(record) => kinds.is_empty() || kinds.contains(&record.kind.as_str()),
            // Nobody can react to what nobody can read any more.
            Err(Unreadable { cause: Cause::KeyDestroyed(_), .. }) => false,
            Err(_) => true,
        }
    }

    /// Returns when the reaction has happened, or the event is parked.
    async fn handle(&self, entry: &Entry) {
        let (mut delays, mut tries) = (pauses(LONGEST_PAUSE), 0);
        loop {
            let error = match entry {
                Ok(record) => self.reactor.react(record).await,
                Err(unreadable) => Err(ReactError::Failed(unreadable.why.clone())),
            };
            let Err(error) = error else { return };
            if let ReactError::Failed(reason) = &error {
                tries += 1;
                if tries >= TRIES || entry.is_err() {
                    return self.park(entry, reason, tries).await;
                }
            }
            metrics::counter!("muster_log_handler_failures_total", "handler" => self.reactor.name()).increment(1);
            tracing::warn!(handler = self.reactor.name(), tenant = %self.tenant, sequence = sequence_of(entry), %error, "cannot react yet, trying again");
            tokio::time::sleep(delays.next().unwrap_or(LONGEST_PAUSE)).await;
        }
    }

    async fn park(&self, entry: &Entry, error: &str, tries: u32) {
        self.wait_out(|| {
            self.log.park(Parking {
                handler: self.reactor.name(),
                tenant: &self.tenant,
                entry,
                error: error.to_owned(),
                tries,
            })
        })
        .await;
    }

    /// Moves the position forward, never back: where it is now.
    async fn advance(&self, through: u64) -> Result<u64, sqlx::Error> {
        let mut tx = self.db.tenant_tx(&self.tenant).await?;
        let reached = position::lock(&mut tx, &self.position, &self.tenant).await?;
        if reached < through {
            position::set(&mut tx, &self.position, &self.tenant, through).await?;
        }
        tx.commit().await?;
        Ok(reached.max(through))
    }

    async fn wait_out<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> T {
        let mut delays = pauses(LONGEST_PAUSE);
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => {
                    tracing::warn!(handler = self.reactor.name(), tenant = %self.tenant, %error, "waiting to go on")
                }
            }
            tokio::time::sleep(delays.next().unwrap_or(LONGEST_PAUSE)).await;
        }
    }
}
