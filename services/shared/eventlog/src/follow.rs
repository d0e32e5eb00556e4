//! Reading a stream onwards from a position, in large pulls, without ever missing an entry.
//!
//! The position is the reader's own; the server keeps none. A throw-away pull consumer without acknowledgements
//! delivers from there, and whatever could have lost a delivery (another connection, a number missing in the
//! consumer's count, silence) throws the consumer away and opens a new one at the position. What the server counts and
//! cannot read is stepped over ([`damage`]): nobody waits for it, and its sequence is missing like that of an entry which is
//! not there.

mod damage;
mod pull;

use std::time::Duration;

use backon::ExponentialBackoff;
use futures::FutureExt;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    EventLog,
    error::LogError,
    record::{Record, Unreadable},
    retry::{PATIENCE, Patience, pauses},
    seal::{Opened, open_all},
    wire::{Failure, Stored},
};
pub(crate) use damage::entry_at;
use pull::Pull;

/// The most entries handed on at once: PostgreSQL takes batches of 1,000 best, and a batch is held in memory.
pub(crate) const BATCH: usize = 1000;
/// How long a batch waits for entries that the server says are on their way.
const LINGER: Duration = Duration::from_millis(20);
/// The server says that more is to come and sends nothing for so long: it is asked what is there.
const QUIET: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// With the entry after this one; 0 is the beginning.
    After(u64),
    /// With the first entry stored at or after this time.
    Since(Timestamp),
    /// With what comes from now on.
    Now,
}

pub(crate) struct Follower {
    log: EventLog,
    stream: String,
    filters: Vec<String>,
    position: Position,
    /// Entries the server still has for us, as of the last one.
    behind: u64,
    pull: Option<Pull>,
    pauses: ExponentialBackoff,
}

impl Follower {
    /// `filters`: subjects to read, none for all.
    pub(crate) fn new(log: EventLog, stream: String, filters: Vec<String>, position: Position) -> Self {
        Self { log, stream, filters, position, behind: 0, pull: None, pauses: pauses(LONGEST_PAUSE) }
    }

    pub(crate) fn log(&self) -> &EventLog {
        &self.log
    }

    /// After the last entry handed out.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Entries the server had for us when it sent the last one.
    pub(crate) fn behind(&self) -> u64 {
        self.behind
    }

