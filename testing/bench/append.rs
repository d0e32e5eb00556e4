//! Appending events, beside publishing the same bytes to JetStream without any of our code: same server, same stream
//! settings, same number of messages under way, in turns.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use async_nats::{HeaderMap, jetstream};
use bytes::Bytes;
use muster_domain::{AggregateId, TenantId, execution::Execution, pb::execution::v1::ExecutionEvent};
use muster_eventlog::{EventLog, Loaded, Meta};
use tokio::task::JoinSet;

use crate::{
    history,
    report::{self, Measured, count, millis, ratio},
    settings::Settings,
    stack::Nats,
};

/// Writers at once, each on aggregates of its own, each waiting for its acknowledgement.
const WRITERS: [usize; 3] = [1, 8, 32];

/// A writer goes on with a new aggregate after so many events: what one execution has.
const EVENTS_PER_AGGREGATE: u64 = history::EXECUTION_EVENTS as u64;

pub(crate) async fn run(settings: &Settings) -> Result<()> {
    report::title("append: one event, acknowledged when it is on the disk");
    let nats = Nats::start().await?;
    let peer = Peer::new(&nats).await?;
    let signing = nats.written_by("bench-signs", false).await?;
    let sealing = nats.written_by("bench-seals", true).await?;
    println!("Each message: {} bytes of headers and {} of payload.\n", header_bytes(&peer.headers), peer.payload.len());
    let mut rows = Vec::new();
    for writers in WRITERS {
        let mut kinds: [Measured; 6] = Default::default();
        for turn in 0..settings.turns {
            let [plain, guarded, append, signed, sealed, decide] = &mut kinds;
            let id = |writer: usize| -> Result<AggregateId> { Ok(format!("w-{writers}-{turn}-{writer}").parse()?) };
            take_turn(plain, writers, settings.turn, |writer| Ok(peer.plain(writer))).await?;
            take_turn(guarded, writers, settings.turn, |writer| Ok(peer.guarded(&id(writer)?))).await?;
            take_turn(append, writers, settings.turn, |writer| Ok(Appender::new(&nats, &id(writer)?))).await?;
            let by = |log: &EventLog, name: &str, writer: usize| -> Result<Appender> {
                Ok(Appender::with(log, &nats.tenant, &format!("{name}-{}", id(writer)?).parse()?))
            };
            take_turn(signed, writers, settings.turn, |writer| by(&signing, "signed", writer)).await?;
            take_turn(sealed, writers, settings.turn, |writer| by(&sealing, "sealed", writer)).await?;
            take_turn(decide, writers, settings.turn, |writer| Ok(Decider::new(&nats, &id(writer)?))).await?;
        }
        rows.extend(rows_of(writers, &kinds));
    }
    let header = ["what", "writers", "events/s", "p50", "p99", "of raw"];
    report::table(&header, rows);
    Ok(())
}

fn rows_of(writers: usize, kinds: &[Measured; 6]) -> Vec<Vec<String>> {
    let names = [
        "raw publish, stream without limits",
        "raw publish, the log's own stream settings",
        "append",
        "append, signed",
        "append, encrypted and signed",
        "load, decide, append",
    ];
    let row = |(name, measured): (&str, &Measured)| {
        vec![
            name.to_owned(),
            writers.to_string(),
            count(measured.per_second()),
            millis(measured.percentile(50.0)),
            millis(measured.percentile(99.0)),
            ratio(measured.share_of(&kinds[1])),
        ]
    };
    names.into_iter().zip(kinds).map(row).collect()
}

