//! Reading a stream onwards from a position, in large pulls, without ever missing an entry.
//!
//! The position is the reader's own; the server keeps none. A throw-away pull consumer without acknowledgements
//! delivers from there, and whatever could have lost a delivery (another connection, a number missing in the
//! consumer's count, silence) throws the consumer away and opens a new one at the position.

use std::time::Duration;

use async_nats::{
    HeaderValue, Subscriber,
    jetstream::{
        self,
        consumer::{
            AckPolicy, DeliverPolicy, PullConsumer,
            pull::{BatchConfig, Config},
        },
    },
};
use backon::ExponentialBackoff;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    EventLog,
    error::LogError,
    log::chain,
    names::Names,
    record::{Record, Unreadable},
    retry::{PATIENCE, Patience, pauses},
    wire::Stored,
};

/// The most entries handed on at once: PostgreSQL takes batches of 1,000 best, and a batch is held in memory.
pub(crate) const BATCH: usize = 1000;
/// Entries can have half a megabyte each: what is fetched at once is bounded in bytes too.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// How long a batch waits for entries that the server says are on their way.
const LINGER: Duration = Duration::from_millis(20);
/// One pull request lives this long; the server beats while it has nothing, so silence means it is gone.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(12);
/// The server removes a consumer that nobody pulls from.
const CONSUMER_FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
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

/// One consumer and the pull request under way.
struct Pull {
    consumer: PullConsumer,
    context: jetstream::Context,
    answers: Subscriber,
    inbox: String,
    /// Entries of the current request that have not come yet.
    requested: usize,
    /// The consumer's own count of deliveries.
    delivered: u64,
    connection: watch::Receiver<u64>,
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

    /// The next entries, at least one. Waits as long as it takes; cancelling it loses nothing but the wait only if
    /// the follower is dropped or restarted with it.
    pub(crate) async fn next(&mut self) -> Vec<Stored> {
        loop {
            match self.collect().await {
                Ok(batch) => return batch,
                Err(reason) => self.reopen_after(reason).await,
            }
        }
    }

    /// Like [`next`](Self::next), but answers with an empty batch each time it (re)opens and finds nothing to read.
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
                    let failure = crate::wire::Failure::Unknown(last);
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
        let connection = self.log.connection();
        let config = Config {
            deliver_policy: deliver_policy(self.position)?,
            ack_policy: AckPolicy::None,
            filter_subjects: self.filters.clone(),
            inactive_threshold: CONSUMER_FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..Config::default()
        };
        let consumer: PullConsumer = self
            .log
            .jetstream()
            .create_consumer_on_stream(config, self.stream.as_str())
            .await
            .map_err(|error| chain(&error))?;
        if self.position == Position::Now {
            // From here on an interruption must not skip what came meanwhile.
            self.position = Position::After(consumer.cached_info().delivered.stream_sequence);
        }
        self.behind = consumer.cached_info().num_pending;
        let inbox = self.log.client().new_inbox();
        let answers = self.log.client().subscribe(inbox.clone()).await.map_err(|error| chain(&error))?;
        self.pull = Some(Pull {
            consumer,
            context: self.log.jetstream().clone(),
            answers,
            inbox,
            requested: 0,
            delivered: 0,
            connection,
        });
        Ok(())
    }

    /// A batch: what is there, plus what the server says is about to come, within limits.
    async fn collect(&mut self) -> Result<Vec<Stored>, String> {
        if self.pull.is_none() {
            self.open().await?;
        }
        let mut batch = vec![self.receive().await?];
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

    async fn receive(&mut self) -> Result<Stored, String> {
        let Some(pull) = self.pull.as_mut() else { return Err("not open".to_owned()) };
        let (entry, behind) = pull.receive().await?;
        self.behind = behind;
        self.position = Position::After(entry.sequence);
        Ok(entry)
    }
}

