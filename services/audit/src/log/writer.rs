//! The writer of one log: follows the record, grows the tree, publishes checkpoints. Nothing waits for it but the answers
//! to sealing commands, for a moment.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    TenantId,
    pb::audit::v1::{LogGapDetected, LogHeartbeat, audit_log_event::Event},
};
use muster_eventlog::RawEntry;
use tokio::{sync::watch, time::Instant};

use super::{
    begin::{self, Begun},
    compare::NOT_THERE,
    fault::Fault,
    follow::{Batch, Entries},
    key_changes,
    parts::Parts,
    publish::{Keys, other_tree, publish},
    record,
    status::gauge,
    vouch::Signed,
};

/// A checkpoint is at most one second behind the log; half of it is for writing files and signing.
const PUBLISH_WITHIN: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_secs(1);
/// When the log is idle, so that a cut-off tail shows.
const HEARTBEAT_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How often the stream itself is asked about: whether it is still the same one, and ends where we read to.
const STREAM_CHECK_EVERY: Duration = Duration::from_secs(15);

/// Events after which the log's life is another: read it anew.
const LIFE: [&str; 4] = ["audit.epoch.opened", "audit.key.rotated", "audit.key.revoked", "audit.split.detected"];

pub(crate) struct Writer {
    parts: Parts,
    tenant: TenantId,
    begun: Begun,
    keys: Keys,
    signed: watch::Sender<Option<Signed>>,
    /// Since when there are leaves without a checkpoint.
    unpublished: Option<Instant>,
    /// When the newest entry was stored.
    newest: Option<Timestamp>,
    caught_up: bool,
    checked: Instant,
    /// The stream said that it ends after what it delivered.
    missing_at_the_end: Option<u64>,
}

impl Writer {
    pub(crate) fn new(
        parts: &Parts,
        tenant: &TenantId,
        begun: Begun,
        signed: watch::Sender<Option<Signed>>,
    ) -> Result<Self, Fault> {
        let now = parts.context.clock.now();
        let keys = Keys::open(parts, tenant, &begun.log, begun.signer.state(), now)?;
        Ok(Self {
            parts: parts.clone(),
            tenant: tenant.clone(),
            begun,
            keys,
            signed,
            unpublished: None,
            newest: None,
            caught_up: false,
            checked: Instant::now(),
            missing_at_the_end: None,
        })
    }

    /// Until the log cannot go on.
    pub(crate) async fn run(mut self) -> Fault {
        match self.work().await {
            Ok(never) => match never {},
            Err(fault) => fault,
        }
    }