/// Writes one message after the other.
trait Writer: Send + 'static {
    fn write(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// Lets so many writers write for so long.
async fn take_turn<W: Writer>(
    measured: &mut Measured,
    writers: usize,
    duration: Duration,
    make: impl Fn(usize) -> Result<W>,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for writer in 0..writers {
        let mut writer = make(writer)?;
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < duration {
                let began = Instant::now();
                writer.write().await?;
                latencies.push(began.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done??);
    }
    measured.add_turn(latencies, started.elapsed());
    Ok(())
}

// ---- JetStream as it is ----

/// What is published raw: the bytes of a real event.
struct Peer {
    raw: jetstream::Context,
    headers: HeaderMap,
    payload: Bytes,
}

impl Peer {
    /// Two streams beside the log: one with the log's own settings, one without limits.
    async fn new(nats: &Nats) -> Result<Self> {
        let log_stream = nats.stream().await?;
        let like_the_log = jetstream::stream::Config {
            name: "RAW_GUARDED".to_owned(),
            subjects: vec!["raw.*.*.*.*".to_owned()],
            ..log_stream.cached_info().config.clone()
        };
        nats.raw.create_stream(like_the_log).await?;
        let plain = jetstream::stream::Config {
            name: "RAW_PLAIN".to_owned(),
            subjects: vec!["plain.*".to_owned()],
            ..jetstream::stream::Config::default()
        };
        nats.raw.create_stream(plain).await?;
        let mut sample = Appender::new(nats, &"sample".parse()?);
        sample.write().await?;
        let stored = log_stream.get_raw_message(1).await?;
        Ok(Self { raw: nats.raw.clone(), headers: without_expectation(&stored.headers), payload: stored.payload })
    }

    fn plain(&self, writer: usize) -> Publisher {
        self.publisher(Subject::Same(format!("plain.{writer}")))
    }

    /// One subject a message, as the log does it.
    fn guarded(&self, id: &AggregateId) -> Publisher {
        self.publisher(Subject::Numbered { prefix: format!("raw.bench.execution.{id}"), last: 0 })
    }

    fn publisher(&self, subject: Subject) -> Publisher {
        Publisher { raw: self.raw.clone(), headers: self.headers.clone(), payload: self.payload.clone(), subject }
    }
}

struct Publisher {
    raw: jetstream::Context,
    headers: HeaderMap,
    payload: Bytes,
    subject: Subject,
}

enum Subject {
    Same(String),
    Numbered { prefix: String, last: u64 },
}

impl Writer for Publisher {
    async fn write(&mut self) -> Result<()> {
        let subject = match &mut self.subject {
            Subject::Same(subject) => subject.clone(),
            Subject::Numbered { prefix, last } => {
                *last += 1;
                format!("{prefix}.{last}")
            }
        };
        self.raw.publish_with_headers(subject, self.headers.clone(), self.payload.clone()).await?.await?;
        Ok(())
    }
}

/// The same number of bytes, and nothing for the server to check.
fn without_expectation(stored: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut padding = 0;
    for (name, values) in stored.iter() {
        for value in values {
            if name.to_string().starts_with("Nats-") {
                padding += header_line(name.as_ref(), value.as_str());
            } else {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if padding > 0 {
        headers.insert("padding", "x".repeat(padding.saturating_sub(header_line("padding", ""))));
    }
    headers
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().flat_map(|(name, values)| values.iter().map(move |v| header_line(name.as_ref(), v.as_str()))).sum()
}

/// `name: value\r\n`
fn header_line(name: &str, value: &str) -> usize {
    name.len() + value.len() + 4
}

// ---- Muster's log ----

/// Knows where its aggregate is, as a service that has just loaded it.
struct Appender {
    log: EventLog,
    tenant: TenantId,
    ids: Ids,
    at: Loaded<Execution>,
    event: Arc<ExecutionEvent>,
}

impl Appender {
    fn new(nats: &Nats, writer: &AggregateId) -> Self {
        Self::with(&nats.log, &nats.tenant, writer)
    }

    fn with(log: &EventLog, tenant: &TenantId, writer: &AggregateId) -> Self {
        Self {
            log: log.clone(),
            tenant: tenant.clone(),
            ids: Ids::new(format!("append-{writer}")),
            at: Loaded::default(),
            event: an_event(),
        }
    }
}

impl Writer for Appender {
    async fn write(&mut self) -> Result<()> {
        let (id, meta, new) = self.ids.next()?;
        if new {
            self.at = Loaded::default();
        }
        let appended = self.log.append_to(&self.tenant, &id, &self.at, &meta, &self.event).await?;
        self.at.version = appended.version;
        self.at.sequence = appended.sequence;
        Ok(())
    }
}

/// The whole way of a command.
struct Decider {
    log: EventLog,
    tenant: TenantId,
    ids: Ids,
    event: Arc<ExecutionEvent>,
}

impl Decider {
    fn new(nats: &Nats, writer: &AggregateId) -> Self {
        let ids = Ids::new(format!("decide-{writer}"));
        Self { log: nats.log.clone(), tenant: nats.tenant.clone(), ids, event: an_event() }
    }
}

impl Writer for Decider {
    async fn write(&mut self) -> Result<()> {
        let (id, meta, _) = self.ids.next()?;
        let event = &self.event;
        let decide = |_: &Execution| Ok::<_, std::convert::Infallible>(Some((**event).clone()));
        self.log.decide(&self.tenant, &id, &meta, decide).await.context("deciding")?;
        Ok(())
    }
}

fn an_event() -> Arc<ExecutionEvent> {
    Arc::new(ExecutionEvent { event: Some(history::done("promote-target")) })
}

/// Which aggregate the next event belongs to.
struct Ids {
    base: String,
    aggregate: u64,
    events: u64,
}

impl Ids {
    fn new(base: String) -> Self {
        Self { base, aggregate: 0, events: 0 }
    }

    /// The aggregate, what goes with the event, and whether the aggregate is a new one.
    fn next(&mut self) -> Result<(AggregateId, Meta, bool)> {
        let new = self.events == 0 || self.events == EVENTS_PER_AGGREGATE;
        if new {
            self.aggregate += 1;
            self.events = 0;
        }
        self.events += 1;
        let id = format!("{}-{}", self.base, self.aggregate);
        let meta = history::meta(&format!("{id} {}", self.events));
        Ok((id.parse()?, meta, new))
    }
}