fn deliver_policy(position: Position) -> Result<DeliverPolicy, String> {
    Ok(match position {
        Position::After(sequence) => DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 },
        Position::Now => DeliverPolicy::New,
        Position::Since(at) => DeliverPolicy::ByStartTime {
            start_time: async_nats::datetime::from_nanos(at.as_nanosecond()).map_err(|error| error.to_string())?,
        },
    })
}

impl Drop for Pull {
    /// The server would forget the consumer by itself; not leaving it behind is a courtesy.
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let info = self.consumer.cached_info();
        let (context, stream, name) = (self.context.clone(), info.stream_name.clone(), info.name.clone());
        runtime.spawn(async move {
            let _ = context.delete_consumer_from_stream(name, stream).await;
        });
    }
}

impl Pull {
    /// The next entry, and how many the server has after it.
    async fn receive(&mut self) -> Result<(Stored, u64), String> {
        loop {
            if self.connection.has_changed().unwrap_or(true) {
                return Err("another connection: deliveries may be lost".to_owned());
            }
            if self.requested == 0 {
                self.request().await?;
            }
            let message = tokio::select! {
                message = timeout(SILENCE, self.answers.next()) => message.map_err(|_| "silence".to_owned())?.ok_or("closed")?,
                _ = self.connection.changed() => return Err("another connection: deliveries may be lost".to_owned()),
            };
            match message.status.map_or(200, |status| status.as_u16()) {
                200 => return self.delivered(message),
                100 => {}
                408 => self.ended(&message)?,
                // The request's share of bytes is used up.
                409 if message.description.as_deref().is_some_and(|text| text.contains("MaxBytes")) => {
                    self.ended(&message)?
                }
                status => return Err(format!("status {status} {}", message.description.unwrap_or_default())),
            }
        }
    }

    async fn request(&mut self) -> Result<(), String> {
        let request = BatchConfig {
            batch: BATCH,
            expires: Some(PULL_EXPIRES),
            idle_heartbeat: HEARTBEAT,
            ..BatchConfig::default()
        };
        self.consumer.request_batch(request, self.inbox.as_str().into()).await.map_err(|error| chain(&error))?;
        self.requested = BATCH;
        Ok(())
    }

    fn delivered(&mut self, message: async_nats::Message) -> Result<(Stored, u64), String> {
        let message = jetstream::Message { message, context: self.context.clone() };
        let info = message.info().map_err(|error| error.to_string())?;
        if info.consumer_sequence != self.delivered + 1 {
            return Err(format!("delivery {} came after {}", info.consumer_sequence, self.delivered));
        }
        let (sequence, behind) = (info.stream_sequence, info.pending);
        let stored_at =
            Timestamp::from_nanosecond(info.published.unix_timestamp_nanos()).map_err(|error| error.to_string())?;
        self.delivered += 1;
        self.requested = self.requested.saturating_sub(1);
        let message = message.message;
        let entry = Stored {
            subject: message.subject.to_string(),
            sequence,
            stored_at,
            headers: message.headers.unwrap_or_default(),
            payload: message.payload,
        };
        Ok((entry, behind))
    }

    /// The request is over. The server says how many entries it did not send: fewer than we miss means a lost one.
    fn ended(&mut self, message: &async_nats::Message) -> Result<(), String> {
        let unsent = message.headers.as_ref().and_then(|h| h.get("Nats-Pending-Messages")).map(HeaderValue::as_str);
        match unsent.and_then(|n| n.parse::<usize>().ok()) {
            Some(unsent) if unsent != self.requested => {
                Err(format!("{} deliveries were lost", self.requested.abs_diff(unsent)))
            }
            _ => {
                self.requested = 0;
                Ok(())
            }
        }
    }
}

/// The entries as events; what is not one keeps its place as [`Unreadable`].
pub(crate) fn records(names: &Names, batch: Vec<Stored>) -> Vec<Result<Record, Unreadable>> {
    batch.into_iter().map(|stored| Record::parse(names, stored)).collect()
}
