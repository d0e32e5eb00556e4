//! Projections: tables in PostgreSQL that follow the log.
//!
//! A batch of events and the new position are written in one transaction, and the transaction begins by locking the
//! position and comparing it with where the batch begins. So each event counts exactly once in the tables: after a
//! crash at any instant, with two instances at work on the same tenant, and when a commit's outcome is unknown.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use muster_domain::{Aggregate as _, TenantId, audit::PayloadKey};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::{
    EventLog,
    db::Database,
    follow::{Follower, Position, records},
    owners::run_for_tenants,
    park::Parking,
    position,
    rebuild::empty_tables,
    record::{Cause, Record, Unreadable},
    retry::pauses,
};

/// Tries of a batch before it is cut into pieces, and of a single event before it is parked.
const TRIES: u32 = 3;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A read model.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// "monitor.readiness": the key of its position, for ever.
    fn name(&self) -> &'static str;

    /// The aggregate kinds it takes in; empty for all.
    fn kinds(&self) -> &'static [&'static str] {
        &[]
    }

    /// The tables (`schema.table`) that a rebuild empties.
    fn tables(&self) -> &'static [&'static str];

    /// Takes in events of one tenant, in order. Only through `tx`: it is committed together with the position.
    async fn apply(&self, tx: &mut PgConnection, batch: &[Record]) -> Result<(), ProjectionError>;

    /// The same for events whose content is destroyed with the tenant's payload key: what their headers say is left, their
    /// payload is empty. Most read models have no use for them.
    async fn apply_destroyed(&self, _tx: &mut PgConnection, _batch: &[Record]) -> Result<(), ProjectionError> {
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("the payload cannot be decoded: {0}")]
    Decode(#[from] prost::DecodeError),
    #[error("{0}")]
    Invalid(String),
}

