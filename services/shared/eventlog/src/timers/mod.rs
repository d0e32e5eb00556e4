//! Durable timers: the server turns a schedule into a message when it is due, also if nobody was there then.
//!
//! A timer has a key; setting it again replaces it, cancelling it removes it. It fires at least once, and once only
//! but for crashes: a handler has to be idempotent. After an outage it fires late and says how late.

mod overdue;

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderMap, header,
    jetstream::{
        AckKind, Message,
        consumer::{AckPolicy, PullConsumer, pull},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use muster_domain::TenantId;
use tokio_util::sync::CancellationToken;

use self::overdue::Watch;
use crate::{
    EventLog,
    error::LogError,
    log::chain,
    record::{text, traceparent},
    retry::{PATIENCE, Patience, pauses},
    wire::{self, Failure},
};

const DUE: &str = "muster-due";
/// What a timer carries: ids and a reason, not documents.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// The trace of a cancelled timer.
const CANCELLED_KEPT: &str = "1s";
/// How long a handler may be silent; while it works, it is said to be working.
const ACK_WAIT: Duration = Duration::from_secs(30);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Timers of one handler at work at once in one instance.
const CONCURRENT: usize = 16;
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Which timer. One of a key exists at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimerKey {
    pub tenant: TenantId,
    /// Who is called, as given to [`run_timers`]: "approval.deadlines".
    pub handler: String,
    /// The handler's own name for it, "escalate-<request id>".
    pub key: String,
}

/// A timer that came due.
#[derive(Debug, Clone, PartialEq)]
pub struct TimerFired {
    pub tenant: TenantId,
    pub key: String,
    pub due: Timestamp,
    pub payload: Bytes,
    /// Zero or more; long after an outage.
    pub late_by: SignedDuration,
}

/// What happens when a timer is due.
#[async_trait]
pub trait TimerHandler: Send + Sync + 'static {
    /// An error: it is called again, with growing pauses, without end. The same timer can come twice.
    async fn fire(&self, timer: TimerFired) -> Result<(), TimerError>;
}

/// Why a timer has to be fired again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TimerError(pub String);

/// Sets and cancels timers. Cheap to clone.
#[derive(Clone)]
pub struct Timers {
    log: EventLog,
}

impl EventLog {
    pub fn timers(&self) -> Timers {
        Timers { log: self.clone() }
    }
}

impl Timers {
    pub fn new(log: &EventLog) -> Self {
        log.timers()
    }

    /// Sets the timer, or replaces it. In the past: it fires at once.
    pub async fn set(&self, key: &TimerKey, due: Timestamp, payload: &[u8]) -> Result<(), LogError> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            let description = format!("a timer carries at most {MAX_PAYLOAD_BYTES} bytes, this one {}", payload.len());
            return Err(LogError::Refused { doing: "setting a timer", code: 0, description });
        }
        let (handler, name) = (token("timer handler", &key.handler)?, token("timer key", &key.key)?);
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_SCHEDULE, format!("@at {due}"));
        headers.insert(header::NATS_SCHEDULE_TARGET, self.log.names().due(&handler, &key.tenant, &name));
        headers.insert(header::NATS_ROLLUP, "sub");
        headers.insert(DUE, due.to_string());
        if let Some(traceparent) = traceparent() {
            headers.insert("traceparent", traceparent);
        }
        self.put(self.log.names().timer(&handler, &key.tenant, &name), headers, payload.to_vec().into()).await
    }

    /// What a timer that is set and not yet due carries. `None`: there is none.
    pub async fn payload(&self, key: &TimerKey) -> Result<Option<Bytes>, LogError> {
        let (handler, name) = (token("timer handler", &key.handler)?, token("timer key", &key.key)?);
        let (stream, subject) = (self.log.names().timer_stream(), self.log.names().timer(&handler, &key.tenant, &name));
        let mut patience = Patience::new(PATIENCE);
        loop {
            match wire::leader_last(&self.log, &stream, &subject).await {
                // A cancelled one leaves an empty message for a moment.
                Ok(stored) => return Ok(stored.map(|stored| stored.payload).filter(|payload| !payload.is_empty())),
                Err(failure) => self.log.wait_out("reading a timer", &stream, failure, &mut patience).await?,
            }
        }
    }

    /// Removes the timer. One that came due already may still be on its way to its handler.
    pub async fn cancel(&self, key: &TimerKey) -> Result<(), LogError> {
        let (handler, name) = (token("timer handler", &key.handler)?, token("timer key", &key.key)?);
        // Replaces the schedule by an empty message without one, which the server removes by itself.
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_TTL, CANCELLED_KEPT);
        headers.insert(header::NATS_ROLLUP, "sub");
        self.put(self.log.names().timer(&handler, &key.tenant, &name), headers, Bytes::new()).await
    }

    /// Setting and cancelling twice is the same as once, so an unknown outcome is simply repeated.
    async fn put(&self, subject: String, headers: HeaderMap, payload: Bytes) -> Result<(), LogError> {
        let stream = self.log.names().timer_stream();
        let mut patience = Patience::new(PATIENCE);
        loop {
            match wire::publish(&self.log, subject.clone(), headers.clone(), payload.clone()).await {
                Ok(_) => return Ok(()),
                Err(Failure::Refused { code, description }) => {
                    return Err(LogError::Refused { doing: "setting a timer", code, description });
                }
                Err(failure) => self.log.wait_out("setting a timer", &stream, failure, &mut patience).await?,
            }
        }
    }
}

