//! What is due and still stored is fired from here: the server can forget a schedule that it holds.
//!
//! Which schedules are being fired is kept in the server's memory only, until the message that is due is stored. One that
//! is dropped on the way, as the server does when more comes in than it takes, leaves its schedule "under way" until the
//! server is started anew. A watch of ours follows what is set and looks after each one's time whether it is gone. It
//! asks the server for nothing but what it stores.

use std::{collections::BTreeMap, sync::Arc};

use async_nats::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, MissedTickBehavior, interval};

use super::DUE;
use crate::{
    EventLog,
    record::text,
    wire::{self, EXPECTED_ON_SUBJECT, Failure, Stored},
};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longer than a healthy server takes, also with thousands due at once.
const GRACE: SignedDuration = SignedDuration::from_secs(5);
/// Timers asked for in one request; an answer holds 1,024 at most.
const AT_ONCE: usize = 500;

/// The timers of one handler that are set, by when they should be gone. About 150 bytes each.
pub(super) struct Watch<'l> {
    log: &'l EventLog,
    handler: &'l Arc<str>,
    stream: String,
    filter: String,
    /// The sequence up to which the stream was read.
    read_through: u64,
    set: BTreeMap<(Timestamp, u64), String>,
}

impl<'l> Watch<'l> {
    pub(super) fn new(log: &'l EventLog, handler: &'l Arc<str>, token: &str) -> Self {
        let (stream, filter) = (log.names().timer_stream(), log.names().all_timers(token));
        Self { log, handler, stream, filter, read_through: 0, set: BTreeMap::new() }
    }

    /// Without end. What cannot be asked now is asked the next time.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(failure) = self.look().await {
                tracing::debug!(handler = %self.handler, ?failure, "overdue timers cannot be looked for now");
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        self.read_on().await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "the server fires by the real clock, so overdue is by the real clock"
        )]
        let now = Timestamp::now();
        loop {
            let overdue: Vec<_> =
                self.set.range(..(now, 0)).take(AT_ONCE).map(|(key, subject)| (*key, subject)).collect();
            let Some((last, _)) = overdue.last() else { return Ok(()) };
            let (through, subjects) =
                (*last, overdue.iter().map(|(_, subject)| (*subject).clone()).collect::<Vec<_>>());
            let sequences: Vec<u64> = overdue.iter().map(|((_, sequence), _)| *sequence).collect();
            for stored in wire::multi_last(self.log, &self.stream, &subjects).await? {
                // One that was set anew meanwhile is another one, and read as such.
                if sequences.contains(&stored.sequence) {
                    self.fire(stored).await?;
                }
            }
            self.set = self.set.split_off(&(through.0, through.1 + 1));
        }
    }

    async fn read_on(&mut self) -> Result<(), Failure> {
        loop {
            let page = wire::onwards(self.log, &self.stream, &self.filter, self.read_through + 1, AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            self.read_through = last.sequence;
            for stored in page {
                let due = text(&stored.headers, DUE).and_then(|due| due.parse::<Timestamp>().ok());
                // One that was set to a time in the past has its grace too. What has no time was cancelled.
                if let Some(gone_at) = due.and_then(|due| due.max(stored.stored_at).checked_add(GRACE).ok()) {
                    self.set.insert((gone_at, stored.sequence), stored.subject);
                }
            }
        }
    }

    /// As the server does it: the message that is due and the schedule's end are one write. The server refuses it if the
    /// schedule is no longer the one that was read: fired, set anew or cancelled meanwhile.
    async fn fire(&self, stored: Stored) -> Result<(), Failure> {
        let Some(target) = self.log.names().due_of(&stored.subject) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        for name in [DUE, "traceparent"] {
            if let Some(value) = text(&stored.headers, name) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::NATS_SCHEDULER, stored.subject.as_str());
        headers.insert(header::NATS_SCHEDULE_NEXT, "purge");
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, stored.sequence.to_string());
        headers.insert(EXPECTED_ON_SUBJECT, stored.subject.as_str());
        match wire::publish(self.log, target, headers, stored.payload).await {
            Ok(_) => {
                metrics::counter!("muster_timer_forgotten_total", "handler" => self.handler.clone()).increment(1);
                tracing::warn!(
                    handler = %self.handler,
                    timer = stored.subject,
                    "the server had not fired a timer that was due: fired now"
                );
                Ok(())
            }
            Err(Failure::Refused { description, .. }) => {
                tracing::debug!(timer = stored.subject, description, "an overdue timer has gone meanwhile");
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }
}