    async fn work(&mut self) -> Result<std::convert::Infallible, Fault> {
        if self.begun.growth.size() == 0 {
            let genesis = self.begun.leaves.genesis()?;
            self.begun.growth.push(&genesis).map_err(Fault::Genesis)?;
        }
        key_changes::keep_last(&self.begun.files, self.keys.ended()).await?;
        // Also what was signed already: a crash may have come before its note was written.
        self.publish().await?;
        let after = self.begun.leaves.next_sequence(self.begun.growth.size()) - 1;
        let mut entries = Entries::after(&self.parts.context.log, &self.tenant, after);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let due = self.unpublished.map(|since| since + PUBLISH_WITHIN);
            tokio::select! {
                batch = entries.next() => {
                    let batch = batch.ok_or_else(|| Fault::Log("reading the record has ended".to_owned()))?;
                    self.take(batch).await?;
                }
                () = at(due) => self.publish().await?,
                _ = tick.tick() => self.tick().await?,
            }
        }
    }

    async fn take(&mut self, batch: Batch) -> Result<(), Fault> {
        let (mut sealing, mut life) = (false, false);
        self.caught_up = batch.caught_up;
        for entry in &batch.entries {
            self.add(entry).await?;
            sealing |= muster_domain::audit::log::is_sealing(entry.event_type());
            life |= LIFE.contains(&entry.event_type());
        }
        self.begun.growth.write_full(&self.begun.files).await.map_err(|fault| other_tree(&self.begun, fault))?;
        if life {
            self.read_life().await?;
        }
        let late = self.unpublished.is_some_and(|since| since.elapsed() >= PUBLISH_WITHIN);
        // While an old record is read for the first time, every batch has a sealing event.
        if late || (sealing && self.caught_up) {
            self.publish().await?;
        }
        Ok(())
    }

    async fn add(&mut self, entry: &RawEntry) -> Result<(), Fault> {
        let next = self.begun.leaves.next_sequence(self.begun.growth.size());
        if entry.sequence < next {
            return Ok(());
        }
        if entry.sequence > next {
            self.fill_gap(next, entry.sequence - 1).await?;
        }
        let leaf = self.begun.leaves.event(entry);
        let pushed = leaf.and_then(|leaf| self.begun.growth.push(&leaf));
        pushed.map_err(|error| Fault::NoLeaf { sequence: entry.sequence, error })?;
        self.newest = Some(entry.stored_at);
        self.unpublished.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Sequences that were not delivered. The stream's leader has the last word on whether they are there.
    async fn fill_gap(&mut self, first: u64, last: u64) -> Result<(), Fault> {
        let log = &self.parts.context.log;
        let state = log.record_stream_state(&self.tenant).await?;
        let begins = state.map_or(0, |state| state.first_sequence);
        for sequence in first..=last {
            if sequence >= begins && log.raw_exists(&self.tenant, sequence).await? {
                return Err(Fault::Log(format!("sequence {sequence} was not delivered and is there; reading again")));
            }
        }
        for sequence in first..=last {
            let leaf = self.begun.leaves.gap(sequence, reason(sequence, begins));
            let pushed = leaf.and_then(|leaf| self.begun.growth.push(&leaf));
            pushed.map_err(|error| Fault::NoLeaf { sequence, error })?;
            if self.begun.growth.size().is_multiple_of(muster_tlog::tile::TILE_WIDTH) {
                let written = self.begun.growth.write_full(&self.begun.files).await;
                written.map_err(|fault| other_tree(&self.begun, fault))?;
            }
        }
        self.unpublished.get_or_insert_with(Instant::now);
        tracing::error!(tenant = %self.tenant, first, last, "AUDIT ALARM: the record has a gap");
        metrics::counter!("muster_audit_gap_entries_total", "tenant" => self.tenant.as_str().to_owned())
            .increment(last - first + 1);
        let reason = reason(first, begins).to_owned();
        let gap = LogGapDetected { first_sequence: first, last_sequence: last, reason };
        record::gap(&self.parts.context, &self.tenant, &self.begun.opened.origin, &gap).await
    }

    /// Keys may have changed, or there is another epoch, or nothing may be signed any more.
    async fn read_life(&mut self) -> Result<(), Fault> {
        let log = record::load(&self.parts.context, &self.tenant).await?;
        if log.epoch() != Some(&self.begun.opened) || log.stopped.is_some() {
            return Err(Fault::NewEpoch);
        }
        self.begun.log = log;
        self.open_keys().await
    }

    async fn open_keys(&mut self) -> Result<(), Fault> {
        let now = self.parts.context.clock.now();
        self.keys = Keys::open(&self.parts, &self.tenant, &self.begun.log, self.begun.signer.state(), now)?;
        key_changes::keep_last(&self.begun.files, self.keys.ended()).await
    }

    async fn publish(&mut self) -> Result<(), Fault> {
        let signed = publish(&mut self.begun, &self.keys).await?;
        let size = signed.checkpoint.size;
        self.signed.send_replace(Some(signed));
        if let Some(since) = self.unpublished.take() {
            metrics::histogram!("muster_audit_checkpoint_seconds").record(since.elapsed().as_secs_f64());
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge: exact up to 2^53 leaves")]
        gauge("muster_audit_log_size", &self.tenant, size as f64);
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), Fault> {
        let now = self.parts.context.clock.now();
        if self.keys.changed_by(now) {
            self.open_keys().await?;
            self.publish().await?;
        }
        if self.checked.elapsed() >= STREAM_CHECK_EVERY {
            self.checked = Instant::now();
            self.check_stream().await?;
        }
        let idle = self.newest.is_some_and(|newest| now.duration_since(newest) >= HEARTBEAT_EVERY);
        if idle && self.unpublished.is_none() {
            self.newest = Some(now);
            self.beat().await?;
        }
        Ok(())
    }

    async fn beat(&self) -> Result<(), Fault> {
        let Some(checkpoint) = self.begun.signer.state().map(super::signer::SignerState::checkpoint) else {
            return Ok(());
        };
        let size = checkpoint.size.to_string();
        let key = ["heartbeat", self.begun.opened.origin.as_str(), &size];
        let event = Event::Heartbeat(LogHeartbeat { checkpoint: Some(checkpoint.clone()) });
        record::note(&self.parts.context, &self.tenant, &key, event).await
    }

    /// Whether it is the same stream, and ends where we read to.
    async fn check_stream(&mut self) -> Result<(), Fault> {
        let state = self.parts.context.log.record_stream_state(&self.tenant).await?;
        let Some(state) = state else { return Ok(()) };
        let next = self.begun.leaves.next_sequence(self.begun.growth.size());
        if state.created != self.begun.stream_created || state.last_sequence + 1 < next {
            return Err(Fault::Log("the stream is not the one that was followed; looking at it anew".to_owned()));
        }
        if state.last_sequence < next {
            self.missing_at_the_end = None;
            return Ok(());
        }
        // The end was deleted: nothing is delivered any more from there. Seen twice, as deliveries take a moment.
        match self.missing_at_the_end.replace(next) {
            Some(before) if before == next => self.fill_gap(next, state.last_sequence).await,
            _ => Ok(()),
        }
    }
}

/// What is known about a sequence that the stream does not have.
fn reason(sequence: u64, begins: u64) -> &'static str {
    if sequence < begins { "removed from the beginning of the stream" } else { NOT_THERE }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// Everything before the first signature.
pub(crate) async fn open(parts: &Parts, tenant: &TenantId) -> Result<(Writer, watch::Receiver<Option<Signed>>), Fault> {
    let begun = begin::begin(parts, tenant).await?;
    let (sender, signed) = watch::channel(None);
    Ok((Writer::new(parts, tenant, begun, sender)?, signed))
}

impl Writer {
    pub(crate) fn begun(&self) -> &Begun {
        &self.begun
    }
}
