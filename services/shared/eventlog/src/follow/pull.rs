//! One throw-away consumer and the pull requests to it, with every check that a delivery was not lost.
//!
//! async-nats' own `Batch` loses its wake-up after an idle heartbeat (0.51), and a batch that is dropped loses what the
//! server still sends: so requests and answers are handled here, over one inbox for the consumer's whole life.

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
use futures::StreamExt;
use jiff::Timestamp;
use tokio::{sync::watch, time::timeout};

use super::{BATCH, Position};
use crate::{EventLog, log::chain, wire::Stored};

/// Entries can have half a megabyte each: what is fetched at once is bounded in bytes too.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// One request lives this long; the server beats while it has nothing, so silence means it is gone.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(12);
/// The server removes a consumer that nobody pulls from.
const CONSUMER_FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

/// One consumer and the pull request under way.
pub(super) struct Pull {
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

/// Where a new consumer stands.
pub(super) struct Opened {
    /// The last sequence before its first delivery.
    pub(super) after: u64,
    pub(super) pending: u64,
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
    pub(super) async fn open(
        log: &EventLog,
        stream: &str,
        filters: &[String],
        position: Position,
    ) -> Result<(Self, Opened), String> {
        let connection = log.connection();
        let config = Config {
            deliver_policy: deliver_policy(position)?,
            ack_policy: AckPolicy::None,
            filter_subjects: filters.to_vec(),
            inactive_threshold: CONSUMER_FORGOTTEN_AFTER,
            memory_storage: true,
            num_replicas: 1,
            ..Config::default()
        };
        let context = log.jetstream().clone();
        let consumer: PullConsumer =
            context.create_consumer_on_stream(config, stream).await.map_err(|error| chain(&error))?;
        let info = consumer.cached_info();
        let opened = Opened { after: info.delivered.stream_sequence, pending: info.num_pending };
        let inbox = log.client().new_inbox();
        let answers = log.client().subscribe(inbox.clone()).await.map_err(|error| chain(&error))?;
        Ok((Self { consumer, context, answers, inbox, requested: 0, delivered: 0, connection }, opened))
    }

    /// The next entry, and how many the server has after it.
    pub(super) async fn receive(&mut self) -> Result<(Stored, u64), String> {
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
                100 => self.heartbeat(&message)?,
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
            max_bytes: BATCH_BYTES,
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

    /// The server has nothing for us. It says how many it has delivered: more than we got means a lost one.
    fn heartbeat(&self, message: &async_nats::Message) -> Result<(), String> {
        match number(message, "Nats-Last-Consumer") {
            Some(delivered) if delivered != self.delivered => {
                Err(format!("{} deliveries were lost", delivered.abs_diff(self.delivered)))
            }
            _ => Ok(()),
        }
    }

    /// The request is over. The server says how many entries it did not send: fewer than we miss means a lost one.
    fn ended(&mut self, message: &async_nats::Message) -> Result<(), String> {
        match number(message, "Nats-Pending-Messages") {
            Some(unsent) if unsent != self.requested as u64 => {
                Err(format!("{} deliveries were lost", unsent.abs_diff(self.requested as u64)))
            }
            _ => {
                self.requested = 0;
                Ok(())
            }
        }
    }
}

fn number(message: &async_nats::Message, header: &str) -> Option<u64> {
    message.headers.as_ref()?.get(header).map(HeaderValue::as_str)?.parse().ok()
}