/// One subject token. '.' is allowed in names and written as '~'.
fn token(what: &'static str, value: &str) -> Result<String, LogError> {
    let allowed = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if allowed && !value.is_empty() && value.len() <= 128 {
        return Ok(value.replace('.', "~"));
    }
    Err(LogError::InvalidName {
        what,
        value: value.chars().take(129).collect(),
        rule: "use 1 to 128 characters: letters, digits, '-', '_' and '.'",
    })
}

/// Fires a handler's timers until `shutdown`. Several instances share them.
pub async fn run_timers(
    log: EventLog,
    handler: impl Into<Arc<str>>,
    fire: Arc<dyn TimerHandler>,
    shutdown: CancellationToken,
) {
    let handler = handler.into();
    let mut delays = pauses(LONGEST_PAUSE);
    let work = async {
        loop {
            if let Err(reason) = fire_due(&log, &handler, &fire).await {
                tracing::warn!(%handler, reason, "timers are interrupted, beginning again");
            }
            tokio::time::sleep(delays.next().unwrap_or(LONGEST_PAUSE)).await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

async fn fire_due(log: &EventLog, handler: &Arc<str>, fire: &Arc<dyn TimerHandler>) -> Result<(), String> {
    let name = token("timer handler", handler).map_err(|error| error.to_string())?;
    let consumer = consumer(log, &name).await?;
    tokio::select! {
        ended = deliver(log, handler, &consumer, fire) => ended,
        () = Watch::new(log, handler, &name).run() => Ok(()),
    }
}

async fn deliver(
    log: &EventLog,
    handler: &Arc<str>,
    consumer: &PullConsumer,
    fire: &Arc<dyn TimerHandler>,
) -> Result<(), String> {
    let messages =
        consumer.stream().max_messages_per_batch(CONCURRENT).heartbeat(Duration::from_secs(5)).messages().await;
    let mut messages = messages.map_err(|error| chain(&error))?;
    let mut at_work = futures::stream::FuturesUnordered::new();
    loop {
        tokio::select! {
            message = messages.next(), if at_work.len() < CONCURRENT => match message {
                Some(Ok(message)) => at_work.push(fire_one(log, handler, fire, message)),
                Some(Err(error)) => return Err(chain(&error)),
                None => return Err("the server ended the delivery".to_owned()),
            },
            Some(()) = at_work.next(), if !at_work.is_empty() => {}
        }
    }
}

/// Durable, on the server: what was delivered and not confirmed is delivered again, to whoever asks.
async fn consumer(log: &EventLog, name: &str) -> Result<PullConsumer, String> {
    let config = pull::Config {
        durable_name: Some(format!("timers-{}", name.replace('~', "_"))),
        filter_subject: log.names().all_due(name),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: 1000,
        ..pull::Config::default()
    };
    log.jetstream().create_consumer_on_stream(config, log.names().timer_stream()).await.map_err(|error| chain(&error))
}

async fn fire_one(log: &EventLog, handler: &Arc<str>, fire: &Arc<dyn TimerHandler>, message: Message) {
    let tries = message.info().map_or(1, |info| info.delivered.max(1));
    let Some(timer) = timer_of(log, &message) else {
        tracing::error!(%handler, subject = %message.subject, "not a timer: dropped");
        return settle(&message, AckKind::Term).await;
    };
    let (tenant, key, late_by) = (timer.tenant.clone(), timer.key.clone(), timer.late_by);
    metrics::histogram!("muster_timer_late_seconds", "handler" => handler.clone()).record(late_by.as_secs_f64());
    let outcome = {
        let mut work = fire.fire(timer);
        let mut progress = tokio::time::interval(PROGRESS_EVERY);
        progress.tick().await;
        loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                _ = progress.tick() => settle(&message, AckKind::Progress).await,
            }
        }
    };
    match outcome {
        // Waits until the server has noted it: an unconfirmed one would be fired again.
        Ok(()) => {
            if let Err(error) = message.double_ack().await {
                tracing::warn!(%error, "a timer's confirmation was not confirmed; it may be fired again");
            }
        }
        Err(error) => {
            let doublings = u32::try_from(tries - 1).unwrap_or(u32::MAX).min(16);
            let retry = FIRST_RETRY.saturating_mul(1 << doublings).min(LONGEST_RETRY);
            metrics::counter!("muster_timer_failures_total", "handler" => handler.clone()).increment(1);
            tracing::error!(%handler, %tenant, key, tries, %error, "a timer's handler failed, it is called again");
            settle(&message, AckKind::Nak(Some(retry))).await;
        }
    }
}

fn timer_of(log: &EventLog, message: &Message) -> Option<TimerFired> {
    let (tenant, key) = log.names().parse_due(&message.subject)?;
    let due: Timestamp = text(message.headers.as_ref()?, DUE)?.parse().ok()?;
    #[expect(clippy::disallowed_methods, reason = "the server fires by the real clock, so late is by the real clock")]
    let late_by = Timestamp::now().duration_since(due).max(SignedDuration::ZERO);
    Some(TimerFired { tenant, key: key.replace('~', "."), due, payload: message.payload.clone(), late_by })
}

async fn settle(message: &Message, kind: AckKind) {
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(%error, "a timer's confirmation was not sent; it will be fired again");
    }
}