    /// Whether everything the server had was handed out.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.pull.is_some() && self.behind == 0
    }

    /// Forgets the position and goes on from another.
    pub(crate) fn restart(&mut self, position: Position) {
        self.position = position;
        self.pull = None;
    }

    /// The next entries, at least one. Waits as long as it takes. Who cancels it has to drop or restart the follower:
    /// entries that were received and not handed out are lost with it.
    pub(crate) async fn next(&mut self) -> Vec<Stored> {
        loop {
            match self.collect().await {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => return batch,
                Err(reason) => self.reopen_after(reason).await,
            }
        }
    }

    /// Like [`next`](Self::next), but answers with an empty batch when it (re)opens and finds nothing to read.
    pub(crate) async fn next_or_caught_up(&mut self) -> Vec<Stored> {
        loop {
            if self.pull.is_none() {
                match self.open().await {
                    Ok(()) if self.behind == 0 => return Vec::new(),
                    Ok(()) => {}
                    Err(reason) => {
                        self.reopen_after(reason).await;
                        continue;
                    }
                }
            }
            match self.collect().await {
                Ok(batch) => return batch,
                Err(reason) => self.reopen_after(reason).await,
            }
        }
    }

    /// The entries there are now; `None` when all were handed out.
    pub(crate) async fn next_until_caught_up(&mut self) -> Result<Option<Vec<Stored>>, LogError> {
        let mut patience = Patience::new(PATIENCE);
        loop {
            let result = match self.pull {
                None => self.open().await.map(|()| Vec::new()),
                Some(_) if self.behind == 0 => return Ok(None),
                Some(_) => self.collect().await,
            };
            match result {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => return Ok(Some(batch)),
                Err(last) => {
                    self.pull = None;
                    let failure = Failure::Unknown(last);
                    self.log.clone().wait_out("reading", &self.stream, failure, &mut patience).await?;
                }
            }
        }
    }

    async fn reopen_after(&mut self, reason: String) {
        if self.pull.is_some() {
            tracing::debug!(stream = self.stream, reason, "reading is interrupted, beginning again at the position");
        } else {
            tracing::warn!(stream = self.stream, reason, "a stream cannot be read, trying again");
        }
        metrics::counter!("muster_log_follow_interruptions_total").increment(1);
        self.pull = None;
        tokio::time::sleep(self.pauses.next().unwrap_or(LONGEST_PAUSE)).await;
    }

    async fn open(&mut self) -> Result<(), String> {
        let (pull, opened) = Pull::open(&self.log, &self.stream, &self.filters, self.position).await?;
        if !matches!(self.position, Position::After(_)) {
            // From here on an interruption must not skip what came meanwhile.
            self.position = Position::After(opened.after);
        }
        self.behind = opened.pending;
        self.pull = Some(pull);
        Ok(())
    }

    /// A batch: what is there, plus what the server says is about to come, within limits. Empty: what it said was about to
    /// come cannot be read, and it was asked anew how much there is.
    async fn collect(&mut self) -> Result<Vec<Stored>, String> {
        if self.pull.is_none() {
            self.open().await?;
        }
        let Some(first) = self.first().await? else { return Ok(Vec::new()) };
        let mut batch = vec![first];
        self.pauses = pauses(LONGEST_PAUSE);
        let deadline = Instant::now() + LINGER;
        while batch.len() < BATCH {
            let more = match self.receive().now_or_never() {
                Some(result) => result,
                None if self.behind == 0 => break,
                None => match tokio::time::timeout_at(deadline, self.receive()).await {
                    Ok(result) => result,
                    Err(_) => break,
                },
            };
            match more {
                Ok(entry) => batch.push(entry),
                Err(reason) => {
                    tracing::debug!(stream = self.stream, reason, "reading is interrupted");
                    self.pull = None;
                    break;
                }
            }
        }
        Ok(batch)
    }

    /// The next entry. `None`: it will not come, and the position is behind it.
    async fn first(&mut self) -> Result<Option<Stored>, String> {
        while self.behind > 0 {
            if let Ok(entry) = tokio::time::timeout(QUIET, self.receive()).await {
                return entry.map(Some);
            }
            let Position::After(after) = self.position else { break };
            if let Some(until) = damage::step_over(&self.log, &self.stream, &self.filters, after).await? {
                self.restart(Position::After(until));
                self.open().await?;
                return Ok(None);
            }
        }
        self.receive().await.map(Some)
    }

    async fn receive(&mut self) -> Result<Stored, String> {
        let Some(pull) = self.pull.as_mut() else { return Err("not open".to_owned()) };
        let (entry, behind) = pull.receive().await?;
        self.behind = behind;
        self.position = Position::After(entry.sequence);
        Ok(entry)
    }
}

/// The entries as events; what is not one keeps its place as [`Unreadable`]. Waits for a keyring that is away, as long as it
/// takes: only the reader of this one tenant waits, and an outage must not look like damage.
pub(crate) async fn records(log: &EventLog, batch: Vec<Stored>) -> Vec<Result<Record, Unreadable>> {
    let mut delays = pauses(LONGEST_PAUSE);
    let opened = loop {
        let opened = open_all(log, &batch).await;
        let Some(why) = opened.iter().find_map(Opened::unavailable) else { break opened };
        metrics::counter!("muster_log_key_waits_total").increment(1);
        tracing::warn!(why, "events cannot be decrypted now, trying again");
        tokio::time::sleep(delays.next().unwrap_or(LONGEST_PAUSE)).await;
    };
    batch.into_iter().zip(opened).map(|(stored, opened)| Record::parse(log.names(), stored, opened)).collect()
}