impl ProjectionError {
    /// Whether the event is to blame. A database that is away, full, or not migrated yet is not the event's fault:
    /// that is waited out, for parking would then drain the whole log.
    fn blames_the_event(&self) -> bool {
        match self {
            Self::Decode(_) | Self::Invalid(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                // Data exceptions, violated constraints, exceptions raised by functions.
                error.code().is_some_and(|code| ["22", "23", "P0"].iter().any(|class| code.starts_with(class)))
            }
            Self::Database(error) => {
                matches!(error, sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
            }
        }
    }
}

/// Keeps a projection up to date for all tenants, present and future, until `shutdown`. Any number of instances may
/// run it; they share the tenants.
pub async fn run_projection(log: EventLog, db: Database, projection: Arc<dyn Projection>, shutdown: CancellationToken) {
    let name = format!("projection.{}", projection.name());
    run_for_tenants(log.clone(), name, shutdown, move |tenant, stop| {
        let (log, db, projection) = (log.clone(), db.clone(), projection.clone());
        async move { project_tenant(log, db, projection, tenant, stop).await }
    })
    .await;
}

/// Keeps a projection up to date for one tenant, without asking whether others do too: that is harmless.
pub async fn project_tenant(
    log: EventLog,
    db: Database,
    projection: Arc<dyn Projection>,
    tenant: TenantId,
    stop: CancellationToken,
) {
    let work = async {
        let mut projector = Projector::new(log, db, projection, tenant).await;
        loop {
            projector.step().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

/// One projection at one tenant.
pub(crate) struct Projector {
    db: Database,
    projection: Arc<dyn Projection>,
    tenant: TenantId,
    follower: Follower,
    /// Where the tables are, as far as we know.
    pub(crate) position: u64,
}

/// How a transaction ended.
enum Applied {
    Done,
    /// Somebody else has moved the position: here.
    Moved(u64),
}

impl Projector {
    pub(crate) async fn new(log: EventLog, db: Database, projection: Arc<dyn Projection>, tenant: TenantId) -> Self {
        let mut delays = pauses(LONGEST_PAUSE);
        let position = loop {
            match position::reached(&db, projection.name(), &tenant).await {
                Ok(position) => break position,
                Err(error) => wait_out(projection.name(), &tenant, &error, delays.next()).await,
            }
        };
        let stream = log.names().record_stream(&tenant);
        // All kinds: the position then says how much of the tenant's log the tables reflect.
        let follower = Follower::new(log, stream, Vec::new(), Position::After(position));
        Self { db, projection, tenant, follower, position }
    }

    /// Takes in the next batch.
    pub(crate) async fn step(&mut self) {
        let batch = self.follower.next().await;
        let mut entries = records(self.follower.log(), batch).await;
        while let Err(moved_to) = self.take_in_all(&entries).await {
            let forward = moved_to > self.position;
            self.position = moved_to;
            entries.retain(|entry| sequence_of(entry) > moved_to);
            if !forward || entries.is_empty() {
                // A rebuild has begun, or another instance is ahead of us.
                self.follower.restart(Position::After(moved_to));
                return;
            }
        }
        let labels = [("projection", self.projection.name().to_owned()), ("tenant", self.tenant.to_string())];
        metrics::gauge!("muster_projection_behind_events", &labels).set(self.follower.behind() as f64);
    }

    /// `Err`: somebody else has moved the position, to here.
    async fn take_in_all(&mut self, entries: &[Result<Record, Unreadable>]) -> Result<(), u64> {
        let mut pieces = vec![entries];
        while let Some(piece) = pieces.pop() {
            match self.take_in(piece).await {
                Taken::All => {}
                Taken::Moved(position) => return Err(position),
                Taken::Cut => {
                    let (left, right) = piece.split_at(piece.len() / 2);
                    pieces.extend([right, left]);
                }
            }
        }
        Ok(())
    }

    /// Applies a piece, as often as it takes; a single event that cannot be applied is parked.
    async fn take_in(&mut self, piece: &[Result<Record, Unreadable>]) -> Taken {
        let Some(through) = piece.last().map(sequence_of) else { return Taken::All };
        let (mut delays, mut tries) = (pauses(LONGEST_PAUSE), 0);
        loop {
            let error = match self.apply(piece, through).await {
                Ok(Applied::Done) => {
                    self.position = through;
                    return Taken::All;
                }
                Ok(Applied::Moved(position)) => return Taken::Moved(position),
                Err(error) => error,
            };
            if error.blames_the_event() {
                tries += 1;
                if tries >= TRIES && piece.len() > 1 {
                    return Taken::Cut;
                }
                if tries >= TRIES {
                    return self.park(&piece[0], error.to_string(), tries).await;
                }
            }
            wait_out(self.projection.name(), &self.tenant, &error, delays.next()).await;
        }
    }

    async fn apply(&self, piece: &[Result<Record, Unreadable>], through: u64) -> Result<Applied, ProjectionError> {
        let kinds = self.projection.kinds();
        let is_wanted = |record: &Record| kinds.is_empty() || kinds.contains(&record.kind.as_str());
        let mut wanted = Wanted::default();
        for entry in piece {
            match entry {
                Ok(record) => {
                    wanted.note_destruction(record);
                    if is_wanted(record) {
                        wanted.push(record, false);
                    }
                }
                Err(Unreadable { cause: Cause::KeyDestroyed(record), .. }) if is_wanted(record) => {
                    wanted.push(record, true);
                }
                Err(Unreadable { cause: Cause::KeyDestroyed(_), .. }) => {}
                Err(unreadable) => return Err(ProjectionError::Invalid(unreadable.why.clone())),
            }
        }
        self.commit(&wanted, through).await
    }

    async fn commit(&self, wanted: &Wanted, through: u64) -> Result<Applied, ProjectionError> {
        let mut tx = self.db.tenant_tx(&self.tenant).await?;
        let position = position::lock(&mut tx, self.projection.name(), &self.tenant).await?;
        if position != self.position {
            return Ok(Applied::Moved(position));
        }
        if let Some(sequence) = wanted.key_destroyed_at
            && position::forget(&mut tx, self.projection.name(), &self.tenant, sequence).await?
        {
            // What was read before is content, too: the tables are filled again with what can still be read.
            empty_tables(&mut tx, self.projection.as_ref()).await?;
            tx.commit().await?;
            tracing::info!(projection = self.projection.name(), tenant = %self.tenant, "content forgotten: the payload key is destroyed");
            return Ok(Applied::Moved(0));
        }
        for (records, destroyed) in &wanted.runs {
            if *destroyed {
                self.projection.apply_destroyed(&mut tx, records).await?;
            } else {
                self.projection.apply(&mut tx, records).await?;
            }
        }
        position::set(&mut tx, self.projection.name(), &self.tenant, through).await?;
        tx.commit().await?;
        let handler = self.projection.name();
        metrics::counter!("muster_projection_events_total", "projection" => handler).increment(wanted.count());
        Ok(Applied::Done)
    }

    /// Says so in the log, then moves on. A crash between the two says it again, under the same id.
    async fn park(&mut self, entry: &Result<Record, Unreadable>, error: String, tries: u32) -> Taken {
        let through = sequence_of(entry);
        let mut delays = pauses(LONGEST_PAUSE);
        loop {
            let parking =
                Parking { handler: self.projection.name(), tenant: &self.tenant, entry, error: error.clone(), tries };
            match self.follower.log().park(parking).await {
                Ok(()) => break,
                Err(error) => wait_out(self.projection.name(), &self.tenant, &error, delays.next()).await,
            }
        }
        loop {
            match self.commit(&Wanted::default(), through).await {
                Ok(Applied::Done) => {
                    self.position = through;
                    return Taken::All;
                }
                Ok(Applied::Moved(position)) => return Taken::Moved(position),
                Err(error) => wait_out(self.projection.name(), &self.tenant, &error, delays.next()).await,
            }
        }
    }
}

enum Taken {
    All,
    Moved(u64),
    Cut,
}

/// What of a piece concerns a projection, in order: runs of readable events, and of events whose content is destroyed.
#[derive(Default)]
struct Wanted {
    runs: Vec<(Vec<Record>, bool)>,
    /// Where the piece says that the tenant's payload key is destroyed.
    key_destroyed_at: Option<u64>,
}

impl Wanted {
    fn push(&mut self, record: &Record, destroyed: bool) {
        match self.runs.last_mut() {
            Some((run, kind)) if *kind == destroyed => run.push(record.clone()),
            _ => self.runs.push((vec![record.clone()], destroyed)),
        }
    }

    fn note_destruction(&mut self, record: &Record) {
        if record.kind == PayloadKey::KIND && record.event_type == PayloadKey::DESTROYED {
            self.key_destroyed_at = Some(record.sequence);
        }
    }

    fn count(&self) -> u64 {
        self.runs.iter().map(|(run, _)| run.len() as u64).sum()
    }
}

pub(crate) fn sequence_of(entry: &Result<Record, Unreadable>) -> u64 {
    match entry {
        Ok(record) => record.sequence,
        Err(unreadable) => unreadable.sequence,
    }
}

async fn wait_out(
    handler: &str,
    tenant: &TenantId,
    error: &(dyn std::error::Error + Send + Sync),
    delay: Option<Duration>,
) {
    metrics::counter!("muster_log_handler_failures_total", "handler" => handler.to_owned()).increment(1);
    tracing::warn!(handler, %tenant, error = crate::log::chain(error), "cannot take in events, trying again");
    tokio::time::sleep(delay.unwrap_or(LONGEST_PAUSE)).await;
}
